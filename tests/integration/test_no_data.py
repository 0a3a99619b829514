"""Alarms that say nothing mean what the fleet says they mean."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from tests.integration.seen import Seen, outcome, reason, states_of


def ruled(stage: Stage, fleet: StagedFleet, rule: str, *alarms: str) -> None:
    """Let the fleet's policy say what no data means."""
    health = {"alarms": [fleet.alarm, *alarms], "no_data": rule}
    stage.configure(fleet, {"health": health})


def silence(stage: Stage, fleet: StagedFleet) -> None:
    """Let the fleet's alarm be without data from now on."""
    stage.world.cloudwatch.hold(fleet.alarm, "INSUFFICIENT_DATA")


def begin(stage: Stage, fleet: StagedFleet) -> Execution:
    """Complete a snapshot, and let its rollout come to where it watches the refresh."""
    stage.complete_snapshot(fleet)
    stage.world.run_until(
        lambda: bool(stage.rollouts()) and "AwaitSignal" in states_of(stage.rollouts()[-1]),
        limit=timedelta(minutes=5),
    )
    stage.world.run_for(60)
    return stage.rollouts()[-1]


def on_traffic(stage: Stage, fleet: StagedFleet) -> str:
    """Make an alarm on the fleet's requests, which has no data without traffic; its name."""
    elbv2 = stage.session.client("elbv2")
    balancer = elbv2.describe_load_balancers(Names=[f"{fleet.name}-lb"])["LoadBalancers"][0]
    name = f"{fleet.name}-latency"
    stage.session.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="TargetResponseTime",
        Dimensions=[
            {"Name": "LoadBalancer", "Value": balancer["LoadBalancerArn"].split("loadbalancer/")[1]}
        ],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=3,
        Threshold=2,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def state_of(stage: Stage, alarm: str) -> str | None:
    return stage.world.cloudwatch.alarm_state(alarm)


# -- wait -----------------------------------------------------------------------------------------


def test_a_rollout_waits_before_it_begins_until_its_alarm_has_data(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    silence(stage, fleet)
    stage.complete_snapshot(fleet)
    stage.world.run_for(12 * 60)
    assert seen.refreshes == []

    stage.world.cloudwatch.release(fleet.alarm)
    stage.finish()

    assert outcome(stage.rollouts()[-1]) == "Live"


def test_an_alarm_that_loses_its_data_for_a_while_delays_a_rollout(
    stage: Stage, fleet: StagedFleet
) -> None:
    rollout = begin(stage, fleet)

    silence(stage, fleet)
    stage.world.run_for(20 * 60)
    assert rollout.running
    stage.world.cloudwatch.release(fleet.alarm)
    stage.finish()

    assert outcome(rollout) == "Live"


def test_an_alarm_that_loses_its_data_for_good_ends_a_rollout_without_a_quarantine(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)

    silence(stage, fleet)
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert f"the alarm {fleet.alarm} has had no data for" in reason(rollout)
    assert seen.serves(fleet.first_snapshot)
    assert seen.ledger.quarantine(fleet.name, rollout.input.value["snapshot"]) is None


def test_an_alarm_that_is_deleted_half_way_has_no_data(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)

    stage.session.client("cloudwatch").delete_alarms(AlarmNames=[fleet.alarm])
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert f"the alarm {fleet.alarm} has had no data for 3" in reason(rollout)
    assert seen.serves(fleet.first_snapshot)


# -- bad ------------------------------------------------------------------------------------------


def test_where_no_data_is_bad_a_rollout_ends_with_the_next_look(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    ruled(stage, fleet, "bad")
    rollout = begin(stage, fleet)

    silence(stage, fleet)
    stage.world.run_until(lambda: "RollBack" in states_of(rollout), limit=timedelta(minutes=5))
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert seen.ledger.quarantine(fleet.name, rollout.input.value["snapshot"]) is None


# -- ignore ---------------------------------------------------------------------------------------


def alarms_given(seen: Seen) -> Any:
    """The alarms that Auto Scaling was given to watch."""
    return seen.refreshes[0]["Preferences"].get("AlarmSpecification", {}).get("Alarms", [])


def test_where_no_data_is_ignored_a_silent_alarm_stops_nothing(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    ruled(stage, fleet, "ignore")
    silence(stage, fleet)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    assert alarms_given(seen) == []


def test_where_no_data_is_ignored_traffic_may_end_at_night(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given an alarm that has data as long as there are requests
    alarm = on_traffic(stage, fleet)
    stage.world.run_for(600)
    assert state_of(stage, alarm) == "OK"
    ruled(stage, fleet, "ignore", alarm)
    rollout = begin(stage, fleet)

    # When they end
    stage.world.elbv2.set_traffic(fleet.target_group, 0)
    stage.finish()

    # Then that alarm has lost its data, and was never Auto Scaling's to wait for
    assert state_of(stage, alarm) == "INSUFFICIENT_DATA"
    assert outcome(rollout) == "Live"
    assert alarms_given(seen) == [fleet.alarm]


def test_where_no_data_is_waited_for_the_end_of_traffic_pauses_auto_scaling_itself(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    alarm = on_traffic(stage, fleet)
    stage.world.run_for(600)
    ruled(stage, fleet, "wait", alarm)
    rollout = begin(stage, fleet)

    stage.world.elbv2.set_traffic(fleet.target_group, 0)
    stage.finish()

    assert alarms_given(seen) == [fleet.alarm, alarm]
    assert outcome(rollout) == "RolledBack"
    assert f"the alarm {alarm} has had no data for 3" in reason(rollout)


@pytest.mark.parametrize("rule", ["wait", "ignore", "bad"])
def test_an_alarm_that_fires_rolls_back_whatever_no_data_means(
    stage: Stage, fleet: StagedFleet, rule: str
) -> None:
    ruled(stage, fleet, rule)
    rollout = begin(stage, fleet)

    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")
    stage.world.run_until(lambda: "RollBack" in states_of(rollout), limit=timedelta(minutes=5))
    stage.world.cloudwatch.release(fleet.alarm)
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert fleet.alarm in reason(rollout)
