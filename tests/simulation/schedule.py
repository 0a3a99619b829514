"""What one seed does to a fleet: a list of timed entries that can be written down and read back.

A schedule holds everything that chance decided, so that playing it needs no dice but the world's
own, whose seed it names. Times are seconds of emulated time after the fleet stood healthy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from embedded.world.behaviour import Scenario

PROMPT = 1.0
"""Seconds that an event takes when nothing is wrong with it."""
LATEST = "latest"


class Failure(StrEnum):
    """How a call of a function goes wrong."""

    DIES_BEFORE = "dies before the call"
    DIES_AFTER = "dies after the call"
    THROTTLED = "is throttled"
    UNAVAILABLE_BEFORE = "gets a server error, nothing done"
    UNAVAILABLE_AFTER = "gets a server error, though it was done"
    TIMES_OUT_BEFORE = "cannot connect"
    TIMES_OUT_AFTER = "gets no answer, though it was done"

    @property
    def after(self) -> bool:
        """Whether the call has its effect all the same."""
        return self in (Failure.DIES_AFTER, Failure.UNAVAILABLE_AFTER, Failure.TIMES_OUT_AFTER)

    @property
    def deadly(self) -> bool:
        """Whether the function dies of it; the SDK tries again after anything else."""
        return self in (Failure.DIES_BEFORE, Failure.DIES_AFTER)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FleetSetup(_Part):
    """The fleet and its policy. Durations are seconds."""

    capacity: int = Field(ge=1, le=10)
    min_healthy: int = 100
    max_healthy: int = 150
    warmup: int = 120
    checkpoints: tuple[int, ...] = (25, 100)
    checkpoint_wait: int = 300
    bake: int = 900
    unhealthy_grace: int = 600
    watches_alarm: bool = True
    max_age: int | None = None


class _Entry(_Part):
    at: float


class SnapshotCompletes(_Entry):
    """A snapshot of the fleet's writer completes, and its event arrives after ``arrivals``.

    ``taken_before`` is how long before ``at`` it was begun. ``data_before`` is how long before
    ``at`` its data was true according to its tag, None without a tag.
    """

    kind: Literal["snapshot"] = "snapshot"
    label: str
    scenario: Scenario = Scenario.HEALTHY
    encrypted: bool = True
    copied: bool = False
    taken_before: float = 600.0
    data_before: float | None = None
    size_gib: int = 100
    arrivals: tuple[float, ...] = (PROMPT,)


class OperatorStarts(_Entry):
    """A person starts a rollout of a snapshot that the schedule labels, or of the newest."""

    kind: Literal["start"] = "start"
    snapshot: str = LATEST


class CapacityChanges(_Entry):
    """The group's desired capacity changes."""

    kind: Literal["capacity"] = "capacity"
    desired: int


class AlarmIsHeld(_Entry):
    """The fleet's alarm is in a state for some time, whatever its metric says."""

    kind: Literal["alarm"] = "alarm"
    state: Literal["ALARM", "INSUFFICIENT_DATA"] = "ALARM"
    seconds: float


class CallsFail(_Entry):
    """From ``at`` on, ``times`` calls of a function go wrong, the ``nth`` being the first.

    With an ``operation`` only calls of that are counted, and go wrong.
    """

    kind: Literal["fault"] = "fault"
    function: str
    """The function's logical id in the template."""
    operation: str | None = None
    nth: int = Field(ge=1)
    failure: Failure
    times: int = Field(default=1, ge=1)


class EventTravels(_Entry):
    """From ``at`` on, the ``nth`` event of a source arrives after ``arrivals``; never, if empty."""

    kind: Literal["event"] = "event"
    source: str
    nth: int = Field(ge=1)
    arrivals: tuple[float, ...]


class OperatorAborts(_Entry):
    """A person aborts the newest execution that runs, if one does."""

    kind: Literal["abort"] = "abort"


class OperatorRedrives(_Entry):
    """A person redrives the newest execution that was aborted, if there is one."""

    kind: Literal["redrive"] = "redrive"


class OperatorAsks(_Entry):
    """A person holds or resumes the fleet, or asks for a snapshot with a reason.

    That is the previous one, the newest (repair), or what is live (stay).
    """

    kind: Literal["ask"] = "ask"
    what: Literal["hold", "hold and roll back", "resume", "previous", "repair", "stay"]


class EnvironmentStops(_Entry):
    """The stop parameter is there for some time."""

    kind: Literal["stop"] = "stop"
    seconds: float


Entry = Annotated[
    SnapshotCompletes
    | OperatorStarts
    | CapacityChanges
    | AlarmIsHeld
    | CallsFail
    | EventTravels
    | OperatorAborts
    | OperatorRedrives
    | OperatorAsks
    | EnvironmentStops,
    Field(discriminator="kind"),
]


class Schedule(_Part):
    """One seed's story: a fleet, and what happens to it."""

    seed: int
    world_seed: int
    fleet: FleetSetup
    entries: tuple[Entry, ...]

    @property
    def calm(self) -> bool:
        """Whether nothing happens for which a good snapshot may be rolled back or refused."""
        return not any(
            isinstance(entry, CapacityChanges | AlarmIsHeld | OperatorAborts | OperatorAsks)
            or (isinstance(entry, SnapshotCompletes) and entry.scenario is not Scenario.HEALTHY)
            for entry in self.entries
        )
