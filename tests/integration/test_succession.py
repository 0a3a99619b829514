"""What follows when a fleet is busy, when a rollout dies, when events are lost, when people act."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call, Interference
from snaproll.domain.fencing import MOST_TAKEOVERS
from snaproll.domain.ledger import Outcome
from tests.integration.seen import Seen, outcome, reason, states_of

COMPARISON = timedelta(minutes=16)
"""A little more than the time between two comparisons."""


def pass_time(stage: Stage, length: timedelta) -> None:
    """Let time pass, and every rollout that runs then come to its end."""
    stage.world.run_for(length.total_seconds())
    stage.finish()


# -- queue ----------------------------------------------------------------------------------------


def test_a_snapshot_that_completes_meanwhile_is_rolled_out_by_itself_afterwards(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that runs
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)

    # When a newer snapshot completes
    newer = stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    waiting = stage.rollouts()[1]
    stage.finish()
    pass_time(stage, timedelta(minutes=1))

    # Then it waited, and said for what; and its turn came
    assert outcome(waiting) == "Queued"
    assert "waits" in reason(waiting)
    assert [one.name[-2:] for one in stage.rollouts()] == ["-1", "-1", "-2"]
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.serves(newer)


def test_only_the_newest_of_those_that_wait_is_kept(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    newest = stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    late = stage.complete_snapshot(
        fleet, start_time=stage.world.clock.now() - timedelta(minutes=1, seconds=30)
    )
    stage.finish()
    pass_time(stage, timedelta(minutes=1))

    assert late not in {one.snapshot for one in seen.records}
    assert len(seen.records) == 2
    assert seen.serves(newest)


def test_a_persons_request_waits_before_an_automatic_one(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    wanted = stage.complete_snapshot(fleet, event=False)
    stage.start({"fleet": fleet.name, "snapshot": wanted})
    stage.world.run_for(60)
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)

    assert seen.state.queued is not None
    assert seen.state.queued.snapshot == wanted


# -- dead executions ------------------------------------------------------------------------------


def abort(stage: Stage) -> None:
    """Abort the newest rollout, as an operator would from the console."""
    stage.session.client("stepfunctions").stop_execution(executionArn=stage.rollouts()[-1].arn)


def test_an_abort_in_the_middle_of_a_refresh_rolls_the_fleet_back_and_holds_it(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that has replaced instances
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    # When an operator aborts its execution
    abort(stage)
    pass_time(stage, timedelta(minutes=30))

    # Then another execution takes the same refresh over and goes back, without blaming the data
    assert outcome(stage.rollouts()[-1]) == "RolledBack"
    assert "aborted" in reason(stage.rollouts()[-1])
    assert len(seen.refreshes) == 1
    assert seen.serves(fleet.first_snapshot)
    assert seen.ledger.condemned(fleet.name) == frozenset()
    # And the fleet is held, so that the comparison does not start it again
    assert seen.state.claim is None
    assert seen.state.hold is not None
    pass_time(stage, timedelta(hours=2))
    assert len(stage.rollouts()) == 2


def test_an_abort_before_anything_was_changed_gives_the_fleet_back_and_holds_it(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that cannot get on with its first steps
    stage.world.faults.before_effect(refuse("DescribeLaunchTemplates", "RequestLimitExceeded"))
    stage.complete_snapshot(fleet)
    stage.world.run_for(5)

    abort(stage)
    stage.world.faults.clear()
    stage.world.run_for(60)

    assert seen.records[0].outcome is Outcome.STOPPED
    assert (seen.state.claim, seen.changes()) == (None, [])
    assert seen.state.hold is not None


def test_an_abort_deletes_a_version_that_nobody_had_noted(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that died between making its version and writing that down
    unreadable = refuse("DescribeLaunchTemplateVersions", "UnauthorizedOperation")

    def interfere(call: Call) -> None:
        if "ec2:CreateLaunchTemplateVersion" in seen.changes():
            unreadable(call)

    stage.world.faults.before_effect(interfere)
    stage.complete_snapshot(fleet)
    stage.world.run_for(30)
    stage.world.faults.clear()
    assert outcome(stage.rollouts()[0]) == "AccessDeniedError"

    # When an operator aborts the one that is to take over, before it has the claim
    abort(stage)
    pass_time(stage, timedelta(minutes=30))

    # Then somebody goes on nevertheless, and leaves no version that $Latest would bring
    assert seen.records[0].outcome is Outcome.STOPPED
    assert "ec2:DeleteLaunchTemplateVersions" in seen.changes()
    assert list(seen.versions) == [1]
    assert seen.state.hold is not None


def refuse(operation: str, code: str) -> Interference:
    """Refuse every call of an operation."""

    def interfere(call: Call) -> None:
        if call.operation == operation and call.caller.endswith("Function"):
            raise AwsError(code, "injected", http_status=400)

    return interfere


@pytest.mark.parametrize(("how", "held"), [("ABORTED", True), ("FAILED", False)])
def test_a_rollout_that_ends_between_promotion_and_its_last_step_is_live(
    stage: Stage, fleet: StagedFleet, seen: Seen, how: str, *, held: bool
) -> None:
    # Given a rollout that has promoted its release, and dies before it gives its claim back
    def end(call: Call) -> None:
        if call.caller == "ReleaseFleetFunction" and call.operation == "TransactWriteItems":
            stage.world.faults.clear()
            if how == "ABORTED":
                stage.session.client("stepfunctions").stop_execution(executionArn=rollout.arn)
            raise AwsError("AccessDenied", "not authorized to perform dynamodb:PutItem")

    snapshot = stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(stage.rollouts()), limit=timedelta(minutes=5))
    rollout = stage.rollouts()[-1]
    stage.world.faults.before_effect(end)

    # When time passes
    stage.finish()
    stage.world.run_for(3600)

    # Then nothing goes back, and the claim is given back; an abort leaves a hold
    assert (rollout.status, len(stage.rollouts())) == (how, 1)
    assert stage.served(fleet) == {snapshot: 4}
    assert [one.outcome for one in seen.records] == [Outcome.LIVE]
    live = seen.state.live
    assert live is not None
    assert live.snapshot == snapshot
    assert seen.state.claim is None
    assert (seen.state.hold is not None) is held


def test_a_rollout_that_dies_of_a_missing_permission_is_taken_over_when_it_is_there(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that dies where it makes its launch template version
    stage.world.faults.before_effect(refuse("CreateLaunchTemplateVersion", "UnauthorizedOperation"))
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(30)
    assert stage.rollouts()[0].status == "FAILED"

    # When the permission is there
    stage.world.faults.clear()
    pass_time(stage, timedelta(minutes=5))

    # Then a new execution goes on, and there is one version and one refresh
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.serves(new)
    assert (seen.latest, len(seen.refreshes)) == (2, 1)


def test_a_rollout_that_dies_again_and_again_calls_a_person_and_holds_the_fleet(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.world.faults.before_effect(refuse("CreateLaunchTemplateVersion", "UnauthorizedOperation"))
    stage.complete_snapshot(fleet)
    pass_time(stage, timedelta(hours=4))

    assert len(stage.rollouts()) == 1 + MOST_TAKEOVERS
    assert seen.records[0].outcome is Outcome.NEEDS_ATTENTION
    assert (seen.state.claim, seen.serves(fleet.first_snapshot)) == (None, True)
    assert seen.state.hold is not None
    assert any("Needs Attention" in mail for mail in seen.mails())


def test_when_whoever_takes_over_dies_before_it_has_the_claim_another_follows(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that died, and a fleet parameter that nothing can be planned with
    stage.world.faults.before_effect(refuse("CreateLaunchTemplateVersion", "UnauthorizedOperation"))
    new = stage.complete_snapshot(fleet)
    stage.world.run_until(
        lambda: any(not one.running for one in stage.rollouts()), limit=timedelta(minutes=1)
    )
    ssm, name = stage.session.client("ssm"), f"/snaproll/{ENVIRONMENT}/fleets/{fleet.name}"
    good = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value="{}", Type="String", Overwrite=True)
    stage.world.faults.clear()
    stage.world.run_for(60)
    assert stage.rollouts()[1].error == "InvalidFleetConfigurationError"

    # When the parameter is mended
    ssm.put_parameter(Name=name, Value=good, Type="String", Overwrite=True)
    pass_time(stage, timedelta(minutes=40))

    # Then another takes over, and the one that could not is counted
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.serves(new)
    assert seen.state.claim is None


def test_a_redrive_of_a_rollout_that_was_taken_over_changes_nothing(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.world.faults.before_effect(refuse("CreateLaunchTemplateVersion", "UnauthorizedOperation"))
    stage.complete_snapshot(fleet)
    stage.world.run_for(30)
    dead = stage.rollouts()[0]
    stage.world.faults.clear()
    stage.world.run_for(300)

    # When a person redrives what somebody else took over
    stage.session.client("stepfunctions").redrive_execution(executionArn=dead.arn)
    stage.finish()

    assert states_of(dead)[-1] == "Superseded"
    assert (seen.latest, len(seen.refreshes)) == (2, 1)
    assert outcome(stage.rollouts()[-1]) == "Live"


# -- the scheduled comparison ---------------------------------------------------------------------


def test_a_snapshot_whose_event_was_lost_is_found_by_the_comparison(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    lost = stage.complete_snapshot(fleet, event=False)

    pass_time(stage, COMPARISON)

    assert seen.serves(lost)


def test_a_dead_rollout_whose_event_was_lost_is_found_by_the_comparison(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    stage.world.events.delivery = lambda event: () if event.source == "aws.states" else (1.0,)
    abort(stage)

    pass_time(stage, COMPARISON)

    assert outcome(stage.rollouts()[-1]) == "RolledBack"
    assert seen.state.claim is None


@pytest.mark.parametrize("attributes", [{"encrypted": False, "kms_key_id": None}, {}])
def test_what_was_rejected_or_quarantined_is_not_tried_again(
    stage: Stage, fleet: StagedFleet, seen: Seen, attributes: dict[str, object]
) -> None:
    stage.roll(fleet, "healthy" if attributes else "corrupt", **attributes)

    pass_time(stage, timedelta(hours=8))

    assert len(stage.rollouts()) == 1
    assert seen.serves(fleet.first_snapshot)


def test_nothing_starts_while_the_environment_is_stopped_and_everything_afterwards(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given the stop switch
    ssm = stage.session.client("ssm")
    ssm.put_parameter(Name=f"/snaproll/{ENVIRONMENT}/stop", Value="an audit", Type="String")
    new = stage.complete_snapshot(fleet)
    pass_time(stage, timedelta(hours=1))
    assert [outcome(one) for one in stage.rollouts()] == ["Stopped"]
    assert "an audit" in reason(stage.rollouts()[0])

    # When it is gone
    ssm.delete_parameter(Name=f"/snaproll/{ENVIRONMENT}/stop")
    pass_time(stage, COMPARISON)

    # Then what was missed is made up for
    assert seen.serves(new)


# -- people ---------------------------------------------------------------------------------------


def test_a_held_fleet_is_left_alone_until_it_is_resumed(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    held = stage.start({"fleet": fleet.name, "hold": "an experiment", "by": "ann"})
    new = stage.complete_snapshot(fleet)
    pass_time(stage, timedelta(hours=1))
    assert "held by ann: an experiment" in held.output.value["message"]  # type: ignore[union-attr]
    assert outcome(stage.rollouts()[-1]) == "Held"
    assert seen.serves(fleet.first_snapshot)

    # When it is resumed, then what completed meanwhile starts at once, and the answer says so
    resumed = stage.start({"fleet": fleet.name, "resume": "it is over", "by": "ann"})
    stage.world.run_for(5)
    assert f"{new}, the newest eligible one, is rolled out now" in said_by(resumed)
    assert stage.rollouts()[-1].running
    stage.finish()

    assert seen.serves(new)
    assert seen.state.hold is None


def said_by(execution: Execution) -> str:
    """What an operation answered."""
    assert execution.output is not None
    message: str = execution.output.value["message"]
    return message


def test_resuming_says_when_there_is_nothing_to_start(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    stage.start({"fleet": fleet.name, "hold": "an experiment", "by": "ann"})
    stage.finish()

    resumed = stage.start({"fleet": fleet.name, "resume": "it is over", "by": "ann"})
    stage.finish()

    assert "no eligible snapshot is newer than what the fleet serves" in said_by(resumed)
    assert (seen.state.hold, seen.state.successor) == (None, None)


def test_an_execution_that_found_nothing_to_do_stands_in_no_resumptions_way(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that was kept on what is live, whose queued request then had nothing to do
    stage.roll(fleet)
    live = seen.state.live
    assert live is not None
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    stage.start({"fleet": fleet.name, "snapshot": live.snapshot, "reason": "not yet"})
    stage.finish()
    stage.world.run_for(5)
    assert seen.state.successor is not None
    assert seen.state.hold is not None

    resumed = stage.start({"fleet": fleet.name, "resume": "now", "by": "ann"})
    stage.world.run_for(5)
    stage.finish()

    assert f"{new}, the newest eligible one, is rolled out now" in said_by(resumed)
    assert seen.serves(new)


def test_resuming_says_what_had_waited_and_starts_it(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a snapshot that waited behind a rollout, and a hold that came meanwhile
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    waiting = stage.complete_snapshot(fleet)
    stage.world.run_for(30)
    stage.start({"fleet": fleet.name, "hold": "an experiment", "by": "ann"})
    stage.finish()
    assert seen.state.queued is not None

    resumed = stage.start({"fleet": fleet.name, "resume": "it is over", "by": "ann"})
    stage.finish()
    stage.world.run_for(10)
    stage.finish()

    assert f"{waiting} had waited and is rolled out now" in said_by(resumed)
    assert seen.serves(waiting)


def test_who_resumes_while_the_rollout_still_goes_back_finds_no_hold_afterwards(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    stage.start({"fleet": fleet.name, "hold": "wrong data", "by": "ann", "running": "roll_back"})
    stage.world.run_for(30)

    resumed = stage.start({"fleet": fleet.name, "resume": "a mistake", "by": "ann"})
    stage.finish()

    assert "that runs is rolled back" in said_by(resumed)
    assert outcome(stage.rollouts()[0]) == "RolledBack"
    assert seen.state.hold is None


def test_resuming_says_that_the_environment_is_stopped(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet, event=False)
    stage.start({"fleet": fleet.name, "hold": "an experiment", "by": "ann"})
    stage.finish()
    ssm = stage.session.client("ssm")
    ssm.put_parameter(Name=f"/snaproll/{ENVIRONMENT}/stop", Value="an audit", Type="String")

    resumed = stage.start({"fleet": fleet.name, "resume": "it is over", "by": "ann"})
    stage.finish()

    assert "Nothing starts before the environment's stop ends: an audit" in said_by(resumed)
    assert seen.state.successor is None


def test_a_hold_with_an_end_lets_go_by_itself(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    until = stage.world.clock.now() + timedelta(hours=1)
    stage.start({"fleet": fleet.name, "hold": "lunch", "by": "ann", "until": until.isoformat()})
    new = stage.complete_snapshot(fleet)

    pass_time(stage, timedelta(minutes=50))
    assert seen.serves(fleet.first_snapshot)

    pass_time(stage, timedelta(minutes=30))
    assert seen.serves(new)


def test_a_hold_may_roll_back_what_runs(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    stage.start({"fleet": fleet.name, "hold": "wrong data", "by": "ann", "running": "roll_back"})
    stage.world.run_for(5)
    turned = seen.refreshes[-1]["Status"]
    stage.finish()

    assert turned == "RollbackInProgress"
    assert outcome(stage.rollouts()[0]) == "RolledBack"
    assert "wrong data" in reason(stage.rollouts()[0])
    assert seen.serves(fleet.first_snapshot)


def test_a_hold_lets_what_runs_finish_unless_asked_otherwise(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    stage.start({"fleet": fleet.name, "hold": "no more after this", "by": "ann"})
    stage.finish()

    assert seen.serves(new)
    assert seen.state.hold is not None


def test_a_person_goes_back_to_the_previous_snapshot_and_automation_leaves_it_so(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given two releases, the later one with wrong numbers that no health check sees
    first = stage.roll(fleet)
    stage.roll(fleet)

    # When a person goes back
    request = {"fleet": fleet.name, "snapshot": "previous", "reason": "the numbers are wrong"}
    back = stage.start(request)
    stage.finish()
    pass_time(stage, timedelta(hours=2))

    # Then the fleet serves the one before, says that it is held, and stays there
    assert outcome(back) == "Live"
    assert "is held" in reason(back)
    assert seen.state.live is not None
    assert seen.serves(seen.state.live.snapshot)
    assert seen.state.live.snapshot in first.name
    assert len(stage.rollouts()) == 3


def test_going_back_needs_a_reason(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    stage.roll(fleet)
    before = len(seen.changes())

    refused = stage.start({"fleet": fleet.name, "snapshot": "previous"})
    stage.finish()

    assert refused.error == "InvalidRequestError"
    assert "needs a reason" in (refused.cause or "")
    assert len(seen.changes()) == before


def test_a_quarantine_is_lifted_with_a_reason(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    bad = stage.roll(fleet, "corrupt")
    (snapshot,) = seen.ledger.condemned(fleet.name)

    lifted = stage.start(
        {"fleet": fleet.name, "lift_quarantine": snapshot, "reason": "a bad host", "by": "ann"}
    )
    stage.finish()

    assert outcome(bad) == "RolledBack"
    assert "no longer quarantined" in lifted.output.value["message"]  # type: ignore[union-attr]
    assert seen.ledger.condemned(fleet.name) == frozenset()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"hold": "x"}, "by is missing"),
        ({"hold": "x", "resume": "y", "by": "ann"}, "exactly one of"),
        ({"hold": "x", "by": "ann", "until": "tomorrow"}, "until = 'tomorrow'"),
        ({"lift_quarantine": "snap-0123456789abcdef0", "by": "ann"}, "needs a reason"),
        ({"hold": "x", "by": "ann", "running": "explode"}, "running = 'explode'"),
    ],
)
def test_an_operation_that_makes_no_sense_is_refused_with_the_place(
    stage: Stage, fleet: StagedFleet, seen: Seen, asked: dict[str, str], said: str
) -> None:
    refused = stage.start({"fleet": fleet.name, **asked})
    stage.finish()

    assert refused.error == "InvalidRequestError"
    assert said in (refused.cause or "")
    assert seen.state.hold is None


# -- failures over time ---------------------------------------------------------------------------


def test_three_rollbacks_in_a_row_hold_the_fleet_and_call_a_person(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    for _ in range(3):
        stage.roll(fleet, "corrupt")

    assert seen.state.hold is not None
    assert "3 rollouts" in seen.state.hold.reason
    assert seen.serves(fleet.first_snapshot)
    assert sum("Needs Attention" in mail for mail in seen.mails()) == 1


def test_a_fleet_that_is_not_ready_is_tried_again_ever_less_often_with_one_mail(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that somebody has suspended
    autoscaling = stage.session.client("autoscaling")
    autoscaling.suspend_processes(AutoScalingGroupName=fleet.group, ScalingProcesses=["Launch"])
    new = stage.complete_snapshot(fleet)

    # When it stays so for half a day
    pass_time(stage, timedelta(hours=12))

    # Then it was tried a few times, and one mail told of it
    assert 4 <= len(stage.rollouts()) <= 7
    assert sum("Fleet Not Ready" in mail for mail in seen.mails()) == 1

    # And when that is over, the snapshot becomes live
    autoscaling.resume_processes(AutoScalingGroupName=fleet.group, ScalingProcesses=["Launch"])
    pass_time(stage, timedelta(hours=7))
    assert seen.serves(new)
