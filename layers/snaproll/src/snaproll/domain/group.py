"""What Auto Scaling and the load balancer say about a fleet, in snaproll's terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from snaproll.domain.release import TemplateVersion


class RefreshStatus(StrEnum):
    """Statuses of an instance refresh (API model ``InstanceRefreshStatus``)."""

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
    UNKNOWN = "Unknown"
    """One that this version of snaproll does not know: it is waited out."""

    @classmethod
    def _missing_(cls, _: object) -> RefreshStatus:
        return cls.UNKNOWN

    @property
    def active(self) -> bool:
        """Whether it still acts on the group; one refresh of a group does at most."""
        return self in _ACTIVE


_ACTIVE = frozenset(
    {
        RefreshStatus.PENDING,
        RefreshStatus.IN_PROGRESS,
        RefreshStatus.BAKING,
        RefreshStatus.CANCELLING,
        RefreshStatus.ROLLBACK_IN_PROGRESS,
        RefreshStatus.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True)
class Refresh:
    """One instance refresh.

    ``desired`` is the launch template version it moves the group to, None when it names none by
    number. ``percentage`` is the share of the group that is new, healthy and warmed up, as Auto
    Scaling counts it (API model ``InstanceRefresh``, PercentageComplete).
    """

    id: str
    status: RefreshStatus
    desired: TemplateVersion | None = None
    reason: str = ""
    started: datetime | None = None
    rollback_reason: str = ""
    percentage: int = 0


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a group; ``version`` is None when it was not launched from a template."""

    id: str
    lifecycle: str
    version: TemplateVersion | None
    protected: bool = False

    @property
    def in_service(self) -> bool:
        """Whether Auto Scaling counts it as serving."""
        return self.lifecycle == "InService"

    @property
    def standby(self) -> bool:
        """Whether somebody took it out of service for a while."""
        return self.lifecycle in ("Standby", "EnteringStandby")


ELB_FAULT = "Elb.InternalError"
"""The reason of a target that the load balancer cannot check through a fault of its own."""


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """A target's state and reason at one load balancer target group."""

    state: str
    reason: str = ""
    description: str = ""

    def __str__(self) -> str:
        more = f" ({self.description})" if self.description else ""
        return f"{self.state} {self.reason}".strip() + more

    @property
    def healthy(self) -> bool:
        """Whether it may serve."""
        return self.state == "healthy"

    @property
    def failing(self) -> bool:
        """Whether its health checks really failed, rather than having not been made yet.

        The load balancer's own fault is none of the instance's (API model ``TargetHealth``).
        """
        return self.state in ("unhealthy", "unhealthy.draining") and self.reason != ELB_FAULT

    @property
    def being_checked(self) -> bool:
        """Whether health checks are made, and not enough of them have passed."""
        return self.failing or self.reason == "Elb.InitialHealthChecking"


@dataclass(frozen=True, slots=True)
class MixedPolicy:
    """A mixed instances policy.

    ``described`` is the policy as Auto Scaling describes it, to be sent back with the version
    changed; nothing else looks inside. ``other_templates`` are versions that overrides name and
    that are not the policy's own; ``attribute_based`` tells that instance types are chosen by
    their attributes, ``weighted`` that instances count differently.
    """

    described: Mapping[str, Any]
    other_templates: tuple[str, ...] = ()
    attribute_based: bool = False
    weighted: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """An Auto Scaling group as it is now.

    ``saved`` is the launch template version saved on it, None when it names ``$Latest`` or
    ``$Default`` or has none; ``saved_text`` says what it names, for people. ``maximum`` bounds the
    desired capacity. ``mixed`` is its mixed instances policy; ``protects_new`` tells that new
    instances are protected from scale-in. ``service_role`` is the service-linked role by which
    Auto Scaling launches.
    """

    name: str
    arn: str
    saved: TemplateVersion | None
    saved_text: str
    desired: int
    maximum: int
    health_check_types: frozenset[str]
    suspended: frozenset[str]
    target_groups: tuple[str, ...]
    instances: tuple[Instance, ...]
    tags: Mapping[str, str]
    mixed: MixedPolicy | None = None
    protects_new: bool = False
    warm_pool: bool = False
    status: str = ""
    operator: str = ""
    service_role: str = ""

    @property
    def members(self) -> list[Instance]:
        """Instances that are not on their way out."""
        leaving = ("Terminat", "Detach")
        return [one for one in self.instances if not one.lifecycle.startswith(leaving)]

    @property
    def empty(self) -> bool:
        """Whether it wants no instances and has none that stays, and is not being deleted."""
        return self.desired == 0 and not self.members and not self.status


@dataclass(frozen=True, slots=True)
class FleetView:
    """One look at a fleet: its group, and each instance's health at every target group.

    ``targets`` maps an instance id to its worst health over the group's target groups; an
    instance that is missing there is registered nowhere.
    """

    group: Group
    targets: Mapping[str, TargetHealth] = field(default_factory=dict)

    def healthy(self, instance: Instance) -> bool:
        """Whether an instance is in service and every target group calls it healthy."""
        target = self.targets.get(instance.id)
        return instance.in_service and target is not None and target.healthy

    def healthy_count(self) -> int:
        """How many instances serve."""
        return sum(self.healthy(one) for one in self.group.instances)
