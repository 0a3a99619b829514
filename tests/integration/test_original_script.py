"""The fault of the script that snaproll replaces, and what snaproll does in the same place.

The script made a launch template version, moved the template's default to it, and started an
instance refresh without a DesiredConfiguration. A group that saves a version by number then
relaunches that very version: every instance is replaced, success is reported, and the old snapshot
is served.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import DATA_DEVICE, DATA_GIB, Stage, StagedFleet
from tests.integration.seen import Seen, outcome


@pytest.fixture
def snapshot(stage: Stage, fleet: StagedFleet) -> str:
    """A good new snapshot, of which nothing was told to anybody."""
    return stage.complete_snapshot(fleet, event=False)


def run_the_script(stage: Stage, fleet: StagedFleet, snapshot: str) -> str:
    """Do what the script did; the refresh's id."""
    ec2 = stage.session.client("ec2")
    version = ec2.create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        SourceVersion="$Latest",
        LaunchTemplateData={
            "BlockDeviceMappings": [
                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}},
                {
                    "DeviceName": DATA_DEVICE,
                    "Ebs": {
                        "SnapshotId": snapshot,
                        "VolumeSize": DATA_GIB,
                        "VolumeType": "gp3",
                        "DeleteOnTermination": True,
                    },
                },
            ]
        },
    )["LaunchTemplateVersion"]["VersionNumber"]
    ec2.modify_launch_template(LaunchTemplateId=fleet.template_id, DefaultVersion=str(version))
    reply = stage.session.client("autoscaling").start_instance_refresh(
        AutoScalingGroupName=fleet.group, Strategy="Rolling"
    )
    return reply["InstanceRefreshId"]


def instances(stage: Stage, fleet: StagedFleet) -> set[str]:
    """The ids of a fleet's instances."""
    return {one["InstanceId"] for one in stage.describe(fleet)["Instances"]}


def test_the_script_reports_success_and_serves_the_old_snapshot(
    stage: Stage, fleet: StagedFleet, seen: Seen, snapshot: str
) -> None:
    # Given a group that is pinned to a version by number
    assert seen.saved == 1
    before = instances(stage, fleet)

    # When the script runs
    refresh = run_the_script(stage, fleet, snapshot)
    stage.world.run_until(
        lambda: seen.refreshes[-1]["Status"] == "Successful", limit=timedelta(hours=12)
    )

    # Then every instance was replaced, success was reported, and nothing new is served
    assert seen.refreshes[-1]["InstanceRefreshId"] == refresh
    assert not before & instances(stage, fleet)
    assert seen.serves(fleet.first_snapshot)
    assert seen.saved == 1


def test_snaproll_in_the_same_place_serves_the_new_one(
    stage: Stage, seen: Seen, snapshot: str
) -> None:
    assert seen.saved == 1

    rollout = stage.start({"fleet": "sec-prod"})
    stage.finish()

    assert outcome(rollout) == "Live"
    assert seen.serves(snapshot)
    assert seen.saved == 2


def test_snaproll_serves_the_new_one_after_the_script_has_run_too(
    stage: Stage, fleet: StagedFleet, seen: Seen, snapshot: str
) -> None:
    # Given what the script leaves: a default that nothing runs
    run_the_script(stage, fleet, snapshot)
    stage.world.run_until(
        lambda: seen.refreshes[-1]["Status"] == "Successful", limit=timedelta(hours=12)
    )
    assert seen.default == 2

    # When a person starts a rollout
    rollout = stage.start({"fleet": "sec-prod"})
    stage.finish()

    # Then it is made live by a version of its own, not by one that was made who knows how
    assert outcome(rollout) == "Live"
    assert seen.serves(snapshot)
    assert (seen.saved, seen.default) == (3, 3)
