"""Everything that one assessment sees of a fleet that is being rolled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.group import FleetView, Instance, Refresh, RefreshStatus
from snaproll.domain.release import TemplateVersion


@dataclass(frozen=True)
class Look:
    """Everything one assessment sees.

    ``refresh`` is the watched one, None when Auto Scaling knows it no more. ``alarms`` maps each
    alarm that is judged to its state, ``deleted`` if somebody deleted it. ``wanted`` is the version
    that the phase moves the fleet to. ``capacity_at_start`` is the desired capacity when the
    refresh started: a scale-out since then must not look like a loss. ``started`` is when the
    refresh started. ``taken_out`` says of each new instance that served and is gone why Auto
    Scaling took it out of service. ``without_refresh`` tells that none was started: forward, the
    first instances of a staged release are watched; back, the group had none that could go back.
    ``same_data`` are other versions with the data of the wanted one: a release is told by its
    snapshot, and a rollback leaves alone what was never replaced.
    """

    policy: FleetPolicy
    view: FleetView
    refresh: Refresh | None
    wanted: TemplateVersion
    alarms: Mapping[str, str]
    capacity_at_start: int
    started: datetime
    now: datetime
    taken_out: Mapping[str, str] = field(default_factory=dict)
    without_refresh: bool = False
    same_data: frozenset[TemplateVersion] = frozenset()

    @property
    def floor(self) -> int:
        """Smallest number of healthy instances allowed at this moment."""
        return self.policy.refresh.floor(min(self.capacity_at_start, self.view.group.desired))

    @property
    def members(self) -> list[Instance]:
        """Instances that are not on their way out."""
        return members_of(self.view)

    @cached_property
    def new(self) -> list[Instance]:
        """Members that run the wanted version, or one with the same data where that will do."""
        return [one for one in self.members if self._is_wanted(one)]

    @cached_property
    def others(self) -> list[Instance]:
        """Members in service that run something else."""
        return [one for one in self.members if one.in_service and not self._is_wanted(one)]

    def _is_wanted(self, member: Instance) -> bool:
        return member.version == self.wanted or member.version in self.same_data

    @cached_property
    def failing_new(self) -> list[Instance]:
        """New instances whose health checks failed."""
        targets = self.view.targets
        return [one for one in self.new if one.id in targets and targets[one.id].failing]

    @cached_property
    def unready_new(self) -> list[Instance]:
        """New instances that Auto Scaling calls in service and the load balancer not healthy."""
        return [one for one in self.new if one.in_service and not self.view.healthy(one)]

    @cached_property
    def healthy_new(self) -> list[Instance]:
        """New instances that serve."""
        return [one for one in self.new if self.view.healthy(one)]

    @property
    def succeeded(self) -> bool:
        """Whether Auto Scaling calls the refresh successful."""
        return self.refresh is not None and self.refresh.status is RefreshStatus.SUCCESSFUL

    @property
    def over(self) -> bool:
        """Whether no refresh replaces instances any more, or ever did: what is there is judged."""
        return self.succeeded or self.without_refresh

    @property
    def firing(self) -> list[str]:
        """Alarms in ALARM."""
        return [name for name, state in self.alarms.items() if state == "ALARM"]

    @property
    def silent(self) -> list[str]:
        """Alarms that say nothing: they lack data, or were deleted."""
        return [name for name, state in self.alarms.items() if state not in ("OK", "ALARM")]

    def summary(self) -> str:
        """The look in one line, for people."""
        status = self.refresh.status if self.refresh else "unknown"
        watched = "no refresh" if self.without_refresh else f"refresh {status}"
        return (
            f"{watched}; {len(self.healthy_new)} of {len(self.new)} new and "
            f"{self.view.healthy_count()} of {len(self.members)} instances healthy"
        )


def members_of(view: FleetView) -> list[Instance]:
    """Instances of a group that are not on their way out."""
    return view.group.members
