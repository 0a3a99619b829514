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
    RECONCILE = "reconcile"
    """The scheduled comparison found a newer eligible snapshot that nothing had started."""


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
    STOPPED = "Stopped"
    """Somebody aborted the execution before it had changed anything."""


class RefreshNote(StrictValue):
    """The refresh that a claim is watching; ``capacity`` is the desired one when it started."""

    id: str
    started_at: datetime
    capacity: int


class Claim(StrictValue):
    """The right of one rollout to change the fleet.

    ``fence`` only grows: a later claim has a higher one. ``candidate`` and ``target`` are known
    once the launch template version exists, and are written before the refresh starts. ``why``
    and ``against_data`` say why the fleet is being rolled back. ``takeovers`` counts how often a
    new execution took the claim over from one that had died; ``hold_after`` is the reason for a
    hold that the rollout is to leave behind, ``hold_if_live`` the same for one that goes back.
    """

    execution: str
    fence: int
    snapshot: str
    trigger: Trigger
    claimed_at: datetime
    phase: Phase = Phase.FORWARD
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh: RefreshNote | None = None
    why: str | None = None
    against_data: bool = False
    takeovers: int = 0
    stop: str | None = None
    """Why a person asked that this rollout be rolled back; None when nobody did."""
    hold_after: str | None = None
    hold_if_live: str | None = None


class Queued(StrictValue):
    """The one snapshot that waits for a busy fleet."""

    snapshot: str
    trigger: Trigger
    data_time: datetime | None = None
    asked_at: datetime


class Successor(StrictValue):
    """An execution that is to be started, written down before it is.

    ``takes_over`` is the fence of the claim that it takes over, None when it takes a free fleet.
    """

    name: str
    snapshot: str
    trigger: Trigger
    takes_over: int | None = None


class Hold(StrictValue):
    """A stop sign: no automatic rollout starts while it stands."""

    by: str
    reason: str
    since: datetime
    until: datetime | None = None

    def stands(self, now: datetime) -> bool:
        """Whether it still holds the fleet."""
        return self.until is None or now < self.until


class Waiting(StrictValue):
    """A rollout that sleeps, and the task token that wakes it."""

    token: str
    fence: int
    seen_at: datetime
    """When the look began that this wait follows; a wait that follows an earlier one is over."""


class Trouble(StrictValue):
    """How the last rollouts failed; gone with the next that becomes live.

    ``rollbacks`` counts rolled back ones in a row, ``failures`` all that did not become live;
    ``repeated`` tells that the last two failed alike. Until ``retry_after`` the scheduled
    comparison does not start the same again.
    """

    rollbacks: int
    failures: int
    last: str
    repeated: bool = False
    retry_after: datetime


class FleetState(StrictValue):
    """The one ``STATE`` item of a fleet.

    ``revision`` grows with every write. ``signals`` counts signals; ``woken_at`` is when one last
    ended a wait. ``attempts`` makes the names of the executions that snaproll itself starts
    unique; dispatch always uses the first attempt.
    """

    schema_version: int = SCHEMA
    revision: int = 0
    fence: int = 0
    live: Release | None = None
    previous: Release | None = None
    claim: Claim | None = None
    queued: Queued | None = None
    successor: Successor | None = None
    attempts: int = 1
    trouble: Trouble | None = None
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
    at: datetime


# -- dead rollouts --------------------------------------------------------------------------------

MOST_TAKEOVERS = 3
"""How often a dead rollout is taken over before the fleet is held for a person."""
_FIRST_QUIET_SECONDS = 90
"""A function of the dead rollout may still run for its timeout of 45 s and the SDK's retries."""


def quiet_seconds(takeovers: int) -> int:
    """How long a taker-over waits, by how often the claim was taken over before."""
    return int(_FIRST_QUIET_SECONDS * 4**takeovers)


# -- names ----------------------------------------------------------------------------------------


def execution_name(fleet: str, snapshot: str, attempt: int) -> str:
    """The name that makes a second start of the same attempt impossible.

    At most 40 + 1 + 22 + 1 + 6 characters of the 80 that Step Functions allows.
    """
    return f"{fleet}-{snapshot}-{attempt}"


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
    hold_if_live: str | None = None,
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
        hold_if_live=hold_if_live,
    )
    return state.model_copy(
        update={"fence": fence, "claim": claim, "waiting": None, "successor": None}
    )


def take_over(fleet: str, state: FleetState, *, fence: int, execution: str) -> FleetState:
    """Take the claim of a dead rollout over, with all that it had noted.

    Raises
    ------
    ClaimLostError
        The claim with that fence is gone, or was taken over by another.
    """
    claim = state.claim
    if claim is not None and claim.execution == execution:
        return state
    if claim is None or claim.fence != fence:
        raise ClaimLostError(
            f"The claim on fleet {fleet} that was to be taken over (fence {fence}) is gone."
        )
    inherited = claim.model_copy(
        update={
            "execution": execution,
            "fence": state.fence + 1,
            "takeovers": claim.takeovers + 1,
        }
    )
    return state.model_copy(
        update={
            "fence": state.fence + 1,
            "claim": inherited,
            "waiting": None,
            "successor": None,
        }
    )


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


