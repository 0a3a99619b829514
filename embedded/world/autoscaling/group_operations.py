"""The operations on groups: create, update, delete, describe, scale, suspend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from embedded.world.autoscaling.configuration import requested_configuration
from embedded.world.autoscaling.groups import PROCESSES, Group, Tag
from embedded.world.autoscaling.requests import invalid, page, paged, refuse_unmodelled
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.autoscaling.registry import Registry
    from embedded.world.world import World

MOST_GROUPS = 500
DESCRIBED_BY_NAME = 50
"""Groups that may be named in one call, unless MaxRecords says more."""
"""Groups per Region (user guide, "Quotas")."""
MOST_TARGET_GROUPS = 50
LAUNCH_MEMBERS = ("LaunchTemplate", "MixedInstancesPolicy")
_CHANGEABLE = (
    "AutoScalingGroupName",
    *LAUNCH_MEMBERS,
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "DefaultCooldown",
    "AvailabilityZones",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "VPCZoneIdentifier",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "Context",
    "DesiredCapacityType",
    "DefaultInstanceWarmup",
    "DeletionProtection",
)
_CREATABLE = (*_CHANGEABLE, "TargetGroupARNs", "Tags", "Operator")
_PROTECTIONS = ("none", "prevent-force-deletion", "prevent-all-deletion")


class GroupOperations(Service):
    """What is done to a group as a whole."""

    name = "autoscaling"

    def __init__(self, world: World, registry: Registry, subnet_zones: dict[str, str]) -> None:
        super().__init__(world)
        self._registry = registry
        self._subnet_zones = subnet_zones

    # -- life --------------------------------------------------------------------------------------

    @operation("CreateAutoScalingGroup")
    def create_auto_scaling_group(self, params: Params) -> Reply:
        """Make a group and begin to launch its instances."""
        refuse_unmodelled("CreateAutoScalingGroup", params, _CREATABLE)
        name = params["AutoScalingGroupName"]
        groups = self._registry.groups
        if name in groups:
            raise AwsError(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} "
                "already exists",
            )
        if len(groups) >= MOST_GROUPS:
            raise AwsError(
                "LimitExceeded",
                f"You have already reached the limit of {MOST_GROUPS} Auto Scaling groups.",
            )
        role = "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        group = Group(
            name=name,
            arn=self.world.arn(
                "autoscaling",
                f"autoScalingGroup:{self.world.new_uuid()}:autoScalingGroupName/{name}",
            ),
            created=self.world.clock.now(),
            saved=requested_configuration(params, self.world.ec2),
            minimum=0,
            maximum=0,
            desired=0,
            zones=[],
            target_group_arns=self._target_groups(params),
            health_check_type="EC2",
            grace_seconds=0,
            service_linked_role_arn=f"arn:aws:iam::{self.world.account}:role/{role}",
        )
        self._change(group, params)
        if not group.zones:
            raise invalid(
                "Valid requests must contain either the AvailabilityZones or the "
                "VPCZoneIdentifier parameter."
            )
        for tag in params.get("Tags", []):
            put_tag(group, tag)
        group.operator = params.get("Operator", {}).get("Principal")
        groups[name] = group
        self._registry.upkeep.watch_targets(group)
        self._registry.settle(group)
        return {}

    @operation("UpdateAutoScalingGroup")
    def update_auto_scaling_group(self, params: Params) -> Reply:
        """Change a group; its instances follow, except that a new template replaces nothing."""
        refuse_unmodelled("UpdateAutoScalingGroup", params, _CHANGEABLE)
        group = self._registry.changeable(params["AutoScalingGroupName"])
        if any(member in params for member in LAUNCH_MEMBERS):
            refresh = group.refresh
            if refresh is not None and refresh.desired is not None:
                # User guide, "How an instance refresh works": the documented text.
                raise invalid(
                    "An active instance refresh with a desired configuration exists. All "
                    "configuration options derived from the desired configuration are not "
                    "available for update while the instance refresh is active."
                )
            saved = requested_configuration(params, self.world.ec2)
            self._change(group, params)
            group.saved = saved
        else:
            self._change(group, params)
        self._registry.upkeep.launcher.forget_failures(group)
        self._registry.upkeep.look_at_all(group)
        self._registry.settle(group)
        return {}

    @operation("DeleteAutoScalingGroup")
    def delete_auto_scaling_group(self, params: Params) -> Reply:
        """Delete a group, and with ForceDelete its instances."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        force = params.get("ForceDelete", False)
        forbidden = ("prevent-all-deletion",) if not force else _PROTECTIONS[1:]
        if group.deletion_protection in forbidden:
            raise AwsError(
                "ResourceInUse",
                f"The Auto Scaling group {group.name} has deletion protection "
                f"{group.deletion_protection}.",
            )
        if group.instances and not force:
            raise AwsError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending "
                "Spot instance request(s) still in the group.",
            )
        self._registry.delete(group)
        return {}

    # -- describing --------------------------------------------------------------------------------

    @operation("DescribeAutoScalingGroups")
    def describe_auto_scaling_groups(self, params: Params) -> Reply:
        """Groups by name or tag; names that do not exist are left out without an error."""
        names = params.get("AutoScalingGroupNames", [])
        most = params.get("MaxRecords", DESCRIBED_BY_NAME)
        if len(names) > most:
            # The API model's AutoScalingGroupNames says how many; not how it refuses more.
            raise invalid(f"The number of group names may be {most} at most.")
        chosen = [
            group
            for name, group in sorted(self._registry.groups.items())
            if (not names or name in names)
            and all(_has_tag(group, condition) for condition in params.get("Filters", []))
        ]
        groups, token = page(chosen, params, default=DESCRIBED_BY_NAME)
        include_instances = params.get("IncludeInstances", True)
        shapes = [group.describe(include_instances=include_instances) for group in groups]
        return paged("AutoScalingGroups", shapes, token)

    @operation("DescribeLoadBalancerTargetGroups")
    def describe_load_balancer_target_groups(self, params: Params) -> Reply:
        """The target groups of a group; InService, as always when attached at creation."""
        group = self._registry.find(params["AutoScalingGroupName"])
        arns, token = page(group.target_group_arns, params, default=100)
        shapes: list[Reply] = [
            {"LoadBalancerTargetGroupARN": arn, "State": "InService"} for arn in arns
        ]
        return paged("LoadBalancerTargetGroups", shapes, token)

    @operation("DescribeScalingActivities")
    def describe_scaling_activities(self, params: Params) -> Reply:
        """What groups did in the last six weeks: in progress first, then the newest first."""
        name = params.get("AutoScalingGroupName")
        if name is not None and not params.get("IncludeDeletedGroups", False):
            self._registry.find(name)
        existing = {group.arn for group in self._registry.groups.values()}
        chosen = self._registry.log.select(params, existing.__contains__)
        found, token = page(chosen, params, default=100)
        shapes = [
            activity.describe(group_exists=activity.group_arn in existing) for activity in found
        ]
        return paged("Activities", shapes, token)

    # -- scaling -----------------------------------------------------------------------------------

    @operation("SetDesiredCapacity")
    def set_desired_capacity(self, params: Params) -> Reply:
        """Scale a group by hand, within its minimum and maximum."""
        if params.get("HonorCooldown", False):
            raise NotEmulatedError("HonorCooldown of autoscaling:SetDesiredCapacity")
        group = self._registry.changeable(params["AutoScalingGroupName"])
        desired = params["DesiredCapacity"]
        for bound, wrong, word in (
            (group.maximum, desired > group.maximum, "above max"),
            (group.minimum, desired < group.minimum, "below min"),
        ):
            if wrong:
                raise invalid(
                    f"New SetDesiredCapacity value {desired} is {word} value {bound} for the "
                    "AutoScalingGroup."
                )
        group.desired = desired
        self._registry.settle(group)
        return {}

    @operation("SuspendProcesses")
    def suspend_processes(self, params: Params) -> Reply:
        """Suspend some processes, or all."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        when = self.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        for process in _processes(params):
            group.suspended.setdefault(process, f"User suspended at {when}")
        self._registry.settle(group)
        return {}

    @operation("ResumeProcesses")
    def resume_processes(self, params: Params) -> Reply:
        """Resume some processes, or all. What was not registered meanwhile stays so."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        for process in _processes(params):
            group.suspended.pop(process, None)
        self._registry.upkeep.look_at_all(group)
        self._registry.settle(group)
        return {}

    # -- changing ----------------------------------------------------------------------------------

    def _change(self, group: Group, params: Params) -> None:
        _refuse_unmodelled_values(params)
        minimum, maximum, desired = _sizes(group, params)
        zones = self._zones(params)
        group.minimum, group.maximum, group.desired = minimum, maximum, desired
        group.zones = zones or group.zones
        group.subnets = params.get("VPCZoneIdentifier", group.subnets)
        group.health_check_type = params.get("HealthCheckType", group.health_check_type)
        group.grace_seconds = params.get("HealthCheckGracePeriod", group.grace_seconds)
        group.cooldown_seconds = params.get("DefaultCooldown", group.cooldown_seconds)
        group.protect_new = params.get("NewInstancesProtectedFromScaleIn", group.protect_new)
        group.deletion_protection = params.get("DeletionProtection", group.deletion_protection)
        group.context = params.get("Context", group.context)
        group.service_linked_role_arn = params.get(
            "ServiceLinkedRoleARN", group.service_linked_role_arn
        )
        warmup = params.get("DefaultInstanceWarmup")
        if warmup is not None:
            # -1 takes a value away that was set before (botocore, CreateAutoScalingGroupType).
            group.default_warmup_seconds = None if warmup < 0 else warmup

    def _zones(self, params: Params) -> list[str]:
        zones = list(params.get("AvailabilityZones", []))
        subnets = [part.strip() for part in params.get("VPCZoneIdentifier", "").split(",")]
        if zones or not any(subnets):
            return zones
        # Subnets are not modelled. As for load balancers, the first lies in zone a, the second in
        # zone b, and so on, unless the world was told otherwise.
        return [
            self._subnet_zones.get(subnet, f"{self.world.region}{'abcdef'[index % 6]}")
            for index, subnet in enumerate(subnets)
        ]

    def _target_groups(self, params: Params) -> list[str]:
        arns = list(params.get("TargetGroupARNs", []))
        if len(arns) > MOST_TARGET_GROUPS:
            raise AwsError(
                "LimitExceeded",
                f"You can attach at most {MOST_TARGET_GROUPS} target groups to a group.",
            )
        try:
            for arn in arns:
                self.world.elbv2.group(arn)
        except AwsError as refusal:
            raise invalid(
                "Provided Target Groups may not be valid. Please ensure they exist and try again."
            ) from refusal
        return arns


