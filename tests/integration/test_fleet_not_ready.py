"""A fleet on which a refresh would not be safe is left alone, and its owner told why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.world.faults import Call
from snaproll.domain.ledger import Outcome
from tests.integration.seen import Seen, outcome, reason, result_of, results_of, states_of

Arrange = Callable[[Stage, StagedFleet], None]


def saves(spec: str) -> Arrange:
    def arrange(stage: Stage, fleet: StagedFleet) -> None:
        stage.session.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=fleet.group,
            LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": spec},
        )

    return arrange


def suspends(process: str) -> Arrange:
    def arrange(stage: Stage, fleet: StagedFleet) -> None:
        stage.session.client("autoscaling").suspend_processes(
            AutoScalingGroupName=fleet.group, ScalingProcesses=[process]
        )

    return arrange


def alarm_is(state: Any) -> Arrange:
    def arrange(stage: Stage, fleet: StagedFleet) -> None:
        stage.session.client("cloudwatch").set_alarm_state(
            AlarmName=fleet.alarm, StateValue=state, StateReason="the test says so"
        )

    return arrange


def alarm_stays(state: Any) -> Arrange:
    return lambda stage, fleet: stage.world.cloudwatch.hold(fleet.alarm, state)


def alarm_is_gone(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("cloudwatch").delete_alarms(AlarmNames=[fleet.alarm])


def somebody_refreshes(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("autoscaling").start_instance_refresh(AutoScalingGroupName=fleet.group)
    stage.world.run_for(30)


def ignores_the_load_balancer(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group, HealthCheckType="EC2"
    )


def instance_is_protected(stage: Stage, fleet: StagedFleet) -> None:
    one = stage.describe(fleet)["Instances"][0]["InstanceId"]
    stage.session.client("autoscaling").set_instance_protection(
        AutoScalingGroupName=fleet.group, InstanceIds=[one], ProtectedFromScaleIn=True
    )


def instance_is_in_standby(stage: Stage, fleet: StagedFleet) -> None:
    one = stage.describe(fleet)["Instances"][0]["InstanceId"]
    stage.session.client("autoscaling").enter_standby(
        AutoScalingGroupName=fleet.group,
        InstanceIds=[one],
        ShouldDecrementDesiredCapacity=True,
    )
    stage.world.run_for(300)


def protects_new_instances(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group, NewInstancesProtectedFromScaleIn=True
    )


def is_as_large_as_it_may_be(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group, MaxSize=4
    )


def has_a_warm_pool(stage: Stage, fleet: StagedFleet) -> None:
    stage.world.autoscaling.groups[fleet.group].describe_extra["WarmPoolConfiguration"] = {
        "MinSize": 0,
        "PoolState": "Stopped",
    }


def keeps_instances_that_it_does_not_want(stage: Stage, fleet: StagedFleet) -> None:
    suspends("Terminate")(stage, fleet)
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=0
    )
    stage.world.run_for(900)


def wants_more(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=6
    )
    stage.world.run_for(2)


def group_opted_out(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("autoscaling").delete_tags(
        Tags=[
            {
                "Key": "snaproll:fleet",
                "ResourceId": fleet.group,
                "ResourceType": "auto-scaling-group",
            }
        ]
    )


def template_opted_out(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("ec2").delete_tags(
        Resources=[fleet.template_id], Tags=[{"Key": "snaproll:fleet"}]
    )


def rollback_target_is_gone(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("ec2").delete_snapshot(SnapshotId=fleet.first_snapshot)


def another_group_is_named(stage: Stage, fleet: StagedFleet) -> None:
    stage.configure(fleet, {"auto_scaling_group": "no-such-group"})


def another_device_is_named(stage: Stage, fleet: StagedFleet) -> None:
    stage.configure(fleet, {"data_device": "/dev/xvdg"})


PASSES: list[tuple[str, Arrange, str]] = [
    ("its alarm fires for a while", alarm_is("ALARM"), "sec-prod-unhealthy is ALARM"),
    ("somebody refreshes it", somebody_refreshes, "was not started by this rollout"),
    ("it is below its floor", wants_more, "4 of 6 instances are healthy"),
]
NOT_READY: list[tuple[str, Arrange, str]] = [
    ("it names $Latest", saves("$Latest"), "it must name a launch template version by number"),
    ("it names $Default", saves("$Default"), "it must name a launch template version by number"),
    ("launching is suspended", suspends("Launch"), "suspended processes"),
    ("health checks are suspended", suspends("HealthCheck"), "suspended processes"),
    ("its alarm goes on firing", alarm_stays("ALARM"), "sec-prod-unhealthy is ALARM"),
    (
        "its alarm goes on without data",
        alarm_stays("INSUFFICIENT_DATA"),
        "sec-prod-unhealthy is INSUFFICIENT_DATA",
    ),
    ("its alarm is gone", alarm_is_gone, "alarms of the fleet do not exist: sec-prod-unhealthy"),
    ("it ignores the load balancer", ignores_the_load_balancer, "health check type ELB"),
    ("an instance is protected", instance_is_protected, "protected from scale-in"),
    ("an instance is in standby", instance_is_in_standby, "Return them to service or terminate"),
    ("its new instances are protected", protects_new_instances, "a rollback would wait an hour"),
    ("it is as large as it may be", is_as_large_as_it_may_be, "Raise the maximum size to 5"),
    ("it has a warm pool", has_a_warm_pool, "delete the warm pool"),
    ("it wants none of its instances", keeps_instances_that_it_does_not_want, "must leave it"),
    ("its group opted out", group_opted_out, "the group sec-prod-replicas lacks the tags"),
    ("its template opted out", template_opted_out, "the launch template"),
    (
        "its rollback target is gone",
        rollback_target_is_gone,
        "nothing to roll back to: snap-",
    ),
    ("its parameter names no group", another_group_is_named, "no Auto Scaling group no-such-group"),
    ("its parameter names no device", another_device_is_named, "maps no EBS volume at /dev/xvdg"),
]


@pytest.mark.parametrize(
    ("arrange", "said"), [case[1:] for case in NOT_READY], ids=[case[0] for case in NOT_READY]
)
def test_a_fleet_is_left_alone_when(
    stage: Stage, fleet: StagedFleet, seen: Seen, arrange: Arrange, said: str
) -> None:
    # Given a fleet with one thing wrong in AWS
    arrange(stage, fleet)
    saved = stage.describe(fleet)["LaunchTemplate"]

    # When a good snapshot completes
    rollout = stage.roll(fleet)

    # Then nothing is changed, and the reason and the remedy are told
    assert outcome(rollout) == "FleetNotReady"
    snapshot = rollout.input.value["snapshot"]
    assert reason(rollout).startswith(
        f"{snapshot} was not rolled out to fleet sec-prod: the fleet is not ready: "
    )
    assert said in reason(rollout)
    assert reason(rollout).endswith("Mend this, then start the rollout again.")
    assert seen.changes() == []
    assert stage.describe(fleet)["LaunchTemplate"] == saved
    assert seen.state.claim is None
    assert seen.records[0].outcome is Outcome.FLEET_NOT_READY
    assert any("Fleet Not Ready: fleet sec-prod" in mail for mail in seen.mails())


@pytest.mark.parametrize(
    ("arrange", "said"), [case[1:] for case in PASSES], ids=[case[0] for case in PASSES]
)
def test_a_fleet_is_waited_for_when(
    stage: Stage, fleet: StagedFleet, seen: Seen, arrange: Arrange, said: str
) -> None:
    # Given a fleet with something wrong that will be over in some minutes
    arrange(stage, fleet)

    # When a good snapshot completes
    rollout = stage.roll(fleet)

    # Then it says what it waits for, nothing begins before that is over, and then it goes on
    waited = states_of(rollout).count("WaitForFleet")
    assert 1 <= waited <= 6
    assert said in results_of(rollout, "InspectFleet")[0]["message"]
    assert outcome(rollout) == "Live"
    assert len(seen.records[0].checks) == len(result_of(rollout, "InspectFleet")["checks"]) + len(
        result_of(rollout, "ValidateSnapshot")["checks"]
    )


@pytest.mark.parametrize("scenario", ["healthy", "corrupt"])
def test_protected_instances_are_replaced_where_the_policy_says_so(
    stage: Stage, fleet: StagedFleet, seen: Seen, scenario: str
) -> None:
    # Given a fleet that protects each of its instances, and whose policy does not mind
    stage.configure(fleet, {"refresh": {"protected_instances": "refresh", "bake": "15m"}})
    protects_new_instances(stage, fleet)
    instance_is_protected(stage, fleet)

    # When a snapshot completes, a good or a bad one
    rollout = stage.roll(fleet, scenario)

    # Then they are replaced, and replaced back, like any others
    good = scenario == "healthy"
    assert outcome(rollout) == ("Live" if good else "RolledBack")
    assert seen.serves(rollout.input.value["snapshot"] if good else fleet.first_snapshot)


@pytest.mark.parametrize(("choice", "left"), [("terminate", 0), ("ignore", 1)])
def test_an_instance_in_standby_is_treated_as_the_policy_says(
    stage: Stage, fleet: StagedFleet, seen: Seen, choice: str, left: int
) -> None:
    stage.configure(fleet, {"refresh": {"standby_instances": choice, "bake": "15m"}})
    instance_is_in_standby(stage, fleet)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    lifecycles = [one["LifecycleState"] for one in stage.describe(fleet)["Instances"]]
    assert lifecycles.count("Standby") == left
    assert seen.serves(rollout.input.value["snapshot"])


def test_a_fleet_is_waited_for_half_an_hour_at_most(stage: Stage, fleet: StagedFleet) -> None:
    alarm_stays("ALARM")(stage, fleet)

    rollout = stage.roll(fleet)

    assert states_of(rollout).count("WaitForFleet") == 6
    assert outcome(rollout) == "FleetNotReady"


def test_everything_that_is_wrong_is_told_at_once(stage: Stage, fleet: StagedFleet) -> None:
    for arrange in (suspends("Launch"), alarm_is("ALARM"), template_opted_out):
        arrange(stage, fleet)

    text = reason(stage.roll(fleet))

    assert "suspended processes" in text
    assert "is ALARM" in text
    assert "lacks the tags" in text


def test_a_fleet_that_was_mended_is_rolled_when_a_person_starts_it_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    suspends("Launch")(stage, fleet)
    failed = stage.roll(fleet)
    stage.session.client("autoscaling").resume_processes(AutoScalingGroupName=fleet.group)

    again = stage.start(failed.input.value)
    stage.finish()

    assert outcome(again) == "Live"
    assert seen.serves(failed.input.value["snapshot"])


def test_a_fleet_without_alarms_is_rolled(stage: Stage) -> None:
    fleet = stage.add_fleet("calm", capacity=2, policy={"health": {"alarms": []}})

    assert outcome(stage.roll(fleet)) == "Live"


# -- it was ready, and then it was not ------------------------------------------------------------


def right_before(stage: Stage, operation: str, arrange: Callable[[], None]) -> None:
    """Do something just before a function's first call of an operation takes effect."""
    done: list[int] = []

    def interfere(call: Call) -> None:
        if call.operation == operation and call.caller.endswith("Function") and not done:
            done.append(call.number)
            arrange()

    stage.world.faults.before_effect(interfere)


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (alarm_is("INSUFFICIENT_DATA"), "sec-prod-unhealthy"),
        (alarm_is("ALARM"), "sec-prod-unhealthy"),
        (alarm_is_gone, "sec-prod-unhealthy"),
    ],
    ids=["its alarm lost its data", "its alarm fired", "its alarm was deleted"],
)
def test_a_refresh_that_auto_scaling_refuses_leaves_nothing_behind(
    stage: Stage, fleet: StagedFleet, seen: Seen, arrange: Arrange, said: str
) -> None:
    # Given a fleet that was ready when it was inspected, and is not when the refresh starts
    right_before(stage, "StartInstanceRefresh", lambda: arrange(stage, fleet))

    # When a good snapshot is rolled
    rollout = stage.roll(fleet)

    # Then the version that was made for it is gone again, and the reason names fleet and snapshot
    assert outcome(rollout) == "FleetNotReady"
    assert said in reason(rollout)
    assert "sec-prod" in reason(rollout)
    assert rollout.input.value["snapshot"] in reason(rollout)
    assert list(seen.versions) == [1]
    assert seen.refreshes == []
    assert seen.serves(fleet.first_snapshot)
    assert seen.state.claim is None


