"""What becomes of a rollout when AWS does not answer a function at all."""

from __future__ import annotations

import pytest
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, ReadTimeoutError

from embedded.direct import SDK_ATTEMPTS
from embedded.scenarios.stage import Stage
from embedded.world.faults import Call

URL = "https://dynamodb.us-east-1.amazonaws.com/"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ReadTimeoutError(endpoint_url=URL), id="no-answer"),
        pytest.param(ConnectTimeoutError(endpoint_url=URL), id="no-connection"),
    ],
)
@pytest.mark.parametrize("function", ["ClaimFleetFunction", "ReleaseFleetFunction"])
def test_a_step_whose_write_is_not_answered_is_run_again(
    function: str, error: BotoCoreError
) -> None:
    # Given a function whose first write to the ledger has its effect and is not answered, in
    # any of the tries that the SDK makes
    stage = Stage()
    fleet = stage.add_fleet("sec", capacity=1)
    left = SDK_ATTEMPTS

    def say_nothing(call: Call) -> None:
        nonlocal left
        if call.caller == function and call.operation.endswith(("PutItem", "WriteItems")) and left:
            left -= 1
            raise error

    stage.world.faults.after_effect(say_nothing)

    # When a snapshot is rolled
    rollout = stage.roll(fleet)

    # Then the state machine tries the step again and the rollout has its outcome
    assert left == 0
    assert rollout.output is not None
    assert rollout.output.value["outcome"] == "Live"
