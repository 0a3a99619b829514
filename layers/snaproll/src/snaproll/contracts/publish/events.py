"""The events that functions of a publish are entered by, and what these answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from snaproll.contracts.events import ScheduleEvent
from snaproll.contracts.values import ExecutionArn, Text
from snaproll.domain.publishes import PublishMode
from snaproll.domain.snapshot import snapshot_id_in
from snaproll.domain.writer import WriterName
from snaproll.model import Instant, OneOf, StrictValue, Value

DATA_SOURCE = "snaproll.writer"


DATA_MATERIALIZED = "Data Materialized"


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


class PublishEvent(OneOf[DataMaterialized | PublishTick]):
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


class RecoverEvent(OneOf[PublishEndedBadly | ScheduleEvent]):
    """``RecoverPublish``: a death, or a tick of the schedule on which all writers are looked at."""

    root: PublishEndedBadly | ScheduleEvent = Field(discriminator="source")
