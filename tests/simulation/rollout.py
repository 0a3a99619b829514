"""What is remembered of each rollout, and of each step of the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from embedded.states.documents import Document
from embedded.states.execution import Execution
from embedded.world.autoscaling.refresh import InstanceRefresh
from embedded.world.autoscaling.upkeep import Launch
from embedded.world.faults import Call


@dataclass(frozen=True)
class Live:
    """The release that is live, as this simulation believes."""

    snapshot: str
    version: int


@dataclass(frozen=True)
class Look:
    """What a rollout could see when it last looked at the fleet."""

    at: datetime
    serving: dict[str, int]
    healthy: int
    floor: int
    alarm: str | None

    @property
    def unhealthy(self) -> int:
        """How many of the instances in service were not healthy."""
        return sum(self.serving.values()) - self.healthy


@dataclass(frozen=True)
class Progress:
    """How far the new instances of a rollout have come, by what its looks could see."""

    most_healthy: int
    """Most of them that were healthy at once."""
    stands_since: datetime | None
    """Since when some in service were not healthy and no more became so; None if none was waited
    for."""
    overdue: bool
    """Whether some were not healthy when that had lasted for the whole grace."""


@dataclass
class Rollout:
    """One execution and what it was seen to do."""

    execution: Execution
    told: int = 0
    """Events of its history that were seen before."""
    unfit: list[str] | None = None
    """What the oracle held against its snapshot when its gate last judged; None before that."""
    look: Look | None = None
    refreshes: list[InstanceRefresh] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    capacity: int = 0
    """Desired capacity when its newest refresh started."""
    fleet_was_healthy: bool = False
    """Whether the floor of its instances was healthy when its preflight last looked."""
    way_back_was_there: bool = False
    """Whether instances could be launched from what the group saves, when its preflight looked."""
    found_drifted: bool = False
    """Whether the fleet was something else than what is live when it took the claim."""
    succeeds: Rollout | None = None
    """The dead one whose claim it took over."""
    claimed: bool = False
    """Whether it ever held the claim."""
    taken_over: bool = False
    """Whether another execution took its claim."""
    went_back: bool = False
    """Whether it made older data live, as a person asked."""
    died: bool = False
    """Whether it ended without an outcome: aborted, or of an infrastructure error."""
    looked_at: datetime | None = None
    """When it last looked itself."""
    waits_since: datetime | None = None
    """When it last lay down to sleep."""
    progress: Progress | None = None
    """How far its new instances had come when it last looked."""

    @property
    def began(self) -> datetime:
        """When its work was begun, by itself or by the first of those that it succeeds."""
        return self.succeeds.began if self.succeeds else self.execution.started_at

    @property
    def takes_over(self) -> bool:
        """Whether it goes on with the work of another execution."""
        return "takes_over" in self.execution.input.value

    @property
    def again(self) -> bool:
        """Whether it rolls out what is live already."""
        planned: Document | None = self.execution.variables.get("rollout")
        return bool(planned and planned.value and planned.value.get("again"))

    @property
    def automatic(self) -> bool:
        """Whether nobody asked for it in person."""
        planned: Document | None = self.execution.variables.get("rollout")
        return bool(planned and planned.value and planned.value["trigger"] != "person")

    @property
    def name(self) -> str:
        """The execution's name."""
        return self.execution.name

    @property
    def trigger(self) -> str | None:
        """What it says asked for it, once it is planned."""
        planned: Document | None = self.execution.variables.get("rollout")
        return planned.value["trigger"] if planned and planned.value else None

    @property
    def by_hand(self) -> bool:
        """Whether a person named the snapshot with a reason."""
        planned: Document | None = self.execution.variables.get("rollout")
        return bool(planned and planned.value and planned.value["by_hand"])

    @property
    def watches_first_instances(self) -> bool:
        """Whether its release was staged before."""
        planned: Document | None = self.execution.variables.get("rollout")
        return bool(planned and planned.value and planned.value["trigger"] == "scale_out")

    @property
    def snapshot(self) -> str | None:
        """The snapshot that it rolls out, once it is planned."""
        planned: Document | None = self.execution.variables.get("rollout")
        return planned.value["snapshot"] if planned and planned.value else None


@dataclass(frozen=True)
class Step:
    """What one step of the world did. ``changes`` are calls of functions that change a fleet."""

    actor: Rollout | None
    """The rollout whose state ran."""
    calls: Sequence[Call] = ()
    """Calls of functions."""
    changes: Sequence[Call] = ()
    launches: Sequence[Launch] = ()
    refreshes: Sequence[InstanceRefresh] = ()
    versions: Sequence[int] = ()
    ended: Sequence[Rollout] = ()
    quarantined: Sequence[str] = ()
    """Snapshots that were quarantined."""
    ledger_written: bool = False
    before: Rollout | None = None
    """The rollout that held the claim before this step."""
    changed_last: bool = False
    """Whether the fleet was changed after the last write to the ledger."""
