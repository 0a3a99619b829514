"""inspect_writer: finds a writer's volume, and makes every check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.steps import PublishStepRequest
from snaproll.runtime import handle
from snaproll.steps.publish.inspect import inspect_writer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, PublishStepRequest, inspect_writer)
