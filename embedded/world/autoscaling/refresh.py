"""An instance refresh: its record, its states, and how AWS describes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from embedded.world.service import Params, Reply
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.autoscaling.configuration import LaunchConfiguration
    from embedded.world.autoscaling.preferences import Preferences
    from embedded.world.clock import Timer

PENDING = "Pending"
IN_PROGRESS = "InProgress"
BAKING = "Baking"
SUCCESSFUL = "Successful"
FAILED = "Failed"
CANCELLING = "Cancelling"
CANCELLED = "Cancelled"
ROLLBACK_IN_PROGRESS = "RollbackInProgress"
ROLLBACK_SUCCESSFUL = "RollbackSuccessful"
ROLLBACK_FAILED = "RollbackFailed"

ACTIVE = (PENDING, IN_PROGRESS, BAKING, CANCELLING, ROLLBACK_IN_PROGRESS)
FORWARD = (PENDING, IN_PROGRESS, BAKING)
REPLACING = (IN_PROGRESS, ROLLBACK_IN_PROGRESS)

EVENTS = {
    IN_PROGRESS: "Started",
    BAKING: "Started Baking",
    SUCCESSFUL: "Succeeded",
    FAILED: "Failed",
    CANCELLED: "Cancelled",
    ROLLBACK_IN_PROGRESS: "Rollback Started",
    ROLLBACK_SUCCESSFUL: "Rollback Succeeded",
    ROLLBACK_FAILED: "Rollback Failed",
}
"""Status entered to the end of the event's detail-type (user guide, EventBridge events)."""

_REASON_LIMIT = 1023


@dataclass(frozen=True)
class Rollback:
    """What is remembered of the moment in which a rollback began."""

    reason: str
    started: datetime
    percentage_complete: int
    instances_to_update: int

    def describe(self) -> Reply:
        """The rollback as botocore's ``RollbackDetails`` shape."""
        return {
            "RollbackReason": self.reason[:_REASON_LIMIT],
            "RollbackStartTime": _in_seconds(self.started),
            "PercentageCompleteOnRollback": self.percentage_complete,
            "InstancesToUpdateOnRollback": self.instances_to_update,
        }


@dataclass(frozen=True)
class Progress:
    """How far a refresh is."""

    percentage_complete: int = 0
    instances_to_update: int = 0


@dataclass(eq=False)
class InstanceRefresh:
    """One instance refresh of one group, from its request to its end."""

    id: str
    group_name: str
    preferences: Preferences
    desired: LaunchConfiguration | None
    desired_as_passed: Params | None
    requested: datetime
    """When it was requested, which orders the refreshes."""
    status: str = PENDING
    reason: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    rollback: Rollback | None = None
    final: Progress | None = None
    """Progress at the end."""

    passed_checkpoint: int = 0
    """The highest checkpoint reached."""
    largest_desired: int = 0
    """The largest desired capacity seen, to notice a scale-out."""
    held_until: datetime | None = None
    """Until when it waits at a checkpoint."""
    failing_since: datetime | None = None
    """Since when it has been trying without getting anywhere."""
    failing_above: int = 0
    """How many instances must be ready and up to date again for that to be over."""
    waiting_since: datetime | None = None
    """Since when it has been waiting for protection or standby to be removed."""
    in_flight: dict[str, str] = field(default_factory=dict)
    """When it is being cancelled: the instances waited for, with what they were doing."""
    timers: dict[str, Timer] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether it is not over yet; a group has at most one active refresh."""
        return self.status in ACTIVE

    @property
    def rolling_back(self) -> bool:
        """Whether it is going back or, being cancelled, was."""
        return self.rollback is not None

    @property
    def generation(self) -> str:
        """What instances launched now belong to: this refresh, forward or back."""
        return self.generation_back if self.rolling_back else self.generation_forward

    @property
    def generation_forward(self) -> str:
        """The generation of instances launched on the way forward."""
        return f"{self.id}/forward"

    @property
    def generation_back(self) -> str:
        """The generation of instances launched by the rollback."""
        return f"{self.id}/back"

    def describe(self, progress: Progress) -> Reply:
        """The refresh as botocore's ``InstanceRefresh`` shape."""
        shape: Reply = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group_name,
            "Status": self.status,
            "PercentageComplete": progress.percentage_complete,
            "InstancesToUpdate": progress.instances_to_update,
            "Preferences": self.preferences.describe(),
            "Strategy": "Rolling",
        }
        if self.reason:
            shape["StatusReason"] = self.reason[:_REASON_LIMIT]
        if self.started is not None:
            shape["StartTime"] = _in_seconds(self.started)
        if self.ended is not None:
            shape["EndTime"] = _in_seconds(self.ended)
        if self.desired_as_passed is not None:
            shape["DesiredConfiguration"] = copied(self.desired_as_passed)
        if self.rollback is not None:
            shape["RollbackDetails"] = self.rollback.describe()
        return shape


def _in_seconds(at: datetime) -> datetime:
    """An instant as Auto Scaling tells it: the AWS CLI reference shows whole seconds only.

    How it rounds is not documented. Cut off, a refresh may seem older than what asked for it.
    """
    return at.replace(microsecond=0)
