"""Waiting for signals, and waking the one who waits."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.signals import SignalEvent, WaitRequest
from snaproll.contracts.values import Recorded
from snaproll.domain.ledger import FleetState
from snaproll.domain.signals import begin_wait, signal
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven, start_successor
from snaproll.steps.staged import name_watch_if_needed


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
        proven(rollout, state)
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


def signal_rollout(event: SignalEvent, runtime: Runtime) -> Recorded:
    """Wake each rollout that an event concerns; without one this is a single cheap read."""
    if event.launches:
        return _watch_first_instances(event, runtime)
    woken = [
        fleet
        for fleet, watch in runtime.ledger.watches().items()
        if (event.group is not None and event.group == watch.group)
        or (event.alarm is not None and event.alarm in watch.alarms)
        if wake(fleet, event.detail_type, runtime)
    ]
    return Recorded(message=f"woke {', '.join(woken)}" if woken else "nobody to wake")


def _watch_first_instances(event: SignalEvent, runtime: Runtime) -> Recorded:
    """Let the first instances of a staged release be watched; other launches signal nothing."""
    started = []
    for fleet, watch in runtime.ledger.watches().items():
        if watch.staged and event.group == watch.group:
            state = runtime.ledger.state(fleet)
            named = name_watch_if_needed(fleet, state, runtime)
            started.append(start_successor(fleet, named, runtime))
    names = [name for name in started if name is not None]
    return Recorded(message=f"started {', '.join(names)}" if names else "nothing is staged there")


def wake(fleet: str, by: str, runtime: Runtime) -> bool:
    """Count a signal and wake the fleet's rollout with it, if one waits; whether one did."""
    token: str | None = None

    def transition(state: FleetState) -> Change:
        nonlocal token
        if state.claim is None:
            return Change(state)
        after, found = signal(state, runtime.now())
        # Run again because the first write was made and not answered, it is its own merged signal:
        # the token found then still has to be used. Waking somebody twice does no harm.
        token = found or token
        return Change(after)

    runtime.ledger.change(fleet, transition)
    if token is None:
        return False
    return runtime.executions.wake(token, {"woken_by": by})
