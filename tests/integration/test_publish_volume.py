"""How a writer's volume is found, and what is said when it is not, or is unfit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.scenarios.writers import Publishing
from embedded.states.execution import Execution
from tests.integration.seen import outcome, reason
from tests.integration.test_publish import snapshots_of

REGISTRY = "instances"


def published(publishing: Publishing, fleet: StagedFleet, volume: Mapping[str, Any]) -> Execution:
    """Publish with a volume that is found in some way."""
    publishing.configure(fleet.name, {"volume": volume, "fleets": [fleet.name]})
    return publishing.publish(fleet.name)


def registry(stage: Stage, *items: Mapping[str, str]) -> None:
    """Make the table in which instances register."""
    dynamodb = stage.session.client("dynamodb")
    dynamodb.create_table(
        TableName=REGISTRY,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "role", "AttributeType": "S"},
            {"AttributeName": "instance_id", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "role", "KeyType": "HASH"},
            {"AttributeName": "instance_id", "KeyType": "RANGE"},
        ],
    )
    for item in items:
        dynamodb.put_item(
            TableName=REGISTRY, Item={name: {"S": value} for name, value in item.items()}
        )


@pytest.fixture
def registered() -> tuple[Stage, StagedFleet, Publishing]:
    """A stage whose control plane may read a registry."""
    stage = Stage(parameters={"InstanceRegistryTable": REGISTRY})
    return stage, stage.add_fleet("sec"), Publishing(stage)


# -- found ----------------------------------------------------------------------------------------


def test_by_its_tags(stage: Stage, fleet: StagedFleet, publishing: Publishing) -> None:
    publishing.opt_in(fleet.name, fleet.volume)

    publish = published(publishing, fleet, {"tags": {"snaproll:writer": fleet.name}})

    assert outcome(publish) == "Published"
    assert len(snapshots_of(stage, fleet.volume)) == 1


def test_by_the_tags_of_its_instance_and_the_device(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_instance(fleet, {"Role": "writer"})

    publish = published(
        publishing, fleet, {"instance_tags": {"Role": "writer"}, "device": DATA_DEVICE}
    )

    assert outcome(publish) == "Published"
    assert len(snapshots_of(stage, writer.volume)) == 1


@pytest.mark.parametrize("attribute", ["instance_id", "volume_id"])
def test_by_the_instance_registry(
    registered: tuple[Stage, StagedFleet, Publishing], attribute: str
) -> None:
    # Given an instance that registered as the writer
    stage, fleet, publishing = registered
    writer = publishing.add_instance(fleet, {})
    item = {"role": "writer", "instance_id": writer.instance or "", "volume_id": writer.volume}
    registry(stage, item)

    # When its data is published
    volume: dict[str, Any] = {
        "registry": {"table": REGISTRY, "key": {"role": "writer"}, "attribute": attribute}
    }
    if attribute == "instance_id":
        volume["device"] = DATA_DEVICE
    publish = published(publishing, fleet, volume)

    # Then the snapshot is of its volume
    assert outcome(publish) == "Published"
    assert len(snapshots_of(stage, writer.volume)) == 1


def test_an_instance_that_is_gone_is_not_the_writer(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a writer that replaced another, which still shows
    old = publishing.add_instance(fleet, {"Role": "writer"})
    stage.session.client("ec2").terminate_instances(InstanceIds=[old.instance or ""])
    stage.world.run_for(120)
    new = publishing.add_instance(fleet, {"Role": "writer"})

    publish = published(
        publishing, fleet, {"instance_tags": {"Role": "writer"}, "device": DATA_DEVICE}
    )

    assert outcome(publish) == "Published"
    assert len(snapshots_of(stage, new.volume)) == 1


# -- not found ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("volume", "remedy"),
    [
        ({"id": "vol-0123456789abcdef0"}, "aws ec2 describe-volumes --filters"),
        (
            {"tags": {"Role": "writer"}},
            "aws ec2 create-tags --resources <volume id> --tags Key=Role,Value=writer",
        ),
        (
            {"instance_tags": {"Role": "writer"}, "device": "/dev/xvdf"},
            "aws ec2 create-tags --resources <instance id> --tags Key=Role,Value=writer",
        ),
    ],
)
def test_no_volume_is_an_outcome_that_names_the_command(
    fleet: StagedFleet, publishing: Publishing, volume: dict[str, Any], remedy: str
) -> None:
    publish = published(publishing, fleet, volume)

    assert outcome(publish) == "VolumeNotFound"
    assert remedy in reason(publish)


@pytest.mark.parametrize(
    ("items", "device", "remedy"),
    [
        ([], None, "has the writer registered?"),
        ([{"volume_id": "nonsense"}], None, 'is "nonsense", neither the id of a volume'),
        ([{"volume_id": "i-0123456789abcdef0"}], None, "add to the writer's parameter"),
        ([{"volume_id": "i-0123456789abcdef0"}], "/dev/xvdf", "no volume attached as /dev/xvdf"),
        ([{"volume_id": "vol-0123456789abcdef0"}], None, "EC2 knows no volume"),
    ],
)
def test_a_registry_that_leads_nowhere_says_where_it_ends(
    registered: tuple[Stage, StagedFleet, Publishing],
    items: list[dict[str, str]],
    device: str | None,
    remedy: str,
) -> None:
    stage, fleet, publishing = registered
    registry(stage, *({"role": "writer", "instance_id": "i-0", **item} for item in items))
    found = {"table": REGISTRY, "key": {"role": "writer"}, "attribute": "volume_id"}

    publish = published(
        publishing, fleet, {"registry": found, **({"device": device} if device else {})}
    )

    assert outcome(publish) == "VolumeNotFound"
    assert remedy in reason(publish)


def test_a_registry_that_the_stack_was_not_told_of_cannot_be_read(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    registry(stage, {"role": "writer", "instance_id": "i-0", "volume_id": fleet.volume})
    found = {"table": REGISTRY, "key": {"role": "writer"}, "attribute": "volume_id"}

    publish = published(publishing, fleet, {"registry": found})

    assert publish.error == "AccessDeniedError"


def test_several_volumes_are_an_outcome_that_names_them_and_takes_none(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    other = stage.add_fleet("other")
    publishing.tag({"Role": "writer"}, fleet.volume, other.volume)

    publish = published(publishing, fleet, {"tags": {"Role": "writer"}})

    assert outcome(publish) == "VolumeNotFound"
    assert fleet.volume in reason(publish)
    assert other.volume in reason(publish)
    assert not [call for call in stage.world.calls if call.operation == "CreateSnapshot"]


# -- unfit ----------------------------------------------------------------------------------------


def test_a_volume_that_did_not_opt_in_is_left_alone(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    publish = published(publishing, fleet, {"id": fleet.volume})

    assert outcome(publish) == "WriterNotReady"
    assert (
        f"aws ec2 create-tags --resources {fleet.volume} --tags Key=snaproll:writer,"
        f"Value={fleet.name} Key=snaproll:environment,Value=demo"
    ) in reason(publish)
    assert snapshots_of(stage, fleet.volume) == []


def test_an_unencrypted_volume_is_refused_with_the_way_out(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    volume = stage.session.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=100)[
        "VolumeId"
    ]
    stage.world.run_for(10)
    publishing.opt_in(fleet.name, volume)

    publish = published(publishing, fleet, {"id": volume})

    assert outcome(publish) == "WriterNotReady"
    assert "is not encrypted" in reason(publish)
    assert "aws ec2 copy-snapshot --encrypted" in reason(publish)
    assert snapshots_of(stage, volume) == []


def test_a_key_that_a_follower_does_not_allow_is_found_before_the_snapshot(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    publishing.opt_in(fleet.name, fleet.volume)
    key = f"arn:aws:kms:us-east-1:{stage.world.account}:key/another"
    stage.configure(fleet, {"snapshots": {"tags": dict(fleet.tags), "kms_keys": [key]}})

    publish = published(publishing, fleet, {"id": fleet.volume})

    assert outcome(publish) == "WriterNotReady"
    assert f"is none of the kms_keys of fleet {fleet.name}" in reason(publish)


@pytest.mark.parametrize(
    ("fleets", "problem"),
    [
        (["sec-prod", "nobody"], "fleet nobody is not configured"),
        (["sec-prod", "broken"], "fleet broken cannot be read"),
        (["sec-prod", "other"], "fleet other selects GraphId=other"),
    ],
)
def test_followers_that_cannot_be_served_are_named(
    stage: Stage,
    fleet: StagedFleet,
    publishing: Publishing,
    fleets: list[str],
    problem: str,
) -> None:
    stage.add_fleet("other")
    stage.session.client("ssm").put_parameter(
        Name="/snaproll/demo/fleets/broken", Value="{}", Type="String"
    )
    publishing.add_writer(fleet, {"fleets": fleets})

    publish = publishing.publish(fleet.name)

    assert outcome(publish) == "WriterNotReady"
    assert problem in reason(publish)
