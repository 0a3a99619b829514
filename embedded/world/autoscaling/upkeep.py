"""What a group does all the time: launch what is missing, replace what is bad, scale in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from embedded.world.autoscaling import activities
from embedded.world.autoscaling.activities import DRAINING, Activity, ActivityLog
from embedded.world.autoscaling.groups import (
    HEALTHY,
    IN_SERVICE,
    PENDING,
    STANDBY,
    TERMINATING,
    UNHEALTHY,
    Group,
    Member,
)
from embedded.world.autoscaling.launching import SCALING, Launcher
from embedded.world.autoscaling.requests import instant
from embedded.world.ec2 import Instance
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.elbv2 import TargetState
    from embedded.world.world import World

DETECTION_SECONDS = 30
"""From a failed health check to Auto Scaling's notice. AWS says only that it looks periodically."""

REPLACEMENT = "an unhealthy instance needing to be replaced"
EC2_CHECK = "an EC2 health check indicating it has been terminated or stopped"
ELB_CHECK = "an ELB system health check failure"
USER_CHECK = "a user health-check"
USER_REQUEST = "a user request"


@dataclass(frozen=True)
class Launch:
    """What was launched, when and by what, kept for whoever checks invariants."""

    at: datetime
    group: str
    instance_id: str
    template_id: str
    template_version: int
    snapshots: dict[str, str]
    """Device name to the snapshot that its volume was restored from."""
    refresh_id: str | None
    """The refresh that was active then."""


