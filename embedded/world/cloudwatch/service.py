"""The operations of CloudWatch, and what the rest of the world asks of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from embedded.world.cloudwatch.alarms import (
    Alarm,
    AlarmState,
    CompositeAlarm,
    MetricAlarm,
    check_common,
    check_metric_alarm,
)
from embedded.world.cloudwatch.evaluation import INSUFFICIENT_DATA
from embedded.world.cloudwatch.metrics import MetricKey, Sample, Series, key_of
from embedded.world.cloudwatch.rules import Rule
from embedded.world.cloudwatch.watchkeeper import AlarmWatcher, Watchkeeper
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.world import World

PAGE = 50
LARGEST_PAGE = 100
OLDEST_DATA = timedelta(days=14)
NEWEST_DATA = timedelta(hours=2)
"""How far from now the time of a datapoint may be (botocore, PutMetricData)."""


class CloudWatch(Service):
    """Metrics and alarms."""

    name = "cloudwatch"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._keeper = Watchkeeper(world)

    # -- what the world uses -----------------------------------------------------------------------

    def alarm_state(self, name: str) -> str | None:
        """``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``; None when there is no such alarm."""
        return self._keeper.state_of(name)

    def watch(self, callback: AlarmWatcher) -> None:
        """Call back with (name, new state) on every change of any alarm."""
        self._keeper.watchers.append(callback)

    def record(
        self, namespace: str, name: str, dimensions: Mapping[str, str], value: float
    ) -> None:
        """Let a service of the world publish one value of a metric of its own."""
        key = MetricKey(namespace, name, frozenset(dimensions.items()))
        self._keep(key, Sample(self.world.clock.now(), 1, value, value, value))

    def hold(self, name: str, state: str, reason: str = "Held by the scenario") -> None:
        """Put an alarm into a state and keep it there, whatever its metric says."""
        alarm = self._alarm(name)
        self._keeper.held.add(name)
        self._keeper.change(alarm, state, reason, None)

    def release(self, name: str) -> None:
        """Let a held alarm follow its metric again."""
        self._keeper.held.discard(name)
        self._keeper.keep(self._alarm(name))

    def series(self, key: MetricKey) -> Series:
        """The values of a metric, for scenarios that look at what an alarm sees."""
        return self._keeper.series(key)

    @property
    def failed_actions(self) -> list[tuple[str, str, AwsError]]:
        """Actions that could not be run: alarm, action and why."""
        return list(self._keeper.failed_actions)

    # -- alarms ------------------------------------------------------------------------------------

    @operation("PutMetricAlarm")
    def put_metric_alarm(self, params: Params) -> Reply:
        """Make or replace a metric alarm; a replaced one keeps its state for now."""
        check_metric_alarm(params)
        self._keeper.series(key_of(params, params.get("Dimensions", [])))
        self._put(MetricAlarm, params)
        return {}

    @operation("PutCompositeAlarm")
    def put_composite_alarm(self, params: Params) -> Reply:
        """Make or replace a composite alarm over alarms that exist."""
        check_common(params)
        rule = Rule(params["AlarmRule"])
        missing = sorted(rule.children - self._keeper.alarms.keys())
        if missing:
            raise AwsError(
                "ValidationError",
                f"Could not save the composite alarm: the alarms {', '.join(missing)} in its rule "
                "do not exist.",
            )
        self._check_no_cycle(params["AlarmName"], rule)
        self._put(CompositeAlarm, params)
        return {}

    def _check_no_cycle(self, name: str, rule: Rule) -> None:
        below = set(rule.children)
        while below:
            child = self._keeper.alarms.get(below.pop())
            if child is not None and child.name == name:
                # AWS accepts a cycle and stops evaluating it.
                raise NotEmulatedError("composite alarms that depend on themselves")
            if isinstance(child, CompositeAlarm):
                below |= child.rule.children

    def _put(self, kind: type[MetricAlarm | CompositeAlarm], params: Params) -> None:
        name, now = params["AlarmName"], self.world.clock.now()
        known = self._keeper.alarms.get(name)
        if known is not None and not isinstance(known, kind):
            raise AwsError("ValidationError", f"An alarm of another type is called {name}.")
        first = AlarmState(INSUFFICIENT_DATA, "Unchecked: Initial alarm creation", now)
        request = copied({key: value for key, value in params.items() if key != "Tags"})
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        alarm = kind(
            name=name,
            arn=self.world.arn("cloudwatch", f"alarm:{name}"),
            request=request,
            configured=now,
            state=known.state if known else first,
            # Tags are for new alarms only (botocore, PutMetricAlarmInput.Tags).
            tags=known.tags if known else tags,
        )
        self._keeper.keep(alarm)

    @operation("DescribeAlarms")
    def describe_alarms(self, params: Params) -> Reply:
        """Alarms by name or prefix: metric alarms alone unless AlarmTypes says otherwise."""
        for member in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if params.get(member):
                raise NotEmulatedError(f"DescribeAlarms with {member}")
        chosen = [
            alarm for _, alarm in sorted(self._keeper.alarms.items()) if _asked(alarm, params)
        ]
        start = int(params.get("NextToken", "0"))
        end = start + min(params.get("MaxRecords", PAGE), LARGEST_PAGE)
        shown = chosen[start:end]
        reply: Reply = {
            "MetricAlarms": [a.describe() for a in shown if isinstance(a, MetricAlarm)],
            "CompositeAlarms": [a.describe() for a in shown if isinstance(a, CompositeAlarm)],
        }
        if end < len(chosen):
            reply["NextToken"] = str(end)
        return reply

    @operation("SetAlarmState")
    def set_alarm_state(self, params: Params) -> Reply:
        """Set a state for a moment: a metric alarm goes back at its next evaluation."""
        alarm = self._alarm(params["AlarmName"])
        data = json.loads(params["StateReasonData"]) if params.get("StateReasonData") else None
        self._keeper.change(alarm, params["StateValue"], params["StateReason"], data)
        self._keeper.wake(alarm)
        return {}

    @operation("DeleteAlarms")
    def delete_alarms(self, params: Params) -> Reply:
        """Delete alarms; names that do not exist are passed over."""
        names = [name for name in params["AlarmNames"] if name in self._keeper.alarms]
        composites = [
            name for name in names if isinstance(self._keeper.alarms[name], CompositeAlarm)
        ]
        if len(composites) > 1:
            raise AwsError("ValidationError", "Only one composite alarm can be deleted at a time.")
        for alarm in self._keeper.alarms.values():
            if isinstance(alarm, CompositeAlarm) and alarm.rule.children.intersection(names):
                raise AwsError(
                    "ValidationError",
                    f"Cannot delete {', '.join(names)}: the composite alarm {alarm.name} "
                    "depends on it.",
                )
        for name in names:
            self._keeper.drop(name)
        return {}

    @operation("EnableAlarmActions")
    def enable_alarm_actions(self, params: Params) -> Reply:
        """Let alarms act again."""
        return self._set_actions(params, enabled=True)

    @operation("DisableAlarmActions")
    def disable_alarm_actions(self, params: Params) -> Reply:
        """Stop alarms from acting; their states and events go on."""
        return self._set_actions(params, enabled=False)

    def _set_actions(self, params: Params, *, enabled: bool) -> Reply:
        for name in params["AlarmNames"]:
            if name in self._keeper.alarms:
                self._keeper.alarms[name].request["ActionsEnabled"] = enabled
        return {}

    def _alarm(self, name: str) -> Alarm:
        if name not in self._keeper.alarms:
            raise AwsError("ResourceNotFound", f"Unknown alarm {name}", http_status=404)
        return self._keeper.alarms[name]

    # -- tags --------------------------------------------------------------------------------------

    @operation("TagResource")
    def tag_resource(self, params: Params) -> Reply:
        """Add tags to an alarm."""
        alarm = self._by_arn(params["ResourceARN"])
        alarm.tags.update({tag["Key"]: tag["Value"] for tag in params["Tags"]})
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, params: Params) -> Reply:
        """The tags of an alarm."""
        tags = self._by_arn(params["ResourceARN"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _by_arn(self, arn: str) -> Alarm:
        for alarm in self._keeper.alarms.values():
            if alarm.arn == arn:
                return alarm
        raise AwsError("ResourceNotFoundException", f"Unknown resource {arn}", http_status=404)

    # -- metrics -----------------------------------------------------------------------------------

    @operation("PutMetricData")
    def put_metric_data(self, params: Params) -> Reply:
        """Put values of metrics of one's own."""
        if params["Namespace"].startswith("AWS/"):
            raise AwsError(
                "InvalidParameterValue",
                "The value AWS/ for parameter Namespace is invalid: it is reserved.",
            )
        if params.get("EntityMetricData"):
            raise NotEmulatedError("PutMetricData with EntityMetricData")
        samples = [
            (key_of({**item, **params}, item.get("Dimensions", [])), self._samples(item))
            for item in params.get("MetricData", [])
        ]
        for key, values in samples:
            for sample in values:
                self._keep(key, sample)
        return {}

    def _samples(self, item: dict[str, Any]) -> list[Sample]:
        now = self.world.clock.now()
        at = item.get("Timestamp", now)
        if not now - OLDEST_DATA <= at <= now + NEWEST_DATA:
            raise AwsError(
                "InvalidParameterValue",
                "The parameter Timestamp must be within two weeks before and two hours after now.",
            )
        if "StatisticValues" in item:
            put = item["StatisticValues"]
            return [Sample(at, put["SampleCount"], put["Sum"], put["Minimum"], put["Maximum"])]
        values = item.get("Values", [item["Value"]] if "Value" in item else [])
        counts = item.get("Counts", [1.0] * len(values))
        if not values or len(values) != len(counts):
            raise AwsError(
                "InvalidParameterCombination", "Values and Counts must be given in pairs."
            )
        return [
            Sample(at, count, value * count, value, value)
            for value, count in zip(values, counts, strict=True)
        ]

    def _keep(self, key: MetricKey, sample: Sample) -> None:
        self._keeper.put_series(key).add(sample)
        self._keeper.metric_changed(key)


def _asked(alarm: Alarm, params: Params) -> bool:
    kind = "MetricAlarm" if isinstance(alarm, MetricAlarm) else "CompositeAlarm"
    names = params.get("AlarmNames")
    action = params.get("ActionPrefix", "")
    return (
        kind in (params.get("AlarmTypes") or ["MetricAlarm"])
        and (not names or alarm.name in names)
        and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
        and params.get("StateValue") in (None, alarm.state.value)
        and (not action or any(item.startswith(action) for item in alarm.actions))
    )
