"""request_publish: turns what asks for a snapshot into one execution for each writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.events import PublishEvent
from snaproll.runtime import handle
from snaproll.steps.publish.requests import request_publish

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, PublishEvent, request_publish)
