"""What a rollout would go back to is there when it begins, marked while it runs, and missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from tests.integration.seen import Seen, outcome, reason, result_of, results_of, states_of

Disturb = Callable[[Stage, StagedFleet], None]
SOON = timedelta(minutes=5)
ALLOWED: dict[str, Any] = {"allow_no_rollback": True, "reason": "the first snapshot expired"}


def begin(stage: Stage, fleet: StagedFleet, scenario: str = "healthy") -> Execution:
    """Complete a snapshot, and let time pass until some instances run it."""
    snapshot = stage.complete_snapshot(fleet, scenario)
    stage.world.run_until(lambda: bool(stage.served(fleet).get(snapshot)), limit=2 * SOON)
    return stage.rollouts()[-1]


def is_deleted(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("ec2").delete_snapshot(SnapshotId=fleet.first_snapshot)


def is_archived(stage: Stage, fleet: StagedFleet) -> None:
    stage.world.ec2.behaviour = replace(stage.world.ec2.behaviour, archive_seconds=1)
    stage.session.client("ec2").modify_snapshot_tier(
        SnapshotId=fleet.first_snapshot, StorageTier="archive"
    )
    stage.world.run_for(2)


def key_is_disabled(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("kms").disable_key(KeyId=fleet.key)


def fires(stage: Stage, fleet: StagedFleet) -> None:
    stage.session.client("cloudwatch").set_alarm_state(
        AlarmName=fleet.alarm, StateValue="ALARM", StateReason="the test says so"
    )


# -- before the start -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disturb", "because"),
    [(is_deleted, "it is gone"), (is_archived, 'it is in the tier "archive"')],
    ids=["deleted", "archived"],
)
def test_a_first_rollout_without_a_way_back_needs_a_persons_leave(
    stage: Stage, fleet: StagedFleet, disturb: Disturb, because: str
) -> None:
    disturb(stage, fleet)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert f"{fleet.first_snapshot} cannot be launched: " in reason(rollout)
    assert '"allow_no_rollback": true' in reason(rollout)
    checks = {one["name"]: one for one in result_of(rollout, "InspectFleet")["checks"]}
    assert because.split(" ", 1)[1] in checks["rollback-target"]["reason"]


def test_leave_without_a_reason_is_refused(stage: Stage, fleet: StagedFleet) -> None:
    rollout = stage.start({"fleet": fleet.name, "allow_no_rollback": True})
    stage.finish()

    assert rollout.error == "InvalidRequestError"
    assert "allow_no_rollback needs a reason" in (rollout.cause or "")


@pytest.fixture
def stranded(stage: Stage, fleet: StagedFleet) -> StagedFleet:
    """A fleet that serves a snapshot which is gone, with a good one to be rolled to."""
    is_deleted(stage, fleet)
    stage.complete_snapshot(fleet, event=False)
    return fleet


def test_with_leave_it_goes_forward_without_auto_rollback(
    stage: Stage, stranded: StagedFleet, seen: Seen
) -> None:
    rollout = stage.start({"fleet": stranded.name, **ALLOWED})
    stage.finish()

    assert outcome(rollout) == "Live"
    assert [one["Preferences"]["AutoRollback"] for one in seen.refreshes] == [False]
    checks = {one.name: one.reason for one in seen.records[0].checks}
    assert checks["rollback-target"].endswith(
        "a person allowed that there is no way back: the first snapshot expired"
    )


def test_with_leave_the_gate_is_the_same(stage: Stage, stranded: StagedFleet, seen: Seen) -> None:
    unfit = stage.complete_snapshot(stranded, encrypted=False, kms_key_id=None, event=False)

    rollout = stage.start({"fleet": stranded.name, "snapshot": unfit, **ALLOWED})
    stage.finish()

    assert outcome(rollout) == "SnapshotRejected"
    assert seen.refreshes == []


def test_with_leave_a_failure_stops_where_it_is_and_calls_a_person(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet without a way back, and a bad snapshot
    is_deleted(stage, fleet)
    stage.complete_snapshot(fleet, "corrupt", event=False)
    serving = {one["InstanceId"] for one in stage.describe(fleet)["Instances"]}

    # When a person lets it be rolled all the same
    rollout = stage.start({"fleet": fleet.name, **ALLOWED})
    stage.finish()

    # Then the refresh is stopped, what served serves on, and the fleet is held
    assert outcome(rollout) == "NeedsAttention"
    assert "cannot be rolled back" in reason(rollout)
    stage.world.run_for(600)
    assert [one["Status"] for one in seen.refreshes] == ["Cancelled"]
    assert serving <= {one["InstanceId"] for one in stage.describe(fleet)["Instances"]}
    assert seen.state.hold is not None


def test_a_dry_run_says_what_no_way_back_means(stage: Stage, stranded: StagedFleet) -> None:
    rollout = stage.start({"fleet": stranded.name, "dry_run": True, **ALLOWED})
    stage.finish()

    preview = result_of(rollout, "PreviewRollout")
    assert preview["would_start"]
    assert preview["on_failure"].startswith("Nothing can be rolled back: ")


def test_an_image_that_is_looked_up_is_refused_only_where_there_is_to_be_a_way_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a group whose launch template names its image by a parameter
    ec2, data = stage.session.client("ec2"), seen.versions[1]
    made: Any = ec2.create_launch_template_version
    made(
        LaunchTemplateId=fleet.template_id,
        LaunchTemplateData={**data, "ImageId": "resolve:ssm:/images/replica"},
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": "2"},
    )

    # When a snapshot completes, and a person then asks for it without a way back
    refused = stage.roll(fleet)
    allowed = stage.start({"fleet": fleet.name, **ALLOWED})
    stage.finish()

    # Then the first is refused, and the second is not
    assert outcome(refused) == "FleetNotReady"
    assert "resolve:ssm:/images/replica" in reason(refused)
    assert outcome(allowed) == "Live"


# -- while it runs --------------------------------------------------------------------------------


def test_the_target_is_tagged_while_it_is_one(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    rollout = begin(stage, fleet)
    during = seen.role(fleet.first_snapshot)
    stage.finish()

    assert outcome(rollout) == "Live"
    assert (during, seen.role(fleet.first_snapshot)) == ("rollback-target", "previous")


def test_a_target_that_was_gone_back_to_is_tagged_as_before(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a live release, and before it a rollback to what snaproll had found on the group
    stage.roll(fleet, "corrupt")
    unknown = seen.role(fleet.first_snapshot)
    good = stage.roll(fleet).input.value["snapshot"]

    # When a bad snapshot is rolled
    stage.roll(fleet, "corrupt")

    # Then the live one is tagged live again, and what the ledger does not know was left untagged
    assert (unknown, seen.role(good)) == (None, "live")


@pytest.mark.parametrize("disturb", [is_deleted, is_archived], ids=["deleted", "archived"])
def test_a_target_that_is_lost_meanwhile_is_told_once_and_the_rollout_goes_on(
    stage: Stage, fleet: StagedFleet, seen: Seen, disturb: Disturb
) -> None:
    rollout = begin(stage, fleet)
    disturb(stage, fleet)
    stage.finish()

    assert outcome(rollout) == "Live"
    [told] = seen.told("Rollback Target Lost")
    assert fleet.first_snapshot in told.detail["message"]
    assert "calls a person" in told.detail["message"]
    assert any("Rollback Target Lost" in mail for mail in seen.mails())


@pytest.mark.parametrize(
    ("disturb", "because"),
    [
        (is_deleted, "it is gone"),
        (is_archived, 'it is in the tier "archive"'),
        (key_is_disabled, "is not usable: Disabled"),
    ],
    ids=["deleted", "archived", "key disabled"],
)
def test_no_rollback_is_begun_that_cannot_succeed(
    stage: Stage, fleet: StagedFleet, seen: Seen, disturb: Disturb, because: str
) -> None:
    # Given a rollout half way, whose target is lost
    stage.configure(fleet, {"refresh": {"checkpoints": [50, 100], "checkpoint_wait": "3h"}})
    rollout = begin(stage, fleet)
    stage.world.run_for(900)
    disturb(stage, fleet)
    old = stage.served(fleet)[fleet.first_snapshot]

    # When it should go back
    stage.start({"fleet": fleet.name, "hold": "wrong data", "by": "ann", "running": "roll_back"})
    stage.finish()
    stage.world.run_for(600)

    # Then nothing more is replaced either way, the fleet is held, and the message names the loss
    assert outcome(rollout) == "NeedsAttention"
    assert f"cannot be rolled back to {fleet.template_id} version 1: " in reason(rollout)
    assert because in reason(rollout)
    assert seen.calls("RollbackInstanceRefresh") == []
    assert [one["Status"] for one in seen.refreshes] == ["Cancelled"]
    assert stage.served(fleet)[fleet.first_snapshot] == old
    assert seen.state.hold is not None


@pytest.mark.parametrize("operation", ["DescribeKey", "GetKeyPolicy", "ListGrants"])
def test_a_key_that_our_own_role_may_not_look_at_forbids_no_rollback(
    stage: Stage, fleet: StagedFleet, seen: Seen, operation: str
) -> None:
    # Given a bad release, and a role that lacks a permission when the target's key is looked at
    def deny(call: Call) -> None:
        if call.operation == operation and call.caller == "RollBackFunction":
            raise AwsError("AccessDeniedException", f"not authorized to perform: kms:{operation}")

    stage.world.faults.before_effect(deny)

    rollout = stage.roll(fleet, "corrupt")

    assert outcome(rollout) == "RolledBack"
    assert seen.serves(fleet.first_snapshot)


def test_a_release_that_aws_saved_already_stays_saved_when_its_target_is_gone(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a refresh that AWS calls successful before anybody looked, and a target that is gone
    before = stage.world.events.delivery
    rollout = begin(stage, fleet)
    stage.world.events.delivery = lambda event: (
        () if event.source == "aws.autoscaling" else before(event)
    )
    refreshes = stage.world.autoscaling.groups[fleet.group].refreshes
    stage.world.run_until(lambda: refreshes[-1].status == "Successful", limit=timedelta(hours=3))
    is_deleted(stage, fleet)

    # When the release turns out to be bad
    fires(stage, fleet)
    stage.finish()

    # Then a scale-out can still launch what is saved
    assert outcome(rollout) == "NeedsAttention"
    assert seen.saved == 2
    assert len(seen.refreshes) == 1


def test_a_look_with_a_target_to_mind_makes_six_calls(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet)

    looks = len(results_of(rollout, "WatchHealth"))
    assert states_of(rollout).count("WatchHealth") == looks
    assert len([one for one in seen.calls() if one.caller == "WatchHealthFunction"]) == 6 * looks
