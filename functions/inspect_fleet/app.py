"""inspect_fleet: judges a fleet by the preflight; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.rollout import StepRequest
from snaproll.runtime import handle
from snaproll.steps.fleet import inspect_claimed_fleet

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, StepRequest, inspect_claimed_fleet)
