"""Who may change a fleet: claiming, taking over, holding, giving back.

A transition takes the present state and gives the next one, or raises. It never reads a clock and
never writes: the adapter writes what comes out, on condition that nobody wrote in between.
"""

from __future__ import annotations

from datetime import datetime

from snaproll.domain.fencing import inherit_claim, prove_fence
from snaproll.domain.ledger import (
    Claim,
    FleetState,
    Hold,
    Phase,
    Queued,
    RefreshNote,
    Successor,
    Trigger,
)
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.errors import FleetBusyError, StalePlanError


def execution_name(fleet: str, snapshot: str, attempt: int) -> str:
    """The name that makes a second start of the same attempt impossible.

    At most 40 + 1 + 22 + 1 + 6 characters of the 80 that Step Functions allows.
    """
    return f"{fleet}-{snapshot}-{attempt}"


def take_claim(  # noqa: PLR0913 - each is one fact of the claim
    fleet: str,
    state: FleetState,
    *,
    planned_revision: int,
    execution: str,
    snapshot: str,
    trigger: Trigger,
    now: datetime,
    reason: str | None = None,
    hold_if_live: str | None = None,
    again: bool = False,
) -> FleetState:
    """Claim a fleet. A claim that this execution already has is kept as it is.

    Raises
    ------
    FleetBusyError
        Another rollout holds the claim.
    StalePlanError
        The ledger changed since the plan was made: the plan may be wrong now.
    """
    if state.claim is not None:
        if state.claim.execution == execution and state.claim.snapshot == snapshot:
            return state
        holder = state.claim
        raise FleetBusyError(
            f"Fleet {fleet} is being changed by the rollout of {holder.snapshot} "
            f"({holder.execution}) since {holder.claimed_at.isoformat()}."
        )
    if state.revision != planned_revision:
        raise StalePlanError(
            f"The ledger of fleet {fleet} moved from revision {planned_revision} to "
            f"{state.revision} since this rollout was planned."
        )
    fence = state.fence + 1
    claim = Claim(
        execution=execution,
        fence=fence,
        snapshot=snapshot,
        trigger=trigger,
        claimed_at=now,
        reason=reason,
        hold_if_live=hold_if_live,
        again=again,
    )
    return state.model_copy(
        update={"fence": fence, "claim": claim, "waiting": None, "successor": None}
    )


def take_over(fleet: str, state: FleetState, *, fence: int, execution: str) -> FleetState:
    """Take the claim of a rollout that died or handed it over, with all that it had noted.

    Raises
    ------
    ClaimLostError
        The claim with that fence is gone, or was taken over by another.
    """
    died = not was_handed_over(state, fence)
    return inherit_claim(f"fleet {fleet}", state, fence=fence, execution=execution, died=died)


def was_handed_over(state: FleetState, fence: int) -> bool:
    """Whether the claim with that fence is left by an execution that asked for it."""
    successor = state.successor
    return successor is not None and successor.takes_over == fence and successor.handed_over


def name_successor(fleet: str, state: FleetState, claim: Claim) -> FleetState:
    """Write down which execution is to take a dead rollout's claim over."""
    if state.successor is not None and state.successor.takes_over == claim.fence:
        return state
    attempt = state.attempts + 1
    successor = Successor(
        name=execution_name(fleet, claim.snapshot, attempt),
        snapshot=claim.snapshot,
        trigger=claim.trigger,
        takes_over=claim.fence,
    )
    return state.model_copy(update={"successor": successor, "attempts": attempt})


def prove_claim(fleet: str, state: FleetState, *, execution: str, fence: int) -> Claim:
    """The claim, if it is still this rollout's.

    Raises
    ------
    ClaimLostError
        It is not: the rollout must change nothing more.
    """
    return prove_fence(f"fleet {fleet}", state, execution=execution, fence=fence)


def note_source(
    state: FleetState, claim: Claim, *, source: TemplateVersion, target: RollbackTarget
) -> FleetState:
    """Write down what a launch template version will be made from, before it is."""
    noted = claim.model_copy(update={"source": source, "target": target})
    return state.model_copy(update={"claim": noted})


def note_intent(
    state: FleetState, claim: Claim, *, candidate: Release, target: RollbackTarget
) -> FleetState:
    """Write down where the fleet will be moved from and to, before it is."""
    noted = claim.model_copy(update={"candidate": candidate, "target": target})
    return state.model_copy(update={"claim": noted})


def note_refresh(state: FleetState, claim: Claim, refresh: RefreshNote) -> FleetState:
    """Write down which refresh is watched, for an execution that may have to take over."""
    return state.model_copy(update={"claim": claim.model_copy(update={"refresh": refresh})})


def turn_back(
    state: FleetState, claim: Claim, *, why: str, against_data: bool, by_person: bool = False
) -> FleetState:
    """Write down that the fleet is being rolled back, and why.

    A person who stopped the refresh wants it to stay so: a hold is left behind.
    """
    turned = {
        "phase": Phase.BACK,
        "why": why,
        "against_data": against_data,
        "hold_after": claim.hold_after or (why if by_person else None),
    }
    return state.model_copy(update={"claim": claim.model_copy(update=turned)})


