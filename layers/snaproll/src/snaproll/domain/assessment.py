"""One look at a rollout in progress, and the verdict that it yields. A pure function of its inputs.

Two phases share the loop. Going *forward*, the question is whether the candidate may become live;
going *back*, whether every instance runs the rollback target again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from snaproll.domain.duration import format_duration
from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.group import FleetView, Instance, Refresh, RefreshStatus
from snaproll.domain.release import TemplateVersion
from snaproll.domain.wording import counted, listed
from snaproll.model import Value

FIRST_WAIT = timedelta(seconds=60)
"""Wait after a look that saw something wrong; it doubles with every look that does not."""
LONGEST_WAIT = timedelta(minutes=10)
"""Where that doubling stops for a rollout of ordinary length."""
WAIT_SHARE_OF_AGE = 0.02
"""For a very long rollout the longest wait is this share of its age."""
LEAST_SHARE_OF_AGE = 0.01
"""Nor does a look come sooner than this share of the rollout's age after the one before, whatever
there is to see: so the number of looks grows with the logarithm of a rollout's length, and the
execution's history cannot fill up. Only signals and the end of the bake are not kept waiting."""
FLOOR_PATIENCE = timedelta(minutes=2)
"""How long a fleet may be below its floor: one instance may be replaced by Auto Scaling itself."""


LOSS_TOLERANCE = 0.05
"""Share of the fleet's new instances that may be lost to failed health checks: in a large fleet
one always is, by chance."""
_HEALTH_CHECK_CAUSES = ("ELB system health check", "user health-check")
"""How an activity's cause says that an instance failed the load balancer's or the owner's health
check (user guide, "View the reason for health check failures")."""


class Verdict(StrEnum):
    """What an assessment asks for."""

    WAIT = "wait"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    ROLLED_BACK = "rolled_back"
    """Going back only: the fleet is whole again on its rollback target."""
    ESCALATE = "escalate"


class Memory(Value):
    """What one look leaves for the next; it travels in the execution's variables."""

    healthy_new: int = 0
    """Most instances of the candidate ever seen healthy at once."""
    serving: list[str] = Field(default_factory=list)
    """Ids of the new instances that are there and were healthy at one look or another."""
    lost: int = 0
    """How many of them have since been taken out of service for failed health checks."""
    new_failed: bool = False
    """Whether a new instance was ever seen to fail its health checks."""
    progress_at: datetime | None = None
    """Since when new instances in service have not been healthy, or when that number last grew in
    the meantime; None after a look that found all of them healthy."""
    below_floor_since: datetime | None = None
    ended_since: datetime | None = None
    """When the refresh was first seen to have ended."""
    baking_since: datetime | None = None
    looked_at: datetime | None = None
    """When the last look was."""
    quiet_looks: int = 0
    """Looks since the last one that saw something wrong."""


class Assessment(Value):
    """A verdict with its reason.

    ``against_data`` tells that instances which run the candidate gave evidence against its data:
    only then is a snapshot quarantined. ``by_person`` tells that somebody stopped the refresh.
    ``wait_seconds`` is how long to sleep if nothing signals.
    """

    verdict: Verdict
    reason: str
    against_data: bool = False
    by_person: bool = False
    wait_seconds: int
    memory: Memory


