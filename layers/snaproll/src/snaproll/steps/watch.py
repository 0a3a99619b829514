"""Looking at the fleet once, and judging."""

from __future__ import annotations

from snaproll.contracts import Watched, WatchRequest
from snaproll.domain.assessment import Assessment, Verdict
from snaproll.domain.back import assess_back
from snaproll.domain.forward import assess_forward
from snaproll.domain.ledger import Claim, Phase, Seen
from snaproll.domain.look import Look
from snaproll.domain.remembering import missing
from snaproll.domain.signals import shorten_after_wake
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven


def watch_health(request: WatchRequest, runtime: Runtime) -> Watched:
    """Look at the fleet once and judge.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout = request.rollout
    # Before anything is described: a signal after this line is told from one before it.
    state = runtime.ledger.state(rollout.fleet)
    claim = proven(rollout, state)
    seen = Seen(signals=state.signals, woken_at=state.woken_at, at=runtime.now())
    assessment = _assess(request, claim, runtime)
    wait = shorten_after_wake(assessment.wait_seconds, seen, runtime.now())
    return Watched(**{**assessment.model_dump(), "wait_seconds": wait}, seen=seen)


def _assess(request: WatchRequest, claim: Claim, runtime: Runtime) -> Assessment:
    policy = request.rollout.policy
    view = runtime.groups.view(policy.auto_scaling_group)
    if view is None:
        return Assessment(
            verdict=Verdict.ESCALATE,
            reason=f"the Auto Scaling group {policy.auto_scaling_group} does not exist any more",
            wait_seconds=0,
            memory=request.memory,
        )
    forward = request.phase is Phase.FORWARD
    if forward and claim.stop is not None:
        return Assessment(
            verdict=Verdict.ROLL_BACK, reason=claim.stop, wait_seconds=0, memory=request.memory
        )
    by_hand = request.rollout.by_hand is not None
    gone = missing(view, request.memory) if forward else []
    look = Look(
        policy=policy,
        view=view,
        refresh=runtime.refreshes.get(view.group.name, request.refresh.id),
        wanted=request.candidate.template if forward else request.target.template,
        # A repair by hand begins on a fleet that is unhealthy already.
        alarms=runtime.alarms.states(policy.health.alarms) if forward and not by_hand else {},
        capacity_at_start=0 if forward and by_hand else request.refresh.capacity,
        started=request.refresh.started_at,
        now=runtime.now(),
        taken_out=runtime.groups.why_taken_out(
            view.group.name, gone, request.memory.looked_at or request.refresh.started_at
        ),
    )
    judge = assess_forward if forward else assess_back
    return judge(look, request.memory)
