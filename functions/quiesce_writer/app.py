"""quiesce_writer: asks a hook to make a writer stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.steps import HookRequest
from snaproll.runtime import handle
from snaproll.steps.publish.hook import quiesce_writer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, HookRequest, quiesce_writer)
