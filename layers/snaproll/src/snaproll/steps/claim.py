"""Claiming a fleet, and giving it back with a record of what happened."""

from __future__ import annotations

from datetime import datetime

from snaproll.aws.ledger import Change
from snaproll.contracts import (
    Claimed,
    Ended,
    Recorded,
    ReleaseFleetRequest,
    Rollout,
    RolloutEvent,
    StepRequest,
    console_link,
)
from snaproll.domain.claims import enqueue, give_up_claim, prove_claim, take_claim, take_over
from snaproll.domain.ledger import Claim, FleetState, Hold, Outcome, Queued, Record
from snaproll.domain.snapshot import data_time
from snaproll.domain.trouble import ROLLBACKS_UNTIL_HOLD, count_failure, rolled_back_too_often
from snaproll.domain.watch import Watch
from snaproll.errors import ClaimLostError
from snaproll.runtime import Runtime

EVENT_OF = {
    Outcome.LIVE: "Release Live",
    Outcome.SNAPSHOT_REJECTED: "Snapshot Rejected",
    Outcome.FLEET_NOT_READY: "Fleet Not Ready",
    Outcome.ROLLED_BACK: "Rolled Back",
    Outcome.NEEDS_ATTENTION: "Needs Attention",
    Outcome.STOPPED: "Fleet Held",
}
"""The detail-type of the domain event that tells of each outcome."""


def claim_fleet(request: StepRequest, runtime: Runtime) -> Claimed:
    """Take the right to change the fleet, or take it over from a rollout that died.

    Raises
    ------
    FleetBusyError
        Another rollout has it.
    StalePlanError
        The ledger changed since the plan.
    ClaimLostError
        What was to be taken over is gone.
    """
    rollout = request.rollout
    policy = rollout.policy
    watch = Watch(group=policy.auto_scaling_group, alarms=policy.health.alarms)

    def transition(state: FleetState) -> Change:
        if rollout.takes_over is not None:
            taken = take_over(
                rollout.fleet, state, fence=rollout.takes_over, execution=rollout.execution
            )
            return Change(taken, watch=watch)
        claimed = take_claim(
            rollout.fleet,
            state,
            planned_revision=rollout.planned_revision,
            execution=rollout.execution,
            snapshot=rollout.snapshot,
            trigger=rollout.trigger,
            now=runtime.now(),
            hold_if_live=rollout.by_hand if _went_back(rollout) else None,
        )
        return Change(claimed, watch=watch)

    state = runtime.ledger.change(rollout.fleet, transition)
    claim = prove_claim(rollout.fleet, state, execution=rollout.execution, fence=state.fence)
    claimed = rollout.model_copy(update={"fence": state.fence})
    how = "began" if claim.takeovers == 0 else "was taken over from one that died"
    because = f" Reason given: {rollout.reason.rstrip('.')}." if rollout.reason else ""
    message = f"The rollout of {rollout.snapshot} to fleet {rollout.fleet} {how}.{because}"
    runtime.announcements.publish("Rollout Started", event_of(claimed, message, runtime))
    return Claimed(
        message=message,
        rollout=claimed,
        phase=claim.phase,
        candidate=claim.candidate,
        target=claim.target,
        refresh=claim.refresh,
        why=claim.why,
        against_data=claim.against_data,
    )


