"""roll_back: begins the way back to the rollback target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import RollBackRequest
from snaproll.runtime import handle
from snaproll.steps.refresh import roll_back

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, RollBackRequest, roll_back)
