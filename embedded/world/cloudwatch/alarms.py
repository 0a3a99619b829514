"""Alarms as the world holds them: their configuration, their state and their shapes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from embedded.world.cloudwatch.evaluation import (
    ALARM,
    COMPARISONS,
    IGNORE,
    INSUFFICIENT_DATA,
    MISSING,
    OK,
    TREATMENTS,
    Condition,
)
from embedded.world.cloudwatch.metrics import MetricKey, key_of
from embedded.world.cloudwatch.rules import Rule
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply

SHORT_PERIODS = frozenset({10, 20, 30})
MINUTE = 60
LONGEST_RANGE = 24 * 3600
"""EvaluationPeriods times Period may not exceed a day (for periods below one hour)."""
ACTION_MEMBERS = {
    OK: "OKActions",
    ALARM: "AlarmActions",
    INSUFFICIENT_DATA: "InsufficientDataActions",
}


@dataclass
class AlarmState:
    """A state and since when and why."""

    value: str
    reason: str
    at: datetime
    reason_data: dict[str, Any] | None = None

    def describe(self) -> Reply:
        """The state as the event has it."""
        shape: Reply = {
            "value": self.value,
            "reason": self.reason,
            "timestamp": event_time(self.at),
        }
        if self.reason_data is not None:
            shape["reasonData"] = json.dumps(self.reason_data)
        return shape


@dataclass
class Alarm:
    """What metric and composite alarms have in common. ``request`` holds the put members."""

    name: str
    arn: str
    request: Params
    configured: datetime
    state: AlarmState
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def actions(self) -> list[str]:
        """The actions of the state that the alarm is in, none when they are disabled."""
        if not self.request.get("ActionsEnabled", True):
            return []
        return list(self.request.get(ACTION_MEMBERS[self.state.value], []))

    def configuration(self, metric_id: str) -> Reply:
        """``detail.configuration`` of the event; each kind of alarm has its own."""
        raise NotImplementedError

    def describe(self) -> Reply:
        """The members that both kinds of alarm show."""
        shape: Reply = {
            "AlarmName": self.name,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured,
            "ActionsEnabled": self.request.get("ActionsEnabled", True),
            "StateValue": self.state.value,
            "StateReason": self.state.reason,
            "StateUpdatedTimestamp": self.state.at,
            "StateTransitionedTimestamp": self.state.at,
        }
        for member in ACTION_MEMBERS.values():
            shape[member] = list(self.request.get(member, []))
        if "AlarmDescription" in self.request:
            shape["AlarmDescription"] = self.request["AlarmDescription"]
        if self.state.reason_data is not None:
            shape["StateReasonData"] = json.dumps(self.state.reason_data)
        return shape


@dataclass
class MetricAlarm(Alarm):
    """An alarm on one metric."""

    @cached_property
    def key(self) -> MetricKey:
        """The metric it watches."""
        return key_of(self.request, self.request.get("Dimensions", []))

    @property
    def period(self) -> int:
        """The length of a datapoint in seconds."""
        return int(self.request["Period"])

    @property
    def statistic(self) -> str:
        """What a datapoint is of the values in its period."""
        return str(self.request.get("Statistic") or self.request.get("ExtendedStatistic"))

    @cached_property
    def condition(self) -> Condition:
        """When it breaches."""
        periods = self.request["EvaluationPeriods"]
        return Condition(
            comparison=self.request["ComparisonOperator"],
            threshold=float(self.request["Threshold"]),
            evaluation_periods=periods,
            datapoints_to_alarm=int(self.request.get("DatapointsToAlarm") or periods),
            # Alarms on DynamoDB's metrics always ignore missing data (botocore,
            # PutMetricAlarmInput.TreatMissingData).
            missing=(
                IGNORE
                if self.request["Namespace"] == "AWS/DynamoDB"
                else self.request.get("TreatMissingData", MISSING)
            ),
        )

    def describe(self) -> Reply:
        """The alarm as CloudWatch's ``MetricAlarm`` shape."""
        shape = super().describe()
        for member in METRIC_MEMBERS:
            if member in self.request:
                shape[member] = self.request[member]
        shape["Dimensions"] = [dict(item) for item in self.request.get("Dimensions", [])]
        return shape

    def configuration(self, metric_id: str) -> Reply:
        """``detail.configuration`` of the event."""
        key = self.key
        return {
            "description": self.request.get("AlarmDescription", ""),
            "metrics": [
                {
                    "id": metric_id,
                    "metricStat": {
                        "metric": {
                            "namespace": key.namespace,
                            "name": key.name,
                            "dimensions": dict(sorted(key.dimensions)),
                        },
                        "period": self.period,
                        "stat": self.statistic,
                    },
                    "returnData": True,
                }
            ],
        }


@dataclass
class CompositeAlarm(Alarm):
    """An alarm on the states of other alarms."""

    @property
    def rule(self) -> Rule:
        """The parsed rule."""
        return Rule(self.request["AlarmRule"])

    def describe(self) -> Reply:
        """The alarm as CloudWatch's ``CompositeAlarm`` shape."""
        return {**super().describe(), "AlarmRule": self.request["AlarmRule"]}

    def configuration(self, metric_id: str) -> Reply:  # noqa: ARG002 - it has no metric
        """``detail.configuration`` of the event."""
        return {
            "alarmRule": self.request["AlarmRule"],
            "description": self.request.get("AlarmDescription", ""),
        }


METRIC_MEMBERS = (
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
)
UNMODELLED = (
    "Metrics",
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
    "ActionConfiguration",
    "ActionsSuppressor",
    "ActionsSuppressorWaitPeriod",
    "ActionsSuppressorExtensionPeriod",
)


def check_common(params: Params) -> None:
    """Refuse loudly what the world does not model in either kind of alarm."""
    for member in UNMODELLED:
        if params.get(member):
            raise NotEmulatedError(f"alarms with {member}")
    for member in ACTION_MEMBERS.values():
        for action in params.get(member, []):
            if not action.startswith("arn:aws:sns:"):
                raise NotEmulatedError(f"the alarm action {action}")


def check_metric_alarm(params: Params) -> None:
    """Refuse a metric alarm that CloudWatch refuses.

    Raises
    ------
    AwsError
        ``ValidationError`` or ``MissingParameter``.
    """
    check_common(params)
    for member in (
        "MetricName",
        "Namespace",
        "Period",
        "EvaluationPeriods",
        "ComparisonOperator",
        "Threshold",
    ):
        if member not in params:
            raise AwsError("MissingParameter", f"The parameter {member} is required.")
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise AwsError(
            "InvalidParameterCombination",
            "Exactly one of Statistic and ExtendedStatistic must be specified.",
        )
    period, periods = params["Period"], params["EvaluationPeriods"]
    if period not in SHORT_PERIODS and period % MINUTE:
        raise AwsError("ValidationError", "Period must be 10, 20, 30 or a multiple of 60 seconds.")
    if period * periods > LONGEST_RANGE:
        raise AwsError("ValidationError", "Metrics cannot be checked across more than a day.")
    if not 1 <= params.get("DatapointsToAlarm", 1) <= periods:
        raise AwsError("ValidationError", "DatapointsToAlarm must be 1 to EvaluationPeriods.")
    if params.get("TreatMissingData", "missing") not in TREATMENTS:
        raise AwsError("ValidationError", f"TreatMissingData must be one of {TREATMENTS}.")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise NotEmulatedError(f"alarms with {params['ComparisonOperator']}")


def event_time(when: datetime) -> str:
    """An instant as alarm events have it: ``2019-10-02T17:04:40.989+0000``."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}+0000"
