"""signal_publish: wakes the publish whose snapshot ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.events import SnapshotEnded
from snaproll.runtime import handle
from snaproll.steps.publish.snapshot import signal_publish

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, SnapshotEnded, signal_publish)
