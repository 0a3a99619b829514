"""The life of an execution apart from its states: its start, its steps, its timeout, its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from embedded.states.callbacks import Callbacks
from embedded.states.execution import HISTORY_LIMIT, Execution, HistoryFullError
from embedded.states.failures import RUNTIME, TIMEOUT

if TYPE_CHECKING:
    from embedded.world.world import World

LONGEST_EXECUTION: Final = timedelta(days=365)
"""Developer guide, quotas: maximum execution time."""

Step = Callable[[Execution], None]


class Lifecycle:
    """Starts, paces and ends the executions of a world.

    Parameters
    ----------
    changed
        Told of every change of an execution's status.
    """

    def __init__(
        self, world: World, callbacks: Callbacks, changed: Callable[[Execution], None]
    ) -> None:
        self._world = world
        self._callbacks = callbacks
        self._changed = changed

    def start(self, execution: Execution, first: Step) -> None:
        """Begin an execution; its first state runs in the clock's next step."""
        execution.record(
            self._world.clock.now(),
            "ExecutionStarted",
            "executionStartedEventDetails",
            input=execution.input,
            inputDetails={"truncated": False},
            roleArn=execution.machine.role_arn,
        )
        execution.transitions += 1
        self._go(execution, first)

    def reopen(self, execution: Execution, again: Step) -> None:
        """Redrive a closed execution: its state machine's timeout starts anew."""
        now = self._world.clock.now()
        execution.status, execution.stopped_at = "RUNNING", None
        execution.error = execution.cause = None
        execution.redrive_count += 1
        execution.redriven_at = now
        execution.transitions += 1
        execution.record(
            now,
            "ExecutionRedriven",
            "executionRedrivenEventDetails",
            redriveCount=execution.redrive_count,
        )
        self._go(execution, again)

    def _go(self, execution: Execution, step: Step) -> None:
        clock = self._world.clock
        end = execution.started_at + LONGEST_EXECUTION
        if (seconds := execution.machine.program.timeout_seconds) is not None:
            end = min(end, clock.now() + timedelta(seconds=seconds))
        execution.deadline = clock.at(
            end, f"timeout of {execution.name}", lambda: self.close(execution, "TIMED_OUT")
        )
        self.soon(execution, step)
        self._changed(execution)

    def soon(self, execution: Execution, step: Step, seconds: float = 0) -> None:
        """Run a step of an execution after some time, unless something else goes on before."""
        what = f"{execution.position.state} of {execution.name}"
        timer = self._world.clock.after(seconds, what, lambda: self.run(execution, step))
        execution.timers.append(timer)

    def run(self, execution: Execution, step: Step) -> None:
        """Run a step now; whatever else the execution was waiting for is over."""
        execution.forget_timers()
        try:
            step(execution)
        except HistoryFullError:
            self.fail(
                execution,
                RUNTIME,
                f"The execution reached the maximum number of history events ({HISTORY_LIMIT}).",
            )

    def succeed(self, execution: Execution) -> None:
        """End an execution well; its output has been set."""
        now = self._end(execution, "SUCCEEDED")
        execution.record_end(
            now,
            "ExecutionSucceeded",
            "executionSucceededEventDetails",
            output=execution.output,
            outputDetails={"truncated": False},
        )
        self._changed(execution)

    def fail(self, execution: Execution, error: str | None, cause: str | None) -> None:
        """End an execution with an error."""
        self.close(execution, "FAILED", error, cause)

    def close(
        self,
        execution: Execution,
        status: str,
        error: str | None = None,
        cause: str | None = None,
    ) -> None:
        """End an execution that did not succeed."""
        now = self._end(execution, status)
        execution.error, execution.cause = error or None, cause
        # DescribeExecution of a timed out execution has no error; its history has.
        told = TIMEOUT if status == "TIMED_OUT" else error
        kind, member = _ENDINGS[status]
        event = execution.record_end(now, kind, member, **given(error=told, cause=cause))
        if status != "FAILED":
            event.previous = 0  # it follows from nothing that the states did
        self._changed(execution)

    def _end(self, execution: Execution, status: str) -> Any:
        now = self._world.clock.now()
        execution.forget_timers()
        if execution.deadline is not None:
            execution.deadline.cancel()
        self._callbacks.close_all(execution)
        execution.lives += 1
        execution.status, execution.stopped_at = status, now
        return now


_ENDINGS: Final = {
    "FAILED": ("ExecutionFailed", "executionFailedEventDetails"),
    "ABORTED": ("ExecutionAborted", "executionAbortedEventDetails"),
    "TIMED_OUT": ("ExecutionTimedOut", "executionTimedOutEventDetails"),
}


def given(**details: Any) -> dict[str, Any]:
    """Leave out what is missing."""
    return {name: value for name, value in details.items() if value not in {None, ""}}
