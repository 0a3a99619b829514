"""The instance refresh operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.autoscaling.configuration import LaunchConfiguration, requested_configuration
from embedded.world.autoscaling.group_operations import LAUNCH_MEMBERS
from embedded.world.autoscaling.groups import Group
from embedded.world.autoscaling.preferences import Preferences, requested_preferences
from embedded.world.autoscaling.refresh import FORWARD, InstanceRefresh
from embedded.world.autoscaling.requests import HISTORY, invalid, page, paged, refuse_unmodelled
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.autoscaling.registry import Registry
    from embedded.world.world import World

IRREVERSIBLE = "A rollback is not possible: "


class RefreshOperations(Service):
    """Start, cancel, roll back and describe instance refreshes."""

    name = "autoscaling"

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world)
        self._registry = registry

    @operation("StartInstanceRefresh")
    def start_instance_refresh(self, params: Params) -> Reply:
        """Start replacing a group's instances. There is no client token: not idempotent."""
        if params.get("Strategy", "Rolling") != "Rolling":
            raise NotEmulatedError("the ReplaceRootVolume strategy of an instance refresh")
        group = self._registry.changeable(params["AutoScalingGroupName"])
        self._refuse_unmodelled_group(group)
        preferences = requested_preferences(
            params.get("Preferences", {}), default_warmup_seconds=_default_warmup(group)
        )
        passed = params.get("DesiredConfiguration")
        desired = self._desired(group, passed) if passed else None
        if preferences.auto_rollback:
            self._refuse_impossible_auto_rollback(group, desired)
        self._check_alarms(preferences)
        if group.refresh is not None:
            raise AwsError(
                "InstanceRefreshInProgress",
                "An Instance Refresh is already in progress and blocks the execution of this "
                "Instance Refresh.",
            )
        refresh = InstanceRefresh(
            id=self.world.new_uuid(),
            group_name=group.name,
            preferences=preferences,
            desired=desired,
            desired_as_passed=copied(passed) if passed else None,
            requested=self.world.clock.now(),
        )
        self._registry.conductor.begin(group, refresh)
        return {"InstanceRefreshId": refresh.id}

    @operation("CancelInstanceRefresh")
    def cancel_instance_refresh(self, params: Params) -> Reply:
        """Cancel a refresh or a rollback; nothing that was replaced goes back."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        refresh = _active(group)
        self._registry.conductor.cancel(
            group, refresh, wait=params.get("WaitForTransitioningInstances", True)
        )
        return {"InstanceRefreshId": refresh.id}

    @operation("RollbackInstanceRefresh")
    def rollback_instance_refresh(self, params: Params) -> Reply:
        """Roll the active refresh back, under its own id; also while it bakes."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        refresh = _active(group)
        if refresh.status not in FORWARD:
            # Not documented for what is being rolled back or cancelled already. An error that
            # sends the caller to DescribeInstanceRefreshes is harsher than a second success.
            raise _no_active_refresh(group)
        obstacle = self._irreversible(group, refresh.desired)
        if obstacle is not None:
            raise AwsError("IrreversibleInstanceRefresh", IRREVERSIBLE + obstacle)
        self._registry.conductor.roll_back(group, refresh, "Rolled back by a user request.")
        return {"InstanceRefreshId": refresh.id}

    @operation("DescribeInstanceRefreshes")
    def describe_instance_refreshes(self, params: Params) -> Reply:
        """The refreshes requested in the last six weeks, newest first."""
        group = self._registry.find(params["AutoScalingGroupName"])
        horizon = self.world.clock.now() - HISTORY
        ids = params.get("InstanceRefreshIds")
        chosen = [
            refresh
            for refresh in reversed(group.refreshes)
            if refresh.requested >= horizon and (not ids or refresh.id in ids)
        ]
        refreshes, token = page(chosen, params, default=50)
        progress = self._registry.conductor.progress
        shapes = [refresh.describe(progress(group, refresh)) for refresh in refreshes]
        return paged("InstanceRefreshes", shapes, token)

    # -- checks ------------------------------------------------------------------------------------

    def _refuse_unmodelled_group(self, group: Group) -> None:
        for name in sorted(group.describe_extra):
            raise NotEmulatedError(f"an instance refresh of a group with {name}")

    def _desired(self, group: Group, passed: Params) -> LaunchConfiguration:
        refuse_unmodelled("StartInstanceRefresh", passed, LAUNCH_MEMBERS)
        desired = requested_configuration(passed, self.world.ec2)
        if group.saved.kind == "MixedInstancesPolicy" and desired.kind == "LaunchTemplate":
            # User guide, skip matching: such a group needs its whole policy here. What AWS does
            # with a bare template instead is not documented; refused.
            raise invalid(
                "The group uses a mixed instances policy, so the desired configuration must "
                "contain a mixed instances policy."
            )
        return desired

    def _refuse_impossible_auto_rollback(
        self, group: Group, desired: LaunchConfiguration | None
    ) -> None:
        """AutoRollback where a rollback is not possible.

        Only RollbackInstanceRefresh models an error for it; whether the start is refused is not
        documented. Refusing is what a caller notices first, and no promise is made that AWS
        would have to break in the worst moment.
        """
        obstacle = self._irreversible(group, desired)
        if obstacle is not None:
            raise invalid(f"AutoRollback cannot be used: {obstacle}")

    def _irreversible(self, group: Group, desired: LaunchConfiguration | None) -> str | None:
        """Why a refresh cannot be rolled back (botocore, RollbackInstanceRefresh)."""
        if desired is None:
            return "the instance refresh has no desired configuration."
        if group.saved.dynamic:
            return "the Auto Scaling group uses the $Latest or $Default launch template version."
        if group.saved.image_is_parameter(self.world.ec2):
            return "the launch template uses a Systems Manager parameter for its image."
        return None

    def _check_alarms(self, preferences: Preferences) -> None:
        for name in preferences.alarms:
            state = self.world.cloudwatch.alarm_state(name)
            if state is None:
                raise invalid(f"The CloudWatch alarm {name} does not exist.")
            if state != "OK":
                # User guide, "Undo changes with a rollback": an alarm without data refuses, too.
                raise invalid(f"The CloudWatch alarm {name} is in the {state} state.")


def _default_warmup(group: Group) -> int:
    if group.default_warmup_seconds is not None:
        return group.default_warmup_seconds
    return group.grace_seconds


def _active(group: Group) -> InstanceRefresh:
    if group.refresh is None:
        raise _no_active_refresh(group)
    return group.refresh


def _no_active_refresh(group: Group) -> AwsError:
    return AwsError(
        "ActiveInstanceRefreshNotFound",
        f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
    )
