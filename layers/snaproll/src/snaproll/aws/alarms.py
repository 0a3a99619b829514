"""CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snaproll.aws.refusals import named_errors

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class Alarms:
    """The states of alarms."""

    def __init__(self, cloudwatch: CloudWatchClient) -> None:
        self._cloudwatch = cloudwatch

    def states(self, names: Sequence[str]) -> dict[str, str]:
        """The state of each alarm that exists, metric and composite ones alike.

        At most 100 names, which is more than a fleet may have.
        """
        if not names:
            return {}
        with named_errors("describe the fleet's alarms"):
            # Without AlarmTypes composite alarms are left out (API model DescribeAlarmsInput).
            reply = self._cloudwatch.describe_alarms(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        found = [*reply.get("MetricAlarms", []), *reply.get("CompositeAlarms", [])]
        return {str(one.get("AlarmName")): str(one.get("StateValue")) for one in found}
