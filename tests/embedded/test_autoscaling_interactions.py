"""A refresh among other things: protection, standby, suspended processes, alarms, scaling."""

from __future__ import annotations

import pytest

from embedded.world.autoscaling.conductor import ALARM_NOTICE_SECONDS
from embedded.world.errors import AwsError
from tests.embedded.fleets import Fleet

# -- scale-in protection ---------------------------------------------------------------------------


def protect(fleet: Fleet, *, protected: bool = True) -> str:
    """Protect one instance of the fleet, or no longer; its id."""
    chosen = min(fleet.group.instances)
    fleet.call("SetInstanceProtection", InstanceIds=[chosen], ProtectedFromScaleIn=protected)
    return chosen


def test_a_refresh_waits_an_hour_for_protection_to_be_removed_and_then_fails() -> None:
    fleet = Fleet(desired=2)
    chosen = protect(fleet)

    refresh = fleet.start(fleet.release())
    fleet.run_until(refresh, "Failed")

    assert fleet.versions() == [1, 2]
    assert chosen in fleet.group.instances
    assert "protected" in fleet.described(refresh)["StatusReason"]


def test_a_refresh_goes_on_when_protection_is_removed_in_time() -> None:
    fleet = Fleet(desired=2)
    chosen = protect(fleet)
    refresh = fleet.start(fleet.release())
    fleet.run(minutes=30)

    fleet.call("SetInstanceProtection", InstanceIds=[chosen], ProtectedFromScaleIn=False)
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [2, 2]


def test_protected_instances_can_be_ignored() -> None:
    fleet = Fleet(desired=2)
    chosen = protect(fleet)

    refresh = fleet.start(fleet.release(), ScaleInProtectedInstances="Ignore")
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [1, 2]
    assert chosen in fleet.group.instances


def test_protected_instances_can_be_refreshed() -> None:
    fleet = Fleet(desired=2)
    protect(fleet)

    refresh = fleet.start(fleet.release(), ScaleInProtectedInstances="Refresh")
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [2, 2]


# -- standby ---------------------------------------------------------------------------------------


def stand_by(fleet: Fleet) -> str:
    """Put one instance into standby; its id."""
    chosen = min(fleet.group.instances)
    fleet.call("EnterStandby", InstanceIds=[chosen], ShouldDecrementDesiredCapacity=True)
    return chosen


def test_a_refresh_waits_an_hour_for_standby_to_end_and_then_fails() -> None:
    fleet = Fleet(desired=2)
    chosen = stand_by(fleet)

    refresh = fleet.start(fleet.release())
    fleet.run_until(refresh, "Failed")

    assert fleet.group.instances[chosen].lifecycle == "Standby"


def test_a_refresh_replaces_an_instance_that_comes_back_from_standby() -> None:
    fleet = Fleet(desired=2)
    chosen = stand_by(fleet)
    refresh = fleet.start(fleet.release())
    fleet.run(minutes=30)

    fleet.call("ExitStandby", InstanceIds=[chosen])
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [2, 2]
    assert chosen not in fleet.group.instances


def test_instances_in_standby_can_be_ignored() -> None:
    fleet = Fleet(desired=2)
    chosen = stand_by(fleet)

    fleet.run_until(fleet.start(fleet.release(), StandbyInstances="Ignore"), "Successful")

    assert fleet.group.instances[chosen].lifecycle == "Standby"


def test_instances_in_standby_can_be_terminated() -> None:
    fleet = Fleet(desired=2)
    chosen = stand_by(fleet)

    fleet.run_until(fleet.start(fleet.release(), StandbyInstances="Terminate"), "Successful")

    assert chosen not in fleet.group.instances


# -- suspended processes ---------------------------------------------------------------------------


