"""What the ledger keeps of each writer: who publishes its data, who waits, and what was published.

The transitions of a state are in ``publishing``.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from snaproll.domain.checks import Check
from snaproll.domain.fencing import FencedClaim
from snaproll.domain.ledger import LedgerItem, LedgerState
from snaproll.domain.writer import QuiesceHook
from snaproll.model import Instant, StrictValue


class PublishTrigger(StrEnum):
    """Who asked for a snapshot."""

    DATA = "data_materialized"
    """The writer said that its data is ready."""
    SCHEDULE = "schedule"
    PERSON = "person"


class PublishMode(StrEnum):
    """What a snapshot is for."""

    PUBLISH = "publish"
    """The fleets follow: it carries the tags that they select by."""
    SNAPSHOT_ONLY = "snapshot_only"
    """Nothing follows: no fleet's rule selects it."""


class PublishOutcome(StrEnum):
    """How a publish that held a claim ended."""

    PUBLISHED = "Published"
    SNAPSHOT_TAKEN = "SnapshotTaken"
    VOLUME_NOT_FOUND = "VolumeNotFound"
    WRITER_NOT_READY = "WriterNotReady"
    WRITER_NOT_QUIESCED = "WriterNotQuiesced"
    SNAPSHOT_FAILED = "SnapshotFailed"
    STOPPED = "Stopped"
    """Somebody aborted the execution, or it died again and again."""


GOOD = frozenset({PublishOutcome.PUBLISHED, PublishOutcome.SNAPSHOT_TAKEN})
"""Outcomes with a snapshot in hand."""


class Wish(StrictValue):
    """What was asked for, by one request or by several that were merged.

    A snapshot fulfils it that begins at ``asked_at`` or later. ``data_time`` is when the data was
    true, as the writer says; None means as of the snapshot.
    """

    mode: PublishMode
    trigger: PublishTrigger
    asked_at: Instant
    data_time: Instant | None = None
    reason: str | None = None


class PublishClaim(FencedClaim):
    """The right of one execution to publish a writer's data.

    ``publish`` names what the claim is for, and stays when another execution
    takes over from a dead one: snapshots are found again by it. ``hook`` and
    ``hook_until`` are set before the hook is called for the first time; the latter goes when the
    writer was let go. ``cut_at`` is set before
    CreateSnapshot is called: requests that come later may not be in the snapshot.
    """

    publish: str
    wish: Wish
    volume: str | None = None
    instance: str | None = None
    hook: QuiesceHook | None = None
    hook_until: Instant | None = None
    cut_at: Instant | None = None
    snapshot: str | None = None
    joined: Wish | None = None
    """What requests ask for that were told that this publish serves them too: once more, should it
    fail."""
    stop: str | None = None
    """Why nothing more is to be done but letting the writer go; None while there is more."""


class Published(StrictValue):
    """The last snapshot that was taken to the end; ``stated`` is the writer's own data time."""

    snapshot: str
    mode: PublishMode
    cut_at: Instant
    stated: Instant | None = None


class PublishSuccessor(StrictValue):
    """An execution that is to be started, written down before it is.

    ``takes_over`` is the fence of the claim that it takes over, None when it takes a free writer.
    """

    name: str
    wish: Wish
    takes_over: int | None = None


class WriterState(LedgerState):
    """The one ``STATE`` item of a writer."""

    publishes: int = 0
    """How many publishes were begun; the last one's number is a part of its name."""
    attempts: int = 0
    """How many executions snaproll itself named; makes their names unique."""
    claim: PublishClaim | None = None
    pending: Wish | None = None
    successor: PublishSuccessor | None = None
    last: Published | None = None
    waiting: str | None = None
    """The task token of an execution that waits for its snapshot."""


class Learnt(StrictValue):
    """As much as a publish got to know; ``fleets`` are those whose rules select the snapshot."""

    volume: str | None = None
    snapshot: str | None = None
    data_time: Instant | None = None
    fleets: list[str] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)


class PublishRecord(LedgerItem, Learnt):
    """What is kept of a publish that ended."""

    writer: str
    publish: str
    outcome: PublishOutcome
    message: str
    execution: str
    trigger: PublishTrigger
    mode: PublishMode
    started_at: Instant
    ended_at: Instant
