"""update_launch_template: makes a release launchable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from snaproll.contracts.steps import TemplateRequest
from snaproll.runtime import handle
from snaproll.steps.template import update_launch_template

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Answer one invocation."""
    return handle(event, context, TemplateRequest, update_launch_template)
