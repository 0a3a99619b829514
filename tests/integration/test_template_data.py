"""What else is in a launch template stays there: unchanged, and out of payloads and logs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, ENVIRONMENT, Stage, StagedFleet
from embedded.world.faults import Call
from tests.integration.seen import Seen, outcome, reason, texts

SECRET = "correct-horse-battery-staple"  # noqa: S105 - that is the point
USER_DATA = base64.b64encode(f"#!/bin/sh\nexport TOKEN={SECRET}\n".encode()).decode()

RICH: dict[str, Any] = {
    "ImageId": "ami-0123456789abcdef0",
    "InstanceType": "r7g.large",
    "KeyName": "replicas",
    "UserData": USER_DATA,
    "EbsOptimized": True,
    "IamInstanceProfile": {"Arn": "arn:aws:iam::111122223333:instance-profile/replicas"},
    "Monitoring": {"Enabled": True},
    "SecurityGroupIds": ["sg-0123456789abcdef0", "sg-0123456789abcdef1"],
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
    "TagSpecifications": [
        {"ResourceType": "instance", "Tags": [{"Key": "Team", "Value": "search"}]},
        {"ResourceType": "volume", "Tags": [{"Key": "Team", "Value": "search"}]},
    ],
    "BlockDeviceMappings": [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {"VolumeSize": 8, "VolumeType": "gp3", "DeleteOnTermination": True},
        },
        {
            "DeviceName": DATA_DEVICE,
            "Ebs": {
                "VolumeSize": 200,
                "VolumeType": "gp3",
                "Iops": 6000,
                "Throughput": 500,
                "DeleteOnTermination": True,
            },
        },
        {"DeviceName": "/dev/xvdz", "VirtualName": "ephemeral0"},
    ],
}


@pytest.fixture
def rich(stage: Stage, fleet: StagedFleet) -> Seen:
    """A fleet whose template holds much more than a snapshot, a secret among it."""
    # The control plane may pass the roles on its environment's path, and no others.
    role = f"arn:aws:iam::{stage.world.account}:role/snaproll/{ENVIRONMENT}/replicas"
    stage.world.access.put_profile("replicas", role)
    data = json.loads(json.dumps(RICH))
    data["BlockDeviceMappings"][1]["Ebs"]["SnapshotId"] = fleet.first_snapshot
    stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=fleet.template_id, LaunchTemplateData=data
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": "2"},
    )
    return Seen(stage, fleet)


def test_everything_but_the_snapshot_is_kept_byte_for_byte(stage: Stage, rich: Seen) -> None:
    rollout = stage.roll(rich.fleet)

    assert outcome(rollout) == "Live"
    made = rich.versions[3]
    assert (
        made["BlockDeviceMappings"][1]["Ebs"].pop("SnapshotId") == (rollout.input.value["snapshot"])
    )
    assert made == RICH


def test_only_the_device_list_is_sent_and_all_of_it(stage: Stage, rich: Seen) -> None:
    stage.roll(rich.fleet)

    [made] = rich.calls("CreateLaunchTemplateVersion")
    assert made.params["SourceVersion"] == "2"
    assert set(made.params["LaunchTemplateData"]) == {"BlockDeviceMappings"}
    assert [
        one["DeviceName"] for one in made.params["LaunchTemplateData"]["BlockDeviceMappings"]
    ] == [
        "/dev/xvda",
        DATA_DEVICE,
        "/dev/xvdz",
    ]


@pytest.mark.parametrize("scenario", ["healthy", "corrupt"])
def test_user_data_is_in_no_payload_and_in_no_log(stage: Stage, rich: Seen, scenario: str) -> None:
    stage.roll(rich.fleet, scenario)

    written = texts(stage, stage.rollouts())
    assert len(written) > 20
    assert not any(SECRET in text or USER_DATA in text for text in written)
    events = [json.dumps(event.envelope) for event in stage.world.events.seen]
    assert not any(SECRET in text or USER_DATA in text for text in events)


def test_user_data_is_in_no_message_of_a_template_that_is_refused(stage: Stage, rich: Seen) -> None:
    # Given a template that cannot be rolled, so that its faults are told
    data = rich.versions[2]
    data["BlockDeviceMappings"][1]["Ebs"]["Encrypted"] = False
    stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=rich.fleet.template_id,
        LaunchTemplateData=data,  # type: ignore[arg-type]
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=rich.fleet.group,
        LaunchTemplate={"LaunchTemplateId": rich.fleet.template_id, "Version": "3"},
    )

    rollout = stage.roll(rich.fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert not any(SECRET in text or USER_DATA in text for text in texts(stage, [rollout]))


def test_a_version_that_ec2_warns_of_is_deleted_again_and_the_warning_told(
    stage: Stage, rich: Seen
) -> None:
    # Given a template that sets an encryption value beside the snapshot, which EC2 only warns of
    data = rich.versions[2]
    data["BlockDeviceMappings"][1]["Ebs"] |= {"Encrypted": True, "KmsKeyId": rich.fleet.key}
    made = stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=rich.fleet.template_id,
        LaunchTemplateData=data,  # type: ignore[arg-type]
    )
    assert made["Warning"]["Errors"]
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=rich.fleet.group,
        LaunchTemplate={"LaunchTemplateId": rich.fleet.template_id, "Version": "3"},
    )

    # When a snapshot is rolled
    rollout = stage.roll(rich.fleet)

    # Then no version is left that launches would fail from
    assert outcome(rollout) == "FleetNotReady"
    assert "EC2 warned about" in reason(rollout)
    assert made["Warning"]["Errors"][0]["Message"] in reason(rollout)
    assert set(rich.versions) == {1, 2, 3}
    assert rich.refreshes == []


def test_a_version_that_was_made_the_default_before_it_could_be_deleted_is_told_of(
    stage: Stage, rich: Seen
) -> None:
    # Given a template that EC2 warns of, and somebody who makes the new version the default at once
    data = rich.versions[2]
    data["BlockDeviceMappings"][1]["Ebs"] |= {"Encrypted": True, "KmsKeyId": rich.fleet.key}
    stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=rich.fleet.template_id,
        LaunchTemplateData=data,  # type: ignore[arg-type]
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=rich.fleet.group,
        LaunchTemplate={"LaunchTemplateId": rich.fleet.template_id, "Version": "3"},
    )

    def make_default(call: Call) -> None:
        if call.operation == "DeleteLaunchTemplateVersions":
            stage.world.faults.clear()
            stage.session.client("ec2").modify_launch_template(
                LaunchTemplateId=rich.fleet.template_id, DefaultVersion="4"
            )

    stage.world.faults.before_effect(make_default)

    # When a snapshot is rolled
    rollout = stage.roll(rich.fleet)

    # Then it ends with a reason that names the version, and not with an error of its own
    assert outcome(rollout) == "FleetNotReady"
    assert "EC2 warned about" in reason(rollout)
    assert f"EC2 did not delete {rich.fleet.template_id} version 4" in reason(rollout)


def test_a_version_is_named_by_what_it_is_for(stage: Stage, fleet: StagedFleet) -> None:
    rollout = stage.roll(fleet)

    reply = stage.session.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=fleet.template_id, Versions=["2"]
    )
    assert reply["LaunchTemplateVersions"][0]["VersionDescription"] == (
        f"snaproll: {rollout.input.value['snapshot']} for sec-prod, from version 1"
    )


def test_an_image_that_a_stack_update_patched_is_kept(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a live release, and then a stack update with another image and the same snapshot
    first = stage.roll(fleet)
    ec2 = stage.session.client("ec2")
    ec2.create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        LaunchTemplateData={**seen.versions[2], "ImageId": "ami-0fedcba9876543210"},  # type: ignore[typeddict-item]
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": "3"},
    )
    assert outcome(first) == "Live"

    # When the next snapshot is rolled
    second = stage.roll(fleet)

    # Then its version has that image
    assert outcome(second) == "Live"
    assert seen.versions[seen.saved]["ImageId"] == "ami-0fedcba9876543210"
