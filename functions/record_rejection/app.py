"""record_rejection: marks a snapshot that the gate refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import RejectionRequest
from snaproll.runtime import handle
from snaproll.steps.snapshot import record_rejection

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, RejectionRequest, record_rejection)
