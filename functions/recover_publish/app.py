"""recover_publish: lets the writer of a publish that died go, and lets another go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.publish.events import RecoverEvent
from snaproll.runtime import handle
from snaproll.steps.publish.recover import recover_publish

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, RecoverEvent, recover_publish)
