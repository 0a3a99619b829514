"""claim_writer: takes the right to publish a writer's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.steps import ClaimWriterRequest
from snaproll.runtime import handle
from snaproll.steps.publish.claim import claim_writer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, ClaimWriterRequest, claim_writer)
