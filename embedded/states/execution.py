"""An execution: where it is, what it knows, and everything that ever happened in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from embedded.states.documents import Document
from embedded.states.program import Program
from embedded.world.clock import Timer

HISTORY_LIMIT: Final = 25_000
"""Events; the one that ends the execution is the last (developer guide, quotas)."""


class HistoryFullError(Exception):
    """The execution has no room for anything but the event that ends it."""


@dataclass(frozen=True)
class Revision:
    """A state machine as it was when an execution of it started."""

    arn: str
    name: str
    role_arn: str
    definition: str
    program: Program
    revision_id: str | None
    """None for the revision with which the state machine was created."""
    updated_at: datetime
    logging: dict[str, Any]
    tracing: dict[str, Any]


@dataclass(slots=True)
class HistoryEvent:
    """One event of a history; texts of documents are written out only when somebody reads them."""

    id: int
    previous: int
    at: datetime
    type: str
    member: str | None
    """The member of botocore's HistoryEvent shape that holds the details."""
    details: dict[str, Any]


@dataclass(slots=True)
class Position:
    """The state in which an execution is, or which it is about to enter."""

    state: str
    input: Document
    entered_at: datetime | None = None
    entered_event: int = 0
    retries: dict[int, int] = field(default_factory=dict)
    """Retrier's index → times used."""

    @property
    def retry_count(self) -> int:
        """Retries of the state so far, whichever rule allowed them."""
        return sum(self.retries.values())


@dataclass
class Execution:
    """One execution of a state machine."""

    arn: str
    name: str
    number: int
    """Executions are counted in the order of their start."""
    machine: Revision
    input: Document
    started_at: datetime
    position: Position
    status: str = "RUNNING"
    stopped_at: datetime | None = None
    output: Document | None = None
    error: str | None = None
    cause: str | None = None
    history: list[HistoryEvent] = field(default_factory=list)
    variables: dict[str, Document] = field(default_factory=dict)
    transitions: int = 0
    """What AWS bills: the start, each state entered, each retry, each redrive. That the start
    counts is the dearer reading of the pricing page."""
    redrive_count: int = 0
    redriven_at: datetime | None = None
    redrive_tokens: dict[str, datetime] = field(default_factory=dict)
    """Client token → when it redrove the execution, newest last."""
    timers: list[Timer] = field(default_factory=list)
    """What would go on with the current state."""
    deadline: Timer | None = None
    lives: int = 0
    """Counts closings and redrives, so that a call that returns late can tell that it is late."""

    @property
    def running(self) -> bool:
        """Whether it is not closed."""
        return self.status == "RUNNING"

    def record(
        self, at: datetime, kind: str, member: str | None = None, /, **details: Any
    ) -> HistoryEvent:
        """Append an event to the history.

        Raises
        ------
        HistoryFullError
            When only the last event is left, which has to end the execution.
        """
        if len(self.history) >= HISTORY_LIMIT - 1:
            raise HistoryFullError
        return self.record_end(at, kind, member, **details)

    def record_end(
        self, at: datetime, kind: str, member: str | None = None, /, **details: Any
    ) -> HistoryEvent:
        """Append an event for which there is always room."""
        number = len(self.history) + 1
        event = HistoryEvent(number, number - 1, at, kind, member, details)
        self.history.append(event)
        return event

    def forget_timers(self) -> None:
        """Cancel what would go on with the current state."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()
