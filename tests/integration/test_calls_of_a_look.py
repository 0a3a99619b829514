"""What a look costs: a few calls whatever happens, because a rollout looks for hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.world.faults import Call
from snaproll.aws.activities import Activities

LOOK = "WatchHealthFunction"
ACTIVITIES = "DescribeScalingActivities"
INSTANCES = 350


def looks(calls: list[Call]) -> Iterator[list[str]]:
    """The operations of each look; every one begins with the ledger."""
    ours = [one.operation for one in calls if one.caller == LOOK]
    begins = [number for number, name in enumerate(ours) if name == "GetItem"]
    for first, end in zip(begins, [*begins[1:], len(ours)], strict=True):
        yield ours[first:end]


@pytest.mark.parametrize("scenario", ["healthy", "degrades", "corrupt"])
def test_a_look_asks_for_the_same_thing_once(
    stage: Stage, fleet: StagedFleet, scenario: str
) -> None:
    first = len(stage.world.calls)

    stage.roll(fleet, scenario)

    made = list(looks(stage.world.calls[first:]))
    assert made
    assert all(len(set(one)) == len(one) for one in made)


def test_a_look_at_which_nothing_is_wrong_takes_six_calls(stage: Stage, fleet: StagedFleet) -> None:
    first = len(stage.world.calls)

    stage.roll(fleet)

    assert max(map(len, looks(stage.world.calls[first:]))) == 6


def test_instances_that_went_long_ago_are_not_looked_for_any_further(stage: Stage) -> None:
    # Given a group with more activities than a look may read
    fleet = stage.add_fleet("large", capacity=0, settle=False)
    autoscaling = stage.session.client("autoscaling")
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=fleet.group, MaxSize=INSTANCES)
    for wanted in (INSTANCES, 0):
        autoscaling.set_desired_capacity(AutoScalingGroupName=fleet.group, DesiredCapacity=wanted)
        stage.world.run_for(3600)
        if wanted:
            members = list(stage.world.autoscaling.groups[fleet.group].instances)
    first = len(stage.world.calls)
    activities = Activities(autoscaling, fleet.group)

    # When it is asked why instances went, one of which never was
    since = stage.world.clock.now() - timedelta(days=1)
    causes = activities.why_taken_out([*members, "i-unknown"], since)

    # Then the newest are explained, and the reading ends
    assert set(causes) == set(members)
    assert len(stage.world.calls) - first == 6
    activities.why_taken_out(["i-unknown"], since)
    assert len(stage.world.calls) - first == 6
