"""What crosses a boundary: events, execution input, and each step's request and answer.

A step's request is what the rollout definition passes as its payload; its answer is what the
definition assigns to variables. None of them ever holds launch template data.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    RootModel,
    StringConstraints,
    model_validator,
)

from snaproll.domain.assessment import Assessment, Memory
from snaproll.domain.checks import Check, Report
from snaproll.domain.fleet import Fleet, FleetName, FleetPolicy
from snaproll.domain.ledger import Outcome, Phase, RefreshNote, Seen, Trigger
from snaproll.domain.plan import SkipReason
from snaproll.domain.probe_contract import Heard, ProbeRequest
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.domain.snapshot import SNAPSHOT_ID, snapshot_id_in
from snaproll.model import Instant, StrictValue, Value

PAYLOAD_VERSION = 2
"""Version of the payloads below; handlers accept the version before as well."""

LIVE = "live"
"""As a snapshot: what is live already, to be rolled out again."""

SnapshotId = Annotated[str, StringConstraints(pattern=SNAPSHOT_ID)]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
ExecutionArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:\s]+:[^:\s]+$"
    ),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _FromAws(Value):
    """Events of AWS may grow members at any time."""


# -- events ---------------------------------------------------------------------------------------


def _arn_of_snapshot(arn: str) -> str:
    if snapshot_id_in(arn) is None:
        raise ValueError("must end with a snapshot id such as snap-0123456789abcdef0")
    return arn


SnapshotArn = Annotated[str, AfterValidator(_arn_of_snapshot)]


class SnapshotDetail(_FromAws):
    """Detail of ``EBS Snapshot Notification`` for a created or copied snapshot."""

    event: Literal["createSnapshot", "copySnapshot"]
    result: Literal["succeeded"]
    snapshot_id: SnapshotArn


class MultiVolumeMember(_FromAws):
    """One snapshot of a multi-volume set."""

    snapshot_id: SnapshotArn
    status: str = Field(min_length=1)


class MultiVolumeDetail(_FromAws):
    """Detail of ``EBS Multi-Volume Snapshots Completion Status``."""

    event: Literal["createSnapshots"]
    result: Literal["succeeded"]
    snapshots: list[MultiVolumeMember] = Field(min_length=1)


class SnapshotCompleted(_FromAws):
    """EventBridge's event of one completed snapshot (EBS user guide, "EventBridge events")."""

    detail_type: Literal["EBS Snapshot Notification"] = Field(alias="detail-type")
    source: Literal["aws.ec2"]
    account: AccountId
    detail: SnapshotDetail

    @property
    def snapshot_ids(self) -> list[str]:
        """The completed snapshot."""
        return _ids([self.detail.snapshot_id])


class SnapshotsCompleted(_FromAws):
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


class SnapshotEvent(RootModel[SnapshotCompleted | SnapshotsCompleted]):
    """Either event of completed snapshots, told apart by its detail-type."""

    root: SnapshotCompleted | SnapshotsCompleted = Field(discriminator="detail_type")


def _ids(arns: list[str]) -> list[str]:
    return [found for found in map(snapshot_id_in, arns) if found]


class Dispatched(StrictValue):
    """``DispatchSnapshot``'s answer: names of the executions started, and of those known before."""

    started: list[str]
    already_known: list[str]


class ExecutionDetail(_FromAws):
    """Detail of ``Step Functions Execution Status Change``."""

    execution: ExecutionArn = Field(alias="executionArn")
    status: str = Field(min_length=1)
    error: str | None = None


class ExecutionEvent(_FromAws):
    """``RecoverRollout``: an execution of the rollout ended badly."""

    source: Literal["aws.states"]
    detail: ExecutionDetail


class ScheduleEvent(_FromAws):
    """``ReconcileFleets``: a tick of a schedule, which says nothing more."""

    source: Literal["aws.events"]
    detail_type: Literal["Scheduled Event"] = Field(alias="detail-type")


