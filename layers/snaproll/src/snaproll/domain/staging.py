"""Releases that are saved on a group without instances: staging, watching, proving, giving up.

The one case in which an unproven version is written to a group. The ledger says so from before it
is written until it is proven or taken back.
"""

from __future__ import annotations

from datetime import datetime

from snaproll.domain.claims import execution_name
from snaproll.domain.ledger import FleetState, Outcome, Staged, Successor, Trigger
from snaproll.domain.queueing import enqueue
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion


def stage(
    state: FleetState, release: Release, *, target: RollbackTarget, group: str, now: datetime
) -> FleetState:
    """Write down that the group will save an unproven release; once more changes nothing.

    What it goes back to stays the last proven release, also when one was staged before.
    """
    before = state.staged
    if before is not None and before.release.template == release.template:
        return state
    staged = Staged(
        release=release,
        target=before.target if before else target,
        group=group,
        since=now,
        replaced=before.release if before else None,
    )
    return state.model_copy(update={"staged": staged})


def conclude_staging(state: FleetState, outcome: Outcome, snapshot: str) -> FleetState:
    """What stays staged once the rollout of a snapshot has ended."""
    staged = state.staged
    if staged is None or staged.release.snapshot != snapshot:
        return state
    if outcome is Outcome.STAGED:
        return state.model_copy(update={"staged": staged.model_copy(update={"replaced": None})})
    if outcome is Outcome.FLEET_NOT_READY and staged.replaced is not None:
        # It was not saved: the group still saves the one that it was to replace.
        left = staged.model_copy(update={"release": staged.replaced, "replaced": None})
        return state.model_copy(update={"staged": left})
    return state.model_copy(update={"staged": None})


def take_back(state: FleetState, snapshot: str) -> FleetState:
    """Write down that a snapshot is not staged any more: what is proven was saved again."""
    return state.model_copy(update={"staged": None}) if state.is_staged(snapshot) else state


def claim_staged(fleet: str, state: FleetState) -> FleetState:
    """Let a new claim on a staged snapshot know all that was known when it was staged.

    What came before the claim waits; a person's repair among it stops the watch at once.
    """
    claim, staged = state.claim, state.staged
    if claim is None or staged is None or claim.snapshot != staged.release.snapshot:
        return state
    if claim.candidate is not None:
        return state
    known = claim.model_copy(update={"candidate": staged.release, "target": staged.target})
    claimed = state.model_copy(update={"claim": known})
    if state.queued is None:
        return claimed
    return enqueue(fleet, claimed.model_copy(update={"queued": None}), state.queued).state


def name_watch(fleet: str, state: FleetState) -> FleetState:
    """Write down which execution is to watch the first instances of what is staged.

    A hold does not keep it away: the instances come in any case.
    """
    if state.staged is None or state.claim is not None or state.successor is not None:
        return state
    attempt, snapshot = state.attempts + 1, state.staged.release.snapshot
    successor = Successor(
        name=execution_name(fleet, snapshot, attempt), snapshot=snapshot, trigger=Trigger.SCALE_OUT
    )
    return state.model_copy(update={"successor": successor, "attempts": attempt})


def goes_back_to(
    state: FleetState, saved: TemplateVersion, found: RollbackTarget
) -> RollbackTarget:
    """The rollback target of a group that saves a version with what was found in it."""
    staged = state.staged
    if staged is not None and staged.release.template == saved:
        return staged.target
    return found
