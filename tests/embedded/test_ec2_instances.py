"""Instances: what refuses a launch, how a launched one lives, and what is left of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from embedded.world.behaviour import SCENARIO_TAG
from embedded.world.ec2 import Instance, LaunchRefusedError, Snapshot
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.world import World
from tests.embedded.replicas import DEVICE, ZONE, Replicas, template_data


def story(replicas: Replicas, instance: Instance, *, seconds: float) -> list[tuple[str, bool]]:
    """What the instance goes through, as (state, answers)."""
    told: list[tuple[str, bool]] = [(instance.state, instance.answers)]
    instance.watch(lambda changed: told.append((changed.state, changed.answers)))
    replicas.world.run_for(seconds)
    return list(dict.fromkeys(told))


def refused(replicas: Replicas, template_id: str | None = None) -> LaunchRefusedError:
    with pytest.raises(LaunchRefusedError) as caught:
        replicas.launch(template_id)
    return caught.value


def test_an_instance_boots_and_then_answers() -> None:
    replicas = Replicas()
    instance = replicas.launch()
    assert story(replicas, instance, seconds=600) == [
        ("pending", False),
        ("running", False),
        ("running", True),
    ]


def test_an_instance_knows_the_snapshots_and_the_version_it_came_from() -> None:
    replicas = Replicas()
    instance = replicas.launch()
    assert instance.snapshots == {DEVICE: replicas.snapshot.id}
    assert (instance.template_id, instance.template_version) == (replicas.template_id, 1)
    assert instance.tags["aws:autoscaling:groupName"] == "replicas"
    assert instance.tags["aws:ec2launchtemplate:version"] == "1"


def test_corrupt_data_boots_and_never_answers() -> None:
    replicas = Replicas(scenario="corrupt")
    instance = replicas.launch()
    assert story(replicas, instance, seconds=24 * 3600)[-1] == ("running", False)
    assert instance.symptom == "errors"


def test_degrading_data_answers_for_a_while_only() -> None:
    replicas = Replicas(scenario="degrades")
    instance = replicas.launch()
    replicas.world.run_for(300)
    assert instance.answers
    replicas.world.run_for(replicas.world.ec2.behaviour.degrade_after_seconds)
    assert not instance.answers


def test_slow_data_answers_late() -> None:
    replicas = Replicas(scenario="slow")
    instance = replicas.launch()
    replicas.world.run_for(1200)
    assert not instance.answers
    replicas.world.run_for(900)
    assert instance.answers


def test_flapping_data_answers_in_turns() -> None:
    replicas = Replicas(scenario="flapping")
    instance = replicas.launch()
    told: list[bool] = []
    instance.watch(lambda changed: told.append(changed.answers))
    replicas.world.run_for(1500)
    assert told[1:6] == [True, False, True, False, True]
    assert instance.symptom == "hangs"


def test_the_worst_of_an_instances_snapshots_decides() -> None:
    replicas = Replicas(scenario="slow")
    worse = replicas.world.ec2.add_snapshot(tags={SCENARIO_TAG: "corrupt"})
    data = template_data(SnapshotId=replicas.snapshot.id)
    data["BlockDeviceMappings"].append({"DeviceName": "/dev/xvdg", "Ebs": {"SnapshotId": worse.id}})
    created = replicas.call(
        "ec2", "CreateLaunchTemplate", LaunchTemplateName="two", LaunchTemplateData=data
    )

    instance = replicas.launch(created["LaunchTemplate"]["LaunchTemplateId"])

    assert instance.scenario == "corrupt"


def test_an_unknown_scenario_is_refused_loudly() -> None:
    replicas = Replicas(scenario="helthy")
    with pytest.raises(NotEmulatedError, match="helthy"):
        replicas.launch()


def missing(world: World) -> Snapshot:
    snapshot = world.ec2.add_snapshot()
    world.call("ec2", "DeleteSnapshot", {"SnapshotId": snapshot.id})
    return snapshot


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (missing, "InvalidSnapshot.NotFound", "does not exist"),
        (
            lambda world: world.ec2.add_foreign_snapshot(owner="999988887777"),
            "InvalidSnapshot.NotFound",
            "does not exist",
        ),
        (lambda world: world.ec2.add_snapshot(tier="archive"), "IncorrectState", "archived"),
        (lambda world: world.ec2.add_snapshot(state="pending"), "IncorrectState", "pending"),
        (lambda world: world.ec2.add_snapshot(state="error"), "IncorrectState", "error"),
        (
            lambda world: world.ec2.add_snapshot(id="snap-xyz"),
            "InvalidSnapshotID.Malformed",
            "snap-xyz",
        ),
    ],
)
def test_a_launch_from_an_unusable_snapshot_is_refused(
    make: Callable[[World], Snapshot], code: str, words: str
) -> None:
    replicas = Replicas()
    template_id = replicas.template(make(replicas.world), name="bad")
    refusal = refused(replicas, template_id)
    assert refusal.code == code
    assert words in refusal.status_message
    assert refusal.status_code == "Failed"


def test_a_launch_after_a_temporary_restore_expired_is_refused() -> None:
    replicas = Replicas()
    snapshot = replicas.world.ec2.add_snapshot(tier="archive")
    replicas.call("ec2", "RestoreSnapshotTier", SnapshotId=snapshot.id, TemporaryRestoreDays=1)
    template_id = replicas.template(snapshot, name="restored")
    replicas.world.run_for(73 * 3600)
    replicas.launch(template_id)
    replicas.world.run_for(24 * 3600)
    assert "archived" in refused(replicas, template_id).status_message


def test_a_public_snapshot_of_another_account_can_be_launched() -> None:
    replicas = Replicas()
    public = replicas.world.ec2.add_foreign_snapshot(owner="999988887777", public=True)
    assert replicas.launch(replicas.template(public, name="foreign")).state == "pending"


@pytest.mark.parametrize(
    ("ebs", "message"),
    [
        ({"VolumeSize": 50}, "Volume of size 50GB is smaller than snapshot 'snap-"),
        ({"Encrypted": False}, "the encrypted flag cannot be specified since device /dev/xvdf"),
        ({"KmsKeyId": "alias/aws/ebs"}, "requires the parameter Encrypted to be set"),
        ({"VolumeInitializationRate": 50}, "must be between 100 and 300 MiB/s"),
    ],
)
def test_a_bad_block_device_is_refused_at_launch(ebs: dict[str, Any], message: str) -> None:
    assert message in refused(Replicas(**ebs)).status_message


def test_a_volume_may_be_encrypted_further_on_restore() -> None:
    replicas = Replicas(Encrypted=True, KmsKeyId="alias/aws/ebs")
    assert story(replicas, replicas.launch(), seconds=600)[-1] == ("running", True)


def test_a_missing_version_and_a_missing_template_are_refused() -> None:
    replicas = Replicas()
    ec2 = replicas.world.ec2
    with pytest.raises(LaunchRefusedError) as version:
        ec2.launch(replicas.template_id, 2, zone=ZONE, group="replicas")
    assert version.value.code == "InvalidLaunchTemplateId.VersionNotFound"
    replicas.call("ec2", "DeleteLaunchTemplate", LaunchTemplateId=replicas.template_id)
    assert refused(replicas).code == "InvalidLaunchTemplateId.NotFound"


def test_a_deregistered_image_refuses_a_launch() -> None:
    replicas = Replicas()
    replicas.world.ec2.deregistered_images.add("ami-0123456789abcdef0")
    assert refused(replicas).code == "InvalidAMIID.NotFound"


@pytest.mark.parametrize("key", [ZONE, "m7g.large"])
def test_a_capacity_shortage_refuses_launches_until_there_is_room(key: str) -> None:
    replicas = Replicas()
    replicas.world.ec2.capacity[key] = 1
    replicas.launch()
    refusal = refused(replicas)
    assert refusal.code == "InsufficientInstanceCapacity"
    assert refusal.status_message.startswith(
        "We currently do not have sufficient m7g.large capacity in the Availability Zone you "
        "requested (us-east-1a)"
    )
    replicas.world.ec2.capacity[key] = 1
    replicas.launch()


def test_an_unusable_key_lets_an_instance_start_and_die() -> None:
    replicas = Replicas()
    key = replicas.call("kms", "CreateKey")["KeyMetadata"]["Arn"]
    snapshot = replicas.world.ec2.add_snapshot(kms_key_id=key)
    instance = replicas.launch(replicas.template(snapshot, name="locked"))
    assert story(replicas, instance, seconds=600) == [("pending", False), ("terminated", False)]
    reservations = replicas.call("ec2", "DescribeInstances", InstanceIds=[instance.id])
    assert reservations["Reservations"][0]["Instances"][0]["StateReason"] == {
        "Code": "Client.InternalError",
        "Message": "Client.InternalError: Client error on launch",
    }


def test_a_shared_encrypted_snapshot_needs_its_owners_key_too() -> None:
    replicas = Replicas()
    foreign = "arn:aws:kms:us-east-1:999988887777:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    shared = replicas.world.ec2.add_foreign_snapshot(
        owner="999988887777", shared=True, encrypted=True, kms_key_id=foreign
    )
    template_id = replicas.template(shared, name="shared")
    first = replicas.launch(template_id)
    replicas.world.run_for(600)
    replicas.world.kms.foreign_keys.add(foreign)
    second = replicas.launch(template_id)
    replicas.world.run_for(600)
    assert (first.state, second.state) == ("terminated", "running")


def test_what_would_change_how_instances_come_and_go_is_refused_loudly() -> None:
    replicas = Replicas()
    data = {**template_data(), "InstanceMarketOptions": {"MarketType": "spot"}}
    made = replicas.call(
        "ec2", "CreateLaunchTemplate", LaunchTemplateName="spot", LaunchTemplateData=data
    )
    with pytest.raises(NotEmulatedError):
        replicas.launch(made["LaunchTemplate"]["LaunchTemplateId"])


def test_a_key_disabled_later_leaves_running_instances_alone() -> None:
    replicas = Replicas()
    key = replicas.call("kms", "CreateKey")["KeyMetadata"]["Arn"]
    role = replicas.world.ec2.service_linked_role
    operations = "Encrypt Decrypt ReEncryptFrom ReEncryptTo GenerateDataKey DescribeKey CreateGrant"
    replicas.call(
        "kms",
        "CreateGrant",
        KeyId=key,
        GranteePrincipal=role,
        Operations=[*operations.split(), "GenerateDataKeyWithoutPlaintext"],
    )
    snapshot = replicas.world.ec2.add_snapshot(kms_key_id=key)
    template_id = replicas.template(snapshot, name="keyed")
    first = replicas.launch(template_id)
    replicas.world.run_for(600)
    replicas.call("kms", "DisableKey", KeyId=key)
    second = replicas.launch(template_id)
    replicas.world.run_for(600)
    assert (first.state, second.state) == ("running", "terminated")


def test_a_terminated_instance_shuts_down_first_and_shows_for_an_hour() -> None:
    replicas = Replicas()
    instance = replicas.running()
    answer = replicas.call("ec2", "TerminateInstances", InstanceIds=[instance.id])
    [change] = answer["TerminatingInstances"]
    assert change["PreviousState"]["Name"] == "running"
    assert change["CurrentState"] == {"Code": 32, "Name": "shutting-down"}
    replicas.world.run_for(120)
    assert instance.state == "terminated"
    assert replicas.call("ec2", "DescribeInstances", InstanceIds=[instance.id])["Reservations"]
    replicas.world.run_for(3601)
    assert (
        replicas.refusal("ec2", "DescribeInstances", InstanceIds=[instance.id]).code
        == "InvalidInstanceID.NotFound"
    )


def test_terminating_a_pending_instance_ends_its_boot() -> None:
    replicas = Replicas()
    instance = replicas.launch()
    replicas.world.ec2.terminate(instance.id)
    assert story(replicas, instance, seconds=600) == [
        ("shutting-down", False),
        ("terminated", False),
    ]


def test_one_unknown_instance_spares_them_all() -> None:
    replicas = Replicas()
    instance = replicas.running()
    ids = [instance.id, "i-0123456789abcdef0"]
    refusal = replicas.refusal("ec2", "TerminateInstances", InstanceIds=ids)
    assert refusal.code == "InvalidInstanceID.NotFound"
    assert instance.state == "running"


def test_volumes_go_with_the_instance_only_when_told_to() -> None:
    replicas = Replicas(DeleteOnTermination=False)
    instance = replicas.running()
    assert len(replicas.call("ec2", "DescribeVolumes")["Volumes"]) == 2
    replicas.world.ec2.terminate(instance.id)
    replicas.world.run_for(120)
    [leaked] = replicas.call("ec2", "DescribeVolumes")["Volumes"]
    assert (leaked["State"], leaked["SnapshotId"]) == ("available", replicas.snapshot.id)


def test_instances_are_found_by_filters_and_pages() -> None:
    replicas = Replicas()
    running = replicas.running()
    pending = replicas.launch()

    def found(**params: Any) -> list[str]:
        reservations = replicas.call("ec2", "DescribeInstances", **params)["Reservations"]
        return [item["Instances"][0]["InstanceId"] for item in reservations]

    def filtered(name: str, value: str) -> list[str]:
        return found(Filters=[{"Name": name, "Values": [value]}])

    assert found() == [running.id, pending.id]
    assert filtered("instance-state-name", "running") == [running.id]
    assert filtered("tag:aws:autoscaling:groupName", "replicas") == [running.id, pending.id]
    assert filtered("tag:aws:autoscaling:groupName", "others") == []
    assert found(MaxResults=5) == [running.id, pending.id]


def test_a_dry_run_looks_at_the_template_and_not_at_its_snapshot() -> None:
    replicas = Replicas()
    replicas.call("ec2", "DeleteSnapshot", SnapshotId=replicas.snapshot.id)
    request = {"MinCount": 1, "MaxCount": 1, "DryRun": True}
    good = {"LaunchTemplateId": replicas.template_id, "Version": "1"}
    bad = {**good, "Version": "2"}
    run = "RunInstances"
    assert replicas.refusal("ec2", run, LaunchTemplate=good, **request).code == "DryRunOperation"
    assert (
        replicas.refusal("ec2", run, LaunchTemplate=bad, **request).code
        == "InvalidLaunchTemplateId.VersionNotFound"
    )


def test_running_instances_for_real_is_refused_loudly() -> None:
    with pytest.raises(NotEmulatedError):
        Replicas().call("ec2", "RunInstances", MinCount=1, MaxCount=1, ImageId="ami-1")


def test_a_volume_fills_at_its_rate_and_says_so_five_minutes_late() -> None:
    replicas = Replicas(VolumeInitializationRate=100)
    instance = replicas.launch()

    def progress() -> Any:
        answer = replicas.call("ec2", "DescribeVolumeStatus", VolumeIds=[instance.volumes[DEVICE]])
        return answer["VolumeStatuses"][0]["InitializationStatusDetails"]

    # 50 GiB of data at 100 MiB/s take 512 s.
    replicas.world.run_for(299)
    assert progress()["Progress"] == 0
    replicas.world.run_for(2)
    assert progress() == {
        "InitializationType": "provisioned-rate",
        "Progress": 58,
        "EstimatedTimeToCompleteInSeconds": 212,
    }
    replicas.world.run_for(300)
    assert progress()["Progress"] == 100


def test_launches_fail_above_the_regional_initialization_rate() -> None:
    replicas = Replicas(VolumeInitializationRate=300)
    for _ in range(16):
        replicas.launch()
    assert "5000 MiB/s" in refused(replicas).status_message
    replicas.world.run_for(600)
    replicas.launch()


def test_behaviour_can_be_replaced_for_one_world() -> None:
    replicas = Replicas()
    behaviour = replicas.world.ec2.behaviour
    replicas.world.ec2.behaviour = replace(behaviour, boot_seconds=5, jitter=0)
    instance = replicas.launch()
    replicas.world.run_for(5)
    assert instance.state == "running"


def test_the_same_seed_gives_the_same_life() -> None:
    def life() -> list[str]:
        replicas = Replicas(seed=9, scenario="flapping")
        instance = replicas.launch()
        told: list[str] = []
        instance.watch(
            lambda item: told.append(f"{replicas.world.clock.now()} {item.state} {item.answers}")
        )
        replicas.world.run_for(3600)
        return told

    assert life() == life()


def test_a_template_version_is_resolved_from_words_and_numbers() -> None:
    replicas = Replicas()
    replicas.call(
        "ec2",
        "CreateLaunchTemplateVersion",
        LaunchTemplateId=replicas.template_id,
        LaunchTemplateData=template_data(SnapshotId=replicas.snapshot.id),
    )
    resolve = replicas.world.ec2.resolve_version
    assert [resolve(replicas.template_id, spec) for spec in ("$Latest", "$Default", "2")] == [
        2,
        1,
        2,
    ]
    with pytest.raises(AwsError, match="VersionNotFound"):
        resolve(replicas.template_id, "3")


def test_a_scenario_is_a_tag_on_the_snapshot() -> None:
    replicas = Replicas()
    replicas.call(
        "ec2",
        "CreateTags",
        Resources=[replicas.snapshot.id],
        Tags=[{"Key": SCENARIO_TAG, "Value": "corrupt"}],
    )
    assert replicas.launch().scenario == "corrupt"
