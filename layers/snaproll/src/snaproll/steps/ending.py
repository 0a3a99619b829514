"""Ending a rollout: its record, its hold, its claim, its event, and whoever is next.

The last step of an execution does it, and recovery in the place of an execution that died.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from snaproll.aws.ledger import Change
from snaproll.contracts.announcements import RolloutEvent, console_link
from snaproll.contracts.steps import Ended, ReleaseFleetRequest
from snaproll.domain.checks import Check
from snaproll.domain.claims import give_up_claim
from snaproll.domain.ledger import (
    Claim,
    FleetState,
    Hold,
    Outcome,
    Queued,
    Record,
    RefreshNote,
    Trigger,
)
from snaproll.domain.release import Release, RollbackTarget
from snaproll.domain.staging import conclude_staging
from snaproll.domain.trouble import (
    ROLLBACKS_UNTIL_HOLD,
    count_failure,
    rolled_back_too_often,
    says_something,
)
from snaproll.domain.watch import Watch
from snaproll.errors import ClaimLostError
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven, start_successor
from snaproll.steps.staged import name_watch_if_needed
from snaproll.steps.target import unmark_target

EVENT_OF = {
    Outcome.LIVE: "Release Live",
    Outcome.STAGED: "Release Staged",
    Outcome.SNAPSHOT_REJECTED: "Snapshot Rejected",
    Outcome.FLEET_NOT_READY: "Fleet Not Ready",
    Outcome.ROLLED_BACK: "Rolled Back",
    Outcome.NEEDS_ATTENTION: "Needs Attention",
    Outcome.STOPPED: "Rollout Stopped",
}
"""The detail-type of the domain event that tells of each outcome."""
_GOOD = frozenset({Outcome.LIVE, Outcome.STAGED})
_TARGET_STAYS_MARKED = (Outcome.LIVE, Outcome.STAGED, Outcome.NEEDS_ATTENTION)
"""Promotion has tagged both snapshots anew; and what is staged, or whoever is called, still needs
the old one."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended, and as much of it as is known.

    ``reason`` is half a sentence. ``hold`` is why the fleet is to be held, beside what the claim
    says of that.
    """

    fleet: str
    snapshot: str
    outcome: Outcome
    reason: str
    execution: str
    trigger: Trigger
    started_at: datetime
    quarantined: bool = False
    checks: list[Check] = field(default_factory=list)
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh: RefreshNote | None = None
    hold: str | None = None

    @property
    def what(self) -> str:
        """What tells this trouble from another."""
        return f"{self.outcome} {self.snapshot}: {self.reason}"


def release_fleet(request: ReleaseFleetRequest, runtime: Runtime) -> Ended:
    """Record the outcome, give the claim back and tell of it, in that order.

    A rollout that needs a person leaves a hold in the same write that ends its claim.

    Raises
    ------
    ClaimLostError
        The claim is no longer this rollout's, and it left no record.
    """
    rollout = request.rollout
    ending = Ending(
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        outcome=request.outcome,
        reason=request.reason,
        execution=rollout.execution,
        trigger=rollout.trigger,
        started_at=rollout.started_at,
        quarantined=request.quarantined,
        checks=request.checks,
        candidate=request.candidate,
        target=request.target,
        refresh=request.refresh,
    )
    _unmark_target(request, runtime)
    record = end_rollout(ending, lambda state: proven(rollout, state), runtime)
    return Ended(
        fleet=rollout.fleet,
        snapshot=rollout.snapshot,
        outcome=record.outcome,
        message=record.message,
    )


def _unmark_target(request: ReleaseFleetRequest, runtime: Runtime) -> None:
    """Take the tag off before the claim is given back: it is a change like any other."""
    if request.candidate is None or request.outcome in _TARGET_STAYS_MARKED:
        return
    rollout, state = request.rollout, runtime.ledger.state(request.rollout.fleet)
    claim = state.claim
    if state.staged is not None and not state.is_staged(rollout.snapshot):
        # What is staged still goes back to it.
        return
    if claim and (claim.execution, claim.fence) == (rollout.execution, rollout.fence):
        unmark_target(rollout.fleet, request.target, state, runtime)


def end_rollout(ending: Ending, prove: Callable[[FleetState], Claim], runtime: Runtime) -> Record:
    """End a rollout whose claim ``prove`` finds in a state; what was recorded of it.

    Raises
    ------
    ClaimLostError
        The claim is gone, and its execution left no record.
    """
    now, written = runtime.now(), None

    def transition(state: FleetState) -> Change:
        nonlocal written
        claim = prove(state)
        after = state
        if says_something(ending.outcome, claim):
            after = count_failure(state, ending.outcome, ending.what, now)
        after = conclude_staging(after, ending.outcome, ending.snapshot)
        hold = _hold_left(ending, claim, after, now)
        written = _record(ending, _sentence(ending, claim, state.queued), now)
        freed, staged = give_up_claim(ending.fleet, after, hold), after.staged
        if staged is None:
            return Change(freed, record=written, unwatch=True)
        watch = Watch(group=staged.group, alarms=[], staged=True)
        return Change(freed, record=written, watch=watch)

    try:
        after = runtime.ledger.change(ending.fleet, transition)
    except ClaimLostError:
        # This step, run again after it had written: tell the same once more.
        written = runtime.ledger.record_of(ending.fleet, ending.execution)
        if written is None:
            raise
        after = runtime.ledger.state(ending.fleet)
    if written is None:
        raise ClaimLostError(f"Nothing ended on fleet {ending.fleet}.")
    _tell(ending, written, after, runtime)
    runtime.count(written.outcome.value, ending.fleet)
    # The event of a launch between the step that staged and the write above woke nobody.
    after = name_watch_if_needed(ending.fleet, after, runtime)
    start_successor(ending.fleet, after, runtime)
    return written


def _record(ending: Ending, message: str, now: datetime) -> Record:
    return Record(
        fleet=ending.fleet,
        snapshot=ending.snapshot,
        outcome=ending.outcome,
        message=message,
        execution=ending.execution,
        trigger=ending.trigger,
        started_at=ending.started_at,
        ended_at=now,
        source=ending.target.template if ending.target else None,
        candidate=ending.candidate.template if ending.candidate else None,
        refresh_id=ending.refresh.id if ending.refresh else None,
        checks=ending.checks,
    )


def _tell(ending: Ending, record: Record, after: FleetState, runtime: Runtime) -> None:
    trouble = after.trouble
    event = RolloutEvent(
        environment=runtime.settings.environment,
        fleet=ending.fleet,
        snapshot=ending.snapshot,
        message=record.message,
        execution=ending.execution,
        link=console_link(ending.execution),
        outcome=record.outcome,
        checks=record.checks,
        candidate=ending.candidate,
        target=ending.target,
        refresh_id=record.refresh_id,
        # What was not counted, such as a rollout that a person stopped, repeats nothing.
        repeated=_is_no_news(ending, after),
    )
    runtime.announcements.publish(EVENT_OF[record.outcome], event)
    counted = trouble is not None and trouble.last == ending.what
    if record.outcome is Outcome.ROLLED_BACK and counted and rolled_back_too_often(after):
        alarming = event.model_copy(update={"message": _too_many(ending.fleet), "repeated": False})
        runtime.announcements.publish(EVENT_OF[Outcome.NEEDS_ATTENTION], alarming)


def _is_no_news(ending: Ending, after: FleetState) -> bool:
    """Whether it ended the same way the last time: failed alike again, or staged still."""
    if ending.outcome is Outcome.STAGED:
        return ending.trigger is Trigger.SCALE_OUT
    trouble = after.trouble
    return trouble is not None and trouble.repeated and trouble.last == ending.what


def _hold_left(ending: Ending, claim: Claim, state: FleetState, now: datetime) -> Hold | None:
    """The hold that a rollout leaves behind in the write that ends its claim."""
    if ending.outcome is Outcome.NEEDS_ATTENTION:
        why = _sentence(ending, claim, state.queued)
        return Hold(by="snaproll", reason=why, since=now, needs_person=True)
    asked = _hold_after(ending, claim)
    if ending.outcome is Outcome.LIVE:
        # Who asked for a stop too late stopped nothing; an abort is heard all the same.
        asked = ending.hold or claim.hold_if_live
    elif ending.outcome is Outcome.STAGED:
        asked = claim.hold_if_live or asked
    if asked is not None:
        return Hold(by="an operator", reason=asked, since=now)
    if rolled_back_too_often(state):
        return Hold(by="snaproll", reason=_too_many(ending.fleet), since=now)
    return None


def _hold_after(ending: Ending, claim: Claim) -> str | None:
    return ending.hold or claim.hold_after


def _too_many(fleet: str) -> str:
    return (
        f"The last {ROLLBACKS_UNTIL_HOLD} rollouts of fleet {fleet} were rolled back. The fleet is "
        f"whole and serves what it served before, and it is held: no automatic rollout starts. "
        f"Look at the writer's data or the fleet's policy."
    )


def _sentence(ending: Ending, claim: Claim, queued: Queued | None) -> str:
    reason = ending.reason.rstrip(".")
    what = f"{ending.snapshot} on fleet {ending.fleet}"
    match ending.outcome:
        case Outcome.SNAPSHOT_REJECTED:
            # The gate's own sentence says everything.
            return ending.reason
        case Outcome.FLEET_NOT_READY:
            return (
                f"{ending.snapshot} was not rolled out to fleet {ending.fleet}: {reason}. "
                f"No instance was replaced. Mend this, then start the rollout again."
            )
        case Outcome.LIVE | Outcome.STAGED:
            held = (
                f" The fleet went back by hand and is held, so that automation does not undo it: "
                f'{{"fleet": "{ending.fleet}", "resume": "<reason>", "by": "<name>"}} lets it go.'
            )
            became = ending.outcome.value.lower()
            return f"{what} is {became}: {reason}.{held if claim.hold_if_live else ''}"
        case Outcome.ROLLED_BACK:
            back_to = ending.target.snapshot if ending.target else None
            serves = f" The fleet serves {back_to} again." if back_to else ""
            kept = " The snapshot is quarantined and is not rolled out again by itself."
            return f"{what} was rolled back: {reason}.{serves}{kept if ending.quarantined else ''}"
        case Outcome.STOPPED:
            held = " The fleet is held." if _hold_after(ending, claim) else ""
            return f"{what} was stopped: {reason}. No instance was replaced.{held}"
        case Outcome.NEEDS_ATTENTION:
            link = console_link(ending.execution)
            waits = f" {queued.snapshot} waits until then." if queued else ""
            return (
                f"{what} needs a person: {reason}. The fleet is held: no automatic rollout starts. "
                f"Look at its Auto Scaling group's activities and at {link}; make the group whole "
                f"(docs/operations.md, NeedsAttention), then resume the fleet: "
                f'{{"fleet": "{ending.fleet}", "resume": "<what was done>", "by": "<name>"}}.'
                f"{waits}"
            )
