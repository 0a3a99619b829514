"""A definition that passed every check, compiled: what the interpreter runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from embedded.states.integrations import Integration
from embedded.states.templates import Template

_YEAR_SECONDS: Final = 31_536_000
"""No execution lives longer."""


@dataclass(frozen=True)
class Shaping:
    """What a state, a choice rule or a catcher makes of its data on the way out."""

    assign: Template | None = None
    """An object: variable → value."""
    output: Template | None = None


@dataclass(frozen=True)
class RetryRule:
    """When, how often and how late a failed task is tried again."""

    errors: tuple[str, ...]
    interval_seconds: int
    max_attempts: int
    backoff_rate: float
    max_delay_seconds: int | None
    full_jitter: bool

    def delay_seconds(self, attempts: int) -> float:
        """Give the longest wait before the next attempt, after ``attempts`` retries."""
        longest = self.max_delay_seconds or _YEAR_SECONDS
        try:
            return min(self.interval_seconds * self.backoff_rate**attempts, longest)
        except OverflowError:
            return longest


@dataclass(frozen=True)
class CatchRule:
    """Where an execution goes on after an error."""

    errors: tuple[str, ...]
    next: str
    shaping: Shaping


@dataclass(frozen=True)
class Branch:
    """One rule of a Choice."""

    condition: Template
    next: str
    shaping: Shaping


@dataclass(frozen=True)
class StateProgram:
    """A state: its name, its type and what most states have."""

    name: str
    type: str
    shaping: Shaping
    next: str | None
    """None when the execution ends here."""


@dataclass(frozen=True)
class TaskProgram(StateProgram):
    """A Task state."""

    integration: Integration
    arguments: Template
    timeout: Template | None
    heartbeat: Template | None
    retriers: tuple[RetryRule, ...]
    catchers: tuple[CatchRule, ...]


@dataclass(frozen=True)
class ChoiceProgram(StateProgram):
    """A Choice state; ``next`` is its Default."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class WaitProgram(StateProgram):
    """A Wait state: one of the two is given."""

    seconds: Template | None
    timestamp: Template | None


@dataclass(frozen=True)
class FailProgram(StateProgram):
    """A Fail state."""

    error: Template | None
    cause: Template | None


@dataclass(frozen=True)
class Program:
    """A whole state machine."""

    start: str
    states: dict[str, StateProgram]
    timeout_seconds: int | None
    variables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """State → the workflow variables that it refers to; states that refer to none are left out."""
