"""Auto Scaling groups and the health of their instances at the load balancer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snaproll.aws.activities import Activities
from snaproll.aws.configurations import (
    configuration,
    mixed_policy,
    named_in,
    text_of,
    version_in,
)
from snaproll.aws.refusals import SDK_ERRORS, code_of, message_of, named, named_errors
from snaproll.domain.group import FleetView, Group, Instance, TargetHealth
from snaproll.domain.release import TemplateVersion
from snaproll.errors import RefreshRefusedError

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import (
        AutoScalingGroupTypeDef,
        InstanceTypeDef,
    )
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client

_PROTECTED_AT_ONCE = 50
"""The most instances that one call protects (API reference, SetInstanceProtection)."""
_GROUPS_PAGE = 100
_WORST_FIRST = ("unhealthy", "unhealthy.draining", "unavailable", "unused", "draining", "initial")


class Groups:
    """Auto Scaling groups by name."""

    def __init__(self, autoscaling: AutoScalingClient, elbv2: ElasticLoadBalancingv2Client) -> None:
        self._autoscaling = autoscaling
        self._elbv2 = elbv2

    def get(self, name: str) -> Group | None:
        """A group with its instances, or None when there is none of that name."""
        with named_errors(f"describe the group {name}"):
            reply = self._autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        found = reply["AutoScalingGroups"]
        return _group(found[0]) if found else None

    def several(self, names: Sequence[str]) -> dict[str, Group]:
        """Those groups that exist, with their instances, a hundred to a call."""
        found: list[Group] = []
        pages = self._autoscaling.get_paginator("describe_auto_scaling_groups")
        for first in range(0, len(names), _GROUPS_PAGE):
            with named_errors("describe the groups of the fleets"):
                # So many names are taken only with MaxRecords (API model AutoScalingGroupNames).
                for page in pages.paginate(
                    AutoScalingGroupNames=list(names[first : first + _GROUPS_PAGE]),
                    PaginationConfig={"PageSize": _GROUPS_PAGE},
                ):
                    found += map(_group, page["AutoScalingGroups"])
        return {one.name: one for one in found}

    def view(self, name: str) -> FleetView | None:
        """A group and what every one of its target groups says of its instances."""
        group = self.get(name)
        if group is None:
            return None
        targets: dict[str, TargetHealth] = {}
        members = {one.id for one in group.instances}
        for target_group in group.target_groups:
            seen = self._health_at(target_group)
            for instance_id in members:
                # Old targets drain in the same list: only the group's own instances count.
                here = seen.get(instance_id, TargetHealth("unused", "Target.NotRegistered"))
                targets[instance_id] = _worse(targets.get(instance_id), here)
        return FleetView(group, targets)

    def _health_at(self, target_group: str) -> dict[str, TargetHealth]:
        with named_errors(f"describe the targets of {target_group}"):
            reply = self._elbv2.describe_target_health(TargetGroupArn=target_group)
        health: dict[str, TargetHealth] = {}
        for one in reply["TargetHealthDescriptions"]:
            state = one.get("TargetHealth", {})
            here = TargetHealth(
                str(state.get("State", "")),
                str(state.get("Reason", "")),
                str(state.get("Description", "")),
            )
            instance_id = one["Target"]["Id"]
            health[instance_id] = _worse(health.get(instance_id), here)
        return health

    def activities(self, name: str) -> Activities:
        """What a group did of late; nothing is read before it is asked for."""
        return Activities(self._autoscaling, name)

    def protect(self, name: str, instance_ids: Sequence[str]) -> None:
        """Protect instances from scale-in; one that has just left is left alone."""
        for start in range(0, len(instance_ids), _PROTECTED_AT_ONCE):
            batch = list(instance_ids[start : start + _PROTECTED_AT_ONCE])
            try:
                self._autoscaling.set_instance_protection(
                    AutoScalingGroupName=name, InstanceIds=batch, ProtectedFromScaleIn=True
                )
            except SDK_ERRORS as error:
                if code_of(error) != "ValidationError":
                    raise named(error, f"protect instances of {name}") from error
                if len(batch) > 1:
                    for instance_id in batch:
                        self.protect(name, [instance_id])

    def save_version(self, group: Group, version: TemplateVersion) -> None:
        """Save a launch template version on a group, and all else of its configuration as it is.

        Raises
        ------
        RefreshRefusedError
            Auto Scaling refused, for example because a refresh is active.
        """
        try:
            self._autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=group.name, **configuration(group.mixed, version)
            )
        except SDK_ERRORS as error:
            if code_of(error) in ("ValidationError", "ScalingActivityInProgress"):
                raise RefreshRefusedError(
                    f"Auto Scaling refused to save {version} on {group.name}: {message_of(error)}"
                ) from error
            raise named(error, f"save {version} on the group {group.name}") from error


def _worse(left: TargetHealth | None, right: TargetHealth) -> TargetHealth:
    if left is None:
        return right

    def rank(health: TargetHealth) -> int:
        if health.healthy:
            return len(_WORST_FIRST)
        return _WORST_FIRST.index(health.state) if health.state in _WORST_FIRST else 0

    return min(left, right, key=rank)


def _group(raw: AutoScalingGroupTypeDef) -> Group:
    sources = [
        one.get("Identifier", "")
        for one in raw.get("TrafficSources", [])
        if one.get("Type") == "elbv2"
    ]
    target_groups = raw.get("TargetGroupARNs", []) or [one for one in sources if one]
    return Group(
        name=raw["AutoScalingGroupName"],
        arn=raw.get("AutoScalingGroupARN", ""),
        saved=version_in(named_in(raw)),
        saved_text=text_of(raw),
        desired=raw["DesiredCapacity"],
        maximum=raw["MaxSize"],
        health_check_types=frozenset(raw["HealthCheckType"].replace(" ", "").split(",")),
        suspended=frozenset(
            one.get("ProcessName", "") for one in raw.get("SuspendedProcesses", [])
        ),
        target_groups=tuple(target_groups),
        instances=tuple(_instance(one) for one in raw.get("Instances", [])),
        tags={tag["Key"]: tag.get("Value", "") for tag in raw.get("Tags", []) if "Key" in tag},
        mixed=mixed_policy(raw),
        protects_new=raw.get("NewInstancesProtectedFromScaleIn", False),
        warm_pool="WarmPoolConfiguration" in raw,
        status=raw.get("Status", ""),
        operator=raw.get("Operator", {}).get("Principal", ""),
        service_role=raw.get("ServiceLinkedRoleARN", ""),
    )


def _instance(raw: InstanceTypeDef) -> Instance:
    return Instance(
        id=raw["InstanceId"],
        lifecycle=raw["LifecycleState"],
        version=version_in(raw.get("LaunchTemplate")),
        protected=raw.get("ProtectedFromScaleIn", False),
    )
