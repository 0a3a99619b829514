"""An Auto Scaling group and its instances, as the world holds them and as AWS describes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from embedded.world.service import Reply
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.autoscaling.activities import Activity
    from embedded.world.autoscaling.configuration import LaunchConfiguration
    from embedded.world.autoscaling.refresh import InstanceRefresh
    from embedded.world.clock import Timer
    from embedded.world.ec2 import Instance
    from embedded.world.elbv2 import TargetState

PENDING = "Pending"
IN_SERVICE = "InService"
STANDBY = "Standby"
TERMINATING = "Terminating"
HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"

PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
"""The processes that can be suspended (botocore, ScalingProcessQuery)."""


@dataclass(eq=False)
class Member:
    """An instance in a group."""

    instance: Instance
    generation: str | None
    """Which part of which refresh launched it; see ``InstanceRefresh.generation``."""
    template_name: str
    lifecycle: str = PENDING
    health: str = HEALTHY
    protected: bool = False
    in_service_at: datetime | None = None
    registered: set[str] = field(default_factory=set)
    """Target groups that it was registered with."""
    targets: dict[str, TargetState] = field(default_factory=dict)
    """What each of those last said about it."""
    draining: set[str] = field(default_factory=set)
    """Target groups that it is being deregistered from."""
    activity: Activity | None = None
    """The launch or termination under way."""
    unhealthy_because: str = ""
    look: Timer | None = None
    """When its health is looked at next."""

    @property
    def id(self) -> str:
        """The instance's id."""
        return self.instance.id

    @property
    def live(self) -> bool:
        """In service or on its way there."""
        return self.lifecycle in (PENDING, IN_SERVICE)

    @property
    def failing_targets(self) -> bool:
        """Whether a load balancer calls it unhealthy right now."""
        return any(target.state == "unhealthy" for target in self.targets.values())

    @property
    def passing_targets(self) -> bool:
        """Whether every load balancer that it was registered with calls it healthy.

        Nothing speaks against an instance that was never registered anywhere, so that a refresh
        counts it although it serves nobody.
        """
        return all(target.state == "healthy" for target in self.targets.values())

    def warmed_up(self, now: datetime, warmup: timedelta) -> bool:
        """Whether it has been in service for the warm-up."""
        return self.in_service_at is not None and self.in_service_at + warmup <= now

    def describe(self) -> Reply:
        """The member as botocore's ``Instance`` shape."""
        return {
            "InstanceId": self.id,
            "InstanceType": self.instance.instance_type,
            "AvailabilityZone": self.instance.zone,
            "LifecycleState": self.lifecycle,
            "HealthStatus": self.health,
            "LaunchTemplate": {
                "LaunchTemplateId": self.instance.template_id,
                "LaunchTemplateName": self.template_name,
                "Version": str(self.instance.template_version),
            },
            "ImageId": self.instance.image_id,
            "ProtectedFromScaleIn": self.protected,
        }

    def describe_with_group(self, group_name: str) -> Reply:
        """The member as botocore's ``AutoScalingInstanceDetails`` shape."""
        shape = {**self.describe(), "AutoScalingGroupName": group_name}
        # This shape says HEALTHY where the other says Healthy.
        shape["HealthStatus"] = self.health.upper()
        return shape


@dataclass
class Tag:
    """A tag of a group."""

    key: str
    value: str
    propagate: bool

    def describe(self, group_name: str) -> Reply:
        """The tag as botocore's ``TagDescription`` shape."""
        return {
            "ResourceId": group_name,
            "ResourceType": "auto-scaling-group",
            "Key": self.key,
            "Value": self.value,
            "PropagateAtLaunch": self.propagate,
        }


