"""What crosses a boundary of a publish: events, execution input, each step's request and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from snaproll.contracts import (
    PAYLOAD_VERSION,
    Execution,
    ExecutionArn,
    ScheduleEvent,
    Text,
    console_link,
)
from snaproll.domain.checks import Check, Report
from snaproll.domain.publishes import (
    PublishMode,
    PublishOutcome,
    PublishTrigger,
    Wish,
)
from snaproll.domain.publishing import Answer
from snaproll.domain.snapshot import snapshot_id_in
from snaproll.domain.writer import Writer, WriterName, WriterPolicy
from snaproll.model import Instant, StrictValue, Value

DATA_SOURCE = "snaproll.writer"
DATA_MATERIALIZED = "Data Materialized"

# -- events ---------------------------------------------------------------------------------------


class MaterializedDetail(StrictValue):
    """Detail of ``Data Materialized``, which a writer's pipeline puts on the default bus.

    ``data_time`` is when the data was true; it becomes the snapshot's data time. Without it, that
    is the event's own time.
    """

    version: Literal[1] = 1
    environment: str = Field(min_length=1, description="The environment that is to act.")
    writer: WriterName = Field(description="Whose data is ready.")
    data_time: Instant | None = Field(
        default=None, description="When the data was true, ISO 8601 with a time zone."
    )
    mode: PublishMode = Field(
        default=PublishMode.PUBLISH, description="Whether the fleets are to follow."
    )
    reason: Text | None = Field(default=None, description="What made the data, in words.")


class DataMaterialized(Value):
    """EventBridge's envelope around it."""

    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{1,36}$")]
    time: Instant
    source: Literal["snaproll.writer"]
    detail_type: Literal["Data Materialized"] = Field(alias="detail-type")
    detail: MaterializedDetail


class PublishTick(ScheduleEvent):
    """A tick of the publishing schedule."""

    time: Instant


class PublishEvent(RootModel[DataMaterialized | PublishTick]):
    """``RequestPublish``: what asks for snapshots."""

    root: DataMaterialized | PublishTick = Field(discriminator="source")


class PublishesRequested(StrictValue):
    """``RequestPublish``'s answer: names of the executions started, and of those known before."""

    message: str
    started: list[str]
    already_known: list[str]


class SnapshotEnded(Value):
    """``SignalPublish``: a snapshot of a volume completed or failed."""

    class _Detail(Value):
        snapshot_id: str

    source: Literal["aws.ec2"]
    detail: _Detail

    @property
    def snapshot(self) -> str | None:
        """The snapshot's id."""
        return snapshot_id_in(self.detail.snapshot_id)


class PublishEndedBadly(Value):
    """``RecoverPublish``: an execution of the publish machine ended badly."""

    class _Detail(Value):
        execution: ExecutionArn = Field(alias="executionArn")
        name: str = Field(min_length=1)
        error: str | None = None
        cause: str | None = None

    source: Literal["aws.states"]
    detail: _Detail


class RecoverEvent(RootModel[PublishEndedBadly | ScheduleEvent]):
    """``RecoverPublish``: a death, or a tick of the schedule on which all writers are looked at."""

    root: PublishEndedBadly | ScheduleEvent = Field(discriminator="source")


# -- execution input ------------------------------------------------------------------------------


class PublishRequest(StrictValue):
    """What starts a publish: typed by a person, or written by snaproll itself."""

    writer: WriterName
    mode: PublishMode = PublishMode.PUBLISH
    data_time: Instant | None = None
    """When the data was true; absent: as of the snapshot."""
    reason: Text | None = None
    trigger: PublishTrigger = PublishTrigger.PERSON
    asked_at: Instant | None = None
    """When it was asked for first; only snaproll itself says so."""
    takes_over: Annotated[int, Field(ge=1)] | None = None
    """Fence of a dead publish's claim; only snaproll itself asks for this."""


def request_of(event: DataMaterialized) -> PublishRequest:
    """What the event of a writer asks for."""
    detail = event.detail
    return PublishRequest(
        writer=detail.writer,
        mode=detail.mode,
        data_time=detail.data_time or event.time,
        reason=detail.reason,
        trigger=PublishTrigger.DATA,
    )


# -- steps ----------------------------------------------------------------------------------------


class Publish(StrictValue):
    """What every step after the claim knows.

    The policy is the one in force when the writer was claimed.
    """

    payload_version: int = PAYLOAD_VERSION
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


# -- domain events --------------------------------------------------------------------------------


class WriterEvent(StrictValue):
    """Detail of every domain event about a writer.

    ``message`` is a sentence for people; ``link`` opens the execution in the console.
    ``fleets`` are those whose rules select the snapshot.
    """

    version: int = 1
    environment: str
    writer: str
    message: str
    execution: str
    link: str
    outcome: PublishOutcome | None = None
    snapshot: str | None = None
    volume: str | None = None
    data_time: Instant | None = None
    mode: PublishMode | None = None
    fleets: list[str] = Field(default_factory=list)
    checks: list[Check] = Field(default_factory=list)


def event_of(environment: str, writer: str, execution: str, message: str) -> WriterEvent:
    """The event that everybody who listens hears."""
    return WriterEvent(
        environment=environment,
        writer=writer,
        message=message,
        execution=execution,
        link=console_link(execution),
    )


def input_of(writer: str, wish: Wish, takes_over: int | None) -> dict[str, object]:
    """The input of an execution that snaproll itself starts."""
    request = PublishRequest(
        writer=writer,
        mode=wish.mode,
        data_time=wish.data_time,
        reason=wish.reason,
        trigger=wish.trigger,
        asked_at=wish.asked_at,
        takes_over=takes_over,
    )
    return request.model_dump(mode="json", exclude_none=True)
