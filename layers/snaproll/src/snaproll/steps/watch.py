"""Waiting for signals, looking at the fleet, and waking the one who waits."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts import Recorded, SignalEvent, WaitRequest, Watched, WatchRequest
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
    FleetState,
    Phase,
    Seen,
    begin_wait,
    prove_claim,
    shorten_after_wake,
    signal,
)
from snaproll.runtime import Runtime


def await_signal(request: WaitRequest, runtime: Runtime) -> Recorded:
    """Leave the task token where a signal finds it; wake at once when one came meanwhile.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout = request.rollout
    missed = False

    def transition(state: FleetState) -> Change:
        nonlocal missed
        prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)
        waiting, missed = begin_wait(
            state,
            token=request.token,
            fence=rollout.fence,
            seen=request.seen,
            now=runtime.now(),
        )
        return Change(waiting)

    runtime.ledger.change(rollout.fleet, transition)
    if missed:
        runtime.executions.wake(request.token, {"woken_by": "a signal during the last look"})
    return Recorded(message="woken at once" if missed else "waiting")


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
    policy = runtime.fleets.get(rollout.fleet).policy
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


def signal_rollout(event: SignalEvent, runtime: Runtime) -> Recorded:
    """Wake each rollout that an event concerns; without one this is a single cheap read."""
    woken = [
        fleet
        for fleet, watch in runtime.ledger.watches().items()
        if (event.group is not None and event.group == watch.group)
        or (event.alarm is not None and event.alarm in watch.alarms)
        if _signal(fleet, event, runtime)
    ]
    return Recorded(message=f"woke {', '.join(woken)}" if woken else "nobody to wake")


def _signal(fleet: str, event: SignalEvent, runtime: Runtime) -> bool:
    token: str | None = None

    def transition(state: FleetState) -> Change:
        nonlocal token
        if state.claim is None:
            token = None
            return Change(state)
        after, token = signal(state, runtime.now())
        return Change(after)

    runtime.ledger.change(fleet, transition)
    if token is None:
        return False
    return runtime.executions.wake(token, {"woken_by": event.detail_type})
