"""Claiming a fleet, and giving it back with a record of what happened."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts import (
    Claimed,
    Ended,
    ReleaseFleetRequest,
    Rollout,
    RolloutEvent,
    StepRequest,
    console_link,
)
from snaproll.domain.ledger import (
    Claim,
    FleetState,
    Hold,
    Outcome,
    Record,
    give_up_claim,
    prove_claim,
    take_claim,
)
from snaproll.domain.watch import Watch
from snaproll.errors import ClaimLostError
from snaproll.runtime import Runtime

EVENT_OF = {
    Outcome.LIVE: "Release Live",
    Outcome.SNAPSHOT_REJECTED: "Snapshot Rejected",
    Outcome.FLEET_NOT_READY: "Fleet Not Ready",
    Outcome.ROLLED_BACK: "Rolled Back",
    Outcome.NEEDS_ATTENTION: "Needs Attention",
}
"""The detail-type of the domain event that tells of each outcome."""


def claim_fleet(request: StepRequest, runtime: Runtime) -> Claimed:
    """Take the right to change the fleet.

    Raises
    ------
    FleetBusyError
        Another rollout has it.
    StalePlanError
        The ledger changed since the plan.
    """
    rollout = request.rollout
    policy = rollout.policy
    watch = Watch(group=policy.auto_scaling_group, alarms=policy.health.alarms)

    def transition(state: FleetState) -> Change:
        claimed = take_claim(
            rollout.fleet,
            state,
            planned_revision=rollout.planned_revision,
            execution=rollout.execution,
            snapshot=rollout.snapshot,
            trigger=rollout.trigger,
            now=runtime.now(),
        )
        return Change(claimed, watch=watch)

    state = runtime.ledger.change(rollout.fleet, transition)
    claimed = rollout.model_copy(update={"fence": state.fence})
    message = f"The rollout of {rollout.snapshot} to fleet {rollout.fleet} began."
    runtime.announcements.publish("Rollout Started", event_of(claimed, message, runtime))
    return Claimed(message=message, rollout=claimed)


def prove(rollout: Rollout, runtime: Runtime) -> Claim:
    """The rollout's claim, read right before something is changed.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's.
    """
    state = runtime.ledger.state(rollout.fleet)
    return prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)


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
    hold = (
        Hold(by="snaproll", reason=message, since=now)
        if request.outcome is Outcome.NEEDS_ATTENTION
        else None
    )

    def transition(state: FleetState) -> Change:
        prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)
        return Change(give_up_claim(state, hold), record=record, unwatch=True)

    try:
        runtime.ledger.change(rollout.fleet, transition)
    except ClaimLostError:
        # This step, run again after it had written: tell the same once more.
        left = runtime.ledger.record_of(rollout.fleet, rollout.execution)
        if left is None:
            raise
        record = left
    runtime.announcements.publish(
        EVENT_OF[record.outcome],
        event_of(rollout, record.message, runtime).model_copy(
            update={
                "outcome": record.outcome,
                "checks": record.checks,
                "candidate": request.candidate,
                "target": request.target,
                "refresh_id": record.refresh_id,
            }
        ),
    )
    runtime.count(record.outcome.value, rollout.fleet)
    return Ended(
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        outcome=record.outcome,
        message=record.message,
    )


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
            return f"{what} is live: {reason}."
        case Outcome.ROLLED_BACK:
            back_to = request.target.snapshot if request.target else None
            serves = f" The fleet serves {back_to} again." if back_to else ""
            kept = " The snapshot is quarantined and is not rolled out again by itself."
            return f"{what} was rolled back: {reason}.{serves}{kept if request.quarantined else ''}"
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
