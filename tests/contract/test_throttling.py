"""Every call that snaproll makes may be throttled, and hears of it alike behind both doors."""

from __future__ import annotations

from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from embedded.world.errors import AwsError
from embedded.world.faults import Call
from embedded.world.world import World
from snaproll.aws.refusals import named
from snaproll.errors import ThrottledError
from tests.contract.doors import DOORS, Door, opened
from tests.contract.made_calls import of_the_package
from tests.contract.requests import complete

THROTTLED: Final = {
    "autoscaling": ("Throttling", 400),
    "cloudwatch": ("Throttling", 400),
    "dynamodb": ("ThrottlingException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "elbv2": ("Throttling", 400),
    "events": ("ThrottlingException", 400),
    "kms": ("ThrottlingException", 400),
    "lambda": ("TooManyRequestsException", 429),
    "ssm": ("ThrottlingException", 400),
    "stepfunctions": ("ThrottlingException", 400),
}
"""How each service says that there were too many calls (API references, 'Common errors'; EC2
developer guide, 'Throttling'; the Lambda model's TooManyRequestsException)."""


def throttle(call: Call) -> None:
    code, status = THROTTLED[call.service]
    raise AwsError(code, "Rate exceeded", http_status=status)


def heard(door: Door, call: str) -> ClientError:
    """What the caller of a throttled call catches, when the SDK has stopped trying."""
    service, _, operation = call.partition(":")
    client: Any = door.client(service)
    model = client.meta.service_model.operation_model(operation)
    with pytest.raises(ClientError) as caught:
        client._make_api_call(operation, complete(model.input_shape))  # noqa: SLF001 - by name
    return caught.value


@pytest.fixture(scope="module")
def throttled() -> dict[str, dict[str, ClientError]]:
    """By door, what is heard of each call."""
    found = {}
    for name in DOORS:
        world = World()
        world.faults.before_effect(throttle)
        with pytest.MonkeyPatch.context() as patch, opened(name, world) as door:
            # The SDK waits between its tries, which is no business of this test.
            patch.setenv("AWS_MAX_ATTEMPTS", "1")
            found[name] = {call: heard(door, call) for call in sorted(of_the_package())}
    return found


@pytest.mark.parametrize("door", DOORS)
def test_a_throttled_call_is_known_as_such(
    throttled: dict[str, dict[str, ClientError]], door: str
) -> None:
    errors = throttled[door]

    assert {
        call for call, one in errors.items() if not isinstance(named(one, "x"), ThrottledError)
    } == set()


def test_a_throttled_call_hears_the_same_behind_both_doors(
    throttled: dict[str, dict[str, ClientError]],
) -> None:
    direct, wire = (
        {call: (type(one).__name__, one.response["Error"]["Code"]) for call, one in of.items()}
        for of in throttled.values()
    )

    assert wire == direct