class ParameterDetail(_FromAws):
    """Detail of ``Parameter Store Change``: which parameter was created, updated or deleted."""

    name: str = Field(min_length=1)


class ParameterEvent(_FromAws):
    """``IndexFleet``: a fleet parameter changed (Systems Manager user guide, "Event types")."""

    source: Literal["aws.ssm"]
    detail: ParameterDetail


class ReconcilePage(StrictValue):
    """Some of the fleets, as ``ReconcileFleets`` divides many among runs of its own."""

    source: Literal["snaproll"] = "snaproll"
    fleets: list[FleetName] = Field(min_length=1)


class ReconcileEvent(RootModel[ScheduleEvent | ReconcilePage]):
    """``ReconcileFleets``: a tick for all fleets, or a page of them."""

    root: ScheduleEvent | ReconcilePage = Field(discriminator="source")


class Reconciled(StrictValue):
    """``ReconcileFleets``'s answer: what was done for each fleet."""

    message: str
    done: list[str]


# -- execution input ------------------------------------------------------------------------------


class RolloutRequest(StrictValue):
    """What starts a rollout: typed by a person, or written by dispatch."""

    fleet: FleetName
    snapshot: SnapshotId | Literal["latest", "previous", "live"] = "latest"
    trigger: Trigger = Trigger.PERSON
    dry_run: bool = False
    reason: Text | None = None
    allow_no_rollback: bool = False
    """Go on although nothing could be rolled back to; needs a reason."""
    takes_over: Annotated[int, Field(ge=1)] | None = None
    """Fence of a dead rollout's claim; only snaproll itself asks for this."""

    @model_validator(mode="after")
    def _answered_for(self) -> Self:
        if self.allow_no_rollback and self.reason is None:
            raise ValueError("allow_no_rollback needs a reason")
        return self


class Running(StrEnum):
    """What becomes of a rollout that runs when a person sets a hold."""

    FINISH = "finish"
    ROLL_BACK = "roll_back"


class OperatorRequest(StrictValue):
    """What a person asks of a fleet besides a rollout: exactly one of hold, resume and lift.

    ``hold`` and ``resume`` are the reason, in words; ``lift_quarantine`` is a snapshot.
    """

    fleet: FleetName
    by: Text
    hold: Text | None = None
    until: Instant | None = None
    running: Running = Running.FINISH
    resume: Text | None = None
    lift_quarantine: SnapshotId | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        asked = [
            name
            for name in ("hold", "resume", "lift_quarantine")
            if getattr(self, name) is not None
        ]
        if len(asked) != 1:
            raise ValueError("exactly one of hold, resume and lift_quarantine must be given")
        if self.lift_quarantine is not None and self.reason is None:
            raise ValueError("lift_quarantine needs a reason")
        return self


class Execution(StrictValue):
    """The execution that a step runs for, from the state machine's context object."""

    id: ExecutionArn
    started_at: Instant


# -- the rollout's steps --------------------------------------------------------------------------


def _known_version(version: int) -> int:
    if version > PAYLOAD_VERSION:
        raise ValueError(
            f"this version of snaproll reads up to {PAYLOAD_VERSION}; deploy the one that wrote it"
        )
    return version


class Rollout(StrictValue):
    """What every step after the plan knows; ``fence`` is 0 until the fleet is claimed.

    The policy is the one in force when the rollout was planned: a change of the fleet's parameter
    takes effect with the next rollout, and no step has to read it again.
    """

    payload_version: Annotated[int, AfterValidator(_known_version)] = PAYLOAD_VERSION
    fleet: FleetName
    policy: FleetPolicy
    snapshot: SnapshotId
    trigger: Trigger
    execution: ExecutionArn
    started_at: Instant
    planned_revision: int
    reason: str | None = None
    by_hand: str | None = None
    """The reason of a person for whom this is a repair: the snapshot may be older than the live
    one, and the fleet unhealthy."""
    goes_back: bool = False
    """Whether it is not newer than what is live; a hold is left behind then."""
    again: bool = False
    """Whether it is what is live already, rolled out again onto what the group's template is now:
    to heal drift, or because a person wants it. The data is proven; the template may not be."""
    no_rollback: str | None = None
    """The reason of a person who allowed that there be nothing to roll back to."""
    takes_over: int | None = None
    fence: int = 0

    @property
    def of_fleet(self) -> Fleet:
        """The fleet that the rollout is of."""
        return Fleet(name=self.fleet, policy=self.policy)

    @property
    def account(self) -> str:
        """The account, from the execution's ARN."""
        return self.execution.split(":")[4]