def test_with_instance_refresh_suspended_a_refresh_pauses_without_being_cancelled() -> None:
    fleet = Fleet(desired=2)
    fleet.call("SuspendProcesses", ScalingProcesses=["InstanceRefresh"])
    refresh = fleet.start(fleet.release())
    fleet.run(hours=5)
    assert (refresh.status, fleet.versions()) == ("InProgress", [1, 1])

    fleet.call("ResumeProcesses")
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [2, 2]


@pytest.mark.parametrize("process", ["Launch", "Terminate"])
def test_with_launch_or_terminate_suspended_a_refresh_replaces_nothing(process: str) -> None:
    fleet = Fleet(desired=2)
    fleet.call("SuspendProcesses", ScalingProcesses=[process])

    refresh = fleet.start(fleet.release())
    fleet.run(hours=5)

    assert (refresh.status, fleet.versions()) == ("InProgress", [1, 1])
    assert process in fleet.described(refresh)["StatusReason"]


def test_a_bake_does_not_end_while_instance_refresh_is_suspended() -> None:
    fleet = Fleet(desired=1)
    refresh = fleet.start(fleet.release(), BakeTime=600)
    fleet.run_until(refresh, "Baking")

    fleet.call("SuspendProcesses", ScalingProcesses=["InstanceRefresh"])
    fleet.run(hours=1)
    assert refresh.status == "Baking"

    fleet.call("ResumeProcesses")
    assert refresh.status == "Successful"


# -- scaling ---------------------------------------------------------------------------------------


def test_scaling_goes_on_during_a_refresh() -> None:
    fleet = Fleet(desired=4)
    refresh = fleet.start(fleet.release())
    fleet.run(minutes=2)

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [2, 2]


def test_a_group_scaled_to_zero_during_a_refresh_ends_it() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release())
    fleet.run(minutes=2)

    fleet.call("SetDesiredCapacity", DesiredCapacity=0)
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == []


# -- alarms ----------------------------------------------------------------------------------------

ALARM = "replicas-5xx"


def alarm(fleet: Fleet, state: str) -> dict[str, list[str]]:
    """Make an alarm in a state; the AlarmSpecification that names it."""
    fleet.world.call(
        "cloudwatch",
        "PutMetricAlarm",
        {
            "AlarmName": ALARM,
            "Namespace": "Custom",
            "MetricName": "Errors",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        },
    )
    set_alarm(fleet, state)
    return {"Alarms": [ALARM]}


def set_alarm(fleet: Fleet, state: str) -> None:
    """Bring the alarm into a state."""
    fleet.world.call(
        "cloudwatch",
        "SetAlarmState",
        {"AlarmName": ALARM, "StateValue": state, "StateReason": "test"},
    )


@pytest.mark.parametrize("state", ["ALARM", "INSUFFICIENT_DATA"])
def test_a_refresh_does_not_start_with_an_alarm_that_is_not_ok(state: str) -> None:
    fleet = Fleet(desired=1)
    specification = alarm(fleet, state)

    with pytest.raises(AwsError, match=state):
        fleet.start(fleet.release(), AlarmSpecification=specification)


def test_a_refresh_does_not_start_with_an_alarm_that_does_not_exist() -> None:
    fleet = Fleet(desired=1)

    with pytest.raises(AwsError, match="does not exist"):
        fleet.start(fleet.release(), AlarmSpecification={"Alarms": ["nobody"]})


def test_an_alarm_fails_a_refresh_without_rolling_it_back() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), AlarmSpecification=alarm(fleet, "OK"))
    fleet.run(minutes=2)

    set_alarm(fleet, "ALARM")
    fleet.run(seconds=ALARM_NOTICE_SECONDS)

    assert refresh.status == "Failed"
    assert ALARM in fleet.described(refresh)["StatusReason"]


def test_an_alarm_rolls_a_refresh_back_that_has_auto_rollback() -> None:
    fleet = Fleet(desired=2)
    specification = alarm(fleet, "OK")
    refresh = fleet.start(fleet.release(), AlarmSpecification=specification, AutoRollback=True)
    fleet.run(minutes=5)

    set_alarm(fleet, "ALARM")
    fleet.run(seconds=ALARM_NOTICE_SECONDS)
    assert refresh.status == "RollbackInProgress"
    fleet.run_until(refresh, "RollbackSuccessful")

    assert fleet.versions() == [1, 1]


