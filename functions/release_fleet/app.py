"""release_fleet: records the outcome and gives the claim back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import ReleaseFleetRequest
from snaproll.runtime import handle
from snaproll.steps.ending import release_fleet

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, ReleaseFleetRequest, release_fleet)
