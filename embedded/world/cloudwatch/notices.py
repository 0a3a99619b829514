"""What an alarm says when its state changes: the event, and the message to a topic."""

from __future__ import annotations

import json

from embedded.world.cloudwatch.alarms import Alarm, AlarmState, MetricAlarm, event_time
from embedded.world.service import Reply

DETAIL_TYPE = "CloudWatch Alarm State Change"
REGION_NAMES = {
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-2": "US West (Oregon)",
    "eu-west-1": "EU (Ireland)",
    "eu-central-1": "EU (Frankfurt)",
}
"""What messages call a Region; the code stands for those not listed."""


def event_detail(alarm: Alarm, before: AlarmState, configuration: Reply) -> Reply:
    """The detail of the event (CloudWatch user guide, "Alarm events and EventBridge")."""
    return {
        "alarmName": alarm.name,
        "configuration": configuration,
        "previousState": before.describe(),
        "state": alarm.state.describe(),
    }


def topic_subject(alarm: Alarm, region: str) -> str:
    """The subject of the message to a topic."""
    return f'{alarm.state.value}: "{alarm.name}" in {REGION_NAMES.get(region, region)}'


def topic_message(alarm: Alarm, before: AlarmState, *, account: str, region: str) -> str:
    """The JSON that CloudWatch publishes to a topic."""
    message: Reply = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.request.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": event_time(alarm.configured),
        "NewStateValue": alarm.state.value,
        "NewStateReason": alarm.state.reason,
        "StateChangeTime": event_time(alarm.state.at),
        "Region": REGION_NAMES.get(region, region),
        "AlarmArn": alarm.arn,
        "OldStateValue": before.value,
        "OKActions": list(alarm.request.get("OKActions", [])),
        "AlarmActions": list(alarm.request.get("AlarmActions", [])),
        "InsufficientDataActions": list(alarm.request.get("InsufficientDataActions", [])),
    }
    if isinstance(alarm, MetricAlarm):
        message["Trigger"] = _trigger(alarm)
    else:
        message["AlarmRule"] = alarm.request["AlarmRule"]
    return json.dumps(message)


def _trigger(alarm: MetricAlarm) -> Reply:
    condition = alarm.condition
    extended = "ExtendedStatistic" in alarm.request
    return {
        "MetricName": alarm.key.name,
        "Namespace": alarm.key.namespace,
        "StatisticType": "ExtendedStatistic" if extended else "Statistic",
        ("ExtendedStatistic" if extended else "Statistic"): (
            alarm.statistic if extended else alarm.statistic.upper()
        ),
        "Unit": alarm.request.get("Unit"),
        "Dimensions": [
            {"value": item["Value"], "name": item["Name"]}
            for item in alarm.request.get("Dimensions", [])
        ],
        "Period": alarm.period,
        "EvaluationPeriods": condition.evaluation_periods,
        "DatapointsToAlarm": condition.datapoints_to_alarm,
        "ComparisonOperator": condition.comparison,
        "Threshold": condition.threshold,
        "TreatMissingData": condition.missing,
        "EvaluateLowSampleCountPercentile": "",
    }
