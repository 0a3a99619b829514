"""The operations on the instances of groups: describe, protect, stand by, judge, terminate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.autoscaling.groups import IN_SERVICE, STANDBY, TERMINATING, Group, Member
from embedded.world.autoscaling.requests import instant, invalid, page, paged, refuse_unmodelled
from embedded.world.autoscaling.upkeep import USER_REQUEST
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.autoscaling.registry import Registry
    from embedded.world.world import World


class InstanceOperations(Service):
    """What is done to single instances of a group."""

    name = "autoscaling"

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world)
        self._registry = registry

    @operation("DescribeAutoScalingInstances")
    def describe_auto_scaling_instances(self, params: Params) -> Reply:
        """The instances of all groups; ids that are in no group are left out."""
        ids = params.get("InstanceIds")
        chosen = [
            (group.name, member)
            for _, group in sorted(self._registry.groups.items())
            for member in group.instances.values()
            if not ids or member.id in ids
        ]
        found, token = page(chosen, params, default=50, largest=50)
        shapes = [member.describe_with_group(name) for name, member in found]
        return paged("AutoScalingInstances", shapes, token)

    @operation("SetInstanceProtection")
    def set_instance_protection(self, params: Params) -> Reply:
        """Protect instances from scale in, or no longer."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        for member in self._members(group, params["InstanceIds"]):
            member.protected = params["ProtectedFromScaleIn"]
        self._registry.settle(group)
        return {}

    @operation("SetInstanceHealth")
    def set_instance_health(self, params: Params) -> Reply:
        """Say of an instance that it is healthy or not, as a custom health check does.

        Unhealthy within the grace period is not heard, unless the call says otherwise.
        """
        group, member = self._owner(params["InstanceId"])
        self._registry.changeable(group.name)
        status = params["HealthStatus"]
        if status not in ("Healthy", "Unhealthy"):
            raise invalid("HealthStatus must be Healthy or Unhealthy.")
        in_grace = self._registry.upkeep.grace_ends(group, member) > self.world.clock.now()
        healthy = status == "Healthy"
        if healthy or not (params.get("ShouldRespectGracePeriod", True) and in_grace):
            self._registry.upkeep.set_health(member, healthy=healthy)
            self._registry.settle(group)
        return {}

    @operation("EnterStandby")
    def enter_standby(self, params: Params) -> Reply:
        """Take instances out of rotation; others are launched unless the capacity is lowered."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        members = self._members(group, params.get("InstanceIds", []))
        for member in members:
            if member.lifecycle != IN_SERVICE:
                raise invalid(f"The instance {member.id} is not in InService.")
        if params["ShouldDecrementDesiredCapacity"]:
            self._lower(group, len(members))
        cause = self._by_request("was moved to standby")
        upkeep = self._registry.upkeep
        activities = [
            upkeep.enter_standby(group, member, cause).describe(group_exists=True)
            for member in members
        ]
        self._registry.settle(group)
        return {"Activities": activities}

    @operation("ExitStandby")
    def exit_standby(self, params: Params) -> Reply:
        """Bring instances back into rotation; the desired capacity grows by their number."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        members = self._members(group, params.get("InstanceIds", []))
        for member in members:
            if member.lifecycle != STANDBY:
                raise invalid(f"The instance {member.id} is not in Standby.")
        if group.desired + len(members) > group.maximum:
            raise invalid(
                f"AutoScalingGroup {group.name} has min={group.minimum}, max={group.maximum}, "
                f"and desired={group.desired}. To place into service {len(members)} "
                "instance(s), you must update the AutoScalingGroup sizes appropriately."
            )
        group.desired += len(members)
        cause = self._by_request("was moved out of standby")
        upkeep = self._registry.upkeep
        activities = [
            upkeep.exit_standby(group, member, cause).describe(group_exists=True)
            for member in members
        ]
        self._registry.settle(group)
        return {"Activities": activities}

    @operation("TerminateInstanceInAutoScalingGroup")
    def terminate_instance_in_auto_scaling_group(self, params: Params) -> Reply:
        """Terminate an instance now; another is launched unless the capacity is lowered."""
        refuse_unmodelled(
            "TerminateInstanceInAutoScalingGroup",
            params,
            ("InstanceId", "ShouldDecrementDesiredCapacity"),
        )
        if "InstanceId" not in params:
            # The API model does not require it though nothing else names the instance.
            raise invalid("InstanceId must be specified.")
        group, member = self._owner(params["InstanceId"])
        self._registry.changeable(group.name)
        if member.lifecycle == TERMINATING:
            raise invalid(f"The instance {member.id} is already being terminated.")
        lower = params["ShouldDecrementDesiredCapacity"]
        if lower and member.live:
            self._lower(group, 1)
        activity = self._registry.upkeep.terminate(
            group, member, USER_REQUEST, vacancy=None if lower else USER_REQUEST
        )
        reply: Reply = {"Activity": activity.describe(group_exists=True)}
        self._registry.settle(group)
        return reply

    def _by_request(self, what: str) -> str:
        now = instant(self.world.clock.now())
        return f"At {now} instance {what} in response to a user request."

    def _members(self, group: Group, instance_ids: list[str]) -> list[Member]:
        return [self._registry.member(group, instance_id) for instance_id in instance_ids]

    def _owner(self, instance_id: str) -> tuple[Group, Member]:
        owned = self._registry.upkeep.owner(instance_id)
        if owned is None:
            raise invalid(
                f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
            )
        return owned

    def _lower(self, group: Group, number: int) -> None:
        if group.desired - number < group.minimum:
            raise invalid(
                f"AutoScalingGroup {group.name} has min={group.minimum}, max={group.maximum}, "
                f"and desired={group.desired}. The desired capacity cannot be lowered by "
                f"{number}; lower the group's minimum size or do not decrement."
            )
        group.desired -= number