def test_an_alarm_counts_while_the_refresh_bakes() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(
        fleet.release(), AlarmSpecification=alarm(fleet, "OK"), AutoRollback=True, BakeTime=3600
    )
    fleet.run_until(refresh, "Baking")

    set_alarm(fleet, "ALARM")
    fleet.run(seconds=ALARM_NOTICE_SECONDS)

    assert refresh.status == "RollbackInProgress"


def test_a_refresh_takes_a_while_to_notice_an_alarm() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), AlarmSpecification=alarm(fleet, "OK"), AutoRollback=True)
    fleet.run(minutes=2)

    set_alarm(fleet, "ALARM")
    fleet.run(seconds=ALARM_NOTICE_SECONDS - 1)

    assert refresh.status == "InProgress"


def test_an_alarm_that_ends_before_it_is_noticed_does_not_count() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), AlarmSpecification=alarm(fleet, "OK"))
    fleet.run(minutes=2)

    set_alarm(fleet, "ALARM")
    fleet.run(seconds=ALARM_NOTICE_SECONDS - 1)
    set_alarm(fleet, "OK")

    fleet.run_until(refresh, "Successful")


def test_an_alarm_from_just_before_the_bake_counts_in_it() -> None:
    fleet = Fleet(desired=2)
    fleet.world.autoscaling.alarm_notice_seconds = 2 * 3600
    refresh = fleet.start(
        fleet.release(), AlarmSpecification=alarm(fleet, "OK"), AutoRollback=True, BakeTime=9000
    )
    fleet.run(minutes=1)

    set_alarm(fleet, "ALARM")
    fleet.run_until(refresh, "Baking", hours=1)

    fleet.run_until(refresh, "RollbackInProgress", hours=2)


def test_a_refresh_that_ends_before_it_notices_an_alarm_is_successful() -> None:
    fleet = Fleet(desired=2)
    fleet.world.autoscaling.alarm_notice_seconds = 2 * 3600
    refresh = fleet.start(fleet.release(), AlarmSpecification=alarm(fleet, "OK"), AutoRollback=True)
    fleet.run(minutes=1)

    set_alarm(fleet, "ALARM")

    fleet.run_until(refresh, "Successful")


def test_an_alarm_does_not_stop_a_rollback() -> None:
    fleet = Fleet(desired=2)
    specification = alarm(fleet, "OK")
    refresh = fleet.start(fleet.release(), AlarmSpecification=specification, AutoRollback=True)
    fleet.run(minutes=5)

    set_alarm(fleet, "ALARM")
    fleet.run(minutes=1)
    assert refresh.status == "RollbackInProgress"
    set_alarm(fleet, "OK")
    set_alarm(fleet, "ALARM")
    fleet.run_until(refresh, "RollbackSuccessful")


def test_an_alarm_without_data_blocks_further_replacement_until_data_returns() -> None:
    fleet = Fleet(desired=2)
    specification = alarm(fleet, "OK")
    refresh = fleet.start(
        fleet.release(), AlarmSpecification=specification, MaxHealthyPercentage=100
    )
    fleet.run(seconds=10)

    set_alarm(fleet, "INSUFFICIENT_DATA")
    fleet.run(hours=3)
    assert (refresh.status, fleet.versions()) == ("InProgress", [1, 1, 2])

    set_alarm(fleet, "OK")
    fleet.run_until(refresh, "Successful")
    assert fleet.versions() == [2, 2]


def test_other_alarms_do_not_matter() -> None:
    fleet = Fleet(desired=2)
    alarm(fleet, "OK")
    refresh = fleet.start(fleet.release())
    fleet.run(minutes=2)

    set_alarm(fleet, "ALARM")
    fleet.run_until(refresh, "Successful")