def queue_behind(request: StepRequest, runtime: Runtime) -> Recorded:
    """Let the snapshot wait for the fleet; only the newest waits, a person's before it.

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
    )
    waits = False

    def transition(state: FleetState) -> Change:
        nonlocal waits
        after, waits = enqueue(rollout.fleet, state, queued)
        return Change(after)

    state = runtime.ledger.change(rollout.fleet, transition)
    holder = state.claim.snapshot if state.claim else "another snapshot"
    if waits:
        return Recorded(
            message=(
                f"Fleet {rollout.fleet} is being rolled onto {holder}. {rollout.snapshot} waits "
                f"and is rolled out by itself when that has ended."
            )
        )
    first = state.queued.snapshot if state.queued else ""
    return Recorded(
        message=f"{first} already waits for fleet {rollout.fleet} and comes before "
        f"{rollout.snapshot}."
    )


def start_successor(fleet: str, state: FleetState, runtime: Runtime) -> str | None:
    """Start the execution that the ledger names as the next one; its name.

    Starting it again is harmless: the name is taken then.
    """
    successor = state.successor
    if successor is None:
        return None
    content: dict[str, object] = {
        "fleet": fleet,
        "snapshot": successor.snapshot,
        "trigger": successor.trigger.value,
    }
    if successor.takes_over is not None:
        content["takes_over"] = successor.takes_over
    runtime.executions.start(runtime.settings.rollout_machine, successor.name, content)
    return successor.name


def proven(rollout: Rollout, state: FleetState) -> Claim:
    """The rollout's claim in a state that was read, or that a transition is to change.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's.
    """
    return prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)


def prove(rollout: Rollout, runtime: Runtime) -> Claim:
    """The rollout's claim, read right before something is changed.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's.
    """
    state = runtime.ledger.state(rollout.fleet)
    return proven(rollout, state)


def release_fleet(request: ReleaseFleetRequest, runtime: Runtime) -> Ended:
    """Record the outcome, give the claim back and tell of it, in that order.

    A rollout that needs a person leaves a hold in the same write that ends its claim.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's, and it left no record.
    """
    rollout = request.rollout
    now = runtime.now()
    message = _sentence(request)
    record = Record(
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        outcome=request.outcome,
        message=message,
        execution=rollout.execution,
        trigger=rollout.trigger,
        started_at=rollout.started_at,
        ended_at=now,
        source=request.target.template if request.target else None,
        candidate=request.candidate.template if request.candidate else None,
        refresh_id=request.refresh.id if request.refresh else None,
        checks=request.checks,
    )

    def transition(state: FleetState) -> Change:
        claim = proven(rollout, state)
        after = _troubled(request, state, now)
        hold = _hold_left(request, claim, after, message, now)
        return Change(give_up_claim(rollout.fleet, after, hold), record=record, unwatch=True)

    try:
        runtime.ledger.change(rollout.fleet, transition)
    except ClaimLostError:
        # This step, run again after it had written: tell the same once more.
        left = runtime.ledger.record_of(rollout.fleet, rollout.execution)
        if left is None:
            raise
        record = left
    after = runtime.ledger.state(rollout.fleet)
    runtime.announcements.publish(
        EVENT_OF[record.outcome],
        event_of(rollout, record.message, runtime).model_copy(
            update={
                "outcome": record.outcome,
                "checks": record.checks,
                "candidate": request.candidate,
                "target": request.target,
                "refresh_id": record.refresh_id,
                "repeated": after.trouble is not None and after.trouble.repeated,
            }
        ),
    )
    if record.outcome is Outcome.ROLLED_BACK and rolled_back_too_often(after):
        alarming = event_of(rollout, _too_many(rollout.fleet), runtime)
        runtime.announcements.publish(EVENT_OF[Outcome.NEEDS_ATTENTION], alarming)
    runtime.count(record.outcome.value, rollout.fleet)
    start_successor(rollout.fleet, after, runtime)
    return Ended(
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        outcome=record.outcome,
        message=record.message,
    )


def _troubled(request: ReleaseFleetRequest, state: FleetState, now: datetime) -> FleetState:
    if request.outcome is Outcome.LIVE:
        return state
    what = f"{request.outcome} {request.rollout.snapshot}: {request.reason}"
    return count_failure(state, request.outcome, what, now)


def _hold_left(
    request: ReleaseFleetRequest, claim: Claim, state: FleetState, message: str, now: datetime
) -> Hold | None:
    """The hold that a rollout leaves behind in the write that ends its claim."""
    if request.outcome is Outcome.NEEDS_ATTENTION:
        return Hold(by="snaproll", reason=message, since=now)
    asked = claim.hold_if_live if request.outcome is Outcome.LIVE else claim.hold_after
    if asked is not None:
        return Hold(by="an operator", reason=asked, since=now)
    if rolled_back_too_often(state):
        return Hold(by="snaproll", reason=_too_many(request.rollout.fleet), since=now)
    return None


def _too_many(fleet: str) -> str:
    return (
        f"The last {ROLLBACKS_UNTIL_HOLD} rollouts of fleet {fleet} were rolled back. The fleet is "
        f"whole and serves what it served before, and it is held: no automatic rollout starts. "
        f"Look at the writer's data or the fleet's policy."
    )


def _went_back(rollout: Rollout) -> bool:
    return rollout.goes_back and rollout.by_hand is not None


def _sentence(request: ReleaseFleetRequest) -> str:
    rollout, reason = request.rollout, request.reason.rstrip(".")
    what = f"{rollout.snapshot} on fleet {rollout.fleet}"
    match request.outcome:
        case Outcome.SNAPSHOT_REJECTED:
            # The gate's own sentence says everything.
            return request.reason
        case Outcome.FLEET_NOT_READY:
            return (
                f"{rollout.snapshot} was not rolled out to fleet {rollout.fleet}: {reason}. "
                f"No instance was replaced. Mend this, then start the rollout again."
            )
        case Outcome.LIVE:
            held = (
                f" The fleet went back by hand and is held, so that automation does not undo it: "
                f'{{"fleet": "{rollout.fleet}", "resume": "<reason>", "by": "<name>"}} lets it go.'
            )
            return f"{what} is live: {reason}.{held if _went_back(rollout) else ''}"
        case Outcome.ROLLED_BACK:
            back_to = request.target.snapshot if request.target else None
            serves = f" The fleet serves {back_to} again." if back_to else ""
            kept = " The snapshot is quarantined and is not rolled out again by itself."
            return f"{what} was rolled back: {reason}.{serves}{kept if request.quarantined else ''}"
        case Outcome.STOPPED:
            return f"{what} was stopped: {reason}. Nothing was changed. The fleet is held."
        case Outcome.NEEDS_ATTENTION:
            link = console_link(rollout.execution)
            return (
                f"{what} needs a person: {reason}. The fleet is held: no automatic rollout starts. "
                f"Look at its Auto Scaling group's activities and at {link}."
            )


def event_of(rollout: Rollout, message: str, runtime: Runtime) -> RolloutEvent:
    """What every domain event about a rollout says."""
    return RolloutEvent(
        environment=runtime.settings.environment,
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        message=message,
        execution=rollout.execution,
        link=console_link(rollout.execution),
    )
