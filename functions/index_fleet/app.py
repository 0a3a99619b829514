"""index_fleet: keeps the index of fleets with the parameters that declare them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.events import ParameterEvent
from snaproll.runtime import handle
from snaproll.steps.index import index_fleet

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, ParameterEvent, index_fleet)