def put_tag(group: Group, given: Params) -> None:
    """Set a tag of a group.

    Raises
    ------
    AwsError
        ``ValidationError`` for a key in AWS's own name space.
    """
    key = given["Key"]
    if key.lower().startswith("aws:"):
        raise invalid(f"The tag key {key} is reserved: aws: is a reserved prefix.")
    # ResourceId and PropagateAtLaunch may be omitted; false is not documented as the default,
    # but what is not asked for is not copied to instances.
    group.tags[key] = Tag(key, given.get("Value", ""), given.get("PropagateAtLaunch", False))


def _has_tag(group: Group, condition: Params) -> bool:
    name, values = condition.get("Name", ""), condition.get("Values", [])
    tags = group.tags.values()
    if name == "tag-key":
        return any(tag.key in values for tag in tags)
    if name == "tag-value":
        return any(tag.value in values for tag in tags)
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        return any(tag.key == key and tag.value in values for tag in tags)
    raise NotEmulatedError(f"the filter {name!r} of autoscaling:DescribeAutoScalingGroups")


def _processes(params: Params) -> Iterable[str]:
    named = params.get("ScalingProcesses") or PROCESSES
    for process in named:
        if process not in PROCESSES:
            raise invalid(f"{process} is not a valid scaling process.")
    return named


