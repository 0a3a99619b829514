"""Snapshots: making, reading, tiers, sharing, locks and their events."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.behaviour import SCENARIO_TAG
from embedded.world.ec2.snapshot_store import AMAZON
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.world import World
from tests.embedded.replicas import Replicas

SNAPSHOT_EVENT = "EBS Snapshot Notification"
MULTI_EVENT = "EBS Multi-Volume Snapshots Completion Status"


@pytest.fixture
def world() -> World:
    return World(seed=3)


def volume(world: World, **params: Any) -> str:
    made = world.call(
        "ec2", "CreateVolume", {"AvailabilityZone": "us-east-1a", "Size": 50, **params}
    )
    world.run_for(10)
    volume_id: str = made["VolumeId"]
    return volume_id


def described(world: World, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.call("ec2", "DescribeSnapshots", params)["Snapshots"]
    return found


def ids(world: World, **params: Any) -> set[str]:
    return {shape["SnapshotId"] for shape in described(world, **params)}


def refusal(world: World, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as refused:
        world.call("ec2", operation, params)
    return refused.value.code


def spied(world: World, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any, Any]]:
    sent: list[tuple[str, str, Any, Any]] = []
    monkeypatch.setattr(world.events, "emit", lambda *event: sent.append(event))
    return sent


def test_a_snapshot_is_pending_with_progress_until_it_completes(world: World) -> None:
    made = world.call("ec2", "CreateSnapshot", {"VolumeId": volume(world)})
    assert (made["State"], made["Progress"]) == ("pending", "0%")

    world.run_for(world.ec2.behaviour.snapshot_seconds / 2)
    [halfway] = described(world, SnapshotIds=[made["SnapshotId"]])
    assert halfway["State"] == "pending"
    assert 40 <= int(halfway["Progress"].rstrip("%")) <= 60
    assert "CompletionTime" not in halfway

    world.run_for(world.ec2.behaviour.snapshot_seconds)
    [done] = described(world, SnapshotIds=[made["SnapshotId"]])
    assert (done["State"], done["Progress"], done["VolumeSize"]) == ("completed", "100%", 50)
    assert done["StartTime"] < done["CompletionTime"]


def test_a_completed_snapshot_is_announced_with_the_region_in_the_accounts_place(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = spied(world, monkeypatch)
    volume_id = volume(world)
    made = world.call("ec2", "CreateSnapshot", {"VolumeId": volume_id})
    world.run_for(3600)

    [(source, detail_type, detail, resources)] = sent
    arn = f"arn:aws:ec2::us-east-1:snapshot/{made['SnapshotId']}"
    assert (source, detail_type, resources) == ("aws.ec2", SNAPSHOT_EVENT, [arn])
    assert detail == {
        "event": "createSnapshot",
        "result": "succeeded",
        "cause": "",
        "request-id": "",
        "snapshot_id": arn,
        "source": f"arn:aws:ec2::us-east-1:volume/{volume_id}",
        "startTime": "2026-01-05T09:00:10Z",
        "endTime": detail["endTime"],
    }


def test_a_failed_snapshot_is_in_error_and_announced_as_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = spied(world, monkeypatch)
    world.ec2.fail_next_snapshot("Source volume ID is not valid.")
    made = world.call("ec2", "CreateSnapshot", {"VolumeId": volume(world)})
    world.run_for(3600)

    [shape] = described(world, SnapshotIds=[made["SnapshotId"]])
    assert shape["State"] == "error"
    assert sent[0][2]["result"] == "failed"
    assert sent[0][2]["cause"] == "Source volume ID is not valid."


def test_a_snapshot_holds_what_was_written_to_its_volume(world: World) -> None:
    volume_id = volume(world)
    whole = world.call("ec2", "CreateSnapshot", {"VolumeId": volume_id})["SnapshotId"]
    world.run_for(3600)
    world.ec2.write_to_volume(volume_id, "corrupt")
    broken = world.call("ec2", "CreateSnapshot", {"VolumeId": volume_id})["SnapshotId"]
    world.call("ec2", "CreateSnapshot", {"VolumeId": volume(world)})

    found = {one.id: one.scenario.value for one in world.ec2.snapshots_of_volume(volume_id)}

    assert found == {whole: "healthy", broken: "corrupt"}


def test_a_snapshot_deleted_while_pending_is_never_announced(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = spied(world, monkeypatch)
    made = world.call("ec2", "CreateSnapshot", {"VolumeId": volume(world)})
    world.call("ec2", "DeleteSnapshot", {"SnapshotId": made["SnapshotId"]})
    world.run_for(3600)
    assert sent == []


def test_snapshots_of_an_instance_end_with_one_event_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    replicas = Replicas()
    sent = spied(replicas.world, monkeypatch)
    instance = replicas.running()
    made = replicas.call(
        "ec2", "CreateSnapshots", InstanceSpecification={"InstanceId": instance.id}
    )
    replicas.world.run_for(3600)

    [(_, detail_type, detail, resources)] = sent
    assert detail_type == MULTI_EVENT
    assert (detail["event"], detail["result"]) == ("createSnapshots", "succeeded")
    assert "snapshot_id" not in detail
    assert [item["status"] for item in detail["snapshots"]] == ["completed", "completed"]
    assert [item["snapshot_id"] for item in detail["snapshots"]] == resources
    assert len(made["Snapshots"]) == 2


def test_a_copy_names_its_source_snapshot_and_an_arbitrary_volume(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = world.ec2.add_snapshot(region="eu-west-1", encrypted=False, tags={"a": "b"})
    sent = spied(world, monkeypatch)
    copied = world.call(
        "ec2", "CopySnapshot", {"SourceRegion": "eu-west-1", "SourceSnapshotId": source.id}
    )
    world.run_for(3600)

    [shape] = described(world, SnapshotIds=[copied["SnapshotId"]])
    assert shape["VolumeId"] == "vol-ffffffff"
    assert shape["TransferType"] == "standard"
    assert "Tags" not in shape
    detail = sent[0][2]
    assert detail["event"] == "copySnapshot"
    assert detail["source"] == f"arn:aws:ec2::eu-west-1:snapshot/{source.id}"
    assert (detail["incremental"], detail["transferType"]) == ("true", "standard")


def test_a_copy_is_encrypted_under_the_default_key_unless_one_is_named(world: World) -> None:
    key = world.call("kms", "CreateKey")["KeyMetadata"]["Arn"]
    source = world.ec2.add_snapshot(kms_key_id=key)
    request = {"SourceRegion": "us-east-1", "SourceSnapshotId": source.id}
    plain = world.call("ec2", "CopySnapshot", request)
    named = world.call("ec2", "CopySnapshot", {**request, "KmsKeyId": key})
    keys = {
        shape["SnapshotId"]: shape["KmsKeyId"]
        for shape in described(world, SnapshotIds=[plain["SnapshotId"], named["SnapshotId"]])
    }
    assert keys == {plain["SnapshotId"]: world.kms.default_ebs_key, named["SnapshotId"]: key}
    assert refusal(world, "CopySnapshot", **request, Encrypted=False) == (
        "InvalidParameterCombination"
    )


def test_a_copy_under_a_disabled_key_ends_in_error(world: World) -> None:
    key = world.call("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    world.call("kms", "DisableKey", {"KeyId": key})
    source = world.ec2.add_snapshot()
    copied = world.call(
        "ec2",
        "CopySnapshot",
        {"SourceRegion": "us-east-1", "SourceSnapshotId": source.id, "KmsKeyId": key},
    )
    world.run_for(3600)
    [shape] = described(world, SnapshotIds=[copied["SnapshotId"]])
    assert (shape["State"], shape["StateMessage"]) == ("error", "Given key ID is not accessible")


def test_a_copy_of_corrupt_data_is_corrupt_without_saying_so(world: World) -> None:
    source = world.ec2.add_snapshot(tags={SCENARIO_TAG: "corrupt"})
    copied = world.call(
        "ec2", "CopySnapshot", {"SourceRegion": "us-east-1", "SourceSnapshotId": source.id}
    )
    snapshot = world.ec2.snapshot(copied["SnapshotId"])
    assert snapshot is not None
    assert snapshot.scenario == "corrupt"


@pytest.mark.parametrize(
    ("snapshot_id", "code"),
    [
        ("snap-0123456789abcdef0", "InvalidSnapshot.NotFound"),
        ("snap-123", "InvalidSnapshotID.Malformed"),
        ("latest", "InvalidParameterValue"),
    ],
)
def test_an_unknown_and_a_malformed_id_are_told_apart(
    world: World, snapshot_id: str, code: str
) -> None:
    assert refusal(world, "DescribeSnapshots", SnapshotIds=[snapshot_id]) == code


def test_a_snapshot_that_may_not_be_seen_is_left_out_silently(world: World) -> None:
    private = world.ec2.add_foreign_snapshot(owner="999988887777")
    assert described(world, SnapshotIds=[private.id]) == []


def test_without_owners_public_and_shared_snapshots_are_included(world: World) -> None:
    own = world.ec2.add_snapshot()
    public = world.ec2.add_foreign_snapshot(owner="999988887777", public=True)
    shared = world.ec2.add_foreign_snapshot(owner="999988887777", shared=True)
    amazon = world.ec2.add_foreign_snapshot(owner=AMAZON, public=True, owner_alias="amazon")
    assert ids(world) == {own.id, public.id, shared.id, amazon.id}
    assert ids(world, OwnerIds=["self"]) == {own.id}
    assert ids(world, OwnerIds=[world.account]) == {own.id}
    assert ids(world, OwnerIds=["999988887777"]) == {public.id, shared.id}
    assert ids(world, OwnerIds=["amazon"]) == {amazon.id}
    assert ids(world, RestorableByUserIds=["all"]) == {public.id, amazon.id}
    assert ids(world, RestorableByUserIds=["self"]) == {own.id, shared.id}


def test_filters_know_tags_wildcards_and_attributes(world: World) -> None:
    one = world.ec2.add_snapshot(tags={"Graph": "sec", "Stage": "prod"})
    two = world.ec2.add_snapshot(tags={"Graph": "sec2"}, encrypted=False)
    three = world.ec2.add_snapshot(state="pending", volume_id="vol-0123456789abcdef0")

    def filtered(name: str, *values: str) -> set[str]:
        return ids(world, Filters=[{"Name": name, "Values": list(values)}])

    assert filtered("tag:Graph", "sec") == {one.id}
    assert filtered("tag:Graph", "sec*") == {one.id, two.id}
    assert filtered("tag:Graph", "sec?") == {two.id}
    assert filtered("tag-key", "Stage") == {one.id}
    assert filtered("status", "completed") == {one.id, two.id}
    assert filtered("encrypted", "false") == {two.id}
    assert filtered("volume-id", "vol-0123456789abcdef0") == {three.id}
    assert filtered("snapshot-id", one.id, three.id) == {one.id, three.id}
    assert filtered("start-time", "2026-01-05*") == {one.id, two.id, three.id}
    assert filtered("storage-tier", "archive") == set()
    assert filtered("owner-id", world.account) == {one.id, two.id, three.id}
    both = [{"Name": "tag:Graph", "Values": ["sec*"]}, {"Name": "encrypted", "Values": ["true"]}]
    assert ids(world, Filters=both) == {one.id}


def test_a_filter_that_is_not_modelled_is_refused_loudly(world: World) -> None:
    with pytest.raises(NotEmulatedError):
        described(world, Filters=[{"Name": "sse-type", "Values": ["sse-kms"]}])


def test_pages_hold_every_snapshot_once(world: World) -> None:
    made = {world.ec2.add_snapshot().id for _ in range(12)}
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = world.call("ec2", "DescribeSnapshots", {"MaxResults": 5, **token})
        assert len(answer["Snapshots"]) <= 5
        seen += [shape["SnapshotId"] for shape in answer["Snapshots"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert len(seen) == 12
    assert set(seen) == made
    assert refusal(world, "DescribeSnapshots", MaxResults=1) == "InvalidParameterValue"
    assert refusal(world, "DescribeSnapshots", SnapshotIds=seen[:1], MaxResults=5) == (
        "InvalidParameterCombination"
    )


def test_the_order_of_snapshots_is_no_order_of_age(world: World) -> None:
    made = [world.ec2.add_snapshot().id for _ in range(30)]
    assert [shape["SnapshotId"] for shape in described(world)] != made
    assert described(world) == described(world)


def test_a_locked_snapshot_cannot_be_deleted_until_the_lock_expires(world: World) -> None:
    snapshot = world.ec2.add_snapshot()
    locked = world.call(
        "ec2",
        "LockSnapshot",
        {"SnapshotId": snapshot.id, "LockMode": "governance", "LockDuration": 1},
    )
    assert locked["LockState"] == "governance"
    assert refusal(world, "DeleteSnapshot", SnapshotId=snapshot.id) == "InvalidSnapshot.InUse"
    world.run_for(25 * 3600)
    [lock] = world.call("ec2", "DescribeLockedSnapshots")["Snapshots"]
    assert lock["LockState"] == "expired"
    world.call("ec2", "DeleteSnapshot", {"SnapshotId": snapshot.id})
    assert described(world) == []


def test_a_snapshot_of_an_image_cannot_be_deleted(world: World) -> None:
    snapshot = world.ec2.add_snapshot()
    world.ec2.hold_with_image(snapshot.id, "ami-0123456789abcdef0")
    assert refusal(world, "DeleteSnapshot", SnapshotId=snapshot.id) == "InvalidSnapshot.InUse"


def test_a_snapshot_named_by_a_launch_template_alone_can_be_deleted(world: World) -> None:
    snapshot = world.ec2.add_snapshot()
    mapping = {"DeviceName": "/dev/xvdf", "Ebs": {"SnapshotId": snapshot.id}}
    world.call(
        "ec2",
        "CreateLaunchTemplate",
        {
            "LaunchTemplateName": "replicas",
            "LaunchTemplateData": {"BlockDeviceMappings": [mapping]},
        },
    )
    world.call("ec2", "DeleteSnapshot", {"SnapshotId": snapshot.id})
    assert described(world) == []


def test_another_accounts_snapshot_can_be_neither_deleted_nor_tagged(world: World) -> None:
    public = world.ec2.add_foreign_snapshot(owner="999988887777", public=True)
    assert refusal(world, "DeleteSnapshot", SnapshotId=public.id) == "InvalidSnapshot.NotFound"
    tags = [{"Key": "a", "Value": "b"}]
    assert refusal(world, "CreateTags", Resources=[public.id], Tags=tags) == (
        "InvalidSnapshot.NotFound"
    )


def test_an_archived_snapshot_stays_usable_until_the_archive_is_complete(world: World) -> None:
    snapshot = world.ec2.add_snapshot()
    request = {"SnapshotId": snapshot.id, "StorageTier": "archive"}
    world.call("ec2", "ModifySnapshotTier", request)
    assert described(world)[0]["StorageTier"] == "standard"
    world.run_for(world.ec2.behaviour.archive_seconds)
    assert described(world)[0]["StorageTier"] == "archive"
    assert refusal(world, "ModifySnapshotTier", **request) == "IncorrectState"


def test_a_temporary_restore_takes_three_days_and_expires(world: World) -> None:
    snapshot = world.ec2.add_snapshot(tier="archive")
    world.call("ec2", "RestoreSnapshotTier", {"SnapshotId": snapshot.id, "TemporaryRestoreDays": 2})
    world.run_for(71 * 3600)
    assert described(world)[0]["StorageTier"] == "archive"
    world.run_for(2 * 3600)
    [restored] = described(world)
    assert restored["StorageTier"] == "standard"
    assert "RestoreExpiryTime" in restored
    world.run_for(48 * 3600)
    assert described(world)[0]["StorageTier"] == "archive"


def test_a_temporary_restore_can_be_made_permanent(world: World) -> None:
    snapshot = world.ec2.add_snapshot(tier="archive")
    world.call("ec2", "RestoreSnapshotTier", {"SnapshotId": snapshot.id, "TemporaryRestoreDays": 1})
    world.run_for(73 * 3600)
    world.call("ec2", "RestoreSnapshotTier", {"SnapshotId": snapshot.id, "PermanentRestore": True})
    world.run_for(240 * 3600)
    [restored] = described(world)
    assert restored["StorageTier"] == "standard"
    assert "RestoreExpiryTime" not in restored


def test_sharing_is_recorded_and_refused_under_the_managed_key(world: World) -> None:
    plain = world.ec2.add_snapshot(encrypted=False)
    add = {"Add": [{"UserId": "999988887777"}]}
    share = {"SnapshotId": plain.id, "CreateVolumePermission": add}
    world.call("ec2", "ModifySnapshotAttribute", share)
    asked = {"SnapshotId": plain.id, "Attribute": "createVolumePermission"}
    permissions = world.call("ec2", "DescribeSnapshotAttribute", asked)["CreateVolumePermissions"]
    assert permissions == [{"UserId": "999988887777"}]

    managed = world.ec2.add_snapshot()
    assert (
        refusal(world, "ModifySnapshotAttribute", SnapshotId=managed.id, CreateVolumePermission=add)
        == "OperationNotPermitted"
    )


def test_reserved_tag_keys_and_a_fifty_first_tag_are_refused(world: World) -> None:
    snapshot = world.ec2.add_snapshot(tags={f"key{number}": "" for number in range(50)})
    reserved = [{"Key": "aws:dlm:managed", "Value": "x"}]
    more = [{"Key": "one-more", "Value": "x"}]
    assert refusal(world, "CreateTags", Resources=[snapshot.id], Tags=reserved) == (
        "InvalidParameterValue"
    )
    assert refusal(world, "CreateTags", Resources=[snapshot.id], Tags=more) == "TagLimitExceeded"
    overwrite = [{"Key": "key0", "Value": "new"}]
    world.call("ec2", "CreateTags", {"Resources": [snapshot.id], "Tags": overwrite})
    assert snapshot.tags["key0"] == "new"


def test_tags_are_put_on_all_the_resources_or_on_none(world: World) -> None:
    snapshot = world.ec2.add_snapshot()
    resources = [snapshot.id, "snap-0123456789abcdef0"]
    tags = [{"Key": "a", "Value": "b"}]
    assert refusal(world, "CreateTags", Resources=resources, Tags=tags) == (
        "InvalidSnapshot.NotFound"
    )
    assert snapshot.tags == {}


def test_tags_are_deleted_by_key_or_by_key_and_value(world: World) -> None:
    snapshot = world.ec2.add_snapshot(tags={"a": "1", "b": "2", "c": "3"})
    tags = [{"Key": "a"}, {"Key": "b", "Value": "other"}]
    world.call("ec2", "DeleteTags", {"Resources": [snapshot.id], "Tags": tags})
    assert snapshot.tags == {"b": "2", "c": "3"}
    listed = world.call(
        "ec2", "DescribeTags", {"Filters": [{"Name": "resource-id", "Values": [snapshot.id]}]}
    )["Tags"]
    assert [item["Key"] for item in listed] == ["b", "c"]
    assert {item["ResourceType"] for item in listed} == {"snapshot"}


def test_a_dry_run_says_that_it_would_have_succeeded(world: World) -> None:
    with pytest.raises(AwsError) as refused:
        world.call("ec2", "DescribeSnapshots", {"DryRun": True})
    assert (refused.value.code, refused.value.http_status) == ("DryRunOperation", 412)


def test_a_volume_of_a_snapshot_must_hold_it(world: World) -> None:
    snapshot = world.ec2.add_snapshot(size_gib=100)
    request = {"AvailabilityZone": "us-east-1a", "SnapshotId": snapshot.id}
    assert refusal(world, "CreateVolume", **request, Size=50) == "InvalidParameterValue"
    made = world.call("ec2", "CreateVolume", request)
    assert (made["Size"], made["State"]) == (100, "creating")
    world.run_for(10)
    [shape] = world.call("ec2", "DescribeVolumes")["Volumes"]
    assert (shape["State"], shape["SnapshotId"]) == ("available", snapshot.id)


def test_the_key_of_a_new_volume_is_looked_at_later(world: World) -> None:
    key = world.call("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    world.call("kms", "DisableKey", {"KeyId": key})
    volume(world, Encrypted=True, KmsKeyId=key)
    assert world.call("ec2", "DescribeVolumes")["Volumes"][0]["State"] == "error"
