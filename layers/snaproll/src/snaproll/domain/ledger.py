"""The state of one fleet in the ledger, and every transition that it may make.

A transition takes the present state and gives the next one, or raises. It never reads a clock and
never writes: the adapter writes what comes out, on condition that nobody wrote in between.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from snaproll.domain.checks import Check
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.errors import ClaimLostError, FleetBusyError, StalePlanError
from snaproll.model import StrictValue

SCHEMA = 1
"""Version of the items' shape; every item carries it."""

WAKE_GAP = timedelta(seconds=30)
"""After a signal woke a rollout, further ones within this time are merged into one later look."""


class Trigger(StrEnum):
    """Who asked for a rollout."""

    SNAPSHOT = "snapshot"
    """A snapshot completed."""
    PERSON = "person"


class Phase(StrEnum):
    """Which way a claimed fleet is being moved."""

    FORWARD = "forward"
    BACK = "back"


class Outcome(StrEnum):
    """How a rollout that held a claim ended."""

    LIVE = "Live"
    SNAPSHOT_REJECTED = "SnapshotRejected"
    FLEET_NOT_READY = "FleetNotReady"
    ROLLED_BACK = "RolledBack"
    NEEDS_ATTENTION = "NeedsAttention"


class Claim(StrictValue):
    """The right of one rollout to change the fleet.

    ``fence`` only grows: a later claim has a higher one. ``candidate`` and ``target`` are known
    once the launch template version exists, and are written before the refresh starts.
    """

    execution: str
    fence: int
    snapshot: str
    trigger: Trigger
    claimed_at: datetime
    phase: Phase = Phase.FORWARD
    candidate: Release | None = None
    target: RollbackTarget | None = None


class Hold(StrictValue):
    """A stop sign: no automatic rollout starts while it stands."""

    by: str
    reason: str
    since: datetime


class Waiting(StrictValue):
    """A rollout that sleeps, and the task token that wakes it."""

    token: str
    fence: int


class FleetState(StrictValue):
    """The one ``STATE`` item of a fleet.

    ``revision`` grows with every write. ``signals`` counts signals; ``woken_at`` is when one last
    ended a wait.
    """

    schema_version: int = SCHEMA
    revision: int = 0
    fence: int = 0
    live: Release | None = None
    previous: Release | None = None
    claim: Claim | None = None
    hold: Hold | None = None
    waiting: Waiting | None = None
    signals: int = 0
    woken_at: datetime | None = None


class Quarantine(StrictValue):
    """A snapshot marked as bad on evidence from instances that ran it."""

    schema_version: int = SCHEMA
    snapshot: str
    reason: str
    execution: str
    at: datetime


class Record(StrictValue):
    """What is kept of a rollout that ended.

    ``source`` and ``candidate`` are the launch template versions from and to which it moved the
    fleet, as far as it got.
    """

    schema_version: int = SCHEMA
    fleet: str
    snapshot: str
    outcome: Outcome
    message: str
    execution: str
    trigger: Trigger
    started_at: datetime
    ended_at: datetime
    source: TemplateVersion | None = None
    candidate: TemplateVersion | None = None
    refresh_id: str | None = None
    checks: list[Check] = Field(default_factory=list)


class Seen(StrictValue):
    """What a look knew of the signals when it began."""

    signals: int
    woken_at: datetime | None


# -- claim ----------------------------------------------------------------------------------------


def take_claim(
    fleet: str,
    state: FleetState,
    *,
    planned_revision: int,
    execution: str,
    snapshot: str,
    trigger: Trigger,
    now: datetime,
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
        execution=execution, fence=fence, snapshot=snapshot, trigger=trigger, claimed_at=now
    )
    return state.model_copy(update={"fence": fence, "claim": claim, "waiting": None})


def prove_claim(fleet: str, state: FleetState, *, execution: str, fence: int) -> Claim:
    """The claim, if it is still this rollout's.

    Raises
    ------
    ClaimLostError
        It is not: the rollout must change nothing more.
    """
    claim = state.claim
    if claim is None or claim.fence != fence or claim.execution != execution:
        holder = f"{claim.execution} holds it" if claim else "nobody holds it"
        raise ClaimLostError(
            f"This rollout no longer has the claim on fleet {fleet} (fence {fence}; {holder} "
            f"now, fence {state.fence}). It changes nothing more."
        )
    return claim


def note_intent(
    state: FleetState, claim: Claim, *, candidate: Release, target: RollbackTarget
) -> FleetState:
    """Write down where the fleet will be moved from and to, before it is."""
    noted = claim.model_copy(update={"candidate": candidate, "target": target})
    return state.model_copy(update={"claim": noted})


def turn_back(state: FleetState, claim: Claim) -> FleetState:
    """Write down that the fleet is being rolled back."""
    return state.model_copy(update={"claim": claim.model_copy(update={"phase": Phase.BACK})})


def promote(state: FleetState, release: Release, replaced: RollbackTarget) -> FleetState:
    """Make a proven release live; the one before becomes the previous one.

    On a fleet that snaproll never rolled, the one before is what was found on the group.
    """
    if state.live is not None and state.live.snapshot == release.snapshot:
        return state.model_copy(update={"live": release})
    found = (
        Release(snapshot=replaced.snapshot, template=replaced.template)
        if replaced.snapshot is not None
        else None
    )
    return state.model_copy(update={"live": release, "previous": state.live or found})


def give_up_claim(state: FleetState, hold: Hold | None) -> FleetState:
    """End a rollout: the claim goes, and in the same write a hold may come."""
    return state.model_copy(update={"claim": None, "waiting": None, "hold": hold or state.hold})


# -- signals --------------------------------------------------------------------------------------


def signal(state: FleetState, now: datetime) -> tuple[FleetState, str | None]:
    """Count a signal; the token to wake the rollout with, or None when none need be woken.

    A signal within ``WAKE_GAP`` of the last wake only counts: the look that follows that wake
    sleeps no longer than the gap, so it is seen then.
    """
    counted = state.model_copy(update={"signals": state.signals + 1})
    if state.waiting is None or within_gap(state.woken_at, now):
        return counted, None
    return counted.model_copy(update={"woken_at": now}), state.waiting.token


def begin_wait(
    state: FleetState, *, token: str, fence: int, seen: Seen, now: datetime
) -> tuple[FleetState, bool]:
    """Store a token to be woken by; True when a signal came meanwhile and the wait ends at once."""
    waiting = state.model_copy(update={"waiting": Waiting(token=token, fence=fence)})
    if state.signals == seen.signals:
        return waiting, False
    if state.woken_at == seen.woken_at and within_gap(state.woken_at, now):
        return waiting, False
    return state.model_copy(update={"waiting": None, "woken_at": now}), True


def within_gap(woken_at: datetime | None, now: datetime) -> bool:
    """Whether the last wake by a signal is so recent that the next must wait."""
    return woken_at is not None and now - woken_at < WAKE_GAP


def shorten_after_wake(wait_seconds: int, seen: Seen, now: datetime) -> int:
    """How long to sleep after a look: not past the gap when a signal woke the rollout for it."""
    if not within_gap(seen.woken_at, now):
        return wait_seconds
    return min(wait_seconds, math.ceil(WAKE_GAP.total_seconds()))
