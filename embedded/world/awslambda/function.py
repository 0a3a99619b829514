"""What a Lambda function is, and what came of invoking it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

DEFAULT_TIMEOUT_SECONDS: Final = 3
DEFAULT_MEMORY_MB: Final = 128

Handler = Callable[[Any, Any], Any]
"""Takes the event and the context, as on Lambda."""


@dataclass(frozen=True)
class FunctionSpec:
    """A function as it is deployed."""

    name: str
    handler: Handler
    logical_id: str
    """How the world calls it as a caller: its name in the template."""
    role_arn: str
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    memory_mb: int = DEFAULT_MEMORY_MB
    environment: Mapping[str, str] = field(default_factory=dict)
    handler_name: str = "app.handler"
    runtime: str = "python3.13"
    architecture: str = "x86_64"
    description: str = ""
    dead_letter_arn: str | None = None
    """Queue or topic for events that failed every try."""
    layers: tuple[str, ...] = ()
    tracing: str = "PassThrough"
    log_group: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    takes_seconds: float = 0
    """How long a run takes. One that takes as long as its timeout is stopped, and its answer is
    lost although its effects may be there. Only a task of a state machine is made to wait for it:
    emulated time stands still for a handler that invokes another function."""

    @property
    def too_slow(self) -> bool:
        """Whether Lambda stops every run."""
        return self.takes_seconds >= self.timeout_seconds


@dataclass(frozen=True)
class FunctionError:
    """How a function failed, in the members that Lambda gives to whoever invoked it."""

    error_type: str
    """The exception's class name, or ``Runtime.…`` when the runtime itself gave up."""
    error_message: str
    stack_trace: tuple[str, ...] = ()
    request_id: str = ""
    """Empty when the runtime died and Lambda itself reports the failure."""

    def as_payload(self) -> dict[str, Any]:
        """Give the response payload of the failed invocation."""
        payload: dict[str, Any] = {
            "errorMessage": self.error_message,
            "errorType": self.error_type,
        }
        if self.request_id:
            payload |= {"requestId": self.request_id, "stackTrace": list(self.stack_trace)}
        return payload


@dataclass(frozen=True)
class Invocation:
    """One run of a handler."""

    request_id: str
    payload: Any = None
    """The handler's result as JSON value; None when it failed."""
    error: FunctionError | None = None


class LogRecord(NamedTuple):
    """One line that a handler printed or logged."""

    at: datetime
    request_id: str
    line: str


class Run(NamedTuple):
    """That a handler ran, for whom, and whether it failed."""

    at: datetime
    function: str
    caller: str
    request_id: str
    error_type: str | None


@dataclass
class EventInvokeConfig:
    """How asynchronous events are tried and where they end."""

    maximum_retry_attempts: int = 2
    maximum_event_age_seconds: int = 21_600
    on_failure: str | None = None
    on_success: str | None = None
    changed_at: datetime | None = None
