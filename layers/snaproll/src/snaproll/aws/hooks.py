"""Quiesce hooks: a team's own Lambda function or SSM command document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from snaproll.aws.refusals import SDK_ERRORS, code_of, message_of, named
from snaproll.model import Value

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_ssm import SSMClient

_NO_FUNCTION = frozenset({"ResourceNotFoundException"})
_NO_COMMAND = frozenset({"InvalidInstanceId", "InvalidDocument", "InvalidParameters"})
_RUNNING = frozenset({"Pending", "InProgress", "Delayed"})
"""Statuses of a command that has not ended (Systems Manager user guide, "Command statuses")."""
_LONGEST_MESSAGE = 1_000
"""Characters that are kept of what a hook says of its failure."""
_DELIVERY_SECONDS = 30
"""The shortest time that SSM takes for handing a command over (``SendCommandRequest``)."""


class HookState(StrEnum):
    """How far a hook got."""

    DONE = "done"
    PENDING = "pending"
    """It needs more time, and is to be asked again."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a hook answered; ``command`` is the SSM command to ask for again."""

    state: HookState
    message: str
    command: str | None = None


class Hooks:
    """Calling hooks, and asking how far they are."""

    def __init__(self, functions: LambdaClient, ssm: SSMClient) -> None:
        self._functions = functions
        self._ssm = ssm

    def invoke(self, function: str, content: Mapping[str, Any]) -> HookAnswer:
        """Invoke a hook that is a function and wait for its answer."""
        try:
            reply = self._functions.invoke(
                FunctionName=function, Payload=json.dumps(content).encode()
            )
        except SDK_ERRORS as error:
            if code_of(error) in _NO_FUNCTION:
                return HookAnswer(HookState.FAILED, f"there is no function {function}")
            raise named(error, f"invoke the quiesce hook {function}") from error
        payload = reply["Payload"].read()
        if reply.get("FunctionError"):
            return HookAnswer(HookState.FAILED, f"{function} failed: {_failure(payload)}")
        return _answer(function, payload)

    def send(self, document: str, instance: str, parameters: Mapping[str, str]) -> HookAnswer:
        """Run a hook that is a document; how it ends is asked for with the command's id."""
        try:
            reply = self._ssm.send_command(
                DocumentName=document,
                InstanceIds=[instance],
                Parameters={name: [value] for name, value in parameters.items()},
                TimeoutSeconds=_DELIVERY_SECONDS,
            )
        except SDK_ERRORS as error:
            if code_of(error) in _NO_COMMAND:
                what = f"{code_of(error)}: {message_of(error)}".rstrip(": ")
                text = f"SSM does not run {document} on {instance}: {what}"
                return HookAnswer(HookState.FAILED, text)
            raise named(error, f"run the quiesce document {document} on {instance}") from error
        command = reply["Command"]["CommandId"]
        return HookAnswer(HookState.PENDING, f"{document} runs on {instance}", command)

    def ask(self, document: str, instance: str, command: str) -> HookAnswer:
        """How a command is, or ended."""
        try:
            reply = self._ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        except SDK_ERRORS as error:
            # A command that was just sent is not known at once.
            if code_of(error) == "InvocationDoesNotExist":
                text = f"{document} has not reached {instance}"
                return HookAnswer(HookState.PENDING, text, command)
            raise named(error, f"ask how the quiesce document {document} is") from error
        status = reply["Status"]
        if status in _RUNNING:
            return HookAnswer(HookState.PENDING, f"{document} runs on {instance}", command)
        if status == "Success":
            return HookAnswer(HookState.DONE, f"{document} succeeded on {instance}")
        said = reply.get("StandardErrorContent", "").strip() or reply.get("StatusDetails", "")
        return HookAnswer(HookState.FAILED, f"{document} on {instance} ended as {status}: {said}")


class _Answer(Value):
    """What a hook that is a function is to answer."""

    state: Literal[HookState.DONE, HookState.PENDING]


class _Failure(Value):
    """What Lambda tells of a handler that raised."""

    errorType: str = "an error"  # noqa: N815 - Lambda's own name
    errorMessage: str = ""  # noqa: N815 - Lambda's own name


def _answer(function: str, payload: bytes) -> HookAnswer:
    """Read a hook's answer: ``{"state": "done" | "pending"}``, and whatever it wants to add."""
    try:
        state = _Answer.model_validate_json(payload).state
    except ValidationError:
        allowed = '{"state": "done"} or {"state": "pending"}'
        text = f"{function} answered {payload[:200]!r}; allowed is {allowed}"
        return HookAnswer(HookState.FAILED, text)
    return HookAnswer(state, f"{function} answered {state}")


def _failure(payload: bytes) -> str:
    try:
        told = _Failure.model_validate_json(payload)
    except ValidationError:
        return "an error"
    return f"{told.errorType}: {told.errorMessage[:_LONGEST_MESSAGE]}".rstrip(": ")
