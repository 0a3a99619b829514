"""What a Task state may call: the service integrations of Step Functions that are in use.

Sources: developer guide, "Integrating services", "Call Lambda", "Add EventBridge events",
"AWS SDK service integrations".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import HTTPClientError, ReadTimeoutError

from embedded.states.documents import dump
from embedded.states.failures import StateFailedError
from embedded.states.sdk import SdkIntegration
from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.awslambda.function import FunctionError
    from embedded.world.world import World

NO_ANSWER: Final = (HTTPClientError, NoConnectionError)
"""What an interference raises when no answer comes back from a service that a task calls."""
_RESOURCE: Final = re.compile(r"arn:aws[a-z-]*:states:[a-z0-9-]*:\d*:(?P<what>.+)")
_SDK: Final = re.compile(r"aws-sdk:(?P<service>[a-z0-9]+):(?P<action>[A-Za-z0-9]+)")


@dataclass(frozen=True)
class TaskCall:
    """One attempt of a Task state to call its service."""

    world: World
    arguments: Any
    """A JSON value that nobody may change."""
    members: Mapping[str, str]
    """Each member of the arguments, when they are an object, as JSON text."""
    execution_arn: str
    machine_arn: str
    caller: str
    role: str
    """ARN of the machine's role, which must allow the call."""


class Integration(Protocol):
    """A kind of service integration."""

    @property
    def resource_type(self) -> str:
        """As the history's ``resourceType``: ``lambda``, ``aws-sdk:ssm``."""
        ...

    @property
    def resource(self) -> str:
        """As the history's ``resource``: ``invoke.waitForTaskToken``."""
        ...

    @property
    def waits(self) -> bool:
        """Whether the task goes on only when its token comes back."""
        ...

    def problems(self, arguments: Any) -> Iterator[str]:
        """Say what is wrong with the arguments of a definition, as far as they are constant."""
        ...

    def seconds(self, world: World, arguments: Any) -> float:
        """How long the service takes to answer."""
        ...

    def call(self, task: TaskCall) -> Any:
        """Call the service.

        Returns
        -------
        Any
            The task's result.

        Raises
        ------
        StateFailedError
            When the service refuses or the function fails.
        NotEmulatedError
            When the world does not model what is asked for.
        """
        ...


def find_integration(resource: str) -> Integration | None:
    """Find the integration that a Task's Resource names; None when there is none such here."""
    match = _RESOURCE.fullmatch(resource)
    if match is None:
        return None
    what = match["what"]
    if what == "lambda:invoke":
        return LambdaInvoke(waits=False)
    if what == "lambda:invoke.waitForTaskToken":
        return LambdaInvoke(waits=True)
    if what == "events:putEvents":
        return PutEvents()
    sdk = _SDK.fullmatch(what)
    return SdkIntegration.find(sdk["service"], sdk["action"]) if sdk else None


def members(
    arguments: Any, *, required: frozenset[str], allowed: frozenset[str], where: str = "Arguments"
) -> Iterator[str]:
    """Compare an object's keys with what a service takes. A whole-object expression passes."""
    if isinstance(arguments, str):
        return
    given = set(arguments or ())
    for name in sorted(required - given):
        yield f"The field '{name}' is required in {where} but was missing"
    for name in sorted(given - allowed):
        yield f"The field '{name}' is not supported in {where}"


