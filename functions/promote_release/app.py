"""promote_release: makes a proven release live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import ReleaseRequest
from snaproll.runtime import handle
from snaproll.steps.promote import promote_release

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, ReleaseRequest, promote_release)
