"""hand_over: lets a new execution go on with a long rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.looks import HandOverRequest
from snaproll.runtime import handle
from snaproll.steps.handover import hand_over

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, HandOverRequest, hand_over)