# -- Lambda ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LambdaInvoke:
    """``lambda:invoke``: calls a function, and with a task token waits for the answer to it."""

    waits: bool
    resource_type = "lambda"

    @property
    def resource(self) -> str:
        """As the history names it."""
        return "invoke.waitForTaskToken" if self.waits else "invoke"

    def problems(self, arguments: Any) -> Iterator[str]:
        """Check the names. A Lambda task without FunctionName is accepted by other checkers."""
        # InvocationType, ClientContext, LogType and Qualifier exist on AWS and are not emulated.
        yield from members(
            arguments,
            required=frozenset({"FunctionName"}),
            allowed=frozenset({"FunctionName", "Payload"}),
        )

    def seconds(self, world: World, arguments: Any) -> float:
        """How long the function takes; one that is given a token is answered by others."""
        return 0 if self.waits else world.awslambda.seconds_of(arguments["FunctionName"])

    def call(self, task: TaskCall) -> Any:
        """Invoke the function and wait for it."""
        name, text = task.arguments["FunctionName"], task.members.get("Payload", "{}")
        try:
            invocation = task.world.enact(
                "lambda",
                "Invoke",
                {"FunctionName": name, "InvocationType": "RequestResponse"},
                lambda: task.world.awslambda.invoke_text(name, text, caller=task.caller),
                caller=task.caller,
                role=task.role,
            )
        except NotEmulatedError:
            raise
        except AwsError as refusal:
            raise lambda_refused(refusal) from refusal
        except ReadTimeoutError as silence:
            # The function may have run all the same.
            raise StateFailedError("Lambda.ClientExecutionTimeoutException", str(silence)) from None
        except NO_ANSWER as silence:
            raise StateFailedError("Lambda.SdkClientException", str(silence)) from None
        if invocation.error is not None:
            raise _function_failed(invocation.error)
        return {
            "ExecutedVersion": "$LATEST",
            "Payload": invocation.payload,
            "SdkHttpMetadata": {
                "AllHttpHeaders": {"X-Amz-Executed-Version": ["$LATEST"]},
                "HttpHeaders": {"X-Amz-Executed-Version": "$LATEST"},
                "HttpStatusCode": 200,
            },
            "SdkResponseMetadata": {"RequestId": invocation.request_id},
            "StatusCode": 200,
        }


def lambda_refused(refusal: AwsError) -> StateFailedError:
    """Name a fault of the Lambda service: ``Lambda.TooManyRequestsException``, and the like."""
    name = refusal.code if refusal.code.endswith("Exception") else f"{refusal.code}Exception"
    cause = f"{refusal.message} (Service: Lambda, Status Code: {refusal.http_status})"
    return StateFailedError(f"Lambda.{name}", cause)


def _function_failed(error: FunctionError) -> StateFailedError:
    """Name a function's own error: its type is the error name, its payload the cause."""
    payload = dump(error.as_payload())
    if not error.error_type:
        return StateFailedError(
            "Lambda.Unknown",
            "The cause could not be determined because Lambda did not return an error type. "
            f"Returned payload: {payload}",
        )
    return StateFailedError(error.error_type, payload)


# -- EventBridge -----------------------------------------------------------------------------------

_ENTRY_MEMBERS: Final = frozenset(
    {"Detail", "DetailType", "EventBusName", "Resources", "Source", "Time", "TraceHeader"}
)


@dataclass(frozen=True)
class PutEvents:
    """``events:putEvents``: puts events on a bus, each naming the execution among its resources."""

    waits = False
    resource_type = "events"
    resource = "putEvents"

    def problems(self, arguments: Any) -> Iterator[str]:
        """Check the names of the arguments and of each entry that is not an expression."""
        yield from members(
            arguments, required=frozenset({"Entries"}), allowed=frozenset({"Entries"})
        )
        entries = arguments.get("Entries") if isinstance(arguments, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            yield from members(
                entry,
                required=frozenset({"Detail", "DetailType", "Source"}),
                allowed=_ENTRY_MEMBERS,
                where="Arguments/Entries",
            )

    def seconds(self, world: World, arguments: Any) -> float:  # noqa: ARG002 - for all alike
        """No emulated time passes."""
        return 0

    def call(self, task: TaskCall) -> Any:
        """Put the events; a single failed entry fails the task."""
        entries = [self._entry(entry, task) for entry in task.arguments["Entries"]]
        try:
            reply = task.world.call(
                "events", "PutEvents", {"Entries": entries}, caller=task.caller, role=task.role
            )
        except NotEmulatedError:
            raise
        except NO_ANSWER as silence:
            raise StateFailedError("EventBridge.SdkClientException", str(silence)) from None
        except AwsError as refusal:
            raise StateFailedError(
                f"EventBridge.{refusal.code.removesuffix('Exception')}Exception",
                f"{refusal.message} (Service: EventBridge, Status Code: {refusal.http_status})",
            ) from refusal
        result = {
            "Entries": reply.get("Entries", []),
            "FailedEntryCount": reply.get("FailedEntryCount", 0),
        }
        if result["FailedEntryCount"]:
            raise StateFailedError("EventBridge.FailedEntry", json.dumps(result))
        return result

    @staticmethod
    def _entry(entry: dict[str, Any], task: TaskCall) -> dict[str, Any]:
        detail = entry.get("Detail")
        own = [task.execution_arn, task.machine_arn]
        return {
            **entry,
            "Detail": detail if isinstance(detail, str) else dump(detail),
            "Resources": [*entry.get("Resources", []), *own],
        }
