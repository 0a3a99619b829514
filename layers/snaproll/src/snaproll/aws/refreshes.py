"""Instance refreshes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from snaproll.aws.configurations import configuration, named_in, version_in
from snaproll.aws.refusals import SDK_ERRORS, code_of, message_of, named, named_errors
from snaproll.domain.fleet import RefreshPolicy
from snaproll.domain.group import Group, Refresh, RefreshStatus
from snaproll.domain.release import TemplateVersion
from snaproll.errors import (
    RefreshInProgressError,
    RefreshNotActiveError,
    RefreshRefusedError,
)

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.literals import ScaleInProtectedInstancesType, StandbyInstancesType
    from mypy_boto3_autoscaling.type_defs import InstanceRefreshTypeDef, RefreshPreferencesTypeDef

_PAGE = 100
_REFUSALS = frozenset(
    {
        "ValidationError",
        "InstanceRefreshInProgress",
        "IrreversibleInstanceRefresh",
        "ActiveInstanceRefreshNotFound",
    }
)


class Refreshes:
    """Instance refreshes of a group; at most one is active at a time."""

    def __init__(self, autoscaling: AutoScalingClient) -> None:
        self._autoscaling = autoscaling

    def get(self, group: str, refresh_id: str) -> Refresh | None:
        """One refresh; None when Auto Scaling forgot it (it keeps six weeks)."""
        try:
            reply = self._autoscaling.describe_instance_refreshes(
                AutoScalingGroupName=group, InstanceRefreshIds=[refresh_id]
            )
        except SDK_ERRORS as error:
            if code_of(error) == "ValidationError":
                return None
            raise named(error, f"describe the instance refresh {refresh_id}") from error
        found = reply.get("InstanceRefreshes", [])
        return _refresh(found[0]) if found else None

    def active(self, group: str) -> Refresh | None:
        """The refresh that acts on the group now."""
        # The newest comes first, and only the newest can be active.
        newest = next(self._newest_first(group, page_size=1), None)
        return newest if newest is not None and newest.status.active else None

    def to_version_since(
        self, group: str, version: TemplateVersion, since: datetime
    ) -> Refresh | None:
        """The newest refresh to this version that started at or after an instant, ended or not.

        StartInstanceRefresh takes no token; this is how a repeated step finds what it did before.
        """
        for refresh in self._newest_first(group, page_size=_PAGE):
            if refresh.started is not None and refresh.started < since:
                return None
            if refresh.desired == version:
                return refresh
        return None

    def _newest_first(self, group: str, *, page_size: int) -> Iterator[Refresh]:
        # boto3 has no paginator for this operation.
        token: str | None = None
        while True:
            with named_errors(f"list the instance refreshes of {group}"):
                reply = self._autoscaling.describe_instance_refreshes(
                    AutoScalingGroupName=group,
                    MaxRecords=page_size,
                    **({"NextToken": token} if token else {}),
                )
            yield from map(_refresh, reply.get("InstanceRefreshes", []))
            token = reply.get("NextToken")
            if not token:
                return

    def start_forward(
        self,
        group: Group,
        version: TemplateVersion,
        policy: RefreshPolicy,
        alarms: Sequence[str],
        bake: timedelta,
        *,
        reversible: bool,
    ) -> str:
        """Start replacing instances with a version that is not saved on the group; its id.

        Every preference is explicit, because defaults differ between the API and the console. One
        that is not reversible stops where it is when it fails, and does not go back by itself.

        Raises
        ------
        RefreshInProgressError
            Another refresh is active.
        RefreshRefusedError
            Auto Scaling refuses.
        """
        preferences = _preferences(policy)
        preferences["BakeTime"] = int(bake.total_seconds())
        preferences["AutoRollback"] = reversible
        if policy.checkpoints:
            preferences["CheckpointPercentages"] = policy.checkpoints
            preferences["CheckpointDelay"] = int(policy.checkpoint_wait.total_seconds())
        if alarms:
            preferences["AlarmSpecification"] = {"Alarms": list(alarms)}
        return self._start(group, version, preferences)

    def start_back(self, group: Group, version: TemplateVersion, policy: RefreshPolicy) -> str:
        """Start replacing what does not run a version that is saved on the group; its id.

        No checkpoints, bake, alarms or auto rollback: they would slow a return to what is proven,
        or return to what is not.

        Raises
        ------
        RefreshInProgressError
            Another refresh is active.
        RefreshRefusedError
            Auto Scaling refuses.
        """
        return self._start(group, version, _preferences(policy))

    def _start(
        self, group: Group, version: TemplateVersion, preferences: RefreshPreferencesTypeDef
    ) -> str:
        try:
            reply = self._autoscaling.start_instance_refresh(
                AutoScalingGroupName=group.name,
                Strategy="Rolling",
                DesiredConfiguration=configuration(group.mixed, version),
                Preferences=preferences,
            )
        except SDK_ERRORS as error:
            if code_of(error) in _REFUSALS:
                refused = (
                    RefreshInProgressError
                    if code_of(error) == "InstanceRefreshInProgress"
                    else RefreshRefusedError
                )
                raise refused(
                    f"Auto Scaling refused to refresh {group.name} to {version}: "
                    f"{message_of(error)}"
                ) from error
            raise named(error, f"start an instance refresh of {group.name}") from error
        return reply["InstanceRefreshId"]

    def cancel(self, group: str) -> None:
        """Stop the active refresh or rollback where it is; fine when none is active any more.

        What is being launched or terminated at this moment still ends up so.
        """
        try:
            self._autoscaling.cancel_instance_refresh(AutoScalingGroupName=group)
        except SDK_ERRORS as error:
            if code_of(error) != "ActiveInstanceRefreshNotFound":
                raise named(error, f"cancel the instance refresh of {group}") from error

    def roll_back(self, group: str) -> None:
        """Make the active refresh replace back what it replaced; check first whose it is.

        Raises
        ------
        RefreshNotActiveError
            No refresh is going forward any more.
        RefreshRefusedError
            This one cannot be reversed.
        """
        try:
            self._autoscaling.rollback_instance_refresh(AutoScalingGroupName=group)
        except SDK_ERRORS as error:
            if code_of(error) in _REFUSALS:
                refused = (
                    RefreshNotActiveError
                    if code_of(error) == "ActiveInstanceRefreshNotFound"
                    else RefreshRefusedError
                )
                raise refused(
                    f"Auto Scaling refused to roll {group} back: {message_of(error)}"
                ) from error
            raise named(error, f"roll back the instance refresh of {group}") from error


_PROTECTED: Mapping[str, ScaleInProtectedInstancesType] = {"wait": "Wait", "refresh": "Refresh"}
_STANDBY: Mapping[str, StandbyInstancesType] = {
    "wait": "Wait",
    "terminate": "Terminate",
    "ignore": "Ignore",
}


def _preferences(policy: RefreshPolicy) -> RefreshPreferencesTypeDef:
    return {
        "MinHealthyPercentage": policy.min_healthy,
        "MaxHealthyPercentage": policy.max_healthy,
        "InstanceWarmup": int(policy.warmup.total_seconds()),
        "SkipMatching": True,
        "ScaleInProtectedInstances": _PROTECTED[policy.protected_instances],
        "StandbyInstances": _STANDBY[policy.standby_instances],
    }


def _refresh(raw: InstanceRefreshTypeDef) -> Refresh:
    desired = named_in(raw.get("DesiredConfiguration", {}))
    return Refresh(
        id=raw["InstanceRefreshId"],
        status=RefreshStatus(raw["Status"]),
        desired=version_in(desired),
        reason=raw.get("StatusReason", ""),
        started=raw.get("StartTime"),
        rollback_reason=raw.get("RollbackDetails", {}).get("RollbackReason", ""),
        percentage=raw.get("PercentageComplete", 0),
    )
