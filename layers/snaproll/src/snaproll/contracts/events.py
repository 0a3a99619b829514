"""The events of AWS that functions are entered by, and what these answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from snaproll.contracts.values import AccountId, ExecutionArn, FromAws
from snaproll.domain.fleet import FleetName
from snaproll.domain.snapshot import snapshot_id_in
from snaproll.model import OneOf, StrictValue


def _arn_of_snapshot(arn: str) -> str:
    if snapshot_id_in(arn) is None:
        raise ValueError("must end with a snapshot id such as snap-0123456789abcdef0")
    return arn


SnapshotArn = Annotated[str, AfterValidator(_arn_of_snapshot)]


class SnapshotDetail(FromAws):
    """Detail of ``EBS Snapshot Notification`` for a created or copied snapshot."""

    event: Literal["createSnapshot", "copySnapshot"]
    result: Literal["succeeded"]
    snapshot_id: SnapshotArn


class MultiVolumeMember(FromAws):
    """One snapshot of a multi-volume set."""

    snapshot_id: SnapshotArn
    status: str = Field(min_length=1)


class MultiVolumeDetail(FromAws):
    """Detail of ``EBS Multi-Volume Snapshots Completion Status``."""

    event: Literal["createSnapshots"]
    result: Literal["succeeded"]
    snapshots: list[MultiVolumeMember] = Field(min_length=1)


class SnapshotCompleted(FromAws):
    """EventBridge's event of one completed snapshot (EBS user guide, "EventBridge events")."""

    detail_type: Literal["EBS Snapshot Notification"] = Field(alias="detail-type")
    source: Literal["aws.ec2"]
    account: AccountId
    detail: SnapshotDetail

    @property
    def snapshot_ids(self) -> list[str]:
        """The completed snapshot."""
        return _ids([self.detail.snapshot_id])


class SnapshotsCompleted(FromAws):
    """EventBridge's event of a completed multi-volume set."""

    detail_type: Literal["EBS Multi-Volume Snapshots Completion Status"] = Field(
        alias="detail-type"
    )
    source: Literal["aws.ec2"]
    account: AccountId
    detail: MultiVolumeDetail

    @property
    def snapshot_ids(self) -> list[str]:
        """The completed snapshots of the set."""
        return _ids([one.snapshot_id for one in self.detail.snapshots if one.status == "completed"])


class SnapshotEvent(OneOf[SnapshotCompleted | SnapshotsCompleted]):
    """Either event of completed snapshots, told apart by its detail-type."""

    root: SnapshotCompleted | SnapshotsCompleted = Field(discriminator="detail_type")


def _ids(arns: list[str]) -> list[str]:
    return [found for found in map(snapshot_id_in, arns) if found]


class Dispatched(StrictValue):
    """``DispatchSnapshot``'s answer: names of the executions started, and of those known before."""

    started: list[str]
    already_known: list[str]


class ExecutionDetail(FromAws):
    """Detail of ``Step Functions Execution Status Change``."""

    execution: ExecutionArn = Field(alias="executionArn")
    status: str = Field(min_length=1)
    error: str | None = None


class ExecutionEvent(FromAws):
    """``RecoverRollout``: an execution of the rollout ended badly."""

    source: Literal["aws.states"]
    detail: ExecutionDetail


class ScheduleEvent(FromAws):
    """``ReconcileFleets``: a tick of a schedule, which says nothing more."""

    source: Literal["aws.events"]
    detail_type: Literal["Scheduled Event"] = Field(alias="detail-type")


class ParameterDetail(FromAws):
    """Detail of ``Parameter Store Change``: which parameter was created, updated or deleted."""

    name: str = Field(min_length=1)


class ParameterEvent(FromAws):
    """``IndexFleet``: a fleet parameter changed (Systems Manager user guide, "Event types")."""

    source: Literal["aws.ssm"]
    detail: ParameterDetail


class ReconcilePage(StrictValue):
    """Some of the fleets, as ``ReconcileFleets`` divides many among runs of its own."""

    source: Literal["snaproll"] = "snaproll"
    fleets: list[FleetName] = Field(min_length=1)


class ReconcileEvent(OneOf[ScheduleEvent | ReconcilePage]):
    """``ReconcileFleets``: a tick for all fleets, or a page of them."""

    root: ScheduleEvent | ReconcilePage = Field(discriminator="source")


class Reconciled(StrictValue):
    """``ReconcileFleets``'s answer: what was done for each fleet."""

    message: str
    done: list[str]
