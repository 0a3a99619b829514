"""How a group launches: from which source, in which zone, and when again after a refusal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from embedded.world.autoscaling import activities
from embedded.world.autoscaling.activities import ActivityLog
from embedded.world.autoscaling.configuration import LaunchSource
from embedded.world.autoscaling.groups import Group
from embedded.world.autoscaling.requests import instant
from embedded.world.ec2 import Instance, LaunchRefusedError
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.world import World

FIRST_RETRY_SECONDS = 60
LONGEST_RETRY_SECONDS = 900
"""Launching is retried with growing gaps; AWS does not say how long they are."""
NO_CAPACITY = "InsufficientInstanceCapacity"
"""The one refusal after which another zone or instance type is tried at once."""
SCALING = "a difference between desired and actual capacity"
REFRESH = "an instance refresh"


class Launcher:
    """Launches what groups are missing.

    Parameters
    ----------
    world
        Where instances are launched.
    log
        Where refusals are recorded.
    settle
        Called when a group that was refused may try again.
    admit
        Called with the group, the instance that was launched and the cause.
    """

    def __init__(
        self,
        world: World,
        log: ActivityLog,
        settle: Callable[[Group], None],
        admit: Callable[[Group, Instance, str], None],
    ) -> None:
        self._world = world
        self._log = log
        self._settle = settle
        self._admit = admit

    def launch_missing(self, group: Group) -> None:
        """Launch up to the desired capacity and what a refresh holds above it."""
        missing = group.desired + group.extra - len(group.live_members())
        if missing <= 0:
            group.vacancies.clear()
            return
        if "Launch" in group.suspended or group.retry is not None or group.deleting:
            return
        for _ in range(missing):
            if not self._launch(group):
                return

    def forget_failures(self, group: Group) -> None:
        """Try launching again at once: something was changed that may help."""
        group.launch_failures = 0
        if group.retry is not None:
            group.retry.cancel()
            group.retry = None

    def _launch(self, group: Group) -> bool:
        cause = self._launch_cause(group)
        refusal = None
        for source in group.configuration_to_launch().sources:
            for zone in self._zones_in_order(group):
                try:
                    instance = self._request(group, source, zone)
                except LaunchRefusedError as refused:
                    self._record_refusal(group, cause, zone, refused)
                    refusal = refused
                    if refused.code != NO_CAPACITY:
                        self.retry_later(group)
                        return False
                    continue
                self._admit(group, instance, cause)
                return True
        if refusal is not None:
            self.retry_later(group)
        return False

    def _request(self, group: Group, source: LaunchSource, zone: str) -> Instance:
        ec2 = self._world.ec2
        try:
            number = ec2.resolve_version(source.template_id, source.version)
        except AwsError as missing:
            raise LaunchRefusedError(missing.message, code=missing.code) from missing
        return ec2.launch(
            source.template_id,
            number,
            zone=zone,
            group=group.name,
            instance_type=source.instance_type,
            role_arn=group.service_linked_role_arn,
        )

    def _launch_cause(self, group: Group) -> str:
        now = instant(self._world.clock.now())
        live = len(group.live_members())
        if group.vacancies:
            why = group.vacancies[0]
        elif live >= group.desired:
            why = REFRESH
        else:
            why = f"{SCALING}, increasing the capacity from {live} to {live + 1}"
        started = "started" if why.startswith(SCALING) else "launched"
        return f"At {now} an instance was {started} in response to {why}."

    def _zones_in_order(self, group: Group) -> list[str]:
        """The group's zones, the emptiest first."""
        counts = Counter(member.instance.zone for member in group.live_members())
        return sorted(group.zones, key=lambda zone: counts[zone])

    def _record_refusal(
        self, group: Group, cause: str, zone: str, refused: LaunchRefusedError
    ) -> None:
        activity = self._log.begin(
            activities.LAUNCH, group.name, group.arn, cause=cause, status="InProgress", zone=zone
        )
        activity.end(
            self._world.clock.now(),
            refused.status_code,
            f"{refused.status_message} Launching EC2 instance failed.",
        )
        self._log.tell(activity)

    def retry_later(self, group: Group) -> None:
        """Count a failed launch and try again after a while."""
        group.launch_failures += 1
        if group.retry is None:
            wait = min(
                FIRST_RETRY_SECONDS * 2 ** (group.launch_failures - 1), LONGEST_RETRY_SECONDS
            )
            group.retry = self._world.clock.after(
                wait, f"{group.name} launches again", lambda: self._retry(group)
            )
        self._settle(group)

    def _retry(self, group: Group) -> None:
        group.retry = None
        self._settle(group)