def _refuse_unmodelled_values(params: Params) -> None:
    allowed = {
        "TerminationPolicies": (["Default"], []),
        "DesiredCapacityType": ("units", ""),
        "HealthCheckType": ("EC2", "ELB", "EC2,ELB", "ELB,EC2"),
    }
    for name, values in allowed.items():
        if name in params and params[name] not in values:
            raise NotEmulatedError(f"{name} {params[name]} of an Auto Scaling group")
    if params.get("DeletionProtection", "none") not in _PROTECTIONS:
        raise invalid(f"DeletionProtection must be one of {', '.join(_PROTECTIONS)}.")


def _sizes(group: Group, params: Params) -> tuple[int, int, int]:
    """Minimum, maximum and desired capacity after a request."""
    minimum = params.get("MinSize", group.minimum)
    maximum = params.get("MaxSize", group.maximum)
    if minimum < 0 or maximum < minimum:
        raise invalid(
            f"Max bound, {maximum}, must be greater than or equal to min bound, {minimum}"
        )
    desired = params.get("DesiredCapacity")
    if desired is None:
        # The desired capacity follows bounds that leave it outside (botocore,
        # UpdateAutoScalingGroup); a new group starts at its minimum.
        return minimum, maximum, min(max(group.desired, minimum), maximum)
    if not minimum <= desired <= maximum:
        raise invalid(
            f"Desired capacity:{desired} must be between the specified min size:{minimum} and "
            f"max size:{maximum}"
        )
    return minimum, maximum, desired
