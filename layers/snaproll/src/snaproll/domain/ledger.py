"""What the ledger keeps of each fleet: its state, records, quarantines.

The transitions of a state are in ``claims``, ``signals`` and ``trouble``.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from snaproll.domain.checks import Check
from snaproll.domain.fencing import FencedClaim
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.model import Instant, StrictValue

SCHEMA = 2
"""Version of the items' shape; every item carries it."""


class LedgerItem(StrictValue):
    """Whatever is kept in the ledger."""

    schema_version: int = SCHEMA


class LedgerState(LedgerItem):
    """An item that is changed: ``revision`` grows with every write, ``fence`` with every claim."""

    revision: int = 0
    fence: int = 0


class Trigger(StrEnum):
    """Who asked for a rollout."""

    SNAPSHOT = "snapshot"
    """A snapshot completed."""
    PERSON = "person"
    RECONCILE = "reconcile"
    """The scheduled comparison found a newer eligible snapshot that nothing had started."""
    SCALE_OUT = "scale_out"
    """A group that saves a staged release got its first instances, or somebody looks for them."""


class Phase(StrEnum):
    """Which way a claimed fleet is being moved."""

    FORWARD = "forward"
    BACK = "back"


class Outcome(StrEnum):
    """How a rollout that held a claim ended."""

    LIVE = "Live"
    STAGED = "Staged"
    """Saved on a group without instances: its first scale-out proves it or rolls it back."""
    SNAPSHOT_REJECTED = "SnapshotRejected"
    FLEET_NOT_READY = "FleetNotReady"
    ROLLED_BACK = "RolledBack"
    NEEDS_ATTENTION = "NeedsAttention"
    STOPPED = "Stopped"
    """A person stopped the rollout before it had replaced anything."""


class RefreshNote(StrictValue):
    """The refresh that a claim is watching; ``capacity`` is the desired one when it started.

    Without an id there is none: the first instances of a staged release are watched, or the group
    had no instances that could go back.
    """

    id: str | None = None
    started_at: Instant
    capacity: int


class Claim(FencedClaim):
    """The right of one rollout to change the fleet.

    ``source`` and ``target`` are written before the launch template version is made, ``candidate``
    once it exists: with a source and no candidate there may be one that nobody knows of. ``why``
    and ``against_data`` say why the fleet is being rolled back. ``hold_after`` is the reason for a
    hold that the rollout is to leave behind, ``hold_if_live`` the same for one that goes back.
    """

    snapshot: str
    trigger: Trigger
    reason: str | None = None
    """Why a person asked for it; such a rollout is a repair."""
    phase: Phase = Phase.FORWARD
    source: TemplateVersion | None = None
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh: RefreshNote | None = None
    why: str | None = None
    against_data: bool = False
    stop: str | None = None
    """Why a person asked that this rollout be rolled back; None when nobody did."""
    hold_after: str | None = None
    hold_if_live: str | None = None
    promoted: bool = False
    """Whether its release is live: there is nothing left but to give the claim back."""
    again: bool = False
    """Whether it rolls out what is live already, onto what the group's template is now."""


class Queued(StrictValue):
    """The one snapshot that waits for a busy fleet; ``reason`` is that of a person."""

    snapshot: str
    trigger: Trigger
    data_time: Instant | None = None
    asked_at: Instant
    reason: str | None = None
    again: bool = False


class Successor(StrictValue):
    """An execution that is to be started, written down before it is.

    ``takes_over`` is the fence of the claim that it takes over, None when it takes a free fleet.
    """

    name: str
    snapshot: str
    trigger: Trigger
    takes_over: int | None = None
    reason: str | None = None
    handed_over: bool = False
    """Whether the execution before it asked for it, and did not die."""
    again: bool = False


class Hold(StrictValue):
    """A stop sign: no automatic rollout starts while it stands.

    ``needs_person`` tells that the fleet could not be made whole. Until it is resumed nothing that
    waits starts by itself then, not even what a person asked for before that was known.
    """

    by: str
    reason: str
    since: Instant
    until: Instant | None = None
    needs_person: bool = False

    def stands(self, now: datetime) -> bool:
        """Whether it still holds the fleet."""
        return self.until is None or now < self.until


class Waiting(StrictValue):
    """A rollout that sleeps, and the task token that wakes it."""

    token: str
    fence: int
    seen_at: Instant
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
    retry_after: Instant


class Staged(StrictValue):
    """A release that is saved on ``group``, which had no instances, unproven.

    ``target`` is the configuration that was saved before, which its first instances are rolled
    back to. ``replaced`` is a release that was staged before and not proven either, until its
    version is deleted.
    """

    release: Release
    target: RollbackTarget
    group: str
    since: Instant
    replaced: Release | None = None


class FleetState(LedgerState):
    """The one ``STATE`` item of a fleet.

    ``proven`` is the version on which instances proved what is live; None while it is the live
    release's own, which may be another one since a stack update.
    ``signals`` counts signals; ``woken_at`` is when one last
    ended a wait. ``attempts`` makes the names of the executions that snaproll itself starts
    unique; dispatch always uses the first attempt.
    """

    live: Release | None = None
    proven: TemplateVersion | None = None
    previous: Release | None = None
    staged: Staged | None = None
    claim: Claim | None = None
    queued: Queued | None = None
    successor: Successor | None = None
    attempts: int = 1
    trouble: Trouble | None = None
    hold: Hold | None = None
    waiting: Waiting | None = None
    signals: int = 0
    woken_at: Instant | None = None

    @property
    def saved(self) -> Release | None:
        """What the group saves while nobody changes the fleet: what is staged, else what is live.

        None on a fleet that snaproll has never rolled.
        """
        return self.staged.release if self.staged else self.live

    def is_staged(self, snapshot: str) -> bool:
        """Whether that snapshot is the one that is staged."""
        return self.staged is not None and self.staged.release.snapshot == snapshot

    def expected_snapshots(self) -> frozenset[str]:
        """Snapshots that the group, or an instance of it, may rightly name now.

        Empty on a fleet that snaproll has never rolled.
        """
        named = [self.saved.snapshot] if self.saved else []
        if self.claim is not None:
            known = (self.live, self.claim.candidate, self.claim.target)
            named += [one.snapshot for one in known if one is not None and one.snapshot]
        return frozenset(named)


class Quarantine(LedgerItem):
    """A snapshot marked as bad on evidence from instances that ran it."""

    snapshot: str
    reason: str
    execution: str
    at: Instant


class Record(LedgerItem):
    """What is kept of a rollout that ended.

    ``source`` and ``candidate`` are the launch template versions from and to which it moved the
    fleet, as far as it got.
    """

    fleet: str
    snapshot: str
    outcome: Outcome
    message: str
    execution: str
    trigger: Trigger
    started_at: Instant
    ended_at: Instant
    source: TemplateVersion | None = None
    candidate: TemplateVersion | None = None
    refresh_id: str | None = None
    checks: list[Check] = Field(default_factory=list)


class Seen(StrictValue):
    """What a look knew of the signals when it began."""

    signals: int
    woken_at: Instant | None
    at: Instant
