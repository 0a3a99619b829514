"""A person's request with a reason, on a fleet that is busy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.domain.ledger import Outcome
from tests.integration.seen import Seen, fault_of, outcome, reason, states_of

WHY = "the numbers of Tuesday are wrong"


def ask(stage: Stage, fleet: StagedFleet, snapshot: str, why: str | None = WHY) -> Execution:
    """Ask for a snapshot as a person, and let the request be answered."""
    content = {"fleet": fleet.name, "snapshot": snapshot}
    execution = stage.start(content if why is None else {**content, "reason": why})
    stage.world.run_for(20)
    return execution


def settle(stage: Stage, hours: int = 2) -> None:
    """Let every rollout end, and the comparison find what it would find."""
    stage.finish()
    stage.world.run_for(timedelta(hours=hours).total_seconds())
    stage.finish()


def test_a_repair_stops_what_runs_and_is_rolled_out_by_itself(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given an automatic rollout that has replaced instances
    bad = stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    mended = stage.complete_snapshot(fleet, event=False)

    # When a person asks for another snapshot, with a reason
    asked = ask(stage, fleet, mended)
    turned = seen.refreshes[-1]["Status"]

    # Then they are told what will happen, and it begins at once
    assert outcome(asked) == "Queued"
    assert f"The rollout of {bad} to fleet {fleet.name} is stopped and rolled back" in reason(asked)
    assert f"{mended} is rolled out by itself when that has ended" in reason(asked)
    assert turned == "RollbackInProgress"

    # And what was asked for becomes live, and nothing brings the stopped one back
    settle(stage)
    assert [record.outcome for record in seen.records] == [Outcome.ROLLED_BACK, Outcome.LIVE]
    assert WHY in seen.records[0].message
    assert seen.serves(mended)
    assert (seen.state.hold, seen.state.trouble) == (None, None)
    assert seen.ledger.condemned(fleet.name) == frozenset()


def test_going_back_during_a_rollout_ends_on_the_older_snapshot_and_holds_the_fleet(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet with a release before the live one, and a newer snapshot on its way
    first = stage.roll(fleet)
    stage.roll(fleet)
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    # When a person goes back to the previous one, which only their reason allows
    asked = ask(stage, fleet, "previous")
    settle(stage)

    # Then the reason was not lost while the request waited: the fleet serves it, and is held
    assert outcome(asked) == "Queued"
    assert seen.records[-1].outcome is Outcome.LIVE
    assert seen.records[-1].snapshot in first.name
    assert seen.serves(seen.records[-1].snapshot)
    assert seen.state.hold is not None
    assert seen.state.hold.reason == WHY


def test_asking_for_what_is_live_undoes_the_rollout_that_replaces_it(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that is replacing the live release
    stage.roll(fleet)
    assert seen.state.live is not None
    live = seen.state.live.snapshot
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    # When a person wants the live release back
    asked = ask(stage, fleet, live)
    settle(stage)

    # Then the fleet goes back and stays so
    assert f"The fleet serves {live} again then, and is held" in reason(asked)
    assert seen.serves(live)
    assert seen.state.hold is not None
    assert seen.state.hold.reason == WHY
    assert (seen.state.queued, seen.state.claim) == (None, None)


def test_on_a_fleet_that_was_never_rolled_a_person_may_stay_on_what_it_serves(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given the first rollout of a fleet
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    # When a person wants to stay on what was there
    ask(stage, fleet, fleet.first_snapshot)
    settle(stage)

    # Then the fleet goes back to it, is not rolled once more, and is held where it was
    assert [record.outcome for record in seen.records] == [Outcome.ROLLED_BACK]
    assert outcome(stage.rollouts()[-1]) == "AlreadyLive"
    assert len(seen.refreshes) == 1
    assert seen.serves(fleet.first_snapshot)
    assert seen.latest == 1
    assert seen.state.hold is not None


def test_a_bake_gives_way_to_a_person_alone(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    # Given a rollout that bakes
    baking = stage.complete_snapshot(fleet)
    stage.world.run_until(
        lambda: bool(seen.refreshes) and seen.refreshes[-1]["Status"] == "Baking",
        limit=timedelta(hours=2),
    )

    # When a newer snapshot completes, it waits
    newer = stage.complete_snapshot(fleet)
    stage.world.run_for(30)
    assert seen.refreshes[-1]["Status"] == "Baking"

    # When a person asks for it, it does not
    ask(stage, fleet, newer)
    assert seen.refreshes[-1]["Status"] == "RollbackInProgress"

    settle(stage)
    assert baking not in {one.snapshot for one in seen.records if one.outcome is Outcome.LIVE}
    assert seen.serves(newer)


def test_a_repair_before_anything_was_replaced_replaces_nothing_for_what_it_stops(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that waits for its fleet to be fit
    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")
    stopped = stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    waiting = stage.rollouts()[0]
    assert states_of(waiting)[-1] == "WaitForFleet"

    # When a person asks for another snapshot
    mended = stage.complete_snapshot(fleet, event=False)
    ask(stage, fleet, mended)
    stage.world.run_for(600)
    stage.world.cloudwatch.release(fleet.alarm)
    settle(stage)

    # Then no refresh was ever made for the first, and it is told as stopped
    assert outcome(waiting) == "Stopped"
    assert "No instance was replaced" in reason(waiting)
    assert [one.snapshot for one in seen.records] == [stopped, mended]
    assert len(seen.refreshes) == 1
    assert len(seen.told("Rollout Stopped")) == 1
    assert seen.serves(mended)


def test_a_hold_with_a_rollback_before_the_refresh_stops_without_a_trace(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)

    stage.start({"fleet": fleet.name, "hold": "wrong", "by": "ann", "running": "roll_back"})
    settle(stage)

    assert outcome(stage.rollouts()[0]) == "Stopped"
    assert (seen.refreshes, seen.latest) == ([], 1)
    assert "The fleet is held" in reason(stage.rollouts()[0])
    assert seen.state.hold is not None


def test_a_hold_just_before_the_refresh_takes_the_version_away_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that cannot make its version yet
    stage.world.faults.before_effect(throttle_versions)
    stage.complete_snapshot(fleet)
    stage.world.run_for(30)
    assert states_of(stage.rollouts()[0])[-1] == "UpdateLaunchTemplate"

    # When a person stops it, and it can
    stage.start({"fleet": fleet.name, "hold": "wrong", "by": "ann", "running": "roll_back"})
    stage.world.run_for(5)
    stage.world.faults.clear()
    settle(stage)

    # Then it made the version, started no refresh, and left nothing
    assert "StartRefresh" in states_of(stage.rollouts()[0])
    assert outcome(stage.rollouts()[0]) == "Stopped"
    assert (seen.refreshes, seen.latest) == ([], 1)


def throttle_versions(call: Call) -> None:
    """Let no launch template version be made for now."""
    if call.operation == "CreateLaunchTemplateVersion":
        raise AwsError("RequestLimitExceeded", "injected", http_status=503)


def test_a_stop_is_told_although_what_failed_before_it_was_told_already(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that was not ready twice for the same reason, of which one mail told
    autoscaling = stage.session.client("autoscaling")
    autoscaling.suspend_processes(AutoScalingGroupName=fleet.group, ScalingProcesses=["Launch"])
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: len(seen.records) > 1, limit=timedelta(hours=3))
    autoscaling.resume_processes(AutoScalingGroupName=fleet.group, ScalingProcesses=["Launch"])

    # When the next try runs, and a person stops it
    stage.world.run_until(lambda: len(seen.refreshes) > 0, limit=timedelta(hours=6))
    stage.start({"fleet": fleet.name, "hold": "wrong", "by": "ann", "running": "roll_back"})
    settle(stage)

    # Then that is news
    assert sum("Fleet Not Ready" in mail for mail in seen.mails()) == 1
    assert sum("Rolled Back" in mail for mail in seen.mails()) == 1


@pytest.mark.parametrize("why", [WHY, None])
def test_another_persons_rollout_is_never_stopped(
    stage: Stage, fleet: StagedFleet, seen: Seen, why: str | None
) -> None:
    theirs = stage.complete_snapshot(fleet, event=False)
    ask(stage, fleet, theirs, why)
    stage.world.run_for(900)
    other = stage.complete_snapshot(fleet, event=False)

    asked = ask(stage, fleet, other)
    settle(stage)

    assert "waits" in reason(asked)
    assert [record.outcome for record in seen.records] == [Outcome.LIVE, Outcome.LIVE]
    assert seen.serves(other)


def test_without_a_reason_a_person_waits_for_what_runs(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    wanted = stage.complete_snapshot(fleet, event=False)

    ask(stage, fleet, wanted, None)
    settle(stage)

    assert [record.outcome for record in seen.records] == [Outcome.LIVE, Outcome.LIVE]


def test_a_request_for_what_is_being_rolled_out_says_so(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    asked = ask(stage, fleet, new)
    settle(stage)

    assert f"is being rolled onto {new} already" in reason(asked)
    assert seen.serves(new)
    assert [one.name[-2:] for one in stage.rollouts() if one is not asked] == ["-1"]


def test_rollouts_that_people_stopped_do_not_add_up_to_a_hold(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    for _ in range(4):
        stage.complete_snapshot(fleet)
        stage.world.run_for(900)
        ask(stage, fleet, stage.complete_snapshot(fleet, event=False))
        stage.finish()

    assert seen.state.hold is None
    assert not any("Needs Attention" in mail for mail in seen.mails())


def test_a_repair_goes_on_as_one_when_its_execution_dies(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a person who goes back while the fleet's alarm fires
    stage.roll(fleet)
    stage.roll(fleet)
    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")
    back = ask(stage, fleet, "previous")
    stage.world.run_for(300)

    # When its execution dies of a missing permission, and another takes it over
    stage.world.faults.before_effect(deny_looking)
    stage.world.run_until(lambda: not back.running, limit=timedelta(hours=1))
    stage.world.faults.clear()
    settle(stage)

    # Then that one does not judge by the alarm either, and leaves the hold
    assert "AccessDenied" in fault_of(back)
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert "is held" in reason(stage.rollouts()[-1])
    assert seen.records[-1].started_at < stage.rollouts()[-1].started_at
    assert seen.state.hold is not None


def deny_looking(call: Call) -> None:
    """Refuse the calls by which a fleet is looked at."""
    if call.operation == "DescribeInstanceRefreshes" and call.caller.endswith("Function"):
        raise AwsError("AccessDenied", "injected", http_status=403)
