"""What a person asks of a fleet besides a rollout: hold it, resume it, lift a quarantine."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts import (
    FleetEvent,
    OperateRequest,
    OperatorRequest,
    Recorded,
    Running,
    console_link,
)
from snaproll.domain.claims import resume, set_hold
from snaproll.domain.ledger import FleetState, Hold
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
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
    message = f"Fleet {operation.fleet} is held by {operation.by}: {reason.rstrip('.')}."
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
    started = start_successor(operation.fleet, state, runtime)
    what = (
        f"{state.successor.snapshot} had waited and is rolled out now ({started})."
        if state.successor is not None
        else "Nothing had waited; the newest eligible snapshot starts with the next comparison."
    )
    return f"Fleet {operation.fleet} was resumed by {operation.by}: {reason.rstrip('.')}. {what}"


def _lift(operation: OperatorRequest, runtime: Runtime) -> str:
    snapshot = operation.lift_quarantine or ""
    runtime.ledger.lift_quarantine(operation.fleet, snapshot)
    return (
        f"{snapshot} is no longer quarantined for fleet {operation.fleet}, by {operation.by}: "
        f"{(operation.reason or '').rstrip('.')}."
    )
