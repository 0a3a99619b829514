"""CloudWatch alarms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from snaproll.aws.refusals import named_errors
from snaproll.domain.alarms import Alarm

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient


class Alarms:
    """Alarms by name."""

    def __init__(self, cloudwatch: CloudWatchClient) -> None:
        self._cloudwatch = cloudwatch

    def states(self, names: Sequence[str]) -> dict[str, str]:
        """The state of each alarm that exists."""
        return {name: alarm.state for name, alarm in self.find(names).items()}

    def find(self, names: Sequence[str]) -> dict[str, Alarm]:
        """Each alarm that exists, metric and composite ones alike.

        At most 100 names, which is more than a fleet may have.
        """
        if not names:
            return {}
        with named_errors("describe the fleet's alarms"):
            # Without AlarmTypes composite alarms are left out (API model DescribeAlarmsInput).
            reply = self._cloudwatch.describe_alarms(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        found = {
            str(one.get("AlarmName")): Alarm(
                state=str(one.get("StateValue")),
                loses_data=one.get("TreatMissingData", "missing") == "missing",
            )
            for one in reply.get("MetricAlarms", [])
        }
        for one in reply.get("CompositeAlarms", []):
            state = str(one.get("StateValue"))
            found[str(one.get("AlarmName"))] = Alarm(state=state, loses_data=False)
        return found
