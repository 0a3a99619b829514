"""Whether a release that is being rolled out may become live. A pure function of its inputs."""

from __future__ import annotations

from snaproll.domain.alarms import judge_by_data
from snaproll.domain.assessment import Assessment, Memory, Verdict, conclude
from snaproll.domain.duration import format_duration
from snaproll.domain.group import RefreshStatus
from snaproll.domain.look import Look
from snaproll.domain.pace import FLOOR_PATIENCE, wait_on
from snaproll.domain.probing import judge_by_probe
from snaproll.domain.proof import counting_alarms, strangers, unproven
from snaproll.domain.remembering import remember
from snaproll.domain.wording import counted, listed

LOSS_TOLERANCE = 0.05
"""Share of the fleet's new instances that may be lost to failed health checks: in a large fleet
one always is, by chance."""


def assess_forward(look: Look, memory: Memory) -> Assessment:
    """Judge a release that is being rolled out."""
    memory = remember(look, memory)
    for judge in (
        _by_refresh,
        _by_alarms,
        _by_losses,
        _by_new_instances,
        _by_floor,
        _by_incompleteness,
        judge_by_data,
        judge_by_probe,
        _by_completion,
    ):
        found = judge(look, memory)
        if found is not None:
            # What the probe found stands, whatever else is wrong by now.
            proven_bad = found.verdict is Verdict.ROLL_BACK and memory.probing.failed
            return found.model_copy(update={"against_data": found.against_data or proven_bad})
    return wait_on(look, memory, f"{look.summary()}; nothing speaks against it")


def _by_refresh(look: Look, memory: Memory) -> Assessment | None:
    refresh = look.refresh
    if look.without_refresh:
        return None
    if refresh is None:
        return conclude(Verdict.ESCALATE, "Auto Scaling does not know the refresh any more", memory)
    if refresh.status is RefreshStatus.CANCELLING:
        return wait_on(look, memory, "somebody is cancelling the instance refresh")
    because = refresh.rollback_reason or refresh.reason or "it gave no reason"
    if refresh.status is RefreshStatus.ROLLBACK_FAILED:
        reason = f"Auto Scaling's own rollback failed: {refresh.reason or because}"
        return conclude(Verdict.ESCALATE, reason, memory)
    ended_badly = {
        RefreshStatus.ROLLBACK_IN_PROGRESS: f"Auto Scaling rolls back by itself: {because}",
        RefreshStatus.ROLLBACK_SUCCESSFUL: f"Auto Scaling rolled back by itself: {because}",
        RefreshStatus.FAILED: f"the instance refresh failed: {because}",
        RefreshStatus.CANCELLED: "somebody cancelled the instance refresh",
    }.get(refresh.status)
    if ended_badly is None:
        return None
    evidence = memory.new_failed or bool(memory.healthy_new and look.firing)
    found = conclude(Verdict.ROLL_BACK, ended_badly, memory, against_data=evidence)
    cancelled = refresh.status is RefreshStatus.CANCELLED
    return found.model_copy(update={"by_person": cancelled})


def _by_alarms(look: Look, memory: Memory) -> Assessment | None:
    firing = counting_alarms(look, memory)
    if not firing:
        return None
    news = not set(firing) <= set(memory.alarms_before)
    return conclude(
        Verdict.ROLL_BACK,
        f"the alarm {', '.join(firing)} fired while the release was being rolled out",
        memory,
        # An alarm that fired before any instance served the candidate says nothing of its data.
        against_data=news and (memory.healthy_new > 0 or memory.new_failed),
    )


def _by_losses(look: Look, memory: Memory) -> Assessment | None:
    # A staged release began on a group without instances.
    size = look.view.group.desired if look.without_refresh else look.capacity_at_start
    tolerated = int(LOSS_TOLERANCE * size)
    if memory.lost <= tolerated:
        return None
    return conclude(
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
    seen = str(target) if target else "not registered"
    return conclude(
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
    return conclude(
        Verdict.ROLL_BACK,
        f"for {format_duration(look.now - since)} no more than "
        f"{counted(look.view.healthy_count(), 'instance')} of the fleet's floor of {look.floor} "
        f"have been healthy",
        memory,
        against_data=memory.new_failed,
    )


def _by_incompleteness(look: Look, memory: Memory) -> Assessment | None:
    if not look.over:
        return None
    if look.view.group.empty:
        reason = "the group has no instances that could prove it; the first ones are watched"
        return conclude(Verdict.STAGE, reason, memory)
    if look.others and look.without_refresh:
        return strangers(look, memory)
    if look.others:
        odd = listed([one.id for one in look.others])
        reason = f"the refresh ended and these instances still run another version: {odd}"
        return conclude(Verdict.ESCALATE, reason, memory)
    return unproven(look, memory)


def _by_completion(look: Look, memory: Memory) -> Assessment | None:
    if not look.over:
        return None
    probe = look.policy.health.probe
    passed = f", and the probe {probe.function} passed it: {memory.probing.said}" if probe else ""
    return conclude(
        Verdict.PROMOTE,
        f"{len(look.healthy_new)} of {len(look.new)} instances were healthy on it through the bake "
        f"of {format_duration(look.policy.refresh.bake)}{passed}",
        memory,
    )
