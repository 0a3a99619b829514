"""What chance can do to the writers of fleets: their data is ready, publishes are asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from embedded.world.behaviour import Scenario
from tests.simulation.parts import PROMPT, OfFleet, Part, Timed


class HookSays(StrEnum):
    """What a quiesce hook answers, or does instead."""

    DONE = "done"
    PENDING = "pending"
    RAISES = "raises"
    """It fails after it has done what it was asked, or before: a writer may stand still then."""
    NONSENSE = "nonsense"


class WriterSetup(Part):
    """The writer of a fleet. Without answers it has no hook; ``limit`` is in seconds."""

    hook: tuple[HookSays, ...] = ()
    """What its hook answers in turn, again and again."""
    limit: int = Field(default=300, ge=30, le=900)


class DataIsReady(OfFleet):
    """A snapshot of the fleet's writer is asked for, if it has one.

    Its pipeline says so with an event that arrives after ``arrivals``, or a person starts a
    publish, or the schedule's tick comes. ``data_before`` is how long ago the data was true, None
    when nobody says; ``scenario`` is what instances do with what is on the volume from now on.
    """

    kind: Literal["data"] = "data"
    by: Literal["event", "person", "schedule"] = "event"
    data_before: float | None = None
    snapshot_only: bool = False
    scenario: Scenario = Scenario.HEALTHY
    arrivals: tuple[float, ...] = Field(default=(PROMPT,), min_length=1)


class PublishIsAborted(OfFleet):
    """A person aborts the newest publish of the fleet's writer that runs, if one does."""

    kind: Literal["abort publish"] = "abort publish"


class SnapshotBreaks(Timed):
    """EC2 lets the next snapshot that anybody begins end in an error."""

    kind: Literal["break"] = "break"


Publication = DataIsReady | PublishIsAborted | SnapshotBreaks
