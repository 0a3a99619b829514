"""await_signal: leaves the task token where a signal finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.signals import WaitRequest
from snaproll.runtime import handle
from snaproll.steps.signals import await_signal

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, WaitRequest, await_signal)
