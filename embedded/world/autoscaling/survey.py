"""What a refresh sees of its group: who needs replacing, who is ready, how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from embedded.world.autoscaling.groups import (
    HEALTHY,
    IN_SERVICE,
    STANDBY,
    TERMINATING,
    Group,
    Member,
)
from embedded.world.autoscaling.pacing import PERCENT, Census
from embedded.world.autoscaling.refresh import InstanceRefresh, Progress

if TYPE_CHECKING:
    from embedded.world.ec2 import EC2


@dataclass
class Survey:
    """The members of a group, sorted the way that a refresh treats them."""

    desired: int
    up_to_date: list[Member] = field(default_factory=list)
    """Live and needing no replacement."""
    ready: list[Member] = field(default_factory=list)
    """Those of ``up_to_date`` that are in service, healthy and warmed up."""
    old_ready: list[Member] = field(default_factory=list)
    old_warming: list[Member] = field(default_factory=list)
    old_failing: list[Member] = field(default_factory=list)
    ignored: list[Member] = field(default_factory=list)
    """In service and never to be replaced: protected from scale in, with Ignore."""
    ignored_ready: int = 0
    awaited: list[Member] = field(default_factory=list)
    """To be replaced once somebody removes their protection or takes them out of standby."""
    awaited_ready: int = 0
    standby: list[Member] = field(default_factory=list)
    """In standby, and to be terminated."""
    leaving: int = 0

    @property
    def total(self) -> int:
        """How many instances are up to date when everything is."""
        return max(0, self.desired - len(self.ignored))

    @property
    def old(self) -> list[Member]:
        """What may be replaced now: what serves nobody first, then the oldest."""
        return self.old_failing + self.old_warming + self.old_ready

    @property
    def percentage(self) -> int:
        """How much of the group is up to date, healthy and warmed up."""
        if self.total == 0:
            return PERCENT
        return min(PERCENT, len(self.ready) * PERCENT // self.total)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to replace, to wait for or to warm up."""
        return (
            not self.old
            and not self.awaited
            and not self.standby
            and self.leaving == 0
            and len(self.ready) == len(self.up_to_date) == self.total
        )

    def census(self) -> Census:
        """The same in numbers."""
        live_awaited = sum(member.live for member in self.awaited)
        return Census(
            desired=self.desired,
            live=len(self.up_to_date) + len(self.old) + len(self.ignored) + live_awaited,
            ready=len(self.ready) + len(self.old_ready) + self.ignored_ready + self.awaited_ready,
            leaving=self.leaving,
            up_to_date=len(self.up_to_date),
            kept=len(self.ignored) + live_awaited,
            replaceable_ready=len(self.old_ready),
            replaceable_warming=len(self.old_warming),
            replaceable_failing=len(self.old_failing),
        )


class Surveyor:
    """Looks at groups on behalf of their refreshes."""

    def __init__(self, ec2: EC2) -> None:
        self._ec2 = ec2

    def survey(self, group: Group, refresh: InstanceRefresh, now: datetime) -> Survey:
        """Sort the members of a group as its refresh treats them now."""
        survey = Survey(desired=group.desired)
        wanted = self._wanted(group, refresh)
        for member in sorted(
            group.instances.values(), key=lambda member: (member.instance.launched_at, member.id)
        ):
            if member.lifecycle == TERMINATING:
                survey.leaving += 1
            elif _outdated(member, refresh, wanted):
                self._sort_old(survey, group, refresh, member, now)
            elif member.live:
                survey.up_to_date.append(member)
                if self._ready(group, refresh, member, now):
                    survey.ready.append(member)
        return survey

    def progress(self, group: Group, refresh: InstanceRefresh, now: datetime) -> Progress:
        """What PercentageComplete and InstancesToUpdate say now.

        Forward, the percentage counts what is healthy and warmed up, so it lags behind the
        instances that are left. In a rollback it falls back to zero, and InstancesToUpdate are
        those that the refresh never touched (botocore, InstanceRefresh).
        """
        if refresh.final is not None:
            return refresh.final
        survey = self.survey(group, refresh, now)
        if not refresh.rolling_back:
            return Progress(survey.percentage, max(0, survey.total - len(survey.up_to_date)))
        updated = sum(
            member.generation == refresh.generation_forward for member in group.live_members()
        )
        untouched = sum(
            member.generation not in (refresh.generation_forward, refresh.generation_back)
            for member in group.live_members()
        )
        whole = max(1, survey.total)
        return Progress(min(PERCENT, updated * PERCENT // whole), untouched)

    def _wanted(
        self, group: Group, refresh: InstanceRefresh
    ) -> frozenset[tuple[str, int, str]] | None:
        """What an instance must match to be left alone; None when matching is not looked at."""
        if refresh.rolling_back:
            return None
        if refresh.preferences.skip_matching:
            return (refresh.desired or group.saved).resolved(self._ec2)
        if refresh.desired is not None and refresh.desired.dynamic:
            # A new version of the template replaces what was replaced already (user guide,
            # "Use an instance refresh with skip matching").
            return refresh.desired.resolved(self._ec2)
        return None

    def _sort_old(
        self,
        survey: Survey,
        group: Group,
        refresh: InstanceRefresh,
        member: Member,
        now: datetime,
    ) -> None:
        ready = self._ready(group, refresh, member, now)
        if member.lifecycle == STANDBY:
            choice = refresh.preferences.standby
            if choice == "Terminate":
                survey.standby.append(member)
            elif choice == "Wait":
                survey.awaited.append(member)
        elif member.protected and refresh.preferences.protected == "Ignore":
            survey.ignored.append(member)
            survey.ignored_ready += ready
        elif member.protected and refresh.preferences.protected == "Wait":
            survey.awaited.append(member)
            survey.awaited_ready += ready
        elif ready:
            survey.old_ready.append(member)
        elif member.lifecycle == IN_SERVICE and self._serving(group, member):
            survey.old_warming.append(member)
        else:
            survey.old_failing.append(member)

    def _serving(self, group: Group, member: Member) -> bool:
        """In service and healthy by every health check that the group uses.

        AWS evaluates each kind of check that the group uses before it counts an instance (a
        refresh's status reason names instances with "insufficient data to evaluate its health"),
        so with ELB checks the target must be healthy; the grace period only delays what happens
        to an instance that is not.
        """
        return (
            member.lifecycle == IN_SERVICE
            and member.health == HEALTHY
            and member.instance.state == "running"
            and (not group.uses_elb_health or member.passing_targets)
        )

    def _ready(self, group: Group, refresh: InstanceRefresh, member: Member, now: datetime) -> bool:
        return self._serving(group, member) and member.warmed_up(now, refresh.preferences.warmup)


def _outdated(
    member: Member, refresh: InstanceRefresh, wanted: frozenset[tuple[str, int, str]] | None
) -> bool:
    if refresh.rolling_back:
        # What the refresh launched goes; what skip matching had left alone stays, although it
        # runs the desired configuration: AWS replaces "any instances that were replaced".
        return member.generation == refresh.generation_forward
    replaced = member.generation == refresh.generation_forward
    if wanted is None:
        return not replaced
    instance = member.instance
    matches = (
        instance.template_id,
        instance.template_version,
        instance.instance_type,
    ) in wanted
    if refresh.preferences.skip_matching:
        return not matches
    return not (replaced and matches)
