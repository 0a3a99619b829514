"""A fleet that somebody else changed: told once, with the likely cause, and healed where asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, ENVIRONMENT, Stage, StagedFleet
from embedded.world.behaviour import SCENARIO_TAG
from tests.integration.seen import Seen, outcome, reason, states_of

COMPARISON = timedelta(minutes=16)
"""A little more than the time between two comparisons."""
OLD_IMAGE, NEW_IMAGE = "ami-0123456789abcdef0", "ami-0fedcba9876543210"


def update_stack(stage: Stage, fleet: StagedFleet, snapshot: str, *, image: str = OLD_IMAGE) -> int:
    """Make a template version with a snapshot and save it on the group, as a stack update does."""
    ec2: Any = stage.session.client("ec2")
    first = ec2.describe_launch_template_versions(
        LaunchTemplateId=fleet.template_id, Versions=["$Latest"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    devices = [
        {**one, "Ebs": {**one["Ebs"], "SnapshotId": snapshot}}
        if one["DeviceName"] == DATA_DEVICE
        else one
        for one in first["BlockDeviceMappings"]
    ]
    made: int = ec2.create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        LaunchTemplateData={**first, "ImageId": image, "BlockDeviceMappings": devices},
    )["LaunchTemplateVersion"]["VersionNumber"]
    save(stage, fleet, made)
    return made


def save(stage: Stage, fleet: StagedFleet, version: int) -> None:
    """Save a template version on the group."""
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": str(version)},
    )


def pass_time(stage: Stage, length: timedelta) -> None:
    """Let time pass, and every rollout that runs then come to its end."""
    stage.world.run_for(length.total_seconds())
    stage.finish()


def live_on(seen: Seen) -> str:
    """The snapshot that the ledger calls live."""
    assert seen.state.live is not None
    return seen.state.live.snapshot


def images(stage: Stage, fleet: StagedFleet) -> set[str]:
    """The images that the fleet's instances run."""
    return {
        stage.world.ec2.instance(one["InstanceId"]).image_id
        for one in stage.describe(fleet)["Instances"]
    }


# -- told -----------------------------------------------------------------------------------------


