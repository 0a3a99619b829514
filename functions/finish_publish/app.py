"""finish_publish: records the outcome and gives the writer back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.steps import FinishPublishRequest
from snaproll.runtime import handle
from snaproll.steps.publish.claim import finish_publish

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, FinishPublishRequest, finish_publish)
