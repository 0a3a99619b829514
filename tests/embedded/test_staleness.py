"""Reads that lag behind what was written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.scenarios.stage import Stage, StagedFleet

LAG = 10.0


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def fleet(stage: Stage) -> StagedFleet:
    made = stage.add_fleet("sec", capacity=1)
    stage.world.run_for(60)
    stage.world.reads.lag(LAG)
    return made


def new_version(stage: Stage, fleet: StagedFleet) -> dict[str, Any]:
    reply = stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        SourceVersion="1",
        LaunchTemplateData={"InstanceType": "r7g.xlarge"},
    )
    return dict(reply["LaunchTemplateVersion"])


def test_a_version_that_was_just_made_is_not_found(stage: Stage, fleet: StagedFleet) -> None:
    ec2 = stage.session.client("ec2")
    number = str(new_version(stage, fleet)["VersionNumber"])

    with pytest.raises(ClientError, match="VersionNotFound"):
        ec2.describe_launch_template_versions(LaunchTemplateId=fleet.template_id, Versions=[number])

    stage.world.run_for(LAG + 1)
    reply = ec2.describe_launch_template_versions(
        LaunchTemplateId=fleet.template_id, Versions=[number]
    )
    assert str(reply["LaunchTemplateVersions"][0]["VersionNumber"]) == number


def test_a_snapshot_that_just_completed_is_not_found(stage: Stage, fleet: StagedFleet) -> None:
    ec2 = stage.session.client("ec2")
    made = stage.complete_snapshot(fleet)

    with pytest.raises(ClientError, match="NotFound"):
        ec2.describe_snapshots(SnapshotIds=[made])

    stage.world.run_for(LAG + 1)
    assert ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"]


def test_a_snapshot_whose_completion_is_not_seen_yet_is_pending(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a snapshot that was begun long before it completed
    ec2 = stage.session.client("ec2")
    long_ago = stage.world.clock.now() - timedelta(hours=1)
    made = stage.complete_snapshot(fleet, start_time=long_ago)

    def seen(**asked: Any) -> list[tuple[str, bool]]:
        found = ec2.describe_snapshots(**asked)["Snapshots"]
        return [(one["State"], "CompletionTime" in one) for one in found]

    completed = {"Name": "status", "Values": ["completed"]}
    itself = {"Name": "snapshot-id", "Values": [made]}

    # Then it is described as it was, and not listed among what has completed
    assert seen(SnapshotIds=[made]) == [("pending", False)]
    assert seen(Filters=[itself, completed]) == []

    stage.world.run_for(LAG + 1)
    assert seen(SnapshotIds=[made]) == [("completed", True)]
    assert seen(Filters=[itself, completed]) == [("completed", True)]


def test_a_refresh_that_was_just_started_is_not_listed(stage: Stage, fleet: StagedFleet) -> None:
    autoscaling = stage.session.client("autoscaling")
    autoscaling.start_instance_refresh(AutoScalingGroupName=fleet.group)

    def listed() -> list[Any]:
        reply = autoscaling.describe_instance_refreshes(AutoScalingGroupName=fleet.group)
        return list(reply["InstanceRefreshes"])

    assert listed() == []
    # It is pending for some seconds, and has started only after them.
    stage.world.run_for(60)
    assert len(listed()) == 1


def test_a_refresh_that_was_cancelled_before_it_started_is_listed_like_any_other(
    stage: Stage, fleet: StagedFleet
) -> None:
    autoscaling = stage.session.client("autoscaling")
    autoscaling.start_instance_refresh(AutoScalingGroupName=fleet.group)
    autoscaling.cancel_instance_refresh(AutoScalingGroupName=fleet.group)
    stage.world.run_for(60)

    reply = autoscaling.describe_instance_refreshes(AutoScalingGroupName=fleet.group)

    [refresh] = reply["InstanceRefreshes"]
    assert (refresh["Status"], "StartTime" in refresh) == ("Cancelled", False)


def test_a_group_that_was_just_changed_is_described_as_it_was(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a group that was described long ago
    stage.describe(fleet)
    stage.world.run_for(3600)

    # When it is changed
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=2
    )

    # Then it is described as before the change, for as long as reads lag
    assert stage.describe(fleet)["DesiredCapacity"] == 1
    stage.world.run_for(LAG + 1)
    assert stage.describe(fleet)["DesiredCapacity"] == 2


def test_a_read_of_the_ledger_is_current_only_if_it_asks_for_that(stage: Stage) -> None:
    stage.world.reads.lag(LAG)
    table, key = stage.stack.outputs["LedgerTableName"], {"pk": {"S": "a"}, "sk": {"S": "b"}}
    dynamodb = direct.session(stage.world).client("dynamodb")

    def read(*, consistent: bool) -> str | None:
        reply = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=consistent)
        return reply["Item"]["n"]["N"] if "Item" in reply else None

    read(consistent=False)
    dynamodb.put_item(TableName=table, Item={**key, "n": {"N": "1"}})

    assert read(consistent=True) == "1"
    assert read(consistent=False) is None


def test_a_lag_ends_when_it_was_said_to(stage: Stage, fleet: StagedFleet) -> None:
    stage.world.reads.lag(LAG, until=stage.world.clock.now() + timedelta(seconds=5))
    made = stage.complete_snapshot(fleet)

    stage.world.run_for(6)

    assert stage.session.client("ec2").describe_snapshots(SnapshotIds=[made])["Snapshots"]
