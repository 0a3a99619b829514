"""The groups of the account, and the one way in which they are brought towards what is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedded.world.autoscaling.activities import ActivityLog
from embedded.world.autoscaling.conductor import Conductor
from embedded.world.autoscaling.groups import Group, Member
from embedded.world.autoscaling.requests import invalid
from embedded.world.autoscaling.upkeep import USER_REQUEST, Upkeep
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.world import World


class Registry:
    """Holds the groups and lets upkeep and refreshes take turns whenever something changes."""

    def __init__(self, world: World) -> None:
        self.groups: dict[str, Group] = {}
        self.policies: dict[tuple[str, str], dict[str, Any]] = {}
        """Scaling policies by group and name: kept and described, and without effect."""
        self.log = ActivityLog(world)
        self.upkeep = Upkeep(world, self.log, self.settle)
        self.conductor = Conductor(world, self.upkeep, self.settle)

    def find(self, name: str) -> Group:
        """The group of that name.

        Raises
        ------
        AwsError
            ``ValidationError``.
        """
        if name not in self.groups:
            raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup {name} not found")
        return self.groups[name]

    def changeable(self, name: str) -> Group:
        """The group of that name, if a caller may change it.

        Raises
        ------
        AwsError
            ``AccessDenied`` when a service manages it (botocore, CreateAutoScalingGroupType's
            Operator), ``ValidationError`` when there is none or it is being deleted.
        """
        group = self.find(name)
        if group.operator is not None:
            raise AwsError(
                "AccessDenied",
                f"The Auto Scaling group {name} is managed by {group.operator}.",
                http_status=403,
            )
        if group.deleting:
            raise invalid(f"The Auto Scaling group {name} is pending delete.")
        return group

    def member(self, group: Group, instance_id: str) -> Member:
        """A group's instance.

        Raises
        ------
        AwsError
            ``ValidationError`` when the instance is not in the group.
        """
        if instance_id not in group.instances:
            raise invalid(
                f"The instance {instance_id} is not part of Auto Scaling group {group.name}."
            )
        return group.instances[instance_id]

    def settle(self, group: Group) -> None:
        """Let refresh and upkeep act until neither has anything to do at this instant.

        Their effects come back here while they run; such a call only asks for another turn.
        """
        group.disturbed = True
        if group.settling:
            return
        group.settling = True
        try:
            while group.disturbed and not group.deleted:
                group.disturbed = False
                if group.deleting:
                    self._tear_down(group)
                else:
                    self.conductor.advance(group)
                    self.upkeep.maintain(group)
        finally:
            group.settling = False

    def delete(self, group: Group) -> None:
        """Begin to delete a group with everything in it."""
        refresh = group.refresh
        if refresh is not None:
            self.conductor.cancel(group, refresh, wait=False)
        group.deleting, group.desired, group.minimum = True, 0, 0
        self.upkeep.launcher.forget_failures(group)
        self.settle(group)

    def _tear_down(self, group: Group) -> None:
        for member in list(group.instances.values()):
            if member.lifecycle != "Terminating":
                self.upkeep.terminate(group, member, USER_REQUEST)
        if not group.instances:
            group.deleted = True
            del self.groups[group.name]
            for key in [key for key in self.policies if key[0] == group.name]:
                del self.policies[key]
