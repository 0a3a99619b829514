"""operate_fleet: holds or resumes a fleet, or lifts a quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.requests import OperateRequest
from snaproll.runtime import handle
from snaproll.steps.operate import operate_fleet

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, OperateRequest, operate_fleet)
