"""await_snapshot: leaves the token that a snapshot's event wakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.steps import AwaitSnapshotRequest
from snaproll.runtime import handle
from snaproll.steps.publish.snapshot import await_snapshot

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, AwaitSnapshotRequest, await_snapshot)
