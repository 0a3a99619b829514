"""The alarms of the account: when they look at their metrics and what happens when they change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from embedded.world.cloudwatch import notices
from embedded.world.cloudwatch.alarms import (
    Alarm,
    AlarmState,
    CompositeAlarm,
    MetricAlarm,
    event_time,
)
from embedded.world.cloudwatch.balancers import NAMESPACE, BalancerMetrics
from embedded.world.cloudwatch.evaluation import ALARM, EXTRA_PERIODS, OK, conclude, explain
from embedded.world.cloudwatch.metrics import MetricKey, PutSeries, Series
from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.clock import Timer
    from embedded.world.world import World

ARRIVAL_SECONDS = 60
"""From the end of a period to when its datapoint can be evaluated.

Not documented; the metrics of AWS services usually arrive one to a few minutes late.
"""

RECORDED = {
    "AWS/Lambda": frozenset({"Invocations", "Errors"}),
    "AWS/SQS": frozenset({"ApproximateNumberOfMessagesVisible"}),
    "AWS/States": frozenset(
        {"ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsAborted", "ExecutionsTimedOut"}
    ),
}
"""What the world's services publish of themselves; an alarm on another of theirs would sleep."""

AlarmWatcher = Callable[[str, str], None]
"""Told of an alarm's name and its new state."""


