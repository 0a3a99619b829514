"""Checkpoints: where a refresh pauses, what it says, and where it stops."""

from __future__ import annotations

from datetime import timedelta

from tests.embedded.fleets import REFRESH, Fleet


def test_a_refresh_pauses_at_each_checkpoint_for_the_delay() -> None:
    fleet = Fleet(desired=4)
    refresh = fleet.start(fleet.release(), CheckpointPercentages=[25, 100], CheckpointDelay=1800)
    fleet.world.run_until(
        lambda: fleet.described(refresh)["PercentageComplete"] == 25, limit=timedelta(hours=1)
    )

    fleet.run(minutes=29)
    assert fleet.versions() == [1, 1, 1, 2]

    fleet.run(minutes=2)
    assert fleet.versions().count(2) > 1


def test_the_checkpoint_event_has_strings_and_is_not_sent_for_100() -> None:
    fleet = Fleet(desired=2)
    seen = fleet.listen(REFRESH)

    refresh = fleet.start(fleet.release(), CheckpointPercentages=[50, 100], CheckpointDelay=300)
    fleet.run_until(refresh, "Successful")

    reached = [event["detail"] for event in seen if event["type"] == "Checkpoint Reached"]
    assert reached == [
        {
            "InstanceRefreshId": refresh.id,
            "AutoScalingGroupName": fleet.name,
            "CheckpointPercentage": "50",
            "CheckpointDelay": "300",
        }
    ]


def test_small_groups_skip_checkpoints() -> None:
    fleet = Fleet(desired=2)
    seen = fleet.listen(REFRESH)

    refresh = fleet.start(fleet.release(), CheckpointPercentages=[10, 40, 100], CheckpointDelay=60)
    fleet.run_until(refresh, "Successful")

    reached = [event for event in seen if event["type"] == "Checkpoint Reached"]
    assert [event["detail"]["CheckpointPercentage"] for event in reached] == ["40"]


def test_a_last_checkpoint_below_100_is_where_the_refresh_stops() -> None:
    fleet = Fleet(desired=4)

    refresh = fleet.start(fleet.release(), CheckpointPercentages=[50], CheckpointDelay=600)
    fleet.run_until(refresh, "Successful")

    described = fleet.described(refresh)
    assert (described["PercentageComplete"], described["InstancesToUpdate"]) == (50, 2)
    assert fleet.versions() == [1, 1, 2, 2]


def test_a_scale_out_can_reach_a_checkpoint_again() -> None:
    fleet = Fleet(desired=4)
    seen = fleet.listen(REFRESH)
    refresh = fleet.start(fleet.release(), CheckpointPercentages=[50, 100], CheckpointDelay=600)
    fleet.world.run_until(
        lambda: fleet.described(refresh)["PercentageComplete"] == 50, limit=timedelta(hours=1)
    )

    fleet.call("SetDesiredCapacity", DesiredCapacity=8)
    fleet.run_until(refresh, "Successful")

    reached = [event for event in seen if event["type"] == "Checkpoint Reached"]
    assert [event["detail"]["CheckpointPercentage"] for event in reached] == ["50", "50"]