@dataclass(frozen=True, slots=True)
class Look:
    """Everything one assessment sees.

    ``refresh`` is the watched one, None when Auto Scaling knows it no more. ``alarms`` maps each
    alarm of the policy that exists to its state. ``wanted`` is the version that the phase moves
    the fleet to. ``capacity_at_start`` is the desired capacity when the refresh started: a
    scale-out since then must not look like a loss. ``started`` is when the refresh started.
    ``taken_out`` says of each new instance that served and is gone why Auto Scaling took it out of
    service.
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

    @property
    def floor(self) -> int:
        """Smallest number of healthy instances allowed at this moment."""
        return self.policy.refresh.floor(min(self.capacity_at_start, self.view.group.desired))

    @property
    def members(self) -> list[Instance]:
        """Instances that are not on their way out."""
        return _members(self.view)

    @property
    def new(self) -> list[Instance]:
        """Members that run the wanted version."""
        return [one for one in self.members if one.version == self.wanted]

    @property
    def others(self) -> list[Instance]:
        """Members in service that run something else."""
        return [one for one in self.members if one.in_service and one.version != self.wanted]

    @property
    def failing_new(self) -> list[Instance]:
        """New instances whose health checks failed."""
        targets = self.view.targets
        return [one for one in self.new if one.id in targets and targets[one.id].failing]

    @property
    def unready_new(self) -> list[Instance]:
        """New instances that Auto Scaling calls in service and the load balancer not healthy."""
        return [one for one in self.new if one.in_service and not self.view.healthy(one)]

    @property
    def healthy_new(self) -> list[Instance]:
        """New instances that serve."""
        return [one for one in self.new if self.view.healthy(one)]

    def summary(self) -> str:
        """The look in one line, for people."""
        status = self.refresh.status if self.refresh else "unknown"
        return (
            f"refresh {status}; {len(self.healthy_new)} of {len(self.new)} new and "
            f"{self.view.healthy_count()} of {len(self.members)} instances healthy"
        )


# -- forward --------------------------------------------------------------------------------------


def assess_forward(look: Look, memory: Memory) -> Assessment:
    """Judge a release that is being rolled out."""
    memory = _remember(look, memory)
    for judge in (
        _by_refresh,
        _by_alarms,
        _by_losses,
        _by_new_instances,
        _by_floor,
        _by_completion,
    ):
        found = judge(look, memory)
        if found is not None:
            return found
    return _wait(look, memory, f"{look.summary()}; nothing speaks against it")


def _by_refresh(look: Look, memory: Memory) -> Assessment | None:
    refresh = look.refresh
    if refresh is None:
        return _verdict(Verdict.ESCALATE, "Auto Scaling does not know the refresh any more", memory)
    if refresh.status is RefreshStatus.CANCELLING:
        return _wait(look, memory, "somebody is cancelling the instance refresh")
    because = refresh.rollback_reason or refresh.reason or "it gave no reason"
    if refresh.status is RefreshStatus.ROLLBACK_FAILED:
        reason = f"Auto Scaling's own rollback failed: {refresh.reason or because}"
        return _verdict(Verdict.ESCALATE, reason, memory)
    ended_badly = {
        RefreshStatus.ROLLBACK_IN_PROGRESS: f"Auto Scaling rolls back by itself: {because}",
        RefreshStatus.ROLLBACK_SUCCESSFUL: f"Auto Scaling rolled back by itself: {because}",
        RefreshStatus.FAILED: f"the instance refresh failed: {because}",
        RefreshStatus.CANCELLED: "somebody cancelled the instance refresh",
    }.get(refresh.status)
    if ended_badly is None:
        return None
    evidence = memory.new_failed or bool(memory.healthy_new and _firing(look))
    found = _verdict(Verdict.ROLL_BACK, ended_badly, memory, against_data=evidence)
    cancelled = refresh.status is RefreshStatus.CANCELLED
    return found.model_copy(update={"by_person": cancelled})


def _by_alarms(look: Look, memory: Memory) -> Assessment | None:
    firing = _firing(look)
    if not firing:
        return None
    return _verdict(
        Verdict.ROLL_BACK,
        f"the alarm {', '.join(firing)} fired while the release was being rolled out",
        memory,
        # An alarm that fired before any instance served the candidate says nothing of its data.
        against_data=memory.healthy_new > 0 or memory.new_failed,
    )


def _by_losses(look: Look, memory: Memory) -> Assessment | None:
    tolerated = int(LOSS_TOLERANCE * look.capacity_at_start)
    if memory.lost <= tolerated:
        return None
    return _verdict(
        Verdict.ROLL_BACK,
        f"Auto Scaling replaced {counted(memory.lost, 'new instance')} after failed health checks, "
        f"although healthy before",
        memory,
        against_data=True,
    )


def _by_new_instances(look: Look, memory: Memory) -> Assessment | None:
    unready, grace = look.unready_new, look.policy.health.unhealthy_grace
    if not unready or memory.progress_at is None or look.now - memory.progress_at < grace:
        return None
    first = next(iter(look.failing_new), unready[0])
    targets = look.view.targets
    target = targets.get(first.id)
    # One that the load balancer does not check, or not yet, proves nothing about the data.
    checked = any(one.id in targets and targets[one.id].being_checked for one in unready)
    seen = f"{target.state} {target.reason}".strip() if target else "not registered"
    return _verdict(
        Verdict.ROLL_BACK,
        f"{len(unready)} of {len(look.new)} new instances did not become healthy within "
        f"{format_duration(grace)} (for example {first.id}: {seen})",
        memory,
        against_data=memory.new_failed or checked,
    )


def _by_floor(look: Look, memory: Memory) -> Assessment | None:
    since = memory.below_floor_since
    if since is None or look.now - since < FLOOR_PATIENCE:
        return None
    return _verdict(
        Verdict.ROLL_BACK,
        f"for {format_duration(look.now - since)} no more than "
        f"{counted(look.view.healthy_count(), 'instance')} of the fleet's floor of {look.floor} "
        f"have been healthy",
        memory,
        against_data=memory.new_failed,
    )


def _by_completion(look: Look, memory: Memory) -> Assessment | None:
    if look.refresh is None or look.refresh.status is not RefreshStatus.SUCCESSFUL:
        return None
    if not look.members:
        return _verdict(
            Verdict.ESCALATE,
            "the refresh ended and the group has no instance that proves the release",
            memory,
        )
    if look.others:
        odd = listed([one.id for one in look.others])
        reason = f"the refresh ended and these instances still run another version: {odd}"
        return _verdict(Verdict.ESCALATE, reason, memory)
    if look.unready_new or look.view.healthy_count() < max(1, look.floor):
        return _wait(look, memory, f"{look.summary()}; the refresh is done, health is not")
    return _verdict(
        Verdict.PROMOTE,
        f"{len(look.healthy_new)} of {len(look.new)} instances were healthy on it through the bake "
        f"of {format_duration(look.policy.refresh.bake)}",
        memory,
    )


# -- back -----------------------------------------------------------------------------------------


def assess_back(look: Look, memory: Memory) -> Assessment:
    """Judge a rollback: ``look.wanted`` is the rollback target."""
    memory = _remember(look, memory)
    refresh = look.refresh
    if refresh is not None and refresh.status.active:
        return _wait(look, memory, f"{look.summary()}; rolling back")
    trouble = _trouble_going_back(look, memory)
    if trouble is not None:
        return _verdict(Verdict.ESCALATE, trouble, memory)
    if look.unready_new or look.view.healthy_count() < look.floor:
        return _wait(look, memory, f"{look.summary()}; rolled back, waiting for health")
    return _verdict(
        Verdict.ROLLED_BACK,
        f"{len(look.healthy_new)} of {len(look.new)} instances are healthy on {look.wanted} again",
        memory,
    )


def _trouble_going_back(look: Look, memory: Memory) -> str | None:
    """Why a rollback that is over did not make the fleet whole, or None."""
    refresh = look.refresh
    if refresh is None:
        return "Auto Scaling does not know the refresh that rolls back"
    if refresh.status not in (RefreshStatus.ROLLBACK_SUCCESSFUL, RefreshStatus.SUCCESSFUL):
        # The reason of the status, which is why it failed; that of the rollback is why it began.
        because = refresh.reason or refresh.rollback_reason or "it gave no reason"
        return f"the rollback ended as {refresh.status}: {because}"
    if look.others:
        odd = listed([one.id for one in look.others])
        return f"the rollback ended and these instances still run another version: {odd}"
    grace, since = look.policy.health.unhealthy_grace, memory.ended_since
    whole = not look.unready_new and look.view.healthy_count() >= look.floor
    if not whole and since is not None and look.now - since >= grace:
        return (
            f"the fleet is back on {look.wanted} and still not healthy after "
            f"{format_duration(grace)}: {look.summary()}"
        )
    return None


# -- shared ---------------------------------------------------------------------------------------


def _firing(look: Look) -> list[str]:
    return [name for name, state in look.alarms.items() if state == "ALARM"]


def missing(view: FleetView, memory: Memory) -> list[str]:
    """Ids of instances that served the candidate and are no members any more."""
    members = {one.id for one in _members(view)}
    return [instance_id for instance_id in memory.serving if instance_id not in members]


def _members(view: FleetView) -> list[Instance]:
    leaving = ("Terminat", "Detach")
    return [one for one in view.group.instances if not one.lifecycle.startswith(leaving)]


def _failed_health_check(cause: str) -> bool:
    return any(known in cause for known in _HEALTH_CHECK_CAUSES)


def _remember(look: Look, memory: Memory) -> Memory:
    before, healthy_new = set(memory.serving), len(look.healthy_new)
    serving = [one.id for one in look.new if one.id in before or look.view.healthy(one)]
    lost = sum(_failed_health_check(cause) for cause in look.taken_out.values())
    below = look.view.healthy_count() < look.floor
    baking = look.refresh is not None and look.refresh.status is RefreshStatus.BAKING
    ended = look.refresh is not None and not look.refresh.status.active
    wrong = bool(look.failing_new or lost or below)
    return Memory(
        healthy_new=max(healthy_new, memory.healthy_new),
        serving=sorted(serving),
        lost=memory.lost + lost,
        new_failed=memory.new_failed or bool(look.failing_new or lost),
        progress_at=_progress_at(look, memory),
        below_floor_since=(memory.below_floor_since or look.now) if below else None,
        ended_since=(memory.ended_since or look.now) if ended else None,
        baking_since=(memory.baking_since or look.now) if baking else memory.baking_since,
        looked_at=look.now,
        quiet_looks=0 if wrong else memory.quiet_looks + 1,
    )


def _progress_at(look: Look, memory: Memory) -> datetime | None:
    healthy = len(look.healthy_new)
    # One that is still pending proves nothing: it may be the replacement of one that failed.
    if look.new and healthy == len(look.new):
        return None
    if memory.progress_at is None:
        # Those that came since the last look have their whole grace, however long ago that was.
        return look.now if look.unready_new else None
    return look.now if healthy > memory.healthy_new else memory.progress_at


def _verdict(
    verdict: Verdict, reason: str, memory: Memory, *, against_data: bool = False
) -> Assessment:
    return Assessment(
        verdict=verdict, reason=reason, against_data=against_data, wait_seconds=0, memory=memory
    )


def _wait(look: Look, memory: Memory, reason: str) -> Assessment:
    wait = min(FIRST_WAIT * 2 ** min(max(memory.quiet_looks - 1, 0), 16), _longest_wait(look))
    for deadline in _deadlines(look, memory):
        if deadline > look.now:
            wait = min(wait, deadline - look.now)
    wait = max(wait, LEAST_SHARE_OF_AGE * (look.now - look.started))
    if memory.baking_since is not None:
        # The last look before the release can become the group's own: just inside Baking.
        baked = memory.baking_since + look.policy.refresh.bake
        wait = min(wait, baked - look.now) if baked > look.now else wait
    return Assessment(
        verdict=Verdict.WAIT,
        reason=reason,
        wait_seconds=max(1, math.ceil(wait.total_seconds())),
        memory=memory,
    )


def _longest_wait(look: Look) -> timedelta:
    longest = max(LONGEST_WAIT, WAIT_SHARE_OF_AGE * (look.now - look.started))
    refresh = look.refresh
    pausing = refresh is not None and refresh.status is RefreshStatus.IN_PROGRESS
    if pausing and look.policy.refresh.checkpoints:
        # At least one look falls inside each pause, even when the checkpoint's event is lost.
        return max(FIRST_WAIT, min(longest, look.policy.refresh.checkpoint_wait / 2))
    return longest


def _deadlines(look: Look, memory: Memory) -> list[datetime]:
    """Instants at which another look could judge differently although nothing signals."""
    deadlines = []
    if look.unready_new and memory.progress_at is not None:
        deadlines.append(memory.progress_at + look.policy.health.unhealthy_grace)
    if memory.below_floor_since is not None:
        deadlines.append(memory.below_floor_since + FLOOR_PATIENCE)
    if memory.ended_since is not None:
        deadlines.append(memory.ended_since + look.policy.health.unhealthy_grace)
    return deadlines
