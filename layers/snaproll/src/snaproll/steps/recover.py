"""Rollouts that died: somebody goes on with them, or the fleet is held.

``recover`` is run when an execution ends badly, and by the scheduled comparison.
"""

from __future__ import annotations

from snaproll.aws.executions import GONE
from snaproll.aws.ledger import Change
from snaproll.contracts.events import ExecutionDetail, ExecutionEvent
from snaproll.contracts.values import Recorded
from snaproll.domain.claims import (
    count_dead_successor,
    name_successor,
    prove_claim,
    stop_claim,
)
from snaproll.domain.fencing import MOST_TAKEOVERS
from snaproll.domain.ledger import Claim, FleetState, Outcome, Successor
from snaproll.errors import ClaimLostError, InputError
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
from snaproll.steps.ending import Ending, end_rollout

_ALIVE = frozenset({"RUNNING", "PENDING_REDRIVE"})
_ABORTED = "ABORTED"
_BY_HAND = "somebody aborted the execution"
ROLLOUT_DIED = "RolloutDied"
"""The metric that counts executions which ended with no outcome; an alarm is on it, of all fleets
together, as the template knows none by name."""


def recover_rollout(event: ExecutionEvent, runtime: Runtime) -> Recorded:
    """Let the fleet of an execution that ended badly be watched again, or held."""
    for fleet in runtime.ledger.watches():
        claim = runtime.ledger.state(fleet).claim
        if claim is not None and claim.execution == event.detail.execution:
            # The event may be late, and the execution redriven meanwhile: it is asked itself.
            status = runtime.executions.status(claim.execution)
            return Recorded(message=recover(fleet, status, runtime))
    if _died(event.detail):
        # Before it had a claim, as every rollout does when the first step is broken.
        runtime.count(ROLLOUT_DIED)
    return Recorded(message=f"{event.detail.execution} holds no fleet.")


def _died(detail: ExecutionDetail) -> bool:
    """Whether an execution failed for no reason that people were told, or asked for."""
    told = {one.value for one in Outcome} | {one.__name__ for one in InputError.__subclasses__()}
    return detail.status != _ABORTED and detail.error not in told


def recover(fleet: str, status: str, runtime: Runtime) -> str:
    """Deal with a claim whose execution has this status; what was done, in words.

    A claim is never left with a dead execution: a new one takes it over and goes on where the dead
    one stopped, at most three times; then the fleet is held. An abort is a person's wish to stop:
    the fleet goes back and is held.
    """
    state = runtime.ledger.state(fleet)
    claim, successor = state.claim, state.successor
    if claim is None:
        started = start_successor(fleet, state, runtime)
        return f"Started {started}." if started else f"Nothing holds fleet {fleet}."
    if status in _ALIVE:
        return f"{claim.execution} runs."
    named = successor if successor and successor.takes_over == claim.fence else None
    arrived = _status_of(named, runtime) if named else GONE
    # Who handed over did not die of it, and the other has only to be started.
    handed_over = named is not None and named.handed_over and status != _ABORTED
    if named is None or (arrived == GONE and not handed_over):
        return _recover_dead(fleet, claim, status, runtime)
    if arrived == GONE or arrived in _ALIVE:
        if status == _ABORTED:
            # It was redriven while the other one waited for it to be quiet, and aborted then.
            state = _stop(fleet, claim, runtime)
        start_successor(fleet, state, runtime)
        return f"{named.name} takes the rollout of {claim.snapshot} over."
    # It died before it had the claim, and its name is used up.
    counted = _count_dead(fleet, named, runtime).claim
    if counted is None or counted.fence != claim.fence:
        return f"Somebody else was faster with fleet {fleet}."
    return _recover_dead(fleet, counted, arrived, runtime)


def _recover_dead(fleet: str, claim: Claim, status: str, runtime: Runtime) -> str:
    """Let a dead execution's claim be taken over, or end it."""
    if status != _ABORTED:
        runtime.count(ROLLOUT_DIED)
    aborted = _BY_HAND if status == _ABORTED else None
    if claim.promoted:
        # Going on, or back, would undo what is proven: only the last step is missing.
        reason = "its instances were healthy through the bake"
        return _end(fleet, claim, Outcome.LIVE, reason, runtime, hold=aborted)
    if claim.takeovers >= MOST_TAKEOVERS:
        reason = f"its rollout was taken over {MOST_TAKEOVERS} times and died again, as {status}"
        return _end(fleet, claim, Outcome.NEEDS_ATTENTION, reason, runtime, hold=reason)
    if aborted and claim.source is None and claim.candidate is None:
        return _end(fleet, claim, Outcome.STOPPED, aborted, runtime, hold=aborted)

    def transition(before: FleetState) -> Change:
        present = before.claim
        if present is None or present.fence != claim.fence:
            return Change(before)
        if aborted:
            before = stop_claim(before, present, aborted)
        return Change(name_successor(fleet, before, claim))

    state = runtime.ledger.change(fleet, transition)
    started = start_successor(fleet, state, runtime)
    return f"The rollout of {claim.snapshot} to fleet {fleet} died ({status}); {started} goes on."


def _stop(fleet: str, claim: Claim, runtime: Runtime) -> FleetState:
    """Let whoever takes the claim over know that a person wants no more of the rollout."""

    def transition(before: FleetState) -> Change:
        present = before.claim
        if present is None or present.fence != claim.fence or present.stop or present.promoted:
            return Change(before)
        return Change(stop_claim(before, present, _BY_HAND))

    return runtime.ledger.change(fleet, transition)


def _end(
    fleet: str, claim: Claim, outcome: Outcome, reason: str, runtime: Runtime, *, hold: str | None
) -> str:
    """Speak for an execution that will not: end its rollout as its own last step would have."""
    ending = Ending(
        fleet=fleet,
        snapshot=claim.snapshot,
        outcome=outcome,
        reason=reason,
        execution=claim.execution,
        trigger=claim.trigger,
        started_at=claim.claimed_at,
        candidate=claim.candidate,
        target=claim.target,
        refresh=claim.refresh,
        hold=hold,
    )

    def prove(state: FleetState) -> Claim:
        return prove_claim(fleet, state, execution=claim.execution, fence=claim.fence)

    try:
        return end_rollout(ending, prove, runtime).message
    except ClaimLostError as lost:
        return f"Somebody else was faster. {lost}"


def _count_dead(fleet: str, successor: Successor, runtime: Runtime) -> FleetState:
    return runtime.ledger.change(
        fleet, lambda before: Change(count_dead_successor(before, successor))
    )


def _status_of(successor: Successor, runtime: Runtime) -> str:
    machine = runtime.settings.rollout_machine
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{successor.name}"
    return runtime.executions.status(arn)


def over(successor: Successor, runtime: Runtime) -> bool:
    """Whether an execution that was named ran, and runs no more."""
    return _status_of(successor, runtime) not in (*_ALIVE, GONE)
