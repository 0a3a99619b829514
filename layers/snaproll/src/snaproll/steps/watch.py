"""Looking at the fleet once, and judging."""

from __future__ import annotations

from snaproll.contracts import Watched, WatchRequest
from snaproll.domain.assessment import (
    Assessment,
    Look,
    Verdict,
    assess_back,
    assess_forward,
    missing,
)
from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.ledger import (
    Phase,
    Seen,
    prove_claim,
    shorten_after_wake,
)
from snaproll.runtime import Runtime


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
    prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)
    seen = Seen(signals=state.signals, woken_at=state.woken_at)
    policy = rollout.policy
    assessment = _assess(request, policy, runtime)
    wait = shorten_after_wake(assessment.wait_seconds, seen, runtime.now())
    return Watched(**{**assessment.model_dump(), "wait_seconds": wait}, seen=seen)


def _assess(request: WatchRequest, policy: FleetPolicy, runtime: Runtime) -> Assessment:
    view = runtime.groups.view(policy.auto_scaling_group)
    if view is None:
        return Assessment(
            verdict=Verdict.ESCALATE,
            reason=f"the Auto Scaling group {policy.auto_scaling_group} does not exist any more",
            wait_seconds=0,
            memory=request.memory,
        )
    forward = request.phase is Phase.FORWARD
    gone = missing(view, request.memory) if forward else []
    look = Look(
        policy=policy,
        view=view,
        refresh=runtime.refreshes.get(view.group.name, request.refresh.id),
        wanted=request.candidate.template if forward else request.target.template,
        alarms=runtime.alarms.states(policy.health.alarms) if forward else {},
        capacity_at_start=request.refresh.capacity,
        started=request.refresh.started_at,
        now=runtime.now(),
        taken_out=runtime.groups.why_taken_out(view.group.name, gone),
    )
    judge = assess_forward if forward else assess_back
    return judge(look, request.memory)
