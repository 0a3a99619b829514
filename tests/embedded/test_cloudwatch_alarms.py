"""Alarms: when they change, what they say, and how they are described."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from embedded.world.cloudwatch.watchkeeper import ARRIVAL_SECONDS
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.world import World

TOPIC = "arn:aws:sns:us-east-1:111122223333:alarms"


@pytest.fixture
def world() -> World:
    return World(seed=4)


def put_alarm(world: World, name: str = "errors", **params: Any) -> None:
    request = {
        "AlarmName": name,
        "Namespace": "App",
        "MetricName": "Errors",
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 5.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    merged = {key: value for key, value in {**request, **params}.items() if value is not None}
    world.call("cloudwatch", "PutMetricAlarm", merged)


def put(world: World, value: float, *, minutes: int = 1) -> None:
    for _ in range(minutes):
        datum = {"MetricName": "Errors", "Value": value}
        world.call("cloudwatch", "PutMetricData", {"Namespace": "App", "MetricData": [datum]})
        world.run_for(60)


def state(world: World, name: str = "errors") -> str | None:
    return world.cloudwatch.alarm_state(name)


def shape(world: World, name: str = "errors") -> dict[str, Any]:
    [found] = world.call("cloudwatch", "DescribeAlarms", {"AlarmNames": [name]})["MetricAlarms"]
    described: dict[str, Any] = found
    return described


def refusal(world: World, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as refused:
        world.call("cloudwatch", operation, params)
    return refused.value.code


def test_an_alarm_begins_with_insufficient_data(world: World) -> None:
    put_alarm(world)
    assert state(world) == "INSUFFICIENT_DATA"
    assert shape(world)["StateReason"] == "Unchecked: Initial alarm creation"


def test_missing_data_that_is_not_breaching_makes_it_ok(world: World) -> None:
    put_alarm(world)
    world.run_for(60 + ARRIVAL_SECONDS)
    assert state(world) == "OK"


def test_missing_data_is_insufficient_by_default(world: World) -> None:
    put_alarm(world, TreatMissingData=None)
    put(world, 1, minutes=3)
    assert state(world) == "OK"
    world.run_for(600)
    assert state(world) == "INSUFFICIENT_DATA"


def test_it_fires_after_all_its_periods_breached_and_recovers(world: World) -> None:
    put_alarm(world)
    put(world, 9, minutes=2)
    assert state(world) == "OK"
    put(world, 9)
    assert state(world) == "ALARM"
    put(world, 1, minutes=3)
    assert state(world) == "OK"


def test_m_out_of_n_datapoints_are_enough(world: World) -> None:
    put_alarm(world, EvaluationPeriods=3, DatapointsToAlarm=2)
    put(world, 9)
    put(world, 1)
    put(world, 9)
    world.run_for(120)
    assert state(world) == "ALARM"


def test_a_quiet_alarm_costs_no_events(world: World) -> None:
    put_alarm(world)
    put(world, 9, minutes=3)
    world.run_for(1800)
    assert world.clock.next_at() is None


def test_an_alarm_on_a_misspelt_metric_never_has_data(world: World) -> None:
    put_alarm(world, MetricName="Erors", TreatMissingData="missing")
    put(world, 9, minutes=5)
    assert state(world) == "INSUFFICIENT_DATA"


def test_dimensions_tell_metrics_apart(world: World) -> None:
    put_alarm(world, Dimensions=[{"Name": "Fleet", "Value": "sec"}])
    put(world, 9, minutes=4)
    assert state(world) == "OK"


def test_a_state_set_by_hand_lasts_until_the_next_evaluation(world: World) -> None:
    put_alarm(world)
    world.run_for(300)
    request = {"AlarmName": "errors", "StateValue": "ALARM", "StateReason": "a drill"}
    world.call("cloudwatch", "SetAlarmState", request)
    assert (state(world), shape(world)["StateReason"]) == ("ALARM", "a drill")
    world.run_for(60 + ARRIVAL_SECONDS)
    assert state(world) == "OK"


def test_a_held_alarm_stays_until_it_is_released(world: World) -> None:
    put_alarm(world)
    world.cloudwatch.hold("errors", "ALARM")
    put(world, 1, minutes=10)
    assert state(world) == "ALARM"
    world.cloudwatch.release("errors")
    world.run_for(120)
    assert state(world) == "OK"


def test_a_change_emits_the_documented_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[Any, ...]] = []
    monkeypatch.setattr(world.events, "emit", lambda *event: sent.append(event))
    put_alarm(world, AlarmDescription="too many errors", Dimensions=[{"Name": "F", "Value": "s"}])
    world.run_for(120)

    [(source, detail_type, detail, resources)] = sent
    assert (source, detail_type) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    assert resources == ["arn:aws:cloudwatch:us-east-1:111122223333:alarm:errors"]
    assert detail["alarmName"] == "errors"
    assert detail["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert detail["state"]["value"] == "OK"
    assert detail["state"]["timestamp"] == "2026-01-05T09:02:00.000+0000"
    assert json.loads(detail["state"]["reasonData"])["threshold"] == 5.0
    [metric] = detail["configuration"]["metrics"]
    assert metric["metricStat"]["metric"] == {
        "namespace": "App",
        "name": "Errors",
        "dimensions": {"F": "s"},
    }
    assert metric["returnData"] is True


def test_an_action_publishes_cloudwatchs_message(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[Any, ...]] = []
    monkeypatch.setattr(world.sns, "publish", lambda *sent, **_service: published.append(sent))
    put_alarm(world, AlarmActions=[TOPIC])
    put(world, 9, minutes=4)

    [(arn, subject, text)] = published
    message = json.loads(text)
    assert arn == TOPIC
    assert subject == 'ALARM: "errors" in US East (N. Virginia)'
    assert (message["OldStateValue"], message["NewStateValue"]) == ("OK", "ALARM")
    assert message["Trigger"]["Statistic"] == "SUM"
    assert message["Trigger"]["TreatMissingData"] == "notBreaching"
    assert message["StateChangeTime"].endswith("+0000")


def test_an_action_that_cannot_be_run_is_noted_and_changes_nothing_else(world: World) -> None:
    put_alarm(world, AlarmActions=[TOPIC])
    put(world, 9, minutes=4)
    assert state(world) == "ALARM"
    [(name, action, _)] = world.cloudwatch.failed_actions
    assert (name, action) == ("errors", TOPIC)


def test_disabled_actions_do_not_act(world: World) -> None:
    put_alarm(world, AlarmActions=[TOPIC])
    world.call("cloudwatch", "DisableAlarmActions", {"AlarmNames": ["errors"]})
    put(world, 9, minutes=4)
    assert (state(world), world.cloudwatch.failed_actions) == ("ALARM", [])


def test_watchers_hear_every_change(world: World) -> None:
    heard: list[tuple[str, str]] = []
    world.cloudwatch.watch(lambda name, value: heard.append((name, value)))
    put_alarm(world)
    put(world, 9, minutes=4)
    world.run_for(600)
    assert heard == [("errors", "OK"), ("errors", "ALARM"), ("errors", "OK")]


def test_a_composite_alarm_follows_its_children_at_once(world: World) -> None:
    put_alarm(world)
    put_alarm(world, "others", MetricName="Others")
    rule = "ALARM(errors) AND NOT ALARM(others)"
    world.call("cloudwatch", "PutCompositeAlarm", {"AlarmName": "both", "AlarmRule": rule})
    assert state(world, "both") == "OK"
    world.cloudwatch.hold("errors", "ALARM")
    assert state(world, "both") == "ALARM"
    world.cloudwatch.hold("others", "ALARM")
    assert state(world, "both") == "OK"


def test_a_composite_alarm_needs_children_that_exist(world: World) -> None:
    assert refusal(world, "PutCompositeAlarm", AlarmName="both", AlarmRule="ALARM(no)") == (
        "ValidationError"
    )


def test_an_alarm_under_a_composite_one_cannot_be_deleted(world: World) -> None:
    put_alarm(world)
    request = {"AlarmName": "both", "AlarmRule": "ALARM(errors)"}
    world.call("cloudwatch", "PutCompositeAlarm", request)
    assert refusal(world, "DeleteAlarms", AlarmNames=["errors"]) == "ValidationError"
    world.call("cloudwatch", "DeleteAlarms", {"AlarmNames": ["both"]})
    world.call("cloudwatch", "DeleteAlarms", {"AlarmNames": ["errors", "nobody"]})
    assert state(world) is None


def test_only_metric_alarms_are_described_unless_types_are_named(world: World) -> None:
    put_alarm(world)
    request = {"AlarmName": "both", "AlarmRule": "ALARM(errors)"}
    world.call("cloudwatch", "PutCompositeAlarm", request)
    plain = world.call("cloudwatch", "DescribeAlarms", {"AlarmNames": ["both", "errors"]})
    assert (len(plain["MetricAlarms"]), plain["CompositeAlarms"]) == (1, [])
    types = ["MetricAlarm", "CompositeAlarm"]
    every = world.call("cloudwatch", "DescribeAlarms", {"AlarmTypes": types})
    assert every["CompositeAlarms"][0]["AlarmRule"] == "ALARM(errors)"


def test_alarms_are_found_by_prefix_state_and_page(world: World) -> None:
    for name in ("a-1", "a-2", "b-1"):
        put_alarm(world, name)

    def names(**params: Any) -> list[str]:
        found = world.call("cloudwatch", "DescribeAlarms", params)["MetricAlarms"]
        return [alarm["AlarmName"] for alarm in found]

    assert names(AlarmNamePrefix="a-") == ["a-1", "a-2"]
    assert names(StateValue="OK") == []
    first = world.call("cloudwatch", "DescribeAlarms", {"MaxRecords": 2})
    assert names(MaxRecords=2, NextToken=first["NextToken"]) == ["b-1"]
    assert names(AlarmNames=["nobody"]) == []


def test_a_replaced_alarm_keeps_its_state_until_it_is_evaluated(world: World) -> None:
    put_alarm(world)
    put(world, 9, minutes=4)
    put_alarm(world, Threshold=100.0)
    assert state(world) == "ALARM"
    world.run_for(180)
    assert state(world) == "OK"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"Period": 45}, "ValidationError"),
        ({"DatapointsToAlarm": 3}, "ValidationError"),
        ({"TreatMissingData": "fine"}, "ValidationError"),
        ({"EvaluationPeriods": 2000}, "ValidationError"),
        ({"Statistic": None}, "InvalidParameterCombination"),
        ({"Threshold": None}, "MissingParameter"),
    ],
)
def test_a_bad_alarm_is_refused(world: World, params: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        put_alarm(world, **params)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "params",
    [
        {"Metrics": [{"Id": "m1", "Expression": "m2 / m3"}]},
        {"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]},
        {"Namespace": "AWS/ApplicationELB", "MetricName": "Latency"},
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
    ],
)
def test_what_is_not_modelled_is_refused_loudly(world: World, params: dict[str, Any]) -> None:
    with pytest.raises(NotEmulatedError):
        put_alarm(world, **params)


def test_values_with_counts_and_statistic_sets_are_metrics_too(world: World) -> None:
    put_alarm(world, "high", Statistic="Maximum", EvaluationPeriods=1)
    put_alarm(world, "p90", Statistic=None, ExtendedStatistic="p90", EvaluationPeriods=1)
    datum = {"MetricName": "Errors", "Values": [1.0, 9.0], "Counts": [19.0, 1.0]}
    world.call("cloudwatch", "PutMetricData", {"Namespace": "App", "MetricData": [datum]})
    world.run_for(121)
    assert (state(world, "high"), state(world, "p90")) == ("ALARM", "OK")


def test_put_data_must_not_pretend_to_be_amazons_nor_be_too_old(world: World) -> None:
    datum = {"MetricName": "Errors", "Value": 1.0}
    assert refusal(world, "PutMetricData", Namespace="AWS/EC2", MetricData=[datum]) == (
        "InvalidParameterValue"
    )
    old = {**datum, "Timestamp": world.clock.now() - timedelta(days=15)}
    assert refusal(world, "PutMetricData", Namespace="App", MetricData=[old]) == (
        "InvalidParameterValue"
    )


def test_setting_the_state_of_no_alarm_is_refused(world: World) -> None:
    request = {"AlarmName": "nobody", "StateValue": "OK", "StateReason": ""}
    assert refusal(world, "SetAlarmState", **request) == "ResourceNotFound"
