"""The functions' logs follow their stack's parameter, also where one process serves two stacks."""

from __future__ import annotations

import json

import pytest

from embedded.scenarios.stage import Stage


def lines_of_a_rollout(level: str) -> list[str]:
    """What the functions wrote that a good rollout ran, with logs from a level on."""
    stage = Stage(parameters={"LogLevel": level})
    fleet = stage.add_fleet("kg")
    stage.roll(fleet)
    return [one.line for log in stage.world.awslambda.logs.values() for one in log]


@pytest.mark.parametrize(("level", "told"), [("INFO", True), ("WARNING", False)])
def test_functions_log_what_matters_as_much_as_the_stack_wants(level: str, *, told: bool) -> None:
    # The other stack of this process wants the opposite.
    lines_of_a_rollout("WARNING" if told else "INFO")

    lines = lines_of_a_rollout(level)

    assert any(json.loads(one)["level"] == "INFO" for one in lines if "level" in one) is told
