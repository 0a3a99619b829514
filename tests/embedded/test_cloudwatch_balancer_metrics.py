"""The metrics of a load balancer follow from its targets and its traffic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from embedded.world.cloudwatch.balancers import NAMESPACE
from embedded.world.cloudwatch.metrics import MetricKey
from embedded.world.elbv2.groups import FAIL_OPEN_PERCENTAGE, STEADY_TRAFFIC
from tests.embedded.replicas import Replicas

BOTH = ("LoadBalancer", "TargetGroup")


def dimensions(replicas: Replicas, names: tuple[str, ...] = BOTH) -> dict[str, str]:
    world = replicas.world
    known = {
        "LoadBalancer": world.elbv2.balancer_suffix(replicas.load_balancer_arn),
        "TargetGroup": world.elbv2.group(replicas.target_group_arn).suffix,
    }
    return {name: known[name] for name in names}


class Meter:
    """Reads metrics of whole minutes as the alarms on them see them."""

    def __init__(self, replicas: Replicas) -> None:
        self.replicas = replicas

    def minute(self, name: str, statistic: str, names: tuple[str, ...] = BOTH) -> float | None:
        """Let a whole minute pass and give the metric's value over it."""
        world = self.replicas.world
        start = datetime.fromtimestamp(-(-world.clock.now().timestamp() // 60) * 60, UTC)
        world.clock.advance_to(start + timedelta(minutes=1))
        key = MetricKey(NAMESPACE, name, frozenset(dimensions(self.replicas, names).items()))
        series = world.cloudwatch.series(key)
        return series.datapoint(start, start + timedelta(minutes=1), statistic)


def alarm(replicas: Replicas, name: str, metric: str, **params: object) -> None:
    request = {
        "AlarmName": name,
        "Namespace": NAMESPACE,
        "MetricName": metric,
        "Dimensions": [
            {"Name": key, "Value": value} for key, value in dimensions(replicas).items()
        ],
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **params,
    }
    replicas.world.call("cloudwatch", "PutMetricAlarm", request)


def test_host_counts_follow_target_health() -> None:
    replicas = Replicas(scenario="degrades")
    meter = Meter(replicas)
    assert meter.minute("HealthyHostCount", "Minimum") is None
    instance = replicas.serving()
    assert meter.minute("HealthyHostCount", "Minimum") == 1
    assert meter.minute("UnHealthyHostCount", "Maximum") == 0
    while replicas.state(instance).state == "healthy":
        replicas.world.step()
    assert meter.minute("HealthyHostCount", "Maximum") == 0
    assert meter.minute("UnHealthyHostCount", "Minimum") == 1


def test_deregistering_lowers_healthy_and_does_not_raise_unhealthy() -> None:
    replicas = Replicas()
    meter = Meter(replicas)
    first = replicas.serving()
    replicas.serving()
    replicas.world.elbv2.deregister(replicas.target_group_arn, first.id, lambda: None)
    assert meter.minute("HealthyHostCount", "Maximum") == 1
    assert meter.minute("UnHealthyHostCount", "Maximum") == 0


def test_host_counts_need_both_dimensions() -> None:
    replicas = Replicas()
    replicas.serving()
    assert Meter(replicas).minute("HealthyHostCount", "Minimum", ("TargetGroup",)) is None


def test_request_metrics_exist_only_while_requests_flow() -> None:
    replicas = Replicas()
    replicas.serving()
    meter = Meter(replicas)
    assert meter.minute("RequestCount", "Sum") == STEADY_TRAFFIC
    assert meter.minute("HTTPCode_Target_2XX_Count", "Sum") == STEADY_TRAFFIC
    assert meter.minute("HTTPCode_Target_2XX_Count", "Average") == 1
    assert meter.minute("TargetResponseTime", "Average") is not None
    replicas.world.elbv2.set_traffic(replicas.target_group_arn, 0)
    assert meter.minute("RequestCount", "Sum") is None
    assert meter.minute("TargetResponseTime", "Average") is None
    assert meter.minute("HealthyHostCount", "Minimum") == 1


def test_target_errors_exist_only_when_there_are_some() -> None:
    replicas = Replicas(scenario="degrades")
    meter = Meter(replicas)
    instance = replicas.serving()
    assert meter.minute("HTTPCode_Target_5XX_Count", "Sum") is None
    while instance.answers:
        replicas.world.step()
    # Routed to until the threshold, and after that because nothing better is left.
    assert meter.minute("HTTPCode_Target_5XX_Count", "Sum") == STEADY_TRAFFIC


def test_a_healthy_target_takes_the_traffic_of_an_unhealthy_one() -> None:
    replicas = Replicas()
    meter = Meter(replicas)
    replicas.serving()
    corrupt = replicas.world.ec2.add_snapshot(tags={"embedded:scenario": "corrupt"})
    bad = replicas.running(replicas.template(corrupt, name="corrupt"))
    replicas.world.elbv2.register(replicas.target_group_arn, bad.id)
    replicas.world.run_for(300)
    assert replicas.state(bad).state == "unhealthy"
    assert meter.minute("HTTPCode_Target_5XX_Count", "Sum") is None
    assert meter.minute("RequestCount", "Sum") == STEADY_TRAFFIC


def test_without_a_healthy_target_the_load_balancer_fails_open() -> None:
    replicas = Replicas(scenario="corrupt")
    meter = Meter(replicas)
    bad = replicas.running()
    replicas.world.elbv2.register(replicas.target_group_arn, bad.id)
    replicas.world.run_for(300)
    assert meter.minute("HTTPCode_Target_5XX_Count", "Sum") == STEADY_TRAFFIC
    assert meter.minute("UnhealthyRoutingRequestCount", "Sum") == STEADY_TRAFFIC


def test_it_fails_open_below_a_percentage_too() -> None:
    replicas = Replicas()
    replicas.serving()
    corrupt = replicas.world.ec2.add_snapshot(tags={"embedded:scenario": "corrupt"})
    bad = replicas.running(replicas.template(corrupt, name="corrupt"))
    replicas.world.elbv2.register(replicas.target_group_arn, bad.id)
    replicas.call(
        "elbv2",
        "ModifyTargetGroupAttributes",
        TargetGroupArn=replicas.target_group_arn,
        Attributes=[{"Key": FAIL_OPEN_PERCENTAGE, "Value": "60"}],
    )
    replicas.world.run_for(300)
    half = Meter(replicas).minute("HTTPCode_Target_5XX_Count", "Sum")
    assert half == STEADY_TRAFFIC / 2


def test_without_any_target_the_load_balancer_answers_503_itself() -> None:
    replicas = Replicas()
    meter = Meter(replicas)
    replicas.world.elbv2.set_traffic(replicas.target_group_arn, 60)
    assert meter.minute("HTTPCode_ELB_503_Count", "Sum", ("LoadBalancer",)) == 60
    assert meter.minute("HTTPCode_ELB_503_Count", "Sum") is None
    assert meter.minute("RequestCount", "Sum") is None


def test_an_alarm_on_errors_fires_when_the_data_degrades() -> None:
    replicas = Replicas(scenario="degrades")
    alarm(replicas, "errors", "HTTPCode_Target_5XX_Count", Statistic="Sum")
    instance = replicas.serving()
    replicas.world.run_for(240)
    assert replicas.world.cloudwatch.alarm_state("errors") == "OK"
    while instance.answers:
        replicas.world.step()
    replicas.world.run_for(240)
    assert replicas.world.cloudwatch.alarm_state("errors") == "ALARM"


def test_an_alarm_on_unhealthy_hosts_recovers_with_its_target() -> None:
    replicas = Replicas(scenario="flapping")
    alarm(replicas, "unhealthy", "UnHealthyHostCount", Statistic="Maximum")
    heard: list[str] = []
    replicas.world.cloudwatch.watch(lambda _name, value: heard.append(value))
    replicas.serving()
    replicas.world.run_for(1200)
    assert heard[:3] == ["OK", "ALARM", "OK"]


def test_no_traffic_silences_an_alarm_on_errors() -> None:
    replicas = Replicas(scenario="corrupt")
    replicas.world.elbv2.set_traffic(replicas.target_group_arn, 0)
    alarm(replicas, "errors", "HTTPCode_Target_5XX_Count", Statistic="Sum")
    bad = replicas.running()
    replicas.world.elbv2.register(replicas.target_group_arn, bad.id)
    replicas.world.run_for(1200)
    assert replicas.world.cloudwatch.alarm_state("errors") == "OK"


@pytest.mark.parametrize(
    ("treatment", "state"), [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK")]
)
def test_an_error_alarm_needs_a_treatment_of_missing_data(treatment: str, state: str) -> None:
    replicas = Replicas()
    replicas.serving()
    alarm(
        replicas, "errors", "HTTPCode_Target_5XX_Count", Statistic="Sum", TreatMissingData=treatment
    )
    replicas.world.run_for(600)
    assert replicas.world.cloudwatch.alarm_state("errors") == state


def test_steady_traffic_costs_no_events() -> None:
    replicas = Replicas()
    alarm(replicas, "errors", "HTTPCode_Target_5XX_Count", Statistic="Sum")
    replicas.serving()
    replicas.world.run_for(3600)
    assert replicas.world.clock.next_at() is None
