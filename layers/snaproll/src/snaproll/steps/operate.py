"""What a person asks of a fleet besides a rollout: hold it, resume it, lift a quarantine."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.announcements import FleetEvent, console_link
from snaproll.contracts.requests import OperateRequest, OperatorRequest, Running
from snaproll.contracts.values import Recorded
from snaproll.domain.claims import goes_back, resume, set_hold
from snaproll.domain.fencing import forget_successor
from snaproll.domain.ledger import FleetState, Hold
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
from snaproll.steps.reconcile import start_newest
from snaproll.steps.recover import over
from snaproll.steps.signals import wake


def operate_fleet(request: OperateRequest, runtime: Runtime) -> Recorded:
    """Carry out one operation on a fleet, and tell of it."""
    operation = request.operation
    if operation.hold is not None:
        kind, message = "Fleet Held", _hold(operation, operation.hold, runtime)
    elif operation.resume is not None:
        kind, message = "Fleet Resumed", _resume(operation, operation.resume, runtime)
    else:
        kind, message = "Quarantine Lifted", _lift(operation, runtime)
    execution = request.execution.id
    runtime.announcements.publish(
        kind,
        FleetEvent(
            environment=runtime.settings.environment,
            fleet=operation.fleet,
            message=message,
            execution=execution,
            link=console_link(execution),
        ),
    )
    return Recorded(message=message)


def _hold(operation: OperatorRequest, reason: str, runtime: Runtime) -> str:
    hold = Hold(by=operation.by, reason=reason, since=runtime.now(), until=operation.until)
    roll_back = operation.running is Running.ROLL_BACK
    state = runtime.ledger.change(
        operation.fleet, lambda before: Change(set_hold(before, hold, roll_back=roll_back))
    )
    until = f" until {hold.until.isoformat()}" if hold.until is not None else ""
    message = f"Fleet {operation.fleet} is held by {operation.by}{until}: {reason.rstrip('.')}."
    if state.claim is None:
        return message
    if not roll_back:
        return f"{message} The rollout of {state.claim.snapshot} that runs may finish."
    wake(operation.fleet, "a hold", runtime)
    return f"{message} The rollout of {state.claim.snapshot} that runs is rolled back."


def _resume(operation: OperatorRequest, reason: str, runtime: Runtime) -> str:
    def transition(state: FleetState) -> Change:
        return Change(resume(operation.fleet, state))

    state = runtime.ledger.change(operation.fleet, transition)
    return (
        f"Fleet {operation.fleet} was resumed by {operation.by}: {reason.rstrip('.')}. "
        f"{_go_on(operation.fleet, state, runtime)}"
    )


def _go_on(name: str, state: FleetState, runtime: Runtime) -> str:
    """Start what a resumed fleet is due, and say what that is."""
    if state.claim is not None:
        goes = "is rolled back" if goes_back(state.claim) else "goes on"
        return f"The rollout of {state.claim.snapshot} that runs {goes}; what waits follows it."
    stopped = runtime.stop_reason()
    if stopped is not None:
        return f"Nothing starts before the environment's stop ends: {stopped}."
    if state.successor is not None and not over(state.successor, runtime):
        started = start_successor(name, state, runtime)
        return f"{state.successor.snapshot} had waited and is rolled out now ({started})."
    # One that is named still, and ran, found nothing to do: it stands in nobody's way.
    done = state.successor
    state = runtime.ledger.change(name, lambda before: Change(forget_successor(before, done)))
    start_newest(runtime.fleets.get(name), state, runtime)
    named = runtime.ledger.state(name)
    next_one = named.successor or named.claim
    if next_one is None:
        return "Nothing had waited, and no eligible snapshot is newer than what the fleet serves."
    return f"Nothing had waited; {next_one.snapshot}, the newest eligible one, is rolled out now."


def _lift(operation: OperatorRequest, runtime: Runtime) -> str:
    snapshot = operation.lift_quarantine or ""
    runtime.ledger.lift_quarantine(operation.fleet, snapshot)
    return (
        f"{snapshot} is no longer quarantined for fleet {operation.fleet}, by {operation.by}: "
        f"{(operation.reason or '').rstrip('.')}. If it is the newest eligible one, the next "
        f"comparison starts it; start it by hand to have it at once."
    )
