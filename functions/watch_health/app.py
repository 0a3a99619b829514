"""watch_health: looks at the fleet once and judges; changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.looks import WatchRequest
from snaproll.runtime import handle
from snaproll.steps.watch import watch_health

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, WatchRequest, watch_health)
