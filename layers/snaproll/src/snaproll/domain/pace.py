"""How long to sleep between two looks when nothing signals."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from snaproll.domain.assessment import Assessment, Memory, Verdict
from snaproll.domain.group import RefreshStatus
from snaproll.domain.look import Look

FIRST_WAIT = timedelta(seconds=60)
"""Wait after a look that saw something wrong; it doubles with every look that does not."""
LONGEST_WAIT = timedelta(minutes=10)
"""Where that doubling stops for a rollout of ordinary length."""
WAIT_SHARE_OF_AGE = 0.02
"""For a very long rollout the longest wait is this share of its age."""
LEAST_SHARE_OF_AGE = 0.01
"""Nor does a look come sooner than this share of the rollout's age after the one before, whatever
there is to see: so the number of looks grows with the logarithm of a rollout's length, and the
execution's history cannot fill up. Only signals, the end of the bake and the tries of a probe are
not kept waiting."""
FLOOR_PATIENCE = timedelta(minutes=2)
"""How long a fleet may be below its floor: one instance may be replaced by Auto Scaling itself."""


def wait_on(look: Look, memory: Memory, reason: str) -> Assessment:
    """Look again when something signals, or when it is time to."""
    wait = min(FIRST_WAIT * 2 ** min(max(memory.quiet_looks - 1, 0), 16), _longest_wait(look))
    for deadline in _deadlines(look, memory):
        if deadline > look.now:
            wait = min(wait, deadline - look.now)
    wait = max(wait, LEAST_SHARE_OF_AGE * (look.now - look.started))
    if memory.baking_since is not None:
        # The last look before the release can become the group's own: just inside Baking.
        baked_at = memory.baking_since + look.policy.refresh.bake
        wait = min(wait, baked_at - look.now) if baked_at > look.now else wait
    again_at = memory.probing.again_at
    if again_at is not None and again_at > look.now:
        # There are few tries, and the refresh goes on if the last of them comes late.
        wait = min(wait, again_at - look.now)
    return Assessment(
        verdict=Verdict.WAIT,
        reason=reason,
        wait_seconds=max(1, math.ceil(wait.total_seconds())),
        memory=memory,
    )


def baked(look: Look, memory: Memory) -> bool:
    """Whether the whole fleet has served the release for as long as its owner asks."""
    since = memory.baking_since
    return since is not None and look.now - since >= look.policy.refresh.bake


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
    deadlines, grace = [], look.policy.health.unhealthy_grace
    if look.unready_new and memory.progress_at is not None:
        deadlines.append(memory.progress_at + grace)
    if memory.below_floor_since is not None:
        deadlines.append(memory.below_floor_since + FLOOR_PATIENCE)
    if memory.ended_since is not None:
        deadlines.append(memory.ended_since + grace)
        if memory.unserved_since is not None:
            deadlines.append(memory.unserved_since + grace)
        if memory.served_since is not None:
            deadlines.append(memory.served_since + look.policy.refresh.bake)
            if memory.alarms_before:
                deadlines.append(memory.served_since + grace)
    if memory.no_data_since is not None and look.policy.health.no_data == "wait":
        deadlines.append(memory.no_data_since + look.policy.health.no_data_limit)
    return deadlines
