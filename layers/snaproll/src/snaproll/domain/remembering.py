"""What one look adds to the memory of those before."""

from __future__ import annotations

from datetime import datetime

from snaproll.domain.assessment import MOST_TRIED, Memory
from snaproll.domain.group import FleetView, RefreshStatus
from snaproll.domain.look import Look, members_of

_HEALTH_CHECK_CAUSES = ("ELB system health check", "user health-check")
"""How an activity's cause says that an instance failed the load balancer's or the owner's health
check (user guide, "View the reason for health check failures")."""


def missing(view: FleetView, memory: Memory) -> list[str]:
    """Ids of instances that served the candidate and are no members any more."""
    members = {one.id for one in members_of(view)}
    return [instance_id for instance_id in memory.serving if instance_id not in members]


def vanished(view: FleetView, memory: Memory) -> list[str]:
    """Ids of new instances that are no members any more, and that no look found healthy."""
    members = {one.id for one in members_of(view)}
    return [instance_id for instance_id in memory.tried if instance_id not in members]


def failed_health_check(cause: str) -> bool:
    """Whether an activity's cause says that an instance failed its health checks."""
    return any(known in cause for known in _HEALTH_CHECK_CAUSES)


def remember(look: Look, memory: Memory) -> Memory:
    """The memory after this look."""
    before, healthy_new = set(memory.serving), len(look.healthy_new)
    serving = [one.id for one in look.new if one.id in before or look.view.healthy(one)]
    lost = sum(failed_health_check(cause) for cause in look.taken_out.values())
    below = look.view.healthy_count() < look.floor
    baking = look.refresh is not None and look.refresh.status is RefreshStatus.BAKING
    ended = look.without_refresh or (look.refresh is not None and not look.refresh.status.active)
    wrong = bool(look.failing_new or lost or below)
    return Memory(
        healthy_new=max(healthy_new, memory.healthy_new),
        serving=sorted(serving),
        tried=_tried(look, memory, serving),
        lost=memory.lost + lost,
        new_failed=memory.new_failed or bool(look.failing_new or lost),
        progress_at=_progress_at(look, memory),
        below_floor_since=(memory.below_floor_since or look.now) if below else None,
        ended_since=(memory.ended_since or look.now) if ended else None,
        baking_since=(memory.baking_since or look.now) if baking else memory.baking_since,
        no_data_since=(memory.no_data_since or look.now) if look.silent else None,
        served_since=_served_since(look, memory),
        unserved_since=None if healthy_new else memory.unserved_since or look.now,
        alarms_before=_alarms_before(look, memory),
        looked_at=look.now,
        quiet_looks=0 if wrong else memory.quiet_looks + 1,
        probing=memory.probing,
    )


def _tried(look: Look, memory: Memory, serving: list[str]) -> list[str]:
    unproven = [one.id for one in look.new if one.id not in serving]
    known = [one for one in memory.tried if one not in serving and one not in unproven]
    return [*known, *sorted(unproven)][-MOST_TRIED:]


def _progress_at(look: Look, memory: Memory) -> datetime | None:
    healthy = len(look.healthy_new)
    # One that is still pending proves nothing: it may be the replacement of one that failed.
    if look.new and healthy == len(look.new):
        return None
    if look.view.group.desired == 0 and not look.new:
        # Scaled in to zero: whatever comes next has no part in what was waited for.
        return None
    if memory.progress_at is None:
        # Those that came since the last look have their whole grace, however long ago that was.
        return look.now if look.unready_new else None
    return look.now if healthy > memory.healthy_new else memory.progress_at


def _served_since(look: Look, memory: Memory) -> datetime | None:
    healthy = {one.id for one in look.healthy_new}
    if not healthy:
        return None
    if memory.served_since is not None and not healthy.isdisjoint(memory.serving):
        return memory.served_since
    refresh = look.refresh
    if memory.looked_at is None and refresh and refresh.status is RefreshStatus.SUCCESSFUL:
        # Whoever takes a rollout over as late as that saw nothing of the bake. Auto Scaling did.
        return look.started
    # The fleet had scaled in to zero in between, or every instance was replaced.
    return look.now


def _alarms_before(look: Look, memory: Memory) -> list[str]:
    """Alarms that speak of the time without instances, until they have once been quiet."""
    if not look.without_refresh:
        return []
    if memory.healthy_new == 0 and not memory.new_failed:
        return look.firing
    return [name for name in memory.alarms_before if name in look.firing]