class Upkeep:
    """Carries the instances of every group through their lives.

    Parameters
    ----------
    world
        Where instances are launched and targets registered.
    log
        Where activities are recorded.
    settle
        Called after every change of a group, so that whoever has something to do about it can.
    """

    def __init__(self, world: World, log: ActivityLog, settle: Callable[[Group], None]) -> None:
        self._world = world
        self._log = log
        self._settle = settle
        self.launcher = Launcher(world, log, settle, self._admit)
        self.launches: list[Launch] = []
        """Every instance that any group launched, also those that are long gone."""
        self._owners: dict[str, tuple[Group, Member]] = {}
        self._watched: set[str] = set()

    # -- finding -----------------------------------------------------------------------------------

    def owner(self, instance_id: str) -> tuple[Group, Member] | None:
        """The group that an instance is in, with its membership."""
        return self._owners.get(instance_id)

    def watch_targets(self, group: Group) -> None:
        """Hear of every change of target health in the group's target groups."""
        for arn in group.target_group_arns:
            if arn not in self._watched:
                self._watched.add(arn)
                self._world.elbv2.watch(arn, self._target_news(arn))

    # -- keeping -----------------------------------------------------------------------------------

    def maintain(self, group: Group) -> None:
        """Bring the group's instances towards what is wanted, as far as processes allow it."""
        self._replace_unhealthy(group)
        self._scale_in(group)
        self.launcher.launch_missing(group)

    def _replace_unhealthy(self, group: Group) -> None:
        if {"ReplaceUnhealthy", "Terminate"} & group.suspended.keys():
            return
        for member in list(group.members(IN_SERVICE)):
            if member.health == UNHEALTHY:
                self.terminate(group, member, member.unhealthy_because, vacancy=REPLACEMENT)

    def _scale_in(self, group: Group) -> None:
        surplus = len(group.live_members()) - group.desired - group.extra
        if surplus <= 0 or "Terminate" in group.suspended:
            return
        for _ in range(surplus):
            chosen = self._to_scale_in(group)
            if chosen is None:
                return
            live = len(group.live_members())
            self.terminate(
                group, chosen, f"{SCALING}, shrinking the capacity from {live} to {live - 1}"
            )

    def _to_scale_in(self, group: Group) -> Member | None:
        """The default termination policy: balance, then the oldest template, then the oldest."""
        zones = Counter(member.instance.zone for member in group.members(IN_SERVICE))
        candidates = [member for member in group.members(IN_SERVICE) if not member.protected]
        return min(
            candidates,
            key=lambda member: (
                member.health == HEALTHY,
                -zones[member.instance.zone],
                member.instance.template_version,
                member.instance.launched_at,
                member.id,
            ),
            default=None,
        )

    # -- coming into service -----------------------------------------------------------------------

    def _admit(self, group: Group, instance: Instance, cause: str) -> None:
        if group.vacancies:
            group.vacancies.popleft()
        instance.tags.update({tag.key: tag.value for tag in group.tags.values() if tag.propagate})
        refresh = group.refresh
        member = Member(
            instance,
            generation=refresh.generation if refresh is not None else None,
            template_name=self._world.ec2.template(instance.template_id).name,
            protected=group.protect_new,
        )
        member.activity = self._begin(
            group, activities.LAUNCH, cause, "PreInService", instance.id, instance.zone
        )
        group.instances[instance.id] = member
        self._owners[instance.id] = (group, member)
        self.launches.append(
            Launch(
                self._world.clock.now(),
                group.name,
                instance.id,
                instance.template_id,
                instance.template_version,
                dict(instance.snapshots),
                refresh.id if refresh is not None else None,
            )
        )
        instance.watch(self._instance_news)

    def _instance_news(self, instance: Instance) -> None:
        owned = self._owners.get(instance.id)
        if owned is None:
            return
        group, member = owned
        gone = instance.state in ("shutting-down", "terminated")
        if member.lifecycle == PENDING and instance.state == "running":
            self._register(group, member)
        elif member.lifecycle == PENDING and gone:
            self._launch_died(group, member)
        elif member.lifecycle == TERMINATING and instance.state == "terminated":
            self._end_when_drained(group, member)
        elif member.lifecycle == IN_SERVICE and gone:
            self._look_soon(group, member)

    def _register(self, group: Group, member: Member) -> None:
        if "AddToLoadBalancer" not in group.suspended:
            try:
                for arn in group.target_group_arns:
                    self._world.elbv2.group(arn)
                    member.registered.add(arn)
                    self._world.elbv2.register(arn, member.id)
                    member.targets[arn] = self._world.elbv2.state_of(arn, member.id)
            except AwsError as refusal:
                self._registration_failed(group, member, refusal)
                return
        self._serve_when_registered(group, member)

    def _registration_failed(self, group: Group, member: Member, refusal: AwsError) -> None:
        """A target group that is gone: the launch fails, and is tried again."""
        if member.activity is not None:
            self._end(member.activity, activities.FAILED, refusal.message)
            member.activity = None
        self.terminate(group, member, ELB_CHECK, vacancy=REPLACEMENT)
        self.launcher.retry_later(group)

    def _serve_when_registered(self, group: Group, member: Member) -> None:
        # In service when registration finishes, healthy target or not (user guide, "Health
        # checks for instances in an Auto Scaling group").
        registering = any(
            target.reason == "Elb.RegistrationInProgress" for target in member.targets.values()
        )
        if member.lifecycle != PENDING or member.instance.state != "running" or registering:
            return
        member.lifecycle = IN_SERVICE
        member.in_service_at = self._world.clock.now()
        group.launch_failures = 0
        if member.activity is not None:
            self._end(member.activity, activities.SUCCESSFUL)
            member.activity = None
        self._look(group, member)
        self._settle(group)

    def _launch_died(self, group: Group, member: Member) -> None:
        reason = member.instance.state_reason
        why = f" Termination Reason: {reason.message}" if reason is not None else ""
        if member.activity is not None:
            self._end(
                member.activity,
                activities.CANCELLED,
                "Instance became unhealthy while waiting for instance to be in InService state."
                + why,
            )
        for arn in sorted(member.registered):
            self._deregister(group, member, arn)
        group.vacancies.append(REPLACEMENT)
        self._remove(group, member)
        self.launcher.retry_later(group)

    # -- health ------------------------------------------------------------------------------------

    def _target_news(self, arn: str) -> Callable[[str, TargetState], None]:
        def hear(instance_id: str, target: TargetState) -> None:
            owned = self._owners.get(instance_id)
            if owned is None or arn not in owned[1].registered:
                return
            group, member = owned
            member.targets[arn] = target
            if member.lifecycle == PENDING:
                self._serve_when_registered(group, member)
            elif member.lifecycle == IN_SERVICE and target.state == "unhealthy":
                self._look_soon(group, member)
                self._settle(group)
            elif member.lifecycle == IN_SERVICE:
                self._settle(group)

        return hear

    def look_at_all(self, group: Group) -> None:
        """Judge every instance's health anew, as after a change of the group's health checks."""
        for member in list(group.members(IN_SERVICE)):
            self._look(group, member)

    def _look_soon(self, group: Group, member: Member) -> None:
        self._look_at(group, member, self._world.clock.now() + timedelta(seconds=DETECTION_SECONDS))

    def _look_at(self, group: Group, member: Member, when: datetime) -> None:
        if member.look is not None:
            if member.look.at <= when:
                return
            member.look.cancel()
        member.look = self._world.clock.at(
            when, f"{member.id} health", lambda: self._look_now(group, member)
        )

    def _look_now(self, group: Group, member: Member) -> None:
        member.look = None
        self._look(group, member)
        self._settle(group)

    def _look(self, group: Group, member: Member) -> None:
        if member.lifecycle != IN_SERVICE or "HealthCheck" in group.suspended:
            return
        if member.instance.state != "running":
            self._mark(member, EC2_CHECK)
        elif group.uses_elb_health and member.failing_targets:
            # The grace period delays what the load balancer says, nothing else.
            grace_ends = self.grace_ends(group, member)
            if grace_ends <= self._world.clock.now():
                self._mark(member, ELB_CHECK)
            else:
                self._look_at(group, member, grace_ends)

    def grace_ends(self, group: Group, member: Member) -> datetime:
        """When the health check grace period of an instance in service is over."""
        since = member.in_service_at or self._world.clock.now()
        return since + timedelta(seconds=group.grace_seconds)

    def set_health(self, member: Member, *, healthy: bool) -> None:
        """What SetInstanceHealth says."""
        if healthy:
            member.health = HEALTHY
        else:
            self._mark(member, USER_CHECK)

    def _mark(self, member: Member, because: str) -> None:
        if member.health == HEALTHY:
            member.health, member.unhealthy_because = UNHEALTHY, because

    # -- leaving -----------------------------------------------------------------------------------

    def terminate(
        self, group: Group, member: Member, because: str, *, vacancy: str | None = None
    ) -> Activity:
        """Take an instance out: deregister it, let its connections drain, terminate it.

        Parameters
        ----------
        because
            Ends the sentence "an instance was taken out of service in response to …".
        vacancy
            Why its replacement is launched; None when nothing replaces it.
        """
        if member.activity is not None:
            self._end(member.activity, activities.CANCELLED, "The instance was terminated before.")
        now = instant(self._world.clock.now())
        cause = (
            f"At {now} an instance was taken out of service in response to {because}.  "
            f"At {now} instance {member.id} was selected for termination."
        )
        status = DRAINING if member.registered else "InProgress"
        activity = self._begin(
            group, activities.TERMINATE, cause, status, member.id, member.instance.zone
        )
        member.activity, member.lifecycle = activity, TERMINATING
        if vacancy is not None:
            group.vacancies.append(vacancy)
        self._drain(group, member)
        return activity

    def _drain(self, group: Group, member: Member) -> None:
        if member.look is not None:
            member.look.cancel()
            member.look = None
        leaving, member.registered = member.registered, set()
        member.draining = set(leaving)
        for arn in sorted(leaving):
            self._deregister(group, member, arn)
        member.targets.clear()
        self._end_when_drained(group, member)

    def _deregister(self, group: Group, member: Member, arn: str) -> None:
        try:
            self._world.elbv2.deregister(arn, member.id, lambda: self._drained(group, member, arn))
        except AwsError:
            # The target group was deleted: no connections are left to drain.
            member.draining.discard(arn)

    def _drained(self, group: Group, member: Member, arn: str) -> None:
        if arn in member.draining:
            member.draining.discard(arn)
            self._end_when_drained(group, member)

    def _end_when_drained(self, group: Group, member: Member) -> None:
        if member.lifecycle != TERMINATING or member.id not in group.instances:
            return
        if member.draining:
            # AWS waits for it even when the instance is gone already.
            return
        if member.instance.state == "terminated":
            self._terminated(group, member)
            return
        if member.activity is not None:
            member.activity.status = "InProgress"
        self._world.ec2.terminate(member.id)

    def _terminated(self, group: Group, member: Member) -> None:
        if member.activity is not None:
            self._end(member.activity, activities.SUCCESSFUL)
        self._remove(group, member)
        self._settle(group)

    def _remove(self, group: Group, member: Member) -> None:
        member.instance.unwatch(self._instance_news)
        del group.instances[member.id]
        del self._owners[member.id]

    # -- standby -----------------------------------------------------------------------------------

    def enter_standby(self, group: Group, member: Member, cause: str) -> Activity:
        """Take an instance out of rotation without terminating it."""
        # AWS shows EnteringStandby while connections drain; the world goes to Standby at once.
        member.lifecycle, member.in_service_at = STANDBY, None
        self._drain(group, member)
        return self._moved(group, activities.STANDBY, member, cause)

    def exit_standby(self, group: Group, member: Member, cause: str) -> Activity:
        """Bring an instance in standby back: it is registered again before it serves."""
        member.lifecycle = PENDING
        activity = self._moved(group, activities.IN_SERVICE, member, cause)
        self._instance_news(member.instance)
        return activity

    def _moved(self, group: Group, kind: str, member: Member, cause: str) -> Activity:
        activity = self._begin(group, kind, cause, "InProgress", member.id, member.instance.zone)
        activity.end(self._world.clock.now(), activities.SUCCESSFUL)
        return activity

    # -- recording ---------------------------------------------------------------------------------

    def _begin(
        self,
        group: Group,
        kind: str,
        cause: str,
        status: str,
        instance_id: str | None,
        zone: str | None,
    ) -> Activity:
        return self._log.begin(
            kind,
            group.name,
            group.arn,
            cause=cause,
            status=status,
            instance_id=instance_id,
            zone=zone,
        )

    def _end(self, activity: Activity, status: str, message: str = "") -> None:
        activity.end(self._world.clock.now(), status, message)
        self._log.tell(activity)
