"""reconcile_fleets: compares what is with what should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.events import ReconcileEvent
from snaproll.runtime import handle
from snaproll.steps.reconcile import reconcile_fleets

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, ReconcileEvent, reconcile_fleets)
