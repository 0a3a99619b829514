"""Scaling activities: what a group did, why, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embedded.world.autoscaling.requests import HISTORY, instant
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Params, Reply

if TYPE_CHECKING:
    from embedded.world.world import World

LAUNCH = "Launch"
TERMINATE = "Terminate"
STANDBY = "Standby"
IN_SERVICE = "InService"
SUCCESSFUL = "Successful"
FAILED = "Failed"
CANCELLED = "Cancelled"
DRAINING = "WaitingForELBConnectionDraining"

_PROGRESS = {
    "PreInService": 30,
    "InProgress": 50,
    DRAINING: 50,
    SUCCESSFUL: 100,
    FAILED: 100,
    CANCELLED: 100,
}
"""How far an activity is. AWS documents only the range; no rule here depends on it."""
_MESSAGE_LIMIT = 255
_CAUSE_LIMIT = 1023


@dataclass
class Activity:
    """One launch, termination or move of one instance."""

    id: str
    group_name: str
    group_arn: str
    kind: str
    """LAUNCH, TERMINATE, STANDBY or IN_SERVICE."""
    description: str
    cause: str
    started: datetime
    status: str
    zone: str | None = None
    instance_id: str | None = None
    message: str = ""
    ended: datetime | None = None

    def end(self, when: datetime, status: str, message: str = "") -> None:
        """Bring the activity to its end."""
        self.status, self.message, self.ended = status, message[:_MESSAGE_LIMIT], when

    def details(self) -> dict[str, str]:
        """The activity's ``Details``, which the API gives as JSON text and events as an object."""
        return {"Availability Zone": self.zone} if self.zone else {}

    def describe(self, *, group_exists: bool) -> Reply:
        """The activity as botocore's ``Activity`` shape."""
        shape: Reply = {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group_name,
            "AutoScalingGroupARN": self.group_arn,
            "Description": self.description
            + (" - Waiting For ELB Connection Draining." if self.status == DRAINING else ""),
            "Cause": self.cause[:_CAUSE_LIMIT],
            "StartTime": self.started,
            "StatusCode": self.status,
            "Progress": _PROGRESS[self.status],
            "Details": json.dumps(self.details()),
        }
        if self.ended is not None:
            shape["EndTime"] = self.ended
        if self.message:
            shape["StatusMessage"] = self.message
        if not group_exists:
            shape["AutoScalingGroupState"] = "Deleted"
        return shape

    def event(self) -> dict[str, Any]:
        """The detail of the event that tells of the activity's end.

        User guide, "Amazon EC2 Auto Scaling event reference": a success says ``InProgress``.
        """
        launch = self.kind == LAUNCH
        return {
            "Origin": "EC2" if launch else "AutoScalingGroup",
            "Destination": "AutoScalingGroup" if launch else "EC2",
            "StatusCode": "InProgress" if self.status == SUCCESSFUL else "Failed",
            "Description": self.description,
            "AutoScalingGroupName": self.group_name,
            "ActivityId": self.id,
            "Details": self.details(),
            "RequestId": self.id,
            "StatusMessage": self.message,
            "EndTime": instant(self.ended or self.started),
            "EC2InstanceId": self.instance_id or "",
            "StartTime": instant(self.started),
            "Cause": self.cause,
        }


class ActivityLog:
    """Every activity of every group, deleted groups included, for six weeks."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._all: list[Activity] = []

    def begin(
        self,
        kind: str,
        group_name: str,
        group_arn: str,
        *,
        cause: str,
        status: str,
        instance_id: str | None = None,
        zone: str | None = None,
    ) -> Activity:
        """Record the start of an activity."""
        activity = Activity(
            id=self._world.new_uuid(),
            group_name=group_name,
            group_arn=group_arn,
            kind=kind,
            description=describe_kind(kind, instance_id),
            cause=cause,
            started=self._world.clock.now(),
            status=status,
            zone=zone,
            instance_id=instance_id,
        )
        self._all.append(activity)
        return activity

    def tell(self, activity: Activity) -> None:
        """Emit the event of a launch or termination that came to its end."""
        outcome = "Successful" if activity.status == SUCCESSFUL else "Unsuccessful"
        resources = [activity.group_arn]
        if activity.instance_id:
            resources.append(self._world.arn("ec2", f"instance/{activity.instance_id}"))
        self._world.events.emit(
            "aws.autoscaling",
            f"EC2 Instance {activity.kind} {outcome}",
            activity.event(),
            resources,
        )

    def select(self, params: Params, is_group: Callable[[str], bool]) -> list[Activity]:
        """The activities that a DescribeScalingActivities asks for.

        Those in progress first, then the newest first (botocore, ActivitiesType).
        """
        horizon = self._world.clock.now() - HISTORY
        if self._all and self._all[0].started < horizon:
            self._all = [activity for activity in self._all if activity.started >= horizon]
        name, ids = params.get("AutoScalingGroupName"), params.get("ActivityIds")
        include_deleted = params.get("IncludeDeletedGroups", False)
        chosen: Iterable[Activity] = (
            activity
            for activity in reversed(self._all)
            if (name is None or activity.group_name == name)
            and (not ids or activity.id in ids)
            and (include_deleted or is_group(activity.group_arn))
        )
        for condition in params.get("Filters", []):
            chosen = [activity for activity in chosen if _meets(activity, condition)]
        return sorted(chosen, key=lambda activity: activity.ended is not None)


def describe_kind(kind: str, instance_id: str | None) -> str:
    """An activity's ``Description``."""
    if kind == LAUNCH:
        return (
            f"Launching a new EC2 instance: {instance_id}"
            if instance_id
            else ("Launching a new EC2 instance")
        )
    if kind == TERMINATE:
        return f"Terminating EC2 instance: {instance_id}"
    if kind == STANDBY:
        return f"Moving EC2 instance to Standby: {instance_id}"
    return f"Moving EC2 instance out of Standby: {instance_id}"


def _meets(activity: Activity, condition: Params) -> bool:
    name, values = condition.get("Name"), condition.get("Values", [])
    if name == "Status":
        return activity.status in values
    raise NotEmulatedError(f"the filter {name!r} of DescribeScalingActivities")
