"""What instances have to show before their release may be called proven.

Auto Scaling's own word is not enough: a group that scaled in to zero finishes its refresh, and a
staged release has none.
"""

from __future__ import annotations

from snaproll.domain.assessment import Assessment, Memory, Verdict, conclude
from snaproll.domain.duration import format_duration
from snaproll.domain.look import Look
from snaproll.domain.pace import wait_on
from snaproll.domain.wording import listed


def unproven(look: Look, memory: Memory) -> Assessment | None:
    """What is still missing when nothing speaks against a release any more; None if nothing is.

    At least one instance must have been healthy at every look through the bake, and all that are
    in service must be healthy now. This is waited for, and not for ever.
    """
    missing = _unserved(look, memory) or _unhealthy(look, memory) or _unbaked(look, memory)
    if missing is None or missing.verdict is not Verdict.WAIT or memory.ended_since is None:
        return missing
    bake, grace = look.policy.refresh.bake, look.policy.health.unhealthy_grace
    # Time for one more bake, and for the troubles between the two that are forgiven.
    limit = 2 * bake + 3 * grace
    if look.now - memory.ended_since < limit:
        return missing
    reason = f"it was not proven within {format_duration(limit)}: {missing.reason}"
    return conclude(Verdict.ROLL_BACK, reason, memory, against_data=memory.new_failed)


def _unserved(look: Look, memory: Memory) -> Assessment | None:
    since, ended = memory.unserved_since, memory.ended_since
    if since is None or ended is None:
        return None
    unserved, grace = look.now - max(since, ended), look.policy.health.unhealthy_grace
    if unserved < grace:
        return wait_on(look, memory, f"{look.summary()}; no instance serves it yet")
    reason = (
        f"the group wants {look.view.group.desired} instances, and for {format_duration(unserved)} "
        f"none has been healthy on it; the group's activities say why"
    )
    return conclude(Verdict.ROLL_BACK, reason, memory, against_data=memory.new_failed)


def _unhealthy(look: Look, memory: Memory) -> Assessment | None:
    if not look.unready_new and look.view.healthy_count() >= max(1, look.floor):
        return None
    over = "" if look.without_refresh else "the refresh is done, "
    return wait_on(look, memory, f"{look.summary()}; {over}health is not")


def _unbaked(look: Look, memory: Memory) -> Assessment | None:
    bake, since = look.policy.refresh.bake, memory.served_since
    if memory.alarms_before:
        names = ", ".join(memory.alarms_before)
        return wait_on(look, memory, f"{look.summary()}; {names} has not been quiet since before")
    if since is not None and look.now - since >= bake:
        return None
    return wait_on(look, memory, f"{look.summary()}; baking for {format_duration(bake)}")


def strangers(look: Look, memory: Memory) -> Assessment:
    """Instances of another version beside the first ones of a staged release.

    They came while it was being staged, or somebody brought them. No refresh would replace them,
    and only together with them would the fleet be whole: the safe way is back.
    """
    odd = listed([one.id for one in look.others])
    reason = f"these instances run another version than the staged one: {odd}"
    return conclude(Verdict.ROLL_BACK, reason, memory)


def counting_alarms(look: Look, memory: Memory) -> list[str]:
    """Firing alarms that count.

    One that has fired since before the first instance was healthy, such as one on the number of
    healthy hosts, has the grace to recover.
    """
    since, grace = memory.served_since, look.policy.health.unhealthy_grace
    if since is not None and look.now - since >= grace:
        return look.firing
    return [name for name in look.firing if name not in memory.alarms_before]
