"""An instance refresh from its start to its end: what it replaces, and what it then leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.world.autoscaling import InstanceRefresh
from embedded.world.errors import AwsError
from tests.embedded.fleets import REFRESH, Fleet


def lowest_while(fleet: Fleet, refresh: InstanceRefresh) -> tuple[int, int]:
    """Run a refresh to its end; the fewest ready and the most live instances on the way."""
    fewest, most = fleet.group.desired, 0
    while refresh.active:
        fleet.world.step()
        healthy = [
            member
            for member in fleet.group.members("InService")
            if member.health == "Healthy" and member.passing_targets
        ]
        fewest = min(fewest, len(healthy))
        most = max(most, len(fleet.group.live_members()))
    return fewest, most


# -- the status machine ----------------------------------------------------------------------------


def test_a_refresh_goes_from_pending_over_in_progress_to_successful() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release())
    statuses = [refresh.status]

    while refresh.active:
        fleet.world.step()
        if refresh.status != statuses[-1]:
            statuses.append(refresh.status)

    assert statuses == ["Pending", "InProgress", "Successful"]


def test_a_bake_time_is_waited_for_before_the_refresh_is_successful() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), BakeTime=1800)
    fleet.run_until(refresh, "Baking")
    began = fleet.world.clock.now()

    fleet.run_until(refresh, "Successful")

    assert fleet.world.clock.now() - began == timedelta(minutes=30)


def test_a_pending_refresh_has_no_start_time_yet() -> None:
    fleet = Fleet(desired=1)
    refresh = fleet.start(fleet.release())

    assert "StartTime" not in fleet.described(refresh)
    fleet.run_until(refresh, "Successful")
    assert fleet.described(refresh)["StartTime"] < fleet.described(refresh)["EndTime"]


def test_a_refresh_tells_its_times_in_whole_seconds() -> None:
    fleet = Fleet(desired=1)
    fleet.world.run_for(0.7)
    refresh = fleet.start(fleet.release())
    fleet.run_until(refresh, "Successful")

    described = fleet.described(refresh)

    assert refresh.started is not None
    assert refresh.started.microsecond
    assert described["StartTime"] == refresh.started.replace(microsecond=0)
    assert described["EndTime"].microsecond == 0


def test_a_refresh_begins_as_soon_as_its_world_lets_it() -> None:
    fleet = Fleet(desired=1)
    fleet.world.autoscaling.pending_seconds = 0.0

    refresh = fleet.start(fleet.release())
    fleet.run_until(refresh, "InProgress")

    assert refresh.started == refresh.requested


def test_a_group_has_at_most_one_active_refresh() -> None:
    fleet = Fleet(desired=1)
    fleet.start(fleet.release())

    with pytest.raises(AwsError) as caught:
        fleet.start(1)

    assert caught.value.code == "InstanceRefreshInProgress"


@pytest.mark.parametrize("status", ["Baking", "Cancelling", "RollbackInProgress"])
def test_baking_cancelling_and_rolling_back_count_as_active(status: str) -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), BakeTime=600)
    if status == "Baking":
        fleet.run_until(refresh, "Baking")
    else:
        fleet.run(seconds=10)
        operation = "Cancel" if status == "Cancelling" else "Rollback"
        fleet.call(f"{operation}InstanceRefresh")

    assert refresh.status == status
    with pytest.raises(AwsError, match="already in progress"):
        fleet.start(1)


def test_events_carry_only_the_refresh_and_the_group() -> None:
    fleet = Fleet(desired=1)
    seen = fleet.listen(REFRESH)

    refresh = fleet.start(fleet.release(), BakeTime=60)
    fleet.run_until(refresh, "Successful")

    assert [event["type"] for event in seen] == ["Started", "Started Baking", "Succeeded"]
    for event in seen:
        assert event["source"] == "aws.autoscaling"
        assert event["detail"] == {
            "InstanceRefreshId": refresh.id,
            "AutoScalingGroupName": fleet.name,
        }
        assert event["resources"] == [fleet.group.arn]


# -- what it replaces, and how fast ----------------------------------------------------------------


def test_every_instance_is_replaced_by_the_desired_version() -> None:
    fleet = Fleet(desired=4)
    old = set(fleet.group.instances)
    version = fleet.release()

    fleet.run_until(fleet.start(version), "Successful")

    assert fleet.versions() == [version] * 4
    assert not old & fleet.group.instances.keys()


def test_with_minimum_and_maximum_100_one_is_launched_before_one_is_terminated() -> None:
    fleet = Fleet(desired=3)

    refresh = fleet.start(fleet.release(), MinHealthyPercentage=100, MaxHealthyPercentage=100)

    assert lowest_while(fleet, refresh) == (3, 4)


def test_a_maximum_of_150_launches_half_of_the_group_before_it_terminates() -> None:
    fleet = Fleet(desired=4)

    refresh = fleet.start(fleet.release(), MinHealthyPercentage=100, MaxHealthyPercentage=150)

    assert lowest_while(fleet, refresh) == (4, 6)


def test_a_minimum_of_50_replaces_half_of_the_group_at_a_time() -> None:
    fleet = Fleet(desired=4)

    refresh = fleet.start(fleet.release(), MinHealthyPercentage=50, MaxHealthyPercentage=100)

    assert lowest_while(fleet, refresh) == (2, 4)


def test_an_omitted_maximum_takes_the_only_instance_of_a_group_away() -> None:
    fleet = Fleet(desired=1)

    refresh = fleet.start(fleet.release(), MinHealthyPercentage=None, MaxHealthyPercentage=None)

    assert lowest_while(fleet, refresh) == (0, 1)


def test_an_instance_counts_when_it_has_warmed_up_after_coming_into_service() -> None:
    fleet = Fleet(desired=1)
    refresh = fleet.start(fleet.release(), InstanceWarmup=1200)
    fleet.world.run_until(
        lambda: 2 in fleet.group.versions_in_service(), limit=timedelta(minutes=5)
    )

    fleet.run(minutes=19)
    assert fleet.versions() == [1, 2]
    assert fleet.described(refresh)["PercentageComplete"] == 0
    assert "warm up" in fleet.described(refresh)["StatusReason"]

    fleet.run(minutes=2)
    assert fleet.versions() == [2]
    assert fleet.described(refresh)["PercentageComplete"] == 100


def test_percentage_complete_lags_behind_instances_to_update() -> None:
    fleet = Fleet(desired=2)

    refresh = fleet.start(fleet.release(), MinHealthyPercentage=0, MaxHealthyPercentage=100)
    fleet.run(seconds=10)

    described = fleet.described(refresh)
    assert (described["PercentageComplete"], described["InstancesToUpdate"]) == (0, 0)
    assert described["Status"] == "InProgress"


def test_without_skip_matching_everything_is_replaced_also_what_matches() -> None:
    fleet = Fleet(desired=2)
    old = set(fleet.group.instances)

    fleet.run_until(fleet.start(1, SkipMatching=False), "Successful")

    assert not old & fleet.group.instances.keys()


def test_skip_matching_replaces_only_what_differs() -> None:
    fleet = Fleet(desired=2)
    old = set(fleet.group.instances)
    version = fleet.release()
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))
    fleet.call("SetDesiredCapacity", DesiredCapacity=3)
    fleet.settle_down()
    (matching,) = set(fleet.group.instances) - old

    fleet.run_until(fleet.start(version, SkipMatching=True), "Successful")

    assert fleet.versions() == [version] * 3
    assert matching in fleet.group.instances


def test_skip_matching_with_nothing_to_do_succeeds_at_once_without_a_bake() -> None:
    fleet = Fleet(desired=2)
    old = set(fleet.group.instances)

    refresh = fleet.start(1, SkipMatching=True, BakeTime=3600)
    fleet.run(seconds=10)

    assert refresh.status == "Successful"
    assert set(fleet.group.instances) == old


def test_skip_matching_compares_instance_types_too() -> None:
    fleet = Fleet(desired=1)
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": fleet.launch_template(1),
            "Overrides": [{"InstanceType": "r7g.large"}],
        }
    }

    fleet.call(
        "StartInstanceRefresh",
        DesiredConfiguration={"MixedInstancesPolicy": policy},
        Preferences={"SkipMatching": True, "InstanceWarmup": 0},
    )
    fleet.run_until(fleet.group.refreshes[-1], "Successful")

    assert [item["InstanceType"] for item in fleet.describe()["Instances"]] == ["r7g.large"]


def test_latest_replaces_again_when_a_newer_version_appears() -> None:
    fleet = Fleet(desired=2)
    fleet.release()
    refresh = fleet.start("$Latest", MaxHealthyPercentage=100)
    fleet.world.run_until(
        lambda: fleet.described(refresh)["PercentageComplete"] == 50, limit=timedelta(hours=1)
    )

    newest = fleet.release()
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [newest, newest]
    assert len([launch for launch in fleet.world.autoscaling.launches if launch.refresh_id]) > 2


def test_unhealthy_instances_are_replaced_by_the_refresh_first() -> None:
    fleet = Fleet(desired=3)
    fleet.call("SuspendProcesses", ScalingProcesses=["ReplaceUnhealthy"])
    ill = list(fleet.group.instances)[2]
    fleet.world.call(
        "autoscaling",
        "SetInstanceHealth",
        {"InstanceId": ill, "HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": False},
    )

    fleet.start(fleet.release(), MaxHealthyPercentage=100)
    fleet.run(seconds=10)

    assert fleet.group.instances[ill].lifecycle == "Terminating"


def test_a_desired_capacity_of_zero_succeeds_at_once_and_saves_the_template() -> None:
    fleet = Fleet(desired=0)
    version = fleet.release()

    refresh = fleet.start(version, BakeTime=3600)
    fleet.run(seconds=10)

    assert refresh.status == "Successful"
    assert fleet.described(refresh)["PercentageComplete"] == 100
    assert fleet.saved_version() == str(version)


# -- what the group has saved ----------------------------------------------------------------------


def test_a_refresh_keeps_the_saved_version_until_it_succeeds() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), BakeTime=600)

    fleet.run_until(refresh, "Baking")
    assert fleet.saved_version() == "1"

    fleet.run_until(refresh, "Successful")
    assert fleet.saved_version() == "2"


def test_the_desired_configuration_is_saved_exactly_as_passed() -> None:
    fleet = Fleet(desired=1)
    fleet.release()

    fleet.run_until(fleet.start("$Latest"), "Successful")

    assert fleet.saved_version() == "$Latest"


def test_a_failed_or_cancelled_refresh_leaves_the_old_version_saved() -> None:
    fleet = Fleet(desired=2)
    fleet.start(fleet.release(), MaxHealthyPercentage=100)
    fleet.run(minutes=10)

    fleet.call("CancelInstanceRefresh", WaitForTransitioningInstances=False)

    assert fleet.saved_version() == "1"
    assert 2 in fleet.versions()


def test_a_scale_out_during_a_refresh_launches_the_desired_version() -> None:
    fleet = Fleet(desired=2)
    version = fleet.release()
    fleet.start(version, CheckpointPercentages=[50, 100])
    fleet.run(minutes=10)

    fleet.call("SetDesiredCapacity", DesiredCapacity=4)
    fleet.run(seconds=1)

    assert fleet.versions() == [1, version, version, version]


def test_a_scale_out_after_a_cancelled_refresh_launches_the_old_version() -> None:
    fleet = Fleet(desired=2)
    version = fleet.release()
    fleet.start(version, CheckpointPercentages=[50, 100])
    fleet.run(minutes=10)
    fleet.call("CancelInstanceRefresh", WaitForTransitioningInstances=False)

    fleet.call("SetDesiredCapacity", DesiredCapacity=3)

    assert fleet.versions() == [1, 1, version]


def test_without_a_desired_configuration_a_pinned_group_relaunches_the_old_version() -> None:
    fleet = Fleet(desired=2)
    old = set(fleet.group.instances)
    version = fleet.release()
    fleet.world.call(
        "ec2",
        "ModifyLaunchTemplate",
        {"LaunchTemplateId": fleet.template_id, "DefaultVersion": str(version)},
    )

    refresh = fleet.start(version=None)
    fleet.run_until(refresh, "Successful")

    assert fleet.described(refresh)["PercentageComplete"] == 100
    assert fleet.versions() == [1, 1]
    assert not old & fleet.group.instances.keys()


def test_the_template_cannot_be_updated_during_a_refresh_with_a_desired_configuration() -> None:
    fleet = Fleet(desired=1)
    version = fleet.release()
    fleet.start(version)

    with pytest.raises(AwsError, match="An active instance refresh with a desired configuration"):
        fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))

    fleet.call("UpdateAutoScalingGroup", MaxSize=4)


def test_the_template_can_be_updated_during_a_refresh_without_a_desired_configuration() -> None:
    fleet = Fleet(desired=1)
    version = fleet.release()
    fleet.start(version=None)

    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))

    assert fleet.saved_version() == str(version)


# -- when it cannot go on --------------------------------------------------------------------------


def test_new_instances_that_never_become_healthy_fail_the_refresh_after_an_hour() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release("corrupt"))
    fleet.run_until(refresh, "InProgress")
    began = fleet.world.clock.now()

    fleet.run_until(refresh, "Failed")

    taken = fleet.world.clock.now() - began
    assert timedelta(hours=1) < taken < timedelta(hours=1, minutes=10)
    assert fleet.described(refresh)["PercentageComplete"] == 0
    assert fleet.described(refresh)["StatusReason"]


def test_with_ec2_health_checks_only_a_refresh_walks_over_dead_targets() -> None:
    fleet = Fleet(desired=2, HealthCheckType="EC2")
    version = fleet.release("corrupt")

    fleet.run_until(fleet.start(version), "Successful")

    assert fleet.versions() == [version, version]
    assert all(member.failing_targets for member in fleet.group.instances.values())


def test_launches_that_are_refused_fail_the_refresh_after_an_hour() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.version_of("snap-00000000000000bad"))
    fleet.run_until(refresh, "InProgress")
    began = fleet.world.clock.now()

    fleet.run_until(refresh, "Failed")

    assert fleet.world.clock.now() - began == timedelta(hours=1)
    assert fleet.activities("Failed")
    assert fleet.versions() == [1, 1]


def test_launches_that_die_because_of_the_key_fail_the_refresh_after_an_hour() -> None:
    fleet = Fleet(desired=2)
    key = fleet.world.call("kms", "CreateKey", {})["KeyMetadata"]
    snapshot = fleet.world.ec2.add_snapshot(kms_key_id=key["Arn"])
    fleet.world.call("kms", "DisableKey", {"KeyId": key["KeyId"]})

    refresh = fleet.start(fleet.version_of(snapshot.id))
    fleet.run_until(refresh, "Failed")

    assert "Client.InternalError" in fleet.activities("Cancelled")[0]["StatusMessage"]


def test_new_instances_that_somebody_calls_unhealthy_fail_the_refresh_after_an_hour() -> None:
    fleet = Fleet(desired=2, HealthCheckType="EC2")
    refresh = fleet.start(fleet.release(), InstanceWarmup=1800)

    for _ in range(8):
        fleet.run(minutes=10)
        for member in list(fleet.group.members("InService")):
            if member.instance.template_version > 1:
                fleet.world.call(
                    "autoscaling",
                    "SetInstanceHealth",
                    {
                        "InstanceId": member.id,
                        "HealthStatus": "Unhealthy",
                        "ShouldRespectGracePeriod": False,
                    },
                )

    assert refresh.status == "Failed"


def test_launches_that_succeed_again_end_the_hour() -> None:
    fleet = Fleet(desired=4)
    room = fleet.world.ec2.capacity
    refresh = fleet.start(
        fleet.release(), CheckpointPercentages=[50, 100], CheckpointDelay=2 * 3600
    )
    fleet.run(seconds=4)

    room["r6g.large"] = 0
    fleet.run(minutes=10)
    assert fleet.activities("Failed")
    room["r6g.large"] = 50

    fleet.run_until(refresh, "Successful")


def test_a_slow_instance_does_not_fail_the_refresh_within_the_hour() -> None:
    fleet = Fleet(desired=2, HealthCheckGracePeriod=3600)

    refresh = fleet.start(fleet.release("slow"))
    fleet.run_until(refresh, "Successful")

    assert fleet.versions() == [2, 2]


def test_a_refresh_may_replace_for_14_days_at_most() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release())
    fleet.run(seconds=6)
    fleet.call("SuspendProcesses", ScalingProcesses=["Launch"])

    fleet.run(days=13, hours=23)
    assert refresh.status == "InProgress"

    fleet.run(hours=2)
    assert refresh.status == "Failed"


# -- cancelling ------------------------------------------------------------------------------------


def test_cancelling_waits_for_instances_in_transition() -> None:
    fleet = Fleet(desired=2)
    seen = fleet.listen(REFRESH)
    refresh = fleet.start(fleet.release())
    fleet.run(seconds=10)

    reply = fleet.call("CancelInstanceRefresh")
    assert refresh.status == "Cancelling"

    fleet.run(minutes=2)
    assert refresh.status == "Cancelled"
    assert reply == {"InstanceRefreshId": refresh.id}
    assert [event["type"] for event in seen] == ["Started", "Cancelled"]


def test_cancelling_without_waiting_is_over_at_once() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release())
    fleet.run(seconds=10)

    fleet.call("CancelInstanceRefresh", WaitForTransitioningInstances=False)

    assert refresh.status == "Cancelled"
    fleet.start(1)


def test_a_cancelled_refresh_rolls_nothing_back() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), MaxHealthyPercentage=100)
    fleet.world.run_until(
        lambda: fleet.described(refresh)["PercentageComplete"] == 50, limit=timedelta(hours=1)
    )

    fleet.call("CancelInstanceRefresh")
    fleet.run(hours=1)

    assert fleet.versions() == [1, 2]


def test_nothing_can_be_cancelled_when_nothing_is_active() -> None:
    fleet = Fleet(desired=1)

    with pytest.raises(AwsError) as caught:
        fleet.call("CancelInstanceRefresh")

    assert caught.value.code == "ActiveInstanceRefreshNotFound"


# -- history ---------------------------------------------------------------------------------------


def test_refreshes_are_described_newest_first_in_pages() -> None:
    fleet = Fleet(desired=0)
    ids = []
    for _ in range(3):
        refresh = fleet.start(1)
        fleet.run_until(refresh, "Successful")
        ids.append(refresh.id)

    first = fleet.call("DescribeInstanceRefreshes", MaxRecords=2)
    second = fleet.call("DescribeInstanceRefreshes", MaxRecords=2, NextToken=first["NextToken"])

    found = [item["InstanceRefreshId"] for item in first["InstanceRefreshes"]]
    found += [item["InstanceRefreshId"] for item in second["InstanceRefreshes"]]
    assert found == ids[::-1]


@pytest.mark.parametrize("size", [0, 101])
def test_a_page_holds_from_one_to_a_hundred_refreshes(size: int) -> None:
    with pytest.raises(AwsError, match="MaxRecords"):
        Fleet(desired=0).call("DescribeInstanceRefreshes", MaxRecords=size)


def test_refreshes_are_remembered_for_six_weeks() -> None:
    fleet = Fleet(desired=0)
    fleet.start(1)

    fleet.run(weeks=6)
    assert len(fleet.call("DescribeInstanceRefreshes")["InstanceRefreshes"]) == 1

    fleet.run(minutes=1)
    assert fleet.call("DescribeInstanceRefreshes")["InstanceRefreshes"] == []


def test_a_desired_configuration_is_described_as_it_was_passed() -> None:
    fleet = Fleet(desired=0)

    refresh = fleet.start(1)

    assert fleet.described(refresh)["DesiredConfiguration"] == {
        "LaunchTemplate": fleet.launch_template(1)
    }
    assert "DesiredConfiguration" not in fleet.described(refresh).get("Preferences", {})


def test_the_same_seed_gives_the_same_history() -> None:
    def history() -> list[tuple[str, str]]:
        fleet = Fleet(desired=4)
        fleet.run_until(
            fleet.start(fleet.release("corrupt"), AutoRollback=True), "Failed", "RollbackSuccessful"
        )
        return [(str(item["StartTime"]), item["Description"]) for item in fleet.activities()]

    assert history() == history()


def test_a_refresh_that_would_have_to_go_above_the_maximum_size_gives_up_after_an_hour() -> None:
    # Given a group as large as it may be, of which nothing may go before something comes
    fleet = Fleet(desired=2, MaxSize=2)

    refresh = fleet.start(fleet.release())
    fleet.run_until(refresh, "Failed")

    # Then nothing was replaced
    assert fleet.versions() == [1, 1]
    assert fleet.world.clock.now() - refresh.requested >= timedelta(hours=1)