def enqueue(fleet: str, state: FleetState, queued: Queued) -> tuple[FleetState, bool]:
    """Let a snapshot wait for the fleet; False when one that waits already comes first.

    Only one waits: a person's before an automatic one, then the newer data.

    Raises
    ------
    StalePlanError
        The fleet is free by now: plan again.
    """
    if state.claim is None:
        raise StalePlanError(f"Fleet {fleet} is free by now.")
    waiting = state.queued
    if waiting is not None and _comes_first(waiting, queued):
        return state, False
    return state.model_copy(update={"queued": queued}), True


def _comes_first(waiting: Queued, other: Queued) -> bool:
    if (waiting.trigger is Trigger.PERSON) != (other.trigger is Trigger.PERSON):
        return waiting.trigger is Trigger.PERSON
    if waiting.trigger is Trigger.PERSON or waiting.data_time is None or other.data_time is None:
        return False
    return waiting.data_time >= other.data_time


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
    if state.live is not None and state.live.snapshot == release.snapshot:
        return state.model_copy(update={"live": release, "trouble": None})
    found = (
        Release(snapshot=replaced.snapshot, template=replaced.template)
        if replaced.snapshot is not None
        else None
    )
    return state.model_copy(
        update={"live": release, "previous": state.live or found, "trouble": None}
    )


def give_up_claim(fleet: str, state: FleetState, hold: Hold | None) -> FleetState:
    """End a rollout: in one write the claim goes, a hold may come, and the queue moves up.

    What is queued becomes the successor, whose start follows, unless the fleet is held now and
    nobody asked for it in person.
    """
    held = hold or state.hold
    freed = state.model_copy(update={"claim": None, "waiting": None, "hold": held})
    queued = state.queued
    if queued is None or (held is not None and queued.trigger is not Trigger.PERSON):
        return freed
    attempt = state.attempts + 1
    successor = Successor(
        name=execution_name(fleet, queued.snapshot, attempt),
        snapshot=queued.snapshot,
        trigger=queued.trigger,
    )
    return freed.model_copy(update={"queued": None, "successor": successor, "attempts": attempt})


# -- failures over time ---------------------------------------------------------------------------

ROLLBACKS_UNTIL_HOLD = 3
_FIRST_RETRY = timedelta(minutes=30)
_LONGEST_RETRY = timedelta(hours=6)


def count_failure(state: FleetState, outcome: Outcome, what: str, now: datetime) -> FleetState:
    """Remember that a rollout did not become live; ``what`` tells one trouble from another."""
    before = state.trouble
    failures = (before.failures if before else 0) + 1
    rollbacks = (before.rollbacks if before else 0) + 1 if outcome is Outcome.ROLLED_BACK else 0
    wait = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures - 1, 8))
    trouble = Trouble(
        rollbacks=rollbacks,
        failures=failures,
        last=what,
        repeated=before is not None and before.last == what,
        retry_after=now + wait,
    )
    return state.model_copy(update={"trouble": trouble})


def rolled_back_too_often(state: FleetState) -> bool:
    """Whether so many rollouts in a row were rolled back that a person has to look."""
    return state.trouble is not None and state.trouble.rollbacks >= ROLLBACKS_UNTIL_HOLD


def may_retry(state: FleetState, now: datetime) -> bool:
    """Whether the scheduled comparison may start a rollout."""
    return state.trouble is None or now >= state.trouble.retry_after


# -- operations -----------------------------------------------------------------------------------


def set_hold(state: FleetState, hold: Hold, *, roll_back: bool) -> FleetState:
    """Hold a fleet, and if asked, have the rollout that runs rolled back."""
    held = state.model_copy(update={"hold": hold})
    if state.claim is None or not roll_back:
        return held
    return stop_claim(held, state.claim, f"{hold.by} holds the fleet: {hold.reason}")


def stop_claim(state: FleetState, claim: Claim, why: str) -> FleetState:
    """Ask for the running rollout to be rolled back, and for a hold behind it."""
    stopped = claim.model_copy(update={"stop": why, "hold_after": claim.hold_after or why})
    return state.model_copy(update={"claim": stopped})


def resume(fleet: str, state: FleetState) -> FleetState:
    """Lift a hold; what is queued moves up when nothing runs."""
    freed = state.model_copy(update={"hold": None, "trouble": None})
    return freed if state.claim is not None else give_up_claim(fleet, freed, None)


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


def forget_successor(state: FleetState, successor: Successor | None) -> FleetState:
    """Take a successor's name away after it ran, unless another was named meanwhile."""
    return state.model_copy(update={"successor": None}) if state.successor == successor else state


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
    later = state.waiting is not None and state.waiting.seen_at > seen.at
    if later and state.waiting is not None and state.waiting.fence == fence:
        # A function that was very late: its task has timed out, and another waits already.
        return state, False
    waiting = state.model_copy(
        update={"waiting": Waiting(token=token, fence=fence, seen_at=seen.at)}
    )
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
