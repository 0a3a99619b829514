"""signal_rollout: wakes the rollout that an event concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.signals import SignalEvent
from snaproll.runtime import handle
from snaproll.steps.signals import signal_rollout

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, SignalEvent, signal_rollout)
