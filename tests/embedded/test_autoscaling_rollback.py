"""Going back: by request, by itself, and when it is not possible."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.world.autoscaling import InstanceRefresh
from embedded.world.errors import AwsError
from tests.embedded.fleets import REFRESH, Fleet


def half_way(fleet: Fleet, version: int, **preferences: object) -> InstanceRefresh:
    """Start a refresh and run it until half of the group is new."""
    refresh = fleet.start(version, MaxHealthyPercentage=100, **preferences)
    fleet.world.run_until(
        lambda: fleet.described(refresh)["PercentageComplete"] == 50, limit=timedelta(hours=2)
    )
    return refresh


def test_a_rollback_keeps_the_id_and_replaces_what_was_replaced() -> None:
    fleet = Fleet(desired=4)
    seen = fleet.listen(REFRESH)
    refresh = half_way(fleet, fleet.release())
    untouched = {
        member.id for member in fleet.group.live_members() if member.instance.template_version == 1
    }

    reply = fleet.call("RollbackInstanceRefresh")
    assert refresh.status == "RollbackInProgress"
    fleet.run_until(refresh, "RollbackSuccessful")

    assert reply == {"InstanceRefreshId": refresh.id}
    assert fleet.versions() == [1, 1, 1, 1]
    assert untouched <= fleet.group.instances.keys()
    assert [event["type"] for event in seen] == [
        "Started",
        "Rollback Started",
        "Rollback Succeeded",
    ]


def test_percentage_complete_falls_back_to_zero_in_a_rollback() -> None:
    fleet = Fleet(desired=4)
    refresh = half_way(fleet, fleet.release())

    fleet.call("RollbackInstanceRefresh")
    seen = [fleet.described(refresh)["PercentageComplete"]]
    while refresh.active:
        fleet.world.step()
        seen.append(fleet.described(refresh)["PercentageComplete"])

    assert seen[0] == 50
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] == 0


def test_in_a_rollback_instances_to_update_are_those_never_touched() -> None:
    fleet = Fleet(desired=4)
    refresh = half_way(fleet, fleet.release())

    fleet.call("RollbackInstanceRefresh")

    assert fleet.described(refresh)["InstancesToUpdate"] == 2


def test_a_rollback_remembers_the_moment_in_which_it_began() -> None:
    fleet = Fleet(desired=4)
    refresh = half_way(fleet, fleet.release())

    fleet.call("RollbackInstanceRefresh")

    details = fleet.described(refresh)["RollbackDetails"]
    assert details["PercentageCompleteOnRollback"] == 50
    assert details["InstancesToUpdateOnRollback"] in (1, 2)
    assert details["RollbackStartTime"] == fleet.world.clock.now().replace(microsecond=0)
    assert details["RollbackReason"]


def test_a_scale_out_during_a_rollback_launches_the_old_version() -> None:
    fleet = Fleet(desired=4)
    half_way(fleet, fleet.release())
    fleet.call("RollbackInstanceRefresh")
    before = fleet.versions().count(1)

    fleet.call("SetDesiredCapacity", DesiredCapacity=6)

    assert fleet.versions().count(1) > before


def test_a_baking_refresh_can_be_rolled_back() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), BakeTime=3600)
    fleet.run_until(refresh, "Baking")

    fleet.call("RollbackInstanceRefresh")
    fleet.run_until(refresh, "RollbackSuccessful")

    assert fleet.versions() == [1, 1]
    assert fleet.saved_version() == "1"


def test_a_rollback_waits_at_no_checkpoint() -> None:
    fleet = Fleet(desired=2)
    refresh = fleet.start(fleet.release(), CheckpointPercentages=[50, 100])
    fleet.run(minutes=10)

    fleet.call("RollbackInstanceRefresh")
    fleet.run_until(refresh, "RollbackSuccessful", hours=0.5)

    assert fleet.versions() == [1, 1]


def test_a_rollback_leaves_alone_what_skip_matching_had_left_alone() -> None:
    fleet = Fleet(desired=2)
    version = fleet.release()
    half_way(fleet, version)
    fleet.call("CancelInstanceRefresh")
    fleet.run(hours=1)
    assert fleet.versions() == [1, version]

    refresh = fleet.start(version, SkipMatching=True, BakeTime=600)
    fleet.run_until(refresh, "Baking")
    fleet.call("RollbackInstanceRefresh")
    fleet.run_until(refresh, "RollbackSuccessful")

    assert fleet.versions() == [1, version]


def test_auto_rollback_goes_back_after_an_hour_of_failing() -> None:
    fleet = Fleet(desired=2)
    seen = fleet.listen(REFRESH)
    refresh = fleet.start(fleet.release("corrupt"), AutoRollback=True)

    fleet.run_until(refresh, "RollbackSuccessful")

    assert [event["type"] for event in seen] == [
        "Started",
        "Rollback Started",
        "Rollback Succeeded",
    ]
    assert fleet.versions() == [1, 1]
    assert fleet.saved_version() == "1"


def test_a_rollback_that_cannot_launch_fails_after_an_hour() -> None:
    fleet = Fleet(desired=2)
    seen = fleet.listen(REFRESH)
    refresh = half_way(fleet, fleet.release())
    (snapshot,) = {
        snapshot
        for launch in fleet.world.autoscaling.launches
        if launch.template_version == 1
        for snapshot in launch.snapshots.values()
    }
    fleet.world.call("ec2", "DeleteSnapshot", {"SnapshotId": snapshot})

    fleet.call("RollbackInstanceRefresh")
    began = fleet.world.clock.now()
    fleet.run_until(refresh, "RollbackFailed")

    assert fleet.world.clock.now() - began >= timedelta(hours=1)
    assert seen[-1]["type"] == "Rollback Failed"
    assert fleet.activities("Failed")


def test_a_rollback_can_be_cancelled() -> None:
    fleet = Fleet(desired=4)
    refresh = half_way(fleet, fleet.release())
    fleet.call("RollbackInstanceRefresh")

    fleet.call("CancelInstanceRefresh", WaitForTransitioningInstances=False)

    assert refresh.status == "Cancelled"
    assert "RollbackDetails" in fleet.described(refresh)


def test_a_rollback_without_a_desired_configuration_is_irreversible() -> None:
    fleet = Fleet(desired=2)
    fleet.start(version=None)

    with pytest.raises(AwsError) as caught:
        fleet.call("RollbackInstanceRefresh")

    assert caught.value.code == "IrreversibleInstanceRefresh"


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_a_rollback_of_a_group_on_latest_or_default_is_irreversible(version: str) -> None:
    fleet = Fleet(desired=2)
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))
    fleet.start(1)

    with pytest.raises(AwsError) as caught:
        fleet.call("RollbackInstanceRefresh")

    assert caught.value.code == "IrreversibleInstanceRefresh"


def test_a_rollback_to_an_image_named_by_a_parameter_is_irreversible() -> None:
    fleet = Fleet(desired=2)
    version = fleet.release(ImageId="resolve:ssm:/images/replica")
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))
    fleet.start(1)

    with pytest.raises(AwsError) as caught:
        fleet.call("RollbackInstanceRefresh")

    assert caught.value.code == "IrreversibleInstanceRefresh"


def test_a_finished_refresh_cannot_be_rolled_back() -> None:
    fleet = Fleet(desired=1)
    fleet.run_until(fleet.start(fleet.release()), "Successful")

    with pytest.raises(AwsError) as caught:
        fleet.call("RollbackInstanceRefresh")

    assert caught.value.code == "ActiveInstanceRefreshNotFound"


def test_what_is_rolled_back_already_cannot_be_rolled_back_again() -> None:
    fleet = Fleet(desired=4)
    half_way(fleet, fleet.release())
    fleet.call("RollbackInstanceRefresh")

    with pytest.raises(AwsError) as caught:
        fleet.call("RollbackInstanceRefresh")

    assert caught.value.code == "ActiveInstanceRefreshNotFound"
