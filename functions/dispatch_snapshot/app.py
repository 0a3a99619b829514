"""dispatch_snapshot: an EBS event becomes one execution per fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.events import SnapshotEvent
from snaproll.runtime import handle
from snaproll.steps.dispatch import dispatch_snapshot

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, SnapshotEvent, dispatch_snapshot)
