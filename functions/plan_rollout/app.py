"""plan_rollout: decides what an execution is to do; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.plan import PlanRequest
from snaproll.runtime import handle
from snaproll.steps.plan import plan_rollout

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, PlanRequest, plan_rollout)