class Watchkeeper:
    """Evaluates alarms, tells of their changes and runs their actions.

    A metric alarm is evaluated after every period as long as something changed within its
    evaluation range. After that it sleeps until its metric changes: a quiet world costs nothing.
    Periods are aligned to the clock; AWS may slide longer ones by the minute, which finds a
    breach earlier.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._timers: dict[str, Timer] = {}
        self._put: dict[MetricKey, PutSeries] = {}
        self._balancers = BalancerMetrics(world, self._balancers_changed)
        self.alarms: dict[str, Alarm] = {}
        self._on: dict[MetricKey, dict[str, MetricAlarm]] = {}
        """The alarms on each metric, by name."""
        self.held: set[str] = set()
        self.watchers: list[AlarmWatcher] = []
        self.failed_actions: list[tuple[str, str, AwsError]] = []
        """Actions that could not be run: alarm, action and why. AWS shows them in the history."""

    # -- metrics -----------------------------------------------------------------------------------

    def put_series(self, key: MetricKey) -> PutSeries:
        """The series that callers put under this name, empty at first."""
        known = self._put.get(key)
        if known is None:
            known = self._put[key] = PutSeries()
        return known

    def series(self, key: MetricKey) -> Series:
        """The series of any metric; a metric that nobody feeds has no data."""
        if key.namespace == NAMESPACE:
            return self._balancers.series(key)
        if key.namespace in RECORDED and key.name not in RECORDED[key.namespace]:
            raise NotEmulatedError(f"the metric {key.name} of {key.namespace}")
        return self.put_series(key)

    def metric_changed(self, key: MetricKey) -> None:
        """Wake the alarms on one metric."""
        for alarm in self._on.get(key, {}).values():
            self.wake(alarm)

    def _balancers_changed(self) -> None:
        for alarm in self._metric_alarms():
            if alarm.key.namespace == NAMESPACE:
                self.wake(alarm)

    def _metric_alarms(self) -> list[MetricAlarm]:
        return [alarm for alarm in self.alarms.values() if isinstance(alarm, MetricAlarm)]

    # -- alarms ------------------------------------------------------------------------------------

    def keep(self, alarm: Alarm) -> None:
        """Keep a new or changed alarm and look at it soon."""
        before = self.alarms.get(alarm.name)
        self.alarms[alarm.name] = alarm
        if isinstance(alarm, MetricAlarm):
            if isinstance(before, MetricAlarm) and before.key != alarm.key:
                del self._on[before.key][alarm.name]
            self._on.setdefault(alarm.key, {})[alarm.name] = alarm
            self.wake(alarm)
        elif isinstance(alarm, CompositeAlarm):
            self._compose(alarm)

    def drop(self, name: str) -> None:
        """Forget an alarm."""
        dropped = self.alarms.pop(name, None)
        if isinstance(dropped, MetricAlarm):
            del self._on[dropped.key][name]
        self.held.discard(name)
        if name in self._timers:
            self._timers.pop(name).cancel()

    def wake(self, alarm: Alarm) -> None:
        """Look at a metric alarm when the period under way has ended and its data has arrived."""
        if isinstance(alarm, MetricAlarm) and alarm.name not in self._timers:
            now = self._world.clock.now()
            self._plan(alarm, _aligned(now, alarm.period) + timedelta(seconds=alarm.period))

    def _plan(self, alarm: MetricAlarm, end: datetime) -> None:
        self._timers[alarm.name] = self._world.clock.at(
            end + timedelta(seconds=ARRIVAL_SECONDS),
            f"alarm {alarm.name} evaluated",
            lambda: self._evaluate(alarm.name, end),
        )

    def _evaluate(self, name: str, end: datetime) -> None:
        del self._timers[name]
        alarm = self.alarms[name]
        if not isinstance(alarm, MetricAlarm) or name in self.held:
            return
        condition, series = alarm.condition, self.series(alarm.key)
        step = timedelta(seconds=alarm.period)
        count = condition.evaluation_periods + EXTRA_PERIODS
        starts = [end - step * (count - index) for index in range(count)]
        datapoints = series.datapoints(starts, step, alarm.statistic)
        changed = series.unsettled_since()
        if changed is not None and changed >= starts[0]:
            self._plan(alarm, end + step)
        state = conclude(condition, datapoints, alarm.state.value)
        if state != alarm.state.value:
            reason = explain(condition, datapoints, state)
            self.change(alarm, state, reason, self._reason_data(alarm, starts, datapoints))

    def _reason_data(
        self, alarm: MetricAlarm, starts: list[datetime], datapoints: list[float | None]
    ) -> dict[str, Any]:
        pairs = list(zip(starts, datapoints, strict=True))[EXTRA_PERIODS:]
        real = [(start, value) for start, value in pairs if value is not None]
        return {
            "version": "1.0",
            "queryDate": event_time(self._world.clock.now()),
            "startDate": event_time(pairs[0][0]),
            "statistic": alarm.statistic,
            "period": alarm.period,
            "recentDatapoints": [value for _, value in real],
            "threshold": alarm.condition.threshold,
            "evaluatedDatapoints": [
                {"timestamp": event_time(start), "value": value} for start, value in real[::-1]
            ],
        }

    # -- changes -----------------------------------------------------------------------------------

    def change(
        self, alarm: Alarm, value: str, reason: str, reason_data: dict[str, Any] | None
    ) -> None:
        """Put an alarm into a state; an equal one only renews its reason."""
        before = alarm.state
        if before.value == value:
            alarm.state = AlarmState(value, reason, before.at, reason_data)
            return
        alarm.state = AlarmState(value, reason, self._world.clock.now(), reason_data)
        self._world.events.emit(
            "aws.cloudwatch",
            notices.DETAIL_TYPE,
            notices.event_detail(alarm, before, alarm.configuration(self._world.new_uuid())),
            [alarm.arn],
        )
        self._act(alarm, before)
        for callback in tuple(self.watchers):
            callback(alarm.name, value)
        self._tell_parents(alarm.name)

    def _act(self, alarm: Alarm, before: AlarmState) -> None:
        world = self._world
        for action in alarm.actions:
            message = notices.topic_message(
                alarm, before, account=world.account, region=world.region
            )
            subject = notices.topic_subject(alarm, world.region)
            try:
                world.sns.publish(
                    action,
                    subject,
                    message,
                    service="cloudwatch.amazonaws.com",
                    source_arn=alarm.arn,
                )
            except AwsError as refused:
                # A topic that is gone or does not let CloudWatch in: AWS notes the failure in
                # the alarm's history, and the state has changed all the same.
                self.failed_actions.append((alarm.name, action, refused))

    def _tell_parents(self, name: str) -> None:
        for alarm in tuple(self.alarms.values()):
            if isinstance(alarm, CompositeAlarm) and name in alarm.rule.children:
                self._compose(alarm)

    def _compose(self, alarm: CompositeAlarm) -> None:
        if alarm.name in self.held:
            return
        value = ALARM if alarm.rule.holds(self.state_of) else OK
        self.change(
            alarm,
            value,
            f"{alarm.arn} transitioned to {value} because its rule {alarm.rule.text} is "
            f"{'true' if value == ALARM else 'false'}",
            None,
        )

    def state_of(self, name: str) -> str | None:
        """An alarm's state, None when there is none of that name."""
        alarm = self.alarms.get(name)
        return alarm.state.value if alarm else None


def _aligned(when: datetime, period: int) -> datetime:
    """The start of the period that an instant lies in."""
    seconds = int(when.timestamp())
    return datetime.fromtimestamp(seconds - seconds % period, UTC)