def test_a_stack_update_that_puts_old_data_back_is_told_once_and_nothing_is_changed(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    before = len(seen.changes())

    made = update_stack(stage, fleet, fleet.first_snapshot)
    pass_time(stage, timedelta(hours=2))

    [told] = seen.told("Drift Detected")
    assert f"{live_on(seen)} is live on it" in told.detail["message"]
    assert f"version {made} with {fleet.first_snapshot}" in told.detail["message"]
    assert "a stack update or somebody's update" in told.detail["cause"]
    assert f"arn:aws:iam::{stage.world.account}:root" in told.detail["cause"]
    assert sum("Drift Detected" in mail for mail in seen.mails()) == 1
    assert len(seen.changes()) == before
    assert seen.serves(live_on(seen))


def test_another_drift_is_told_and_one_that_was_over_is_told_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    live = seen.saved
    for _ in range(2):
        save(stage, fleet, 1)
        pass_time(stage, COMPARISON)
        save(stage, fleet, live)
        pass_time(stage, COMPARISON)
    update_stack(stage, fleet, fleet.first_snapshot)
    pass_time(stage, COMPARISON)

    causes = [one.detail["cause"].split(" (")[0] for one in seen.told("Drift Detected")]
    assert causes[:2] == ["a stack or somebody set the group back to an older version"] * 2
    assert len(causes) == 3
    assert fleet.first_snapshot in causes[2]


def test_instances_launched_from_other_data_are_told(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a group that saved old data for as long as it took to launch an instance
    stage.roll(fleet)
    live = seen.saved
    save(stage, fleet, 1)
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=5
    )
    stage.world.run_for(60)
    save(stage, fleet, live)

    pass_time(stage, COMPARISON)

    [told] = seen.told("Drift Detected")
    assert "1 instance (i-" in told.detail["message"]
    assert fleet.first_snapshot in told.detail["message"]


def test_a_stack_update_that_keeps_the_data_is_no_drift_and_its_number_is_taken_over(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    proven = seen.saved

    made = update_stack(stage, fleet, live_on(seen), image=NEW_IMAGE)
    pass_time(stage, COMPARISON)

    assert seen.told("Drift Detected") == []
    assert seen.state.live is not None
    assert seen.state.live.template.version == made
    assert seen.state.proven is not None
    assert seen.state.proven.version == proven


def test_a_fleet_that_is_being_rolled_is_not_taken_for_drifted(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    stage.complete_snapshot(fleet)

    pass_time(stage, timedelta(hours=2))

    assert seen.told("Drift Detected") == []


def test_a_deleted_group_is_told(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    stage.roll(fleet)
    stage.session.client("autoscaling").delete_auto_scaling_group(
        AutoScalingGroupName=fleet.group, ForceDelete=True
    )

    pass_time(stage, timedelta(hours=1))

    [told] = seen.told("Drift Detected")
    assert f"there is no Auto Scaling group {fleet.group}" in told.detail["message"]


# -- answers --------------------------------------------------------------------------------------


def test_on_a_drifted_fleet_a_snapshots_event_tells_and_a_person_puts_it_right(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet whose group saves old data
    stage.roll(fleet)
    live = live_on(seen)
    update_stack(stage, fleet, fleet.first_snapshot)

    # When automation asks for what is live, it is told
    told = stage.start({"fleet": fleet.name, "snapshot": live, "trigger": "snapshot"})
    stage.finish()
    assert outcome(told) == "Drifted"
    assert fleet.first_snapshot in reason(told)

    # And when a person asks, it is put right
    healed = stage.start({"fleet": fleet.name})
    stage.finish()
    assert outcome(healed) == "Live"
    assert seen.serves(live)
    assert saved_snapshot(seen) == live
    assert seen.state.hold is None


def saved_snapshot(seen: Seen) -> str:
    """The data snapshot of the version that the group saves."""
    devices = seen.versions[seen.saved]["BlockDeviceMappings"]
    [snapshot] = [one["Ebs"]["SnapshotId"] for one in devices if one["DeviceName"] == DATA_DEVICE]
    return str(snapshot)


@pytest.mark.parametrize("asked", [{}, {"reason": "to be sure"}])
def test_a_fresh_fleet_that_serves_the_newest_already_says_so(
    stage: Stage, fleet: StagedFleet, seen: Seen, asked: dict[str, str]
) -> None:
    answered = stage.start({"fleet": fleet.name, **asked})
    stage.finish()

    assert outcome(answered) == "AlreadyLive"
    assert "since before snaproll came" in reason(answered)
    assert seen.changes() == []


# -- healed ---------------------------------------------------------------------------------------


@pytest.fixture
def healing(stage: Stage, fleet: StagedFleet, seen: Seen) -> str:
    """A fleet that heals drift, after a rollout; what is live on it."""
    stage.configure(fleet, {"on_drift": "heal"})
    stage.roll(fleet)
    return live_on(seen)


def test_drift_is_healed_and_what_else_was_changed_is_kept(
    stage: Stage, fleet: StagedFleet, seen: Seen, healing: str
) -> None:
    # Given a stack update with a new image, and old data
    update_stack(stage, fleet, fleet.first_snapshot, image=NEW_IMAGE)

    # When the next comparison comes
    pass_time(stage, COMPARISON)

    # Then the live data is rolled out on the new image
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.serves(healing)
    assert saved_snapshot(seen) == healing
    assert images(stage, fleet) == {NEW_IMAGE}
    assert seen.default == seen.latest == seen.saved
    assert "rolled out again" in seen.told("Drift Detected")[0].detail["message"]
    # And that is the end of it
    pass_time(stage, timedelta(hours=2))
    assert len(stage.rollouts()) == 2
    assert len(seen.told("Drift Detected")) == 1


def test_while_it_heals_the_group_saves_what_was_proven(
    stage: Stage, fleet: StagedFleet, seen: Seen, healing: str
) -> None:
    proven = seen.saved
    update_stack(stage, fleet, fleet.first_snapshot)

    stage.world.run_until(lambda: len(seen.refreshes) > 1, limit=COMPARISON)
    stage.world.run_for(60)

    assert seen.saved == proven
    assert saved_snapshot(seen) == healing


def test_healing_what_is_broken_by_the_new_image_goes_back_to_what_was_proven(
    stage: Stage, fleet: StagedFleet, seen: Seen, healing: str
) -> None:
    # Given a stack update that brings old data and an image that cannot be launched
    proven = seen.saved
    update_stack(stage, fleet, fleet.first_snapshot, image=NEW_IMAGE)
    stage.world.ec2.deregistered_images.add(NEW_IMAGE)

    pass_time(stage, COMPARISON)

    # Then the heal is rolled back, the group saves what was proven, and the data is not blamed
    assert outcome(stage.rollouts()[-1]) == "RolledBack"
    assert seen.saved == proven
    assert seen.serves(healing)
    assert seen.ledger.condemned(fleet.name) == frozenset()
    assert seen.role(healing) == "live"


def test_a_held_fleet_is_only_told_of(
    stage: Stage, fleet: StagedFleet, seen: Seen, healing: str
) -> None:
    stage.start({"fleet": fleet.name, "hold": "an experiment", "by": "ann"})
    update_stack(stage, fleet, fleet.first_snapshot)

    pass_time(stage, timedelta(hours=1))

    [told] = seen.told("Drift Detected")
    assert "The fleet is held" in told.detail["message"]
    assert len(seen.refreshes) == 1
    assert seen.serves(healing)


def test_nothing_heals_while_the_environment_is_stopped(
    stage: Stage, fleet: StagedFleet, seen: Seen, healing: str
) -> None:
    ssm = stage.session.client("ssm")
    ssm.put_parameter(Name=f"/snaproll/{ENVIRONMENT}/stop", Value="an audit", Type="String")
    update_stack(stage, fleet, fleet.first_snapshot)
    pass_time(stage, timedelta(hours=1))
    assert len(seen.told("Drift Detected")) == 1
    assert len(stage.rollouts()) == 1

    ssm.delete_parameter(Name=f"/snaproll/{ENVIRONMENT}/stop")
    pass_time(stage, COMPARISON)

    assert outcome(stage.rollouts()[-1]) == "Live"
    assert saved_snapshot(seen) == healing


def test_a_live_snapshot_older_than_the_fleets_limit_is_healed_all_the_same(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.configure(
        fleet, {"on_drift": "heal", "snapshots": {"tags": dict(fleet.tags), "max_age": "1d"}}
    )
    stage.roll(fleet)
    live = live_on(seen)
    pass_time(stage, timedelta(days=2))

    update_stack(stage, fleet, fleet.first_snapshot)
    pass_time(stage, COMPARISON)

    assert outcome(stage.rollouts()[-1]) == "Live"
    assert saved_snapshot(seen) == live


# -- refresh only ---------------------------------------------------------------------------------


def again(stage: Stage, fleet: StagedFleet, **asked: str) -> Any:
    """A person rolls out again what is live; the execution, at its end."""
    execution = stage.start({"fleet": fleet.name, "snapshot": "live", **asked})
    stage.finish()
    return execution


def test_what_is_live_is_rolled_out_again_for_a_new_image(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a stack update that only brings a new image, which nobody runs yet
    stage.roll(fleet)
    live, previous = live_on(seen), seen.state.previous
    update_stack(stage, fleet, live, image=NEW_IMAGE)
    pass_time(stage, COMPARISON)
    assert images(stage, fleet) == {OLD_IMAGE}

    # When a person asks for what is live
    done = again(stage, fleet, reason="the image of May")

    # Then every instance runs the new image on the same data, and the fleet is not held
    assert outcome(done) == "Live"
    assert images(stage, fleet) == {NEW_IMAGE}
    assert seen.serves(live)
    assert seen.state.previous == previous
    assert seen.state.proven is None
    assert seen.state.hold is None


def test_every_instance_is_replaced_even_if_nothing_changed(
    stage: Stage, fleet: StagedFleet
) -> None:
    stage.roll(fleet)
    before = {one["InstanceId"] for one in stage.describe(fleet)["Instances"]}

    done = again(stage, fleet)

    assert outcome(done) == "Live"
    assert before.isdisjoint(one["InstanceId"] for one in stage.describe(fleet)["Instances"])


@pytest.mark.parametrize("compared", [True, False], ids=["taken over", "not compared yet"])
def test_a_new_image_that_is_bad_goes_back_to_the_proven_one(
    stage: Stage, fleet: StagedFleet, seen: Seen, *, compared: bool
) -> None:
    # Given a stack update whose image cannot be launched
    stage.roll(fleet)
    live, proven = live_on(seen), seen.saved
    update_stack(stage, fleet, live, image=NEW_IMAGE)
    if compared:
        pass_time(stage, COMPARISON)
    stage.world.ec2.deregistered_images.add(NEW_IMAGE)

    # When what is live is rolled out again
    done = again(stage, fleet, reason="the image of May")

    # Then the fleet is whole on the proven image, and its data is not blamed
    assert outcome(done) == "RolledBack"
    assert seen.saved == proven
    assert seen.serves(live)
    assert images(stage, fleet) == {OLD_IMAGE}
    assert seen.ledger.condemned(fleet.name) == frozenset()
    assert live_on(seen) == live
    # And the comparison finds nothing to complain of
    pass_time(stage, COMPARISON)
    assert seen.told("Drift Detected") == []


def test_what_is_live_is_not_condemned_whatever_its_instances_do(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given live data with which nothing becomes healthy any more
    stage.roll(fleet)
    live = live_on(seen)
    stage.session.client("ec2").create_tags(
        Resources=[live], Tags=[{"Key": SCENARIO_TAG, "Value": "corrupt"}]
    )

    done = again(stage, fleet, reason="the image of May")

    # Then the fleet goes back, and its data stays what it was: it was proven before
    assert outcome(done) == "RolledBack"
    assert "did not become healthy" in reason(done)
    assert seen.ledger.condemned(fleet.name) == frozenset()
    assert live_on(seen) == live


def test_without_the_proven_version_there_is_nothing_to_go_back_to(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    proven = seen.saved
    update_stack(stage, fleet, live_on(seen), image=NEW_IMAGE)
    pass_time(stage, COMPARISON)
    ec2 = stage.session.client("ec2")
    ec2.modify_launch_template(LaunchTemplateId=fleet.template_id, DefaultVersion="1")
    ec2.delete_launch_template_versions(LaunchTemplateId=fleet.template_id, Versions=[str(proven)])

    refused = again(stage, fleet, reason="the image of May")

    assert outcome(refused) == "FleetNotReady"
    assert "does not exist any more" in reason(refused)


def test_a_fleet_that_was_never_rolled_may_be_refreshed_too(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    done = again(stage, fleet)

    assert outcome(done) == "Live"
    assert live_on(seen) == fleet.first_snapshot
    assert seen.state.previous is None


def test_a_request_to_roll_out_again_waits_for_what_runs(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(600)

    waiting = stage.start({"fleet": fleet.name, "snapshot": "live"})
    stage.finish()
    pass_time(stage, timedelta(minutes=1))

    assert outcome(waiting) == "Queued"
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert "UpdateLaunchTemplate" in states_of(stage.rollouts()[-1])
    assert seen.serves(new)
    assert len(seen.refreshes) == 3
