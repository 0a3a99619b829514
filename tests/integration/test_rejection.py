"""A snapshot that is unfit is rejected with every reason, and nothing of the fleet is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.contracts.announcements import RolloutEvent, console_link
from snaproll.domain.checks import CheckResult
from snaproll.domain.ledger import Outcome
from snaproll.domain.tags import DATA_TIME
from tests.integration.seen import Seen, outcome, reason

UNENCRYPTED: dict[str, Any] = {"encrypted": False, "kms_key_id": None}


@pytest.fixture
def unencrypted(stage: Stage, fleet: StagedFleet, seen: Seen) -> Execution:
    """A rollout of a snapshot that is not encrypted."""
    del seen  # which counts from before the rollout
    return stage.roll(fleet, **UNENCRYPTED)


def test_an_unencrypted_snapshot_is_rejected(unencrypted: Execution) -> None:
    assert outcome(unencrypted) == "SnapshotRejected"
    assert unencrypted.error == "SnapshotRejected"
    assert "it is not encrypted" in reason(unencrypted)


def test_nothing_of_the_fleet_is_touched_by_a_rejection(unencrypted: Execution, seen: Seen) -> None:
    assert outcome(unencrypted) == "SnapshotRejected"
    assert seen.changes() == ["ec2:CreateTags"]
    assert seen.refreshes == []
    assert (seen.saved, seen.default, list(seen.versions)) == (1, 1, [1])
    assert seen.serves(seen.fleet.first_snapshot)
    assert (seen.state.claim, seen.state.live) == (None, None)


def test_a_rejected_snapshot_is_marked(unencrypted: Execution, seen: Seen) -> None:
    assert seen.role(unencrypted.input.value["snapshot"]) == "rejected"


def test_a_rejection_is_recorded_and_told_with_every_check(
    unencrypted: Execution, seen: Seen
) -> None:
    [record] = seen.records
    told = RolloutEvent.model_validate(seen.told("Snapshot Rejected")[0].detail)

    assert record.outcome is Outcome.SNAPSHOT_REJECTED
    assert record.message == told.message == reason(unencrypted)
    assert record.checks == told.checks
    failed = {check.name for check in record.checks if check.result is CheckResult.FAILED}
    assert failed == {"encrypted"}
    assert len(record.checks) == 15


def test_the_mail_of_a_rejection_says_what_to_do(unencrypted: Execution, seen: Seen) -> None:
    [mail] = seen.mails()

    assert "Snapshot Rejected: fleet sec-prod (demo)" in mail
    assert "aws ec2 copy-snapshot" in mail
    assert console_link(unencrypted.arn) in mail


def test_a_rejection_is_no_dead_execution_and_calls_nobody(
    unencrypted: Execution, seen: Seen
) -> None:
    assert outcome(unencrypted) == "SnapshotRejected"
    assert not any("stopped without an outcome" in mail for mail in seen.mails())


def test_the_next_good_snapshot_is_rolled(unencrypted: Execution, stage: Stage, seen: Seen) -> None:
    assert outcome(unencrypted) == "SnapshotRejected"

    rollout = stage.roll(seen.fleet)

    assert outcome(rollout) == "Live"


# -- each check meets the real thing --------------------------------------------------------------


def disable_key(stage: Stage, fleet: StagedFleet) -> dict[str, Any]:
    stage.session.client("kms").disable_key(KeyId=fleet.key)
    return {}


def delete_key(stage: Stage, fleet: StagedFleet) -> dict[str, Any]:
    stage.session.client("kms").schedule_key_deletion(KeyId=fleet.key)
    return {}


def allow_another_key(stage: Stage, fleet: StagedFleet) -> dict[str, Any]:
    key = "arn:aws:kms:us-east-1:111122223333:key/another"
    stage.configure(fleet, {"snapshots": {"tags": dict(fleet.tags), "kms_keys": [key]}})
    return {}


def allow_a_minute(stage: Stage, fleet: StagedFleet) -> dict[str, Any]:
    stage.configure(fleet, {"snapshots": {"tags": dict(fleet.tags), "max_age": "1m"}})
    return {"start_time": stage.world.clock.now() - timedelta(minutes=2)}


def older_than_what_runs(stage: Stage, _: StagedFleet) -> dict[str, Any]:
    return {"start_time": stage.world.clock.now() - timedelta(days=3)}


def plainly(**attributes: Any) -> Callable[[Stage, StagedFleet], dict[str, Any]]:
    return lambda _, __: attributes


@pytest.mark.parametrize(
    ("arrange", "said"),
    [
        (disable_key, "is not usable: Disabled"),
        (delete_key, "is not usable: PendingDeletion"),
        (allow_another_key, "is none of the fleet's kms_keys"),
        (allow_a_minute, "older than the fleet's max_age of 1m"),
        (older_than_what_runs, "not newer than the live release's"),
        (plainly(tier="archive"), 'it is in the tier "archive"'),
        (plainly(size_gib=200), "it needs a volume of 200 GiB"),
        (plainly(state="error"), 'its state is "error"'),
        (plainly(tags={DATA_TIME: "2062-01-05T09:00:00Z"}), "lies ahead"),
        (plainly(tags={DATA_TIME: "last night"}), "not an ISO 8601 time"),
    ],
    ids=[
        "its key is disabled",
        "its key is about to be deleted",
        "its key is another",
        "it is too old",
        "it is older than what runs",
        "it is archived",
        "it is too large",
        "it failed",
        "its time lies ahead",
        "its time is none",
    ],
)
def test_a_snapshot_is_rejected_when(
    stage: Stage,
    fleet: StagedFleet,
    seen: Seen,
    arrange: Callable[[Stage, StagedFleet], dict[str, Any]],
    said: str,
) -> None:
    # Given a snapshot with one thing wrong in AWS
    attributes = arrange(stage, fleet)
    snapshot = stage.complete_snapshot(fleet, event=False, **attributes)

    # When its rollout is started
    rollout = stage.start({"fleet": "sec-prod", "snapshot": snapshot, "trigger": "snapshot"})
    stage.finish()

    # Then it is rejected for that, and the fleet is not touched
    assert outcome(rollout) == "SnapshotRejected"
    assert said in reason(rollout)
    # Only a snapshot that is itself unfit is marked: an old one may be what served before, and a
    # key may be usable again tomorrow.
    may_be_fit = any(why in said for why in ("older", "not newer", "not usable"))
    assert seen.changes() == ([] if may_be_fit else ["ec2:CreateTags"])


def test_a_snapshot_that_is_restored_only_for_a_while_is_rejected(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.start({"fleet": "sec-prod", "hold": "the comparison stays out of this", "by": "ann"})
    snapshot = stage.complete_snapshot(fleet, event=False)
    ec2 = stage.session.client("ec2")
    ec2.modify_snapshot_tier(SnapshotId=snapshot, StorageTier="archive")
    stage.world.run_for(2 * 86_400)
    ec2.restore_snapshot_tier(SnapshotId=snapshot, TemporaryRestoreDays=2)
    stage.world.run_for(3 * 86_400 + 3600)

    rollout = stage.start({"fleet": "sec-prod", "snapshot": snapshot})
    stage.finish()

    assert outcome(rollout) == "SnapshotRejected"
    assert "only restored from the archive until" in reason(rollout)
    assert seen.changes() == ["ec2:CreateTags"]


def test_a_key_that_the_function_may_not_read_is_told_as_such(
    stage: Stage, fleet: StagedFleet
) -> None:
    def deny(call: Call) -> None:
        if call.operation == "DescribeKey" and call.caller == "ValidateSnapshotFunction":
            raise AwsError("AccessDeniedException", "not authorized to perform: kms:DescribeKey")

    stage.world.faults.before_effect(deny)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "SnapshotRejected"
    assert "is not usable: this account may not use it" in reason(rollout)


def test_a_key_that_auto_scaling_may_not_use_is_refused_and_condemns_nobody(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a key whose policy knows the account alone, which leaves Auto Scaling's role out
    root = f"arn:aws:iam::{stage.world.account}:root"
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}
        ],
    }
    key = stage.session.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]

    # When a snapshot under it is rolled
    rollout = stage.roll(fleet, kms_key_id=key)

    # Then no instance is launched for nothing, and whoever mends the policy has it tried again
    assert outcome(rollout) == "SnapshotRejected"
    assert "neither its policy nor a grant allows kms:CreateGrant" in reason(rollout)
    assert seen.refreshes == []
    assert seen.serves(fleet.first_snapshot)
    assert seen.ledger.condemned("sec-prod") == frozenset()
