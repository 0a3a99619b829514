"""A rollback on a fleet whose group got another launch template version right before."""

from __future__ import annotations

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from snaproll.aws.launch_templates import LaunchTemplates
from snaproll.errors import NotYetVisibleError
from tests.integration.seen import Seen, outcome, reason
from tests.integration.test_drift import NEW_IMAGE, live_on, update_stack


def test_instances_of_the_version_before_a_stack_update_need_no_way_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a stack update with a new image and the live data, which no instance runs yet
    stage.roll(fleet)
    live = live_on(seen)
    made = update_stack(stage, fleet, live, image=NEW_IMAGE)

    # When a bad snapshot is rolled back before it has replaced any of the others
    rolled = stage.roll(fleet, "corrupt")

    # Then the fleet is whole on the live data, whichever version brought it, and nobody is called
    assert outcome(rolled) == "RolledBack"
    assert seen.serves(live)
    assert seen.saved == made
    assert seen.state.hold is None
    versions = {one["LaunchTemplate"]["Version"] for one in stage.describe(fleet)["Instances"]}
    assert str(made) not in versions


def test_instances_with_other_data_are_still_no_way_back(stage: Stage, fleet: StagedFleet) -> None:
    # Given a group that saves old data, on instances of which none was replaced yet
    stage.roll(fleet)
    update_stack(stage, fleet, fleet.first_snapshot)

    rolled = stage.roll(fleet, "corrupt")

    # Then what it saved is no place to go back to for those that run what is live
    assert outcome(rolled) == "NeedsAttention"
    assert "still run another version" in reason(rolled)


def test_a_stack_update_of_a_fleet_on_which_what_is_live_was_staged_calls_nobody(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet without instances on which a person wants what is live to stay
    stage.roll(fleet)
    live = live_on(seen)
    scale(stage, fleet, 0)
    stage.roll(fleet)
    stage.start({"fleet": fleet.name, "snapshot": live, "reason": "the new one is wrong"})
    stage.finish()

    # When a stack update makes another version of that, and the first instances come
    made = update_stack(stage, fleet, live)
    scale(stage, fleet, 2)
    stage.finish()

    # Then what was staged is given up for the stack's version, which brings the same data
    assert outcome(stage.rollouts()[-1]) == "FleetNotReady"
    assert seen.serves(live)
    assert seen.saved == made


def scale(stage: Stage, fleet: StagedFleet, desired: int) -> None:
    """Change the desired capacity, and give the group the time for it."""
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=desired
    )
    stage.world.run_for(900)


def test_a_newest_version_that_cannot_be_seen_yet_is_asked_for_again(
    stage: Stage, fleet: StagedFleet
) -> None:
    templates = LaunchTemplates(stage.session.client("ec2"))
    stage.world.reads.lag(10)
    update_stack(stage, fleet, fleet.first_snapshot)

    with pytest.raises(NotYetVisibleError, match="cannot be seen yet"):
        templates.newest(fleet.template_id)

    stage.world.run_for(11)
    assert templates.newest(fleet.template_id) is not None


def test_a_template_that_is_gone_has_no_newest_version(stage: Stage, fleet: StagedFleet) -> None:
    templates = LaunchTemplates(stage.session.client("ec2"))
    stage.session.client("ec2").delete_launch_template(LaunchTemplateId=fleet.template_id)

    assert templates.newest(fleet.template_id) is None
