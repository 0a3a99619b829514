"""quarantine_snapshot: quarantines a snapshot on evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import QuarantineRequest
from snaproll.runtime import handle
from snaproll.steps.snapshot import quarantine_snapshot

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, QuarantineRequest, quarantine_snapshot)
