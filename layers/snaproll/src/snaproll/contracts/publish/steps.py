"""Requests and answers of the steps of a publish."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from snaproll.contracts.values import PAYLOAD_VERSION, Execution, ExecutionArn, PayloadVersion
from snaproll.domain.checks import Check, Report
from snaproll.domain.publishes import PublishOutcome
from snaproll.domain.publishing import Answer
from snaproll.domain.writer import Writer, WriterName, WriterPolicy
from snaproll.model import Instant, StrictValue


class Publish(StrictValue):
    """What every step after the claim knows.

    The policy is the one in force when the writer was claimed.
    """

    payload_version: PayloadVersion = PAYLOAD_VERSION
    writer: WriterName
    policy: WriterPolicy
    id: str
    execution: ExecutionArn
    started_at: Instant
    fence: int

    @property
    def of_writer(self) -> Writer:
        """The writer that is published."""
        return Writer(name=self.writer, policy=self.policy)


class ClaimWriterRequest(StrictValue):
    """``ClaimWriter``: the raw execution input, whatever it is, and the execution."""

    input: Any
    execution: Execution


class WriterClaimed(StrictValue):
    """``ClaimWriter``'s answer; the last members are what a dead publish had noted."""

    answer: Answer
    message: str
    publish: Publish | None = None
    quiet_seconds: int = 0
    snapshot: str | None = None
    hooked: bool = False
    stop: str | None = None


class PublishStepRequest(StrictValue):
    """Request of the steps that need nothing but the publish."""

    publish: Publish


class WriterReport(Report):
    """``InspectWriter``'s answer: the checks, and what the snapshot is to be taken of, and for."""

    outcome: PublishOutcome | None
    """How the publish ends when a check failed."""
    volume: str | None
    instance: str | None
    tags: dict[str, str]
    """What the followers select by."""


class HookRequest(StrictValue):
    """``QuiesceWriter`` and ``ResumeWriter``: with the command of an earlier call, if any."""

    publish: Publish
    command: str | None


class HookCalled(StrictValue):
    """Their answer; ``state`` is ``done``, ``pending``, ``failed`` or ``expired``."""

    message: str
    state: Literal["done", "pending", "failed", "expired"]
    command: str | None


class TakeSnapshotRequest(StrictValue):
    """``TakeSnapshot``."""

    publish: Publish
    volume: str
    tags: dict[str, str]


class SnapshotBegun(StrictValue):
    """``TakeSnapshot``'s answer."""

    message: str
    snapshot: str


class AwaitSnapshotRequest(StrictValue):
    """``AwaitSnapshot``: the token to be woken by."""

    publish: Publish
    snapshot: str
    token: str = Field(min_length=1)


class InspectSnapshotRequest(StrictValue):
    """``InspectSnapshot``."""

    publish: Publish
    snapshot: str


class SnapshotInspected(StrictValue):
    """``InspectSnapshot``'s answer: how the snapshot is, and how long to wait before the next look.

    ``outcome`` is None while it is pending.
    """

    message: str
    outcome: PublishOutcome | None
    wait_seconds: int


class FinishPublishRequest(StrictValue):
    """``FinishPublish``: how the publish ended, and as much as it got to know."""

    publish: Publish
    outcome: PublishOutcome
    reason: str
    checks: list[Check] = Field(default_factory=list)


class PublishEnded(StrictValue):
    """``FinishPublish``'s answer, and the output of a publish that ends well."""

    writer: str
    outcome: PublishOutcome
    message: str
    snapshot: str | None
    data_time: Instant | None
    fleets: list[str]
