"""take_snapshot: begins a snapshot, once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.steps import TakeSnapshotRequest
from snaproll.runtime import handle
from snaproll.steps.publish.snapshot import take_snapshot

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, TakeSnapshotRequest, take_snapshot)
