"""What a probe's answers mean for a release that is being rolled out."""

from __future__ import annotations

from snaproll.domain.assessment import Assessment, Memory, Verdict, conclude
from snaproll.domain.look import Look
from snaproll.domain.pace import baked, wait_on
from snaproll.domain.probe import due
from snaproll.domain.wording import counted


def judge_by_probe(look: Look, memory: Memory) -> Assessment | None:
    """Ask the fleet's probe when it is due, and act on what it said.

    Its ``fail`` is evidence against the data. That it could not tell, however often it was asked,
    is not: the release goes back, because nothing is promoted that was not proven, and it may be
    tried again later.
    """
    probe, probing = look.policy.health.probe, memory.probing
    if probe is None or (look.refresh is None and not look.without_refresh):
        return None
    if probing.failed:
        reason = f"the probe {probe.function} failed it at {probing.asked}: {probing.said}"
        return conclude(Verdict.ROLL_BACK, reason, memory, against_data=True)
    checkpoints = look.policy.refresh.checkpoints
    # Without a refresh nobody asks before the first instances have baked.
    over = look.without_refresh or baked(look, memory)
    moment = due(checkpoints, probing, look.refresh, baked=over)
    if moment is None or not look.healthy_new:
        return None
    tries = probing.tries_at(moment)
    if tries >= probe.tries:
        return conclude(
            Verdict.ROLL_BACK,
            f"the probe {probe.function} could not tell at {moment}, asked {counted(tries, 'time')}"
            f"; the last time: {probing.said}",
            memory,
        )
    if tries and probing.again_at is not None and look.now < probing.again_at:
        reason = f"{look.summary()}; the probe could not tell at {moment}: {probing.said}"
        return wait_on(look, memory, reason)
    asked = conclude(Verdict.PROBE, f"the probe is due at {moment}", memory)
    return asked.model_copy(update={"moment": moment, "attempt": tries + 1})