class PlanRequest(StrictValue):
    """``PlanRollout``: the raw execution input, whatever it is, and the execution."""

    input: Any
    execution: Execution


class Plan(StrictValue):
    """The plan: go on with ``rollout``, only say what it would do, or end with ``skip``."""

    skip: SkipReason | None
    dry_run: bool = False
    message: str
    rollout: Rollout | None
    operation: OperatorRequest | None = None
    quiet_seconds: int = 0
    """How long to wait before a dead rollout's claim is taken over."""
    memory: Memory | None = None
    """What the execution before knew, when it handed over; nothing is begun again then."""
    checks: list[Check] = Field(default_factory=list)


class StepRequest(StrictValue):
    """Request of the steps that need nothing but the rollout."""

    rollout: Rollout


class Claimed(StrictValue):
    """``ClaimFleet``'s answer: the rollout with its fence, and what a dead one had noted."""

    message: str
    rollout: Rollout
    phase: Phase
    candidate: Release | None
    target: RollbackTarget | None
    refresh: RefreshNote | None
    why: str | None
    against_data: bool


class OperateRequest(StrictValue):
    """``OperateFleet``."""

    operation: OperatorRequest
    execution: Execution


class RejectionRequest(StrictValue):
    """``RecordRejection``."""

    rollout: Rollout
    report: Report


class Recorded(StrictValue):
    """The answer of steps whose effect is all that matters."""

    message: str


class FleetReport(Report):
    """``InspectFleet``'s answer: the preflight, and the rollback target it found."""

    target: RollbackTarget | None
    source: TemplateVersion | None = None
    """The version saved on the group; not the target's when a release is staged, or when what is
    live is rolled out again."""
    passes_with_time: bool = False
    """Whether only checks failed that may be fine in some minutes."""


class TemplateRequest(StrictValue):
    """``UpdateLaunchTemplate``; without a ``source`` the version is made from the target's."""

    rollout: Rollout
    target: RollbackTarget
    source: TemplateVersion | None = None


class TemplateUpdated(StrictValue):
    """``UpdateLaunchTemplate``'s answer."""

    message: str
    candidate: Release


class ReleaseRequest(StrictValue):
    """``StartRefresh``, ``StageRelease`` and ``PromoteRelease``."""

    rollout: Rollout
    candidate: Release
    target: RollbackTarget


class ReleaseStaged(StrictValue):
    """``StageRelease``'s answer: what was staged before and has to be discarded, if anything."""

    message: str
    replaced: Release | None


class RefreshStarted(StrictValue):
    """The answer of ``StartRefresh`` and ``RollBack``."""

    message: str
    refresh: RefreshNote


class SignalEvent(_FromAws):
    """``SignalRollout``: an event of Auto Scaling or CloudWatch that may concern a rollout."""

    source: Literal["aws.autoscaling", "aws.cloudwatch"]
    detail_type: str = Field(alias="detail-type")
    detail: dict[str, Any]

    @property
    def group(self) -> str | None:
        """The group of an event of Auto Scaling (user guide, "Refresh events")."""
        name = self.detail.get("AutoScalingGroupName")
        return name if self.source == "aws.autoscaling" and isinstance(name, str) else None

    @property
    def launches(self) -> bool:
        """Whether a group launched an instance, or tried to ("Launch events", the same guide)."""
        return self.detail_type.startswith("EC2 Instance Launch ")

    @property
    def alarm(self) -> str | None:
        """The alarm of a state change event (CloudWatch user guide, "Alarm events")."""
        name = self.detail.get("alarmName")
        return name if self.source == "aws.cloudwatch" and isinstance(name, str) else None


