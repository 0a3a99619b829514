"""Functions of the control plane itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from snaproll.aws.refusals import named_errors

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Functions:
    """Handing work to functions without waiting for it."""

    def __init__(self, awslambda: LambdaClient) -> None:
        self._lambda = awslambda

    def hand_over(self, function: str, work: BaseModel) -> None:
        """Let a function do something soon; Lambda tries it again when it fails."""
        with named_errors(f"hand work to the function {function}"):
            self._lambda.invoke(
                FunctionName=function,
                InvocationType="Event",
                Payload=work.model_dump_json().encode(),
            )
