"""Letting a snapshot wait for a busy fleet, and stopping what runs for a person's repair."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.rollout import Rollout, StepRequest
from snaproll.contracts.values import Recorded
from snaproll.domain.ledger import FleetState, Queued, Trigger
from snaproll.domain.queueing import Place, enqueue
from snaproll.domain.snapshot import data_time
from snaproll.domain.staging import name_watch
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
from snaproll.steps.signals import wake


def queue_behind(request: StepRequest, runtime: Runtime) -> Recorded:
    """Let the snapshot wait for the fleet, or stop what runs for it; say what will happen.

    Raises
    ------
    StalePlanError
        The fleet is free by now.
    """
    rollout = request.rollout
    snapshot = runtime.snapshots.get(rollout.snapshot)
    queued = Queued(
        snapshot=rollout.snapshot,
        trigger=rollout.trigger,
        data_time=data_time(snapshot).at if snapshot else None,
        asked_at=runtime.now(),
        reason=rollout.reason if rollout.trigger is Trigger.PERSON else None,
        again=rollout.again,
    )
    place = Place.WAITS

    def transition(state: FleetState) -> Change:
        nonlocal place
        after, place = enqueue(rollout.fleet, state, queued)
        # Where nobody has the fleet, the first instances of what is staged are to be watched.
        return Change(name_watch(rollout.fleet, after))

    state = runtime.ledger.change(rollout.fleet, transition)
    if state.claim is None:
        start_successor(rollout.fleet, state, runtime)
    if place in (Place.PRE_EMPTS, Place.WAITS_FOR_ROLLBACK):
        # Also when it was asked before: whoever asked may have died before this line.
        wake(rollout.fleet, "a person's request", runtime)
    return Recorded(message=_sentence(rollout, state, place))


def _sentence(rollout: Rollout, state: FleetState, place: Place) -> str:
    fleet, wanted = rollout.fleet, rollout.snapshot
    staged = state.staged.release.snapshot if state.staged else "another snapshot"
    running = state.claim.snapshot if state.claim else staged
    live = state.live.snapshot if state.live else None
    match place:
        case Place.RUNS_ALREADY:
            holder = state.claim.execution if state.claim else "another execution"
            return f"Fleet {fleet} is being rolled onto {wanted} already, by {holder}."
        case Place.COMES_LATER:
            first = state.queued.snapshot if state.queued else "another snapshot"
            return f"{first} already waits for fleet {fleet} and comes before {wanted}."
        case Place.WAITS:
            return (
                f"Fleet {fleet} is being rolled onto {running}. {wanted} waits and is rolled out "
                f"by itself when that has ended."
            )
        case Place.WAITS_FOR_ROLLBACK:
            what = f"The rollout of {running} to fleet {fleet} is being rolled back."
        case Place.PRE_EMPTS:
            what = f"The rollout of {running} to fleet {fleet} is stopped and rolled back."
    if wanted == live:
        return f"{what} The fleet serves {wanted} again then, and is held."
    return f"{what} {wanted} is rolled out by itself when that has ended."
