"""Runs handlers the way the Python runtime on Lambda does.

The event and the result go through JSON, so that no object is shared with the caller; the process
environment is the function's own; what is printed is kept; and no wall clock is looked at.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from embedded.world.awslambda.function import FunctionError, FunctionSpec, Invocation
from embedded.world.errors import FunctionDiedError, FunctionTimedOutError, NotEmulatedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

EncodedVariables = dict[Any, Any]
"""Environment variables in the form in which ``os.environ`` keeps them."""
LARGEST_SYNC_PAYLOAD: Final = 6 * 1024 * 1024
"""Bytes of a response, and of a request that waits for it ("Lambda quotas")."""


@dataclass(frozen=True)
class LambdaContext:
    """The context object that a handler gets ("Using the Lambda context object", Python)."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    timeout_seconds: int

    def get_remaining_time_in_millis(self) -> int:
        """Give the whole timeout: emulated time stands still while a handler runs."""
        return self.timeout_seconds * 1000


def run(
    spec: FunctionSpec,
    text: str,
    context: LambdaContext,
    environment: EncodedVariables,
    around: Callable[[FunctionSpec], AbstractContextManager[None]] | None,
) -> tuple[Invocation, list[str]]:
    """Run a handler on an event given as JSON text; gives its outcome and the lines it printed."""
    printed = io.StringIO()
    members, streams = vars(os.environ), (sys.stdout, sys.stderr)
    kept = members["_data"]
    # The function has just these environment variables, and a copy, because it may set some. What
    # ``os.environ`` holds is exchanged as a whole: each variable that is set by itself takes a
    # system call. So only Python code of this process sees them, and a handler is nothing else.
    members["_data"] = environment.copy()
    sys.stdout = sys.stderr = _output
    _output.into.append(printed)
    try:
        invocation = _invoke(spec, text, context, around or _nothing_around)
    finally:
        _output.into.pop()
        sys.stdout, sys.stderr = streams
        members["_data"] = kept
    return invocation, printed.getvalue().splitlines()


def timed_out(spec: FunctionSpec, request_id: str) -> Invocation:
    """Give the outcome of a run that Lambda stopped when its time was over."""
    message = (
        f"RequestId: {request_id} Error: Task timed out after {spec.timeout_seconds:.2f} seconds"
    )
    return Invocation(request_id, error=FunctionError("Sandbox.Timedout", message))


def _nothing_around(_: FunctionSpec) -> AbstractContextManager[None]:
    return nullcontext()


def _invoke(
    spec: FunctionSpec,
    text: str,
    context: LambdaContext,
    around: Callable[[FunctionSpec], AbstractContextManager[None]],
) -> Invocation:
    request_id = context.aws_request_id
    try:
        with around(spec):
            result = spec.handler(json.loads(text), context)
    except NotEmulatedError:
        # Not the function's failure but the world's: nobody may mistake it for an outcome.
        raise
    except FunctionTimedOutError:
        return timed_out(spec, request_id)
    except (FunctionDiedError, SystemExit):
        message = f"RequestId: {request_id} Error: Runtime exited with error: exit status 1"
        return Invocation(request_id, error=FunctionError("Runtime.ExitError", message))
    except Exception as error:  # noqa: BLE001 - the runtime reports whatever a handler raises
        return Invocation(request_id, error=_described(error, request_id))
    return _marshalled(result, request_id)


def _marshalled(result: Any, request_id: str) -> Invocation:
    """Take the result through JSON, as the runtime does before it answers."""
    try:
        text = _ENCODER.encode(result)
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return Invocation(
            request_id, error=FunctionError("Runtime.MarshalError", message, (), request_id)
        )
    size = len(text.encode())
    if size > LARGEST_SYNC_PAYLOAD:
        message = (
            f"Response payload size ({size} bytes) exceeded maximum allowed payload size"
            f" ({LARGEST_SYNC_PAYLOAD} bytes)."
        )
        return Invocation(
            request_id,
            error=FunctionError("Function.ResponseSizeTooLarge", message, (), request_id),
        )
    return Invocation(request_id, json.loads(text))


def _encoded(value: Any) -> Any:
    """Encode what the runtime's own encoder adds to JSON: decimal numbers."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_ENCODER: Final = json.JSONEncoder(default=_encoded, ensure_ascii=False)


def _described(error: Exception, request_id: str) -> FunctionError:
    frames = [
        traceback.FrameSummary(_deployed(frame.filename), frame.lineno, frame.name, line=frame.line)
        for frame in traceback.extract_tb(error.__traceback__)[1:]
    ]
    return FunctionError(
        type(error).__name__, str(error), tuple(traceback.format_list(frames)), request_id
    )


def _deployed(path: str) -> str:
    """Give the path that a file would have on Lambda, so that a cause reads alike everywhere."""
    for marker, place in (("/site-packages/", "/opt/python/"), ("/src/", "/opt/python/")):
        if marker in path:
            return place + path.rsplit(marker, 1)[1]
    return path.replace(f"{Path.cwd()}/", "/var/task/")


def encoded(variables: dict[str, str]) -> EncodedVariables:
    """Encode environment variables for ``run``."""
    environ: Any = os.environ
    return {
        environ.encodekey(name): environ.encodevalue(value) for name, value in variables.items()
    }


class _Output(io.TextIOBase):
    """Stands in for stdout while handlers run.

    One object for the whole process: a logger that keeps the stream it found at its first use
    still writes into the invocation that runs now.
    """

    def __init__(self) -> None:
        super().__init__()
        self.into: list[io.StringIO] = []

    def write(self, text: str, /) -> int:
        """Write into the invocation that is running; outside of one the text is nobody's."""
        return self.into[-1].write(text) if self.into else len(text)

    def writable(self) -> bool:
        """Say that one can write."""
        return True


_output = _Output()
