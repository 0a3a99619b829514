"""delete_template_version: deletes the version of a release that will not be live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import DiscardRequest
from snaproll.runtime import handle
from snaproll.steps.template import delete_template_version

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, DiscardRequest, delete_template_version)
