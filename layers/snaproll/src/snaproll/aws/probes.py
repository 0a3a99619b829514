"""The functions that test new instances. They are looked for here; the state machine asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snaproll.aws.refusals import SDK_ERRORS, code_of, named
from snaproll.domain.probe_checks import ProbeFacts

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class Probes:
    """Functions whose names begin with the prefix that the control plane may invoke."""

    def __init__(self, functions: LambdaClient, prefix: str) -> None:
        self._functions = functions
        self._prefix = prefix

    def find(self, name: str) -> ProbeFacts:
        """What can be known of a probe without asking it.

        One with another prefix is not looked for: the function's role could not see it.
        """
        if not name.startswith(self._prefix):
            return ProbeFacts(prefix=self._prefix, allowed=False)
        try:
            reply = self._functions.get_function_configuration(FunctionName=name)
        except SDK_ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                return ProbeFacts(prefix=self._prefix, allowed=True)
            raise named(error, f"look for the probe {name}") from error
        return ProbeFacts(prefix=self._prefix, allowed=True, state=reply.get("State", "Active"))
