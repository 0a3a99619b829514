"""What a rollout costs on AWS, from a dated table of list prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from embedded.states.execution import Execution
from embedded.world.eventbridge.targets import CALLER
from embedded.world.faults import Call

PRICES_OF = "2026-11, us-east-1"
"""When and where the prices below were list prices (the services' pricing pages)."""
PER_TRANSITION = 0.025 / 1_000
PER_LAMBDA_REQUEST = 0.20 / 1_000_000
PER_LAMBDA_GB_SECOND_ARM = 0.0000133334
PER_WRITE_UNIT = 0.625 / 1_000_000
PER_READ_UNIT = 0.125 / 1_000_000
PER_CUSTOM_EVENT = 1.00 / 1_000_000
PER_NOTIFICATION = 0.50 / 1_000_000

LAMBDA_GB = 0.5
ASSUMED_BILLED_SECONDS = 0.4
"""Per invocation, a share of cold starts included: the embedded AWS does not measure it."""
_WRITE_UNITS = {"PutItem": 1, "DeleteItem": 1, "UpdateItem": 1, "TransactWriteItems": 6}
"""Items are below 1 KB or little more; a transaction of up to three items costs two units each."""
_READ_UNITS = {"GetItem": 1, "Query": 1}
"""A strongly consistent read of up to 4 KB."""


@dataclass(frozen=True)
class Cost:
    """What one rollout costs, in US dollars by service."""

    step_functions: float
    functions: float
    ledger: float
    events: float

    @property
    def total(self) -> float:
        """The sum, without the free tiers."""
        return self.step_functions + self.functions + self.ledger + self.events


def cost_of(execution: Execution | None, calls: Iterable[Call]) -> Cost:
    """Price an execution, None if an event started none, and the calls made for it."""
    made = [call for call in calls if call.service in ("dynamodb", "events", "lambda", "sns")]
    # What EventBridge hands to Lambda's queue is run from there, and counted there.
    invoked = sum(call.operation == "Invoke" and call.caller != CALLER for call in made)
    per_invocation = PER_LAMBDA_REQUEST + (
        PER_LAMBDA_GB_SECOND_ARM * LAMBDA_GB * ASSUMED_BILLED_SECONDS
    )
    return Cost(
        step_functions=(execution.transitions if execution else 0) * PER_TRANSITION,
        functions=invoked * per_invocation,
        ledger=sum(
            _WRITE_UNITS.get(call.operation, 0) * PER_WRITE_UNIT
            + _READ_UNITS.get(call.operation, 0) * PER_READ_UNIT
            for call in made
            if call.service == "dynamodb"
        ),
        events=sum(call.operation == "PutEvents" for call in made) * PER_CUSTOM_EVENT
        + sum(call.operation == "Publish" for call in made) * PER_NOTIFICATION,
    )
