"""Executions of the state machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from snaproll.aws.refusals import SDK_ERRORS, code_of, named

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

GONE = "GONE"
"""Not a status of Step Functions: it knows no such execution."""
_NOBODY_WAITS = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Executions:
    """Starting and waking executions."""

    def __init__(self, states: SFNClient) -> None:
        self._states = states

    def start(self, machine: str, name: str, content: Mapping[str, object]) -> bool:
        """Start an execution; False when one of that name ran already, or runs."""
        try:
            self._states.start_execution(
                stateMachineArn=machine, name=name, input=json.dumps(content, sort_keys=True)
            )
        except SDK_ERRORS as error:
            if code_of(error) == "ExecutionAlreadyExists":
                return False
            raise named(error, f"start the execution {name}") from error
        return True

    def status(self, execution: str) -> str:
        """An execution's status; ``GONE`` when there is none of that name, or none any more."""
        try:
            return self._states.describe_execution(executionArn=execution)["status"]
        except SDK_ERRORS as error:
            if code_of(error) == "ExecutionDoesNotExist":
                return GONE
            raise named(error, f"describe the execution {execution}") from error

    def wake(self, token: str, content: Mapping[str, object]) -> bool:
        """End a wait; False when nobody waits on that token any more."""
        try:
            self._states.send_task_success(taskToken=token, output=json.dumps(content))
        except SDK_ERRORS as error:
            if code_of(error) in _NOBODY_WAITS:
                return False
            raise named(error, "wake a waiting rollout") from error
        return True