def test_a_group_that_somebody_moved_after_it_was_inspected_is_not_refreshed(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given somebody who deploys another version while ours is being made
    def deploy() -> None:
        made = stage.session.client("ec2").create_launch_template_version(
            LaunchTemplateId=fleet.template_id,
            SourceVersion="1",
            LaunchTemplateData={"InstanceType": "r7g.xlarge"},
        )
        number = made["LaunchTemplateVersion"]["VersionNumber"]
        saves(str(number))(stage, fleet)

    right_before(stage, "CreateLaunchTemplateVersion", deploy)

    # When a good snapshot is rolled
    rollout = stage.roll(fleet)

    # Then theirs stays, and ours goes
    assert outcome(rollout) == "FleetNotReady"
    assert "somebody changed it after it was inspected" in reason(rollout)
    assert seen.refreshes == []
    assert seen.saved in seen.versions
    assert all(
        mapping["Ebs"].get("SnapshotId") != rollout.input.value["snapshot"]
        for data in seen.versions.values()
        for mapping in data["BlockDeviceMappings"]
        if mapping["DeviceName"] == DATA_DEVICE
    )


def test_a_refresh_that_somebody_else_started_first_is_not_taken_for_ours(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    right_before(stage, "StartInstanceRefresh", lambda: somebody_refreshes(stage, fleet))

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert seen.calls("RollbackInstanceRefresh") == []
    assert list(seen.versions) == [1]
    assert len(seen.refreshes) == 1


# -- launch templates that cannot be rolled -------------------------------------------------------


def test_a_template_that_says_not_encrypted_is_refused_before_anything_is_made(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a template version that sets Encrypted to false beside the snapshot
    data = seen.versions[1]
    for mapping in data["BlockDeviceMappings"]:
        if mapping["DeviceName"] == DATA_DEVICE:
            mapping["Ebs"]["Encrypted"] = False
    stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        LaunchTemplateData=data,  # type: ignore[arg-type]
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": "2"},
    )

    # When a good snapshot is rolled
    rollout = stage.roll(fleet)

    # Then the remedy is told, for this fleet and snapshot
    assert outcome(rollout) == "FleetNotReady"
    assert "sets Encrypted to false at /dev/xvdf" in reason(rollout)
    assert "Remove the setting" in reason(rollout)
    assert "sec-prod" in reason(rollout)
    assert seen.changes() == []