class WaitRequest(StrictValue):
    """``AwaitSignal``: the token to be woken by, and what the last look knew of the signals."""

    rollout: Rollout
    token: str = Field(min_length=1)
    seen: Seen


class WatchRequest(StrictValue):
    """``WatchHealth``; ``heard`` is what came of asking the probe right before, if it was."""

    rollout: Rollout
    phase: Phase
    candidate: Release
    target: RollbackTarget
    refresh: RefreshNote
    memory: Memory
    looks: int = 0
    """How often this execution has looked before."""
    heard: Heard | None = None


class ProbeCall(StrictValue):
    """How ``ProbeInstances`` is to ask the fleet's probe."""

    function: str
    timeout_seconds: int
    request: ProbeRequest


class Watched(Assessment):
    """``WatchHealth``'s answer: the assessment, and what it knew of the signals.

    ``probe`` is there when the verdict is to ask.
    """

    seen: Seen
    probe: ProbeCall | None = None
    looks: int
    hand_over: bool
    """Whether another execution is to go on, as this one has looked so often."""


class HandOverRequest(StrictValue):
    """``HandOver``."""

    rollout: Rollout
    memory: Memory
    checks: list[Check]


class RollBackRequest(StrictValue):
    """``RollBack``."""

    rollout: Rollout
    candidate: Release
    target: RollbackTarget
    refresh: RefreshNote | None
    reason: str
    against_data: bool
    by_person: bool


class DiscardRequest(StrictValue):
    """``DeleteTemplateVersion``."""

    rollout: Rollout
    candidate: Release
    target: RollbackTarget


class QuarantineRequest(StrictValue):
    """``QuarantineSnapshot``."""

    rollout: Rollout
    reason: str


class ReleaseFleetRequest(StrictValue):
    """``ReleaseFleet``: how the rollout ended, and as much as it got to know."""

    rollout: Rollout
    outcome: Outcome
    reason: str
    quarantined: bool = False
    checks: list[Check] = Field(default_factory=list)
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh: RefreshNote | None = None


class Ended(StrictValue):
    """``ReleaseFleet``'s answer, and the output of a rollout that ends well."""

    fleet: str
    snapshot: str
    outcome: Outcome
    message: str


# -- domain events --------------------------------------------------------------------------------


class RolloutEvent(StrictValue):
    """Detail of every domain event about a rollout.

    ``message`` is a sentence for people; ``link`` opens the execution in the console.
    """

    version: int = 1
    environment: str
    fleet: str
    snapshot: str
    message: str
    execution: str
    link: str
    outcome: Outcome | None = None
    checks: list[Check] = Field(default_factory=list)
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh_id: str | None = None
    repeated: bool = False
    """The same snapshot ended the same way for the same reason the last time."""


class FleetEvent(StrictValue):
    """Detail of a domain event about a fleet that no rollout tells of."""

    version: int = 1
    environment: str
    fleet: str
    message: str
    execution: str
    link: str


class ComparisonEvent(StrictValue):
    """Detail of ``Drift Detected``, and of ``Needs Attention`` when the comparison asks for it.

    ``snapshot`` is what is live according to the ledger; ``cause`` is the likely one.
    """

    version: int = 1
    environment: str
    fleet: str
    snapshot: str
    message: str
    cause: str | None = None


class ConfigurationEvent(StrictValue):
    """Detail of ``Fleet Configuration Invalid``."""

    version: int = 1
    environment: str
    fleet: str
    message: str


def console_link(execution: str) -> str:
    """The console's page of an execution, from its ARN."""
    region = execution.split(":")[3]
    return (
        f"https://{region}.console.aws.amazon.com/states/home?region={region}"
        f"#/v2/executions/details/{execution}"
    )
