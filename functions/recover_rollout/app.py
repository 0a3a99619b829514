"""recover_rollout: lets the fleet of a dead rollout be watched again, or held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.events import ExecutionEvent
from snaproll.runtime import handle
from snaproll.steps.recover import recover_rollout

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, ExecutionEvent, recover_rollout)
