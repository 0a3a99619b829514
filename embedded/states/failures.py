"""How a state fails: an error name, its cause, and which Retry and Catch rules it matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

ALL: Final = "States.ALL"
TASK_FAILED: Final = "States.TaskFailed"
TIMEOUT: Final = "States.Timeout"
HEARTBEAT_TIMEOUT: Final = "States.HeartbeatTimeout"
DATA_LIMIT_EXCEEDED: Final = "States.DataLimitExceeded"
QUERY_EVALUATION_ERROR: Final = "States.QueryEvaluationError"
RUNTIME: Final = "States.Runtime"
NO_CHOICE_MATCHED: Final = "States.NoChoiceMatched"


class ExpressionError(Exception):
    """A JSONata expression does not parse, or its evaluation failed."""


class StateFailedError(Exception):
    """A state failed.

    Parameters
    ----------
    error
        The error name that Retry, Catch and operators see.
    cause
        The explanation; None where AWS gives none (timeouts).
    also
        Further names under which Retry and Catch match it.
    location
        The field whose expression failed, for the history's EvaluationFailed event.
    """

    def __init__(
        self,
        error: str,
        cause: str | None,
        *,
        also: Sequence[str] = (),
        location: str | None = None,
    ) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.location = location
        self._names = frozenset({error, *also})

    def matches(self, names: Sequence[str]) -> bool:
        """Tell whether a retrier's or catcher's ErrorEquals matches.

        Source: developer guide, "Handling errors in Step Functions workflows". States.ALL leaves
        out States.DataLimitExceeded and States.Runtime, and the latter can never be caught;
        States.TaskFailed leaves out States.Timeout. That States.TaskFailed also leaves out
        States.DataLimitExceeded is the harsher reading of a page that does not say.
        """
        if self.error == RUNTIME:
            return False
        if not self._names.isdisjoint(names):
            return True
        if self.error == DATA_LIMIT_EXCEEDED:
            return False
        return ALL in names or (TASK_FAILED in names and self.error != TIMEOUT)


def evaluation_failed(expression: str, field: str, what: str) -> StateFailedError:
    """Make the failure of a JSONata field, worded as Step Functions words it."""
    return StateFailedError(
        QUERY_EVALUATION_ERROR,
        f"The JSONata expression '{expression}' specified for the field '{field}' {what}",
        location=field,
    )


def data_limit_exceeded(name: str) -> StateFailedError:
    """Make the failure of a state whose data is larger than 256 KiB."""
    return StateFailedError(
        DATA_LIMIT_EXCEEDED,
        f"The state/task '{name}' returned a result with a size exceeding the maximum number of "
        "bytes service limit.",
    )