def promote(state: FleetState, release: Release, replaced: RollbackTarget) -> FleetState:
    """Make a proven release live; the one before becomes the previous one.

    On a fleet that snaproll never rolled, the one before is what was found on the group.
    """
    claim = state.claim.model_copy(update={"promoted": True}) if state.claim else None
    promoted = {"live": release, "proven": None, "trouble": None, "claim": claim}
    if state.live is not None and state.live.snapshot == release.snapshot:
        return state.model_copy(update=promoted)
    other = replaced.snapshot not in (None, release.snapshot)
    found = (
        Release(snapshot=replaced.snapshot, template=replaced.template)
        if replaced.snapshot is not None and other
        else None
    )
    return state.model_copy(update={**promoted, "previous": state.live or found})


def adopt(state: FleetState, live: Release, version: TemplateVersion) -> FleetState:
    """Take over the number of another version with the live snapshot, which the group saves.

    Nothing is taken over when the state moved on meanwhile.
    """
    if state.claim is not None or state.live != live:
        return state
    proven = state.proven or live.template
    return state.model_copy(
        update={
            "live": live.model_copy(update={"template": version}),
            "proven": proven if proven != version else None,
        }
    )


def give_up_claim(fleet: str, state: FleetState, hold: Hold | None) -> FleetState:
    """End a rollout: in one write the claim goes, a hold may come, and the queue moves up.

    What is queued becomes the successor, whose start follows, unless the fleet is held now and
    nobody asked for it in person, or the fleet itself needs a person: then it waits for the resume.
    """
    held = _replaced(state.hold, hold) if hold else state.hold
    freed = state.model_copy(update={"claim": None, "waiting": None, "hold": held})
    queued = state.queued
    if queued is None or (held is not None and _keeps_waiting(queued, held)):
        return freed
    attempt = state.attempts + 1
    successor = Successor(
        name=execution_name(fleet, queued.snapshot, attempt),
        snapshot=queued.snapshot,
        trigger=queued.trigger,
        reason=queued.reason,
        again=queued.again,
    )
    return freed.model_copy(update={"queued": None, "successor": successor, "attempts": attempt})


def _keeps_waiting(queued: Queued, held: Hold) -> bool:
    return held.needs_person or queued.trigger is not Trigger.PERSON


def _replaced(before: Hold | None, hold: Hold) -> Hold:
    """A hold in another's place: that the fleet needs a person is over when it is resumed only."""
    if before is None or not before.needs_person:
        return hold
    return hold.model_copy(update={"needs_person": True})


def set_hold(state: FleetState, hold: Hold, *, roll_back: bool) -> FleetState:
    """Hold a fleet, and if asked, have the rollout that runs rolled back."""
    held = state.model_copy(update={"hold": _replaced(state.hold, hold)})
    if state.claim is None or not roll_back:
        return held
    return stop_claim(held, state.claim, f"{hold.by} holds the fleet: {hold.reason}")


def stop_claim(state: FleetState, claim: Claim, why: str) -> FleetState:
    """Ask for the running rollout to be rolled back, and for a hold behind it."""
    stopped = claim.model_copy(update={"stop": why, "hold_after": claim.hold_after or why})
    return state.model_copy(update={"claim": stopped})


def resume(fleet: str, state: FleetState) -> FleetState:
    """Lift a hold; what is queued moves up when nothing runs.

    A rollout that is being stopped goes back all the same, and leaves no hold behind it either.
    """
    freed = state.model_copy(update={"hold": None, "trouble": None})
    if state.claim is None:
        return give_up_claim(fleet, freed, None)
    return freed.model_copy(update={"claim": state.claim.model_copy(update={"hold_after": None})})


def goes_back(claim: Claim) -> bool:
    """Whether a rollout is on its way back, or was asked to go."""
    return claim.phase is Phase.BACK or claim.stop is not None


def name_next(
    fleet: str, state: FleetState, snapshot: str, trigger: Trigger, now: datetime
) -> FleetState:
    """Write down the next execution of a free fleet, unless one is named or something changed."""
    held = state.hold is not None and state.hold.stands(now)
    if state.claim is not None or state.successor is not None or held:
        return state
    attempt = state.attempts + 1
    successor = Successor(
        name=execution_name(fleet, snapshot, attempt), snapshot=snapshot, trigger=trigger
    )
    return state.model_copy(update={"successor": successor, "attempts": attempt})


def count_dead_successor(state: FleetState, successor: Successor) -> FleetState:
    """Give up on an execution that died before it took a dead rollout's claim over.

    It counts as a takeover: what kills every successor must not go on for ever.
    """
    claim = state.claim
    if state.successor != successor or claim is None or claim.fence != successor.takes_over:
        return state
    counted = claim.model_copy(update={"takeovers": claim.takeovers + 1})
    return state.model_copy(update={"successor": None, "claim": counted})