@dataclass(eq=False)
class Group:
    """An Auto Scaling group.

    ``describe_extra`` is merged into what DescribeAutoScalingGroups answers, so that a preflight
    check can be shown what the world does not model (a warm pool, a maintenance policy). An
    instance refresh of a group that has such extras is refused as not emulated.
    """

    name: str
    arn: str
    created: datetime
    saved: LaunchConfiguration
    minimum: int
    maximum: int
    desired: int
    zones: list[str]
    target_group_arns: list[str]
    health_check_type: str
    grace_seconds: int
    service_linked_role_arn: str
    default_warmup_seconds: int | None = None
    cooldown_seconds: int = 300
    subnets: str | None = None
    protect_new: bool = False
    deletion_protection: str = "none"
    operator: str | None = None
    """The service that manages the group; while set, nobody else may change it."""
    context: str | None = None
    tags: dict[str, Tag] = field(default_factory=dict)
    suspended: dict[str, str] = field(default_factory=dict)
    """Suspended process to the reason for it."""
    describe_extra: dict[str, Any] = field(default_factory=dict)

    instances: dict[str, Member] = field(default_factory=dict)
    refreshes: list[InstanceRefresh] = field(default_factory=list)
    """Oldest first."""
    deleting: bool = False
    deleted: bool = False

    extra: int = 0
    """How far above the desired capacity a refresh holds the group for the moment."""
    vacancies: deque[str] = field(default_factory=deque)
    """Why the instances that are missing went, in the order in which they are replaced."""
    launch_failures: int = 0
    """Launches that failed since the last one that came into service."""
    retry: Timer | None = None
    """When launching is tried again after a failure."""
    settling: bool = False
    disturbed: bool = False

    # -- what it runs ------------------------------------------------------------------------------

    @property
    def refresh(self) -> InstanceRefresh | None:
        """The active refresh."""
        newest = self.refreshes[-1] if self.refreshes else None
        return newest if newest is not None and newest.active else None

    @property
    def uses_elb_health(self) -> bool:
        """Whether load balancer health counts; only target groups can say anything."""
        return "ELB" in self.health_check_type.split(",") and bool(self.target_group_arns)

    def configuration_to_launch(self) -> LaunchConfiguration:
        """What a launch uses now.

        While a refresh with a desired configuration is active, a scale-out launches the desired
        configuration, too; after it failed or was cancelled, the saved one (user guide, "How an
        instance refresh works"). A rollback goes back to the saved one.
        """
        refresh = self.refresh
        if refresh is None or refresh.desired is None or refresh.rolling_back:
            return self.saved
        return refresh.desired

    # -- who is in it ------------------------------------------------------------------------------

    def members(self, *lifecycles: str) -> Iterator[Member]:
        """The members in one of these lifecycle states."""
        return (member for member in self.instances.values() if member.lifecycle in lifecycles)

    def live_members(self) -> list[Member]:
        """The members that are in service or pending."""
        return [member for member in self.instances.values() if member.live]

    def versions_in_service(self) -> dict[int, int]:
        """Template version to the number of instances in service that run it."""
        counts: dict[int, int] = {}
        for member in self.members(IN_SERVICE):
            version = member.instance.template_version
            counts[version] = counts.get(version, 0) + 1
        return counts

    # -- how AWS describes it ----------------------------------------------------------------------

    def describe(self, *, include_instances: bool) -> Reply:
        """The group as botocore's ``AutoScalingGroup`` shape."""
        shape: Reply = {
            "AutoScalingGroupName": self.name,
            "AutoScalingGroupARN": self.arn,
            **self.saved.members(),
            "MinSize": self.minimum,
            "MaxSize": self.maximum,
            "DesiredCapacity": self.desired,
            "DefaultCooldown": self.cooldown_seconds,
            "AvailabilityZones": list(self.zones),
            "LoadBalancerNames": [],
            "TargetGroupARNs": list(self.target_group_arns),
            "TrafficSources": [
                {"Identifier": arn, "Type": "elbv2"} for arn in self.target_group_arns
            ],
            "HealthCheckType": self.health_check_type,
            "HealthCheckGracePeriod": self.grace_seconds,
            "Instances": [member.describe() for member in self.instances.values()]
            if include_instances
            else [],
            "CreatedTime": self.created,
            "SuspendedProcesses": [
                {"ProcessName": name, "SuspensionReason": reason}
                for name, reason in self.suspended.items()
            ],
            "EnabledMetrics": [],
            "Tags": [tag.describe(self.name) for tag in self.tags.values()],
            "TerminationPolicies": ["Default"],
            "NewInstancesProtectedFromScaleIn": self.protect_new,
            "ServiceLinkedRoleARN": self.service_linked_role_arn,
            "DeletionProtection": self.deletion_protection,
        }
        shape.update(self._optional_members())
        shape.update(copied(self.describe_extra))
        return shape

    def _optional_members(self) -> Reply:
        shape: Reply = {}
        if self.subnets is not None:
            shape["VPCZoneIdentifier"] = self.subnets
        if self.default_warmup_seconds is not None:
            shape["DefaultInstanceWarmup"] = self.default_warmup_seconds
        if self.context is not None:
            shape["Context"] = self.context
        if self.operator is not None:
            shape["Operator"] = {"Principal": self.operator}
        if self.deleting:
            shape["Status"] = "Delete in progress"
        return shape
