"""I1 to I12 of docs/architecture.md: for each invariant a case in which it is at stake."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import FunctionDiedError
from embedded.world.faults import Call
from tests.integration.seen import Seen, outcome

BRISK = {
    "refresh": {"warmup": "1m", "checkpoints": [50, 100], "checkpoint_wait": "2m", "bake": "5m"}
}
HOURS = timedelta(hours=6)


@pytest.fixture
def stage() -> Stage:
    return Stage(check_replies=False)


@pytest.fixture
def fleet(stage: Stage) -> StagedFleet:
    made = stage.add_fleet("sec", capacity=2, policy=BRISK)
    stage.world.run_for(60)
    return made


@pytest.fixture
def seen(stage: Stage, fleet: StagedFleet) -> Seen:
    return Seen(stage, fleet)


def until_baking(stage: Stage, fleet: StagedFleet) -> None:
    refreshes = stage.world.autoscaling.groups[fleet.group].refreshes
    stage.world.run_until(lambda: bool(refreshes) and refreshes[-1].status == "Baking", limit=HOURS)


def refresh(stage: Stage, fleet: StagedFleet) -> Any:
    """The group's newest instance refresh."""
    return stage.world.autoscaling.groups[fleet.group].refreshes[-1]


def at_rest(stage: Stage) -> list[Execution]:
    """Let an hour pass behind the last rollout."""
    stage.finish()
    stage.world.run_for(3600)
    stage.finish()
    return stage.rollouts()


def test_i1_no_instance_is_launched_from_what_did_not_pass_the_gate(
    stage: Stage, fleet: StagedFleet
) -> None:
    launched = len(stage.world.autoscaling.launches)

    rollout = stage.roll(fleet, encrypted=False, kms_key_id=None)

    assert outcome(rollout) == "SnapshotRejected"
    assert stage.world.autoscaling.launches[launched:] == []


def test_i2_one_rollout_at_a_time_changes_a_fleet(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout under way, and one that a person starts besides it
    stage.complete_snapshot(fleet)
    stage.world.run_for(120)
    began = len(seen.changes())

    second = stage.start({"fleet": "sec", "snapshot": stage.complete_snapshot(fleet, event=False)})
    stage.world.run_for(5)

    # Then the second has changed nothing before the first has ended
    assert outcome(second) == "Queued"
    assert len(seen.changes()) == began


def test_i3_the_saved_version_is_the_last_live_one_until_the_refresh_succeeds(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    saved = seen.saved
    stage.complete_snapshot(fleet)

    until_baking(stage, fleet)

    assert seen.saved == saved
    assert seen.state.live is None


def test_i4_no_refresh_starts_when_there_is_nothing_to_go_back_to(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet whose present snapshot somebody has deleted
    stage.session.client("ec2").delete_snapshot(SnapshotId=fleet.first_snapshot)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert seen.refreshes == []


def test_i5_no_version_that_was_rolled_back_is_left_for_latest(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet, "corrupt")
    stage.finish()

    assert seen.latest == seen.default == seen.saved == 1


def test_i6_a_rollout_whose_execution_dies_still_ends_in_a_named_outcome(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given somebody who aborts the execution in the middle
    stage.complete_snapshot(fleet)
    until_baking(stage, fleet)
    aborted = stage.rollouts()[-1]
    stage.session.client("stepfunctions").stop_execution(executionArn=aborted.arn)

    at_rest(stage)

    assert [record.outcome for record in seen.records] == ["RolledBack"]
    assert seen.state.claim is None


def test_i7_a_snapshot_whose_event_is_lost_becomes_live(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    stage.world.run_for(16 * 60)
    at_rest(stage)

    assert seen.serves(snapshot)


def test_i8_automation_never_goes_back_in_data_time(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a live snapshot, and one of older data that completes after it
    live = stage.complete_snapshot(fleet)
    at_rest(stage)
    older = stage.world.clock.now() - timedelta(hours=9)
    stage.complete_snapshot(fleet, start_time=older)

    at_rest(stage)

    assert seen.serves(live)


def test_i8_a_person_may_go_back_and_leaves_a_hold(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    first = stage.complete_snapshot(fleet)
    at_rest(stage)
    stage.complete_snapshot(fleet)
    at_rest(stage)

    stage.start({"fleet": "sec", "snapshot": "previous", "reason": "wrong numbers"})
    at_rest(stage)

    assert seen.serves(first)
    assert seen.state.hold is not None


def test_i9_an_infrastructure_that_fails_condemns_no_snapshot(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a refresh that somebody cancels
    stage.complete_snapshot(fleet)
    until_baking(stage, fleet)
    stage.session.client("autoscaling").cancel_instance_refresh(AutoScalingGroupName=fleet.group)

    at_rest(stage)

    assert [record.outcome for record in seen.records] == ["RolledBack"]
    assert seen.ledger.condemned("sec") == frozenset()


def test_i10_a_step_that_dies_behind_its_effect_does_it_once(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given functions that die right after they made a version, and after they started a refresh
    deadly = {"CreateLaunchTemplateVersion", "StartInstanceRefresh"}

    def die(call: Call) -> None:
        if call.operation in deadly and call.caller.endswith("Function"):
            deadly.remove(call.operation)
            raise FunctionDiedError

    stage.world.faults.after_effect(die)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    assert deadly == set()
    assert len(seen.refreshes) == 1
    assert seen.latest == 2


def test_i11_nothing_begins_on_an_unhealthy_fleet(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet with an alarm that fires for hours
    stage.configure(fleet, {**BRISK, "health": {"alarms": [fleet.alarm]}})
    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert seen.refreshes == []


def test_i11_no_refresh_may_take_the_fleet_below_its_floor(
    stage: Stage, fleet: StagedFleet
) -> None:
    stage.roll(fleet)

    assert refresh(stage, fleet).preferences.minimum_percent == 100


def test_i12_a_bake_is_not_interrupted_by_newer_snapshots(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a release that bakes, while two newer snapshots complete
    first = stage.complete_snapshot(fleet)
    until_baking(stage, fleet)
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    newest = stage.complete_snapshot(fleet)
    at_rest(stage)

    # Then the first becomes live all the same, and only the newest comes after it
    live = [record.snapshot for record in seen.records if record.outcome == "Live"]
    assert live == [first, newest]
    assert seen.serves(newest)
