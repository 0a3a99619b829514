"""Whether every instance runs the rollback target again. A pure function of its inputs."""

from __future__ import annotations

from snaproll.domain.assessment import Assessment, Memory, Verdict, conclude
from snaproll.domain.duration import format_duration
from snaproll.domain.group import RefreshStatus
from snaproll.domain.look import Look
from snaproll.domain.pace import wait_on
from snaproll.domain.remembering import remember
from snaproll.domain.wording import listed


def assess_back(look: Look, memory: Memory) -> Assessment:
    """Judge a rollback: ``look.wanted`` is the rollback target."""
    memory = remember(look, memory)
    refresh = look.refresh
    if refresh is not None and refresh.status.active:
        return wait_on(look, memory, f"{look.summary()}; rolling back")
    trouble = _trouble_going_back(look, memory)
    if trouble is not None:
        return conclude(Verdict.ESCALATE, trouble, memory)
    if look.unready_new or look.view.healthy_count() < look.floor:
        return wait_on(look, memory, f"{look.summary()}; rolled back, waiting for health")
    return conclude(
        Verdict.ROLLED_BACK,
        f"{len(look.healthy_new)} of {len(look.new)} instances are healthy on {look.wanted} again",
        memory,
    )


def _trouble_going_back(look: Look, memory: Memory) -> str | None:
    """Why a rollback that is over did not make the fleet whole, or None."""
    refresh = look.refresh
    if refresh is None and not look.without_refresh:
        return "Auto Scaling does not know the refresh that rolls back"
    if refresh is not None and refresh.status not in (
        RefreshStatus.ROLLBACK_SUCCESSFUL,
        RefreshStatus.SUCCESSFUL,
    ):
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
