"""Publishes that die or are aborted: nobody keeps the claim, and the writer is let go."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.scenarios.writers import Publishing, StagedWriter
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from tests.integration.seen import Seen, outcome, reason, states_of
from tests.integration.test_publish import snapshots_of, told
from tests.integration.test_publish_hook import hooked
from tests.integration.test_publish_merging import SOON, ledger_of, until_begun

LONG = timedelta(hours=3)


def abort(stage: Stage, publishing: Publishing) -> None:
    """Abort what runs, as a person does from the console."""
    for one in publishing.publishes():
        if one.running:
            stage.session.client("stepfunctions").stop_execution(executionArn=one.arn)


def settle(stage: Stage, publishing: Publishing) -> None:
    """Let recovery do all that it will."""
    stage.world.run_for(LONG.total_seconds())
    publishing.finish()


def is_free(stage: Stage, writer: StagedWriter) -> bool:
    state = ledger_of(stage, writer.name)
    return (state.claim, state.pending, state.successor) == (None, None, None)


def refuse(stage: Stage, function: str, operation: str, times: int) -> None:
    """Let a call of a function be denied so many times."""
    left = times

    def interfere(call: Call) -> None:
        nonlocal left
        if (call.caller, call.operation) == (function, operation) and left:
            left -= 1
            raise AwsError("AccessDeniedException", "not now", http_status=403)

    stage.world.faults.before_effect(interfere)


def test_another_execution_goes_on_with_the_snapshot_that_a_dead_one_began(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish that dies when its snapshot has begun
    writer = publishing.add_writer(fleet)
    refuse(stage, "InspectSnapshotFunction", "GetItem", times=1)

    # When its data is published
    died = publishing.publish(writer.name)
    settle(stage, publishing)

    # Then another waits for the same snapshot
    assert died.error == "AccessDeniedError"
    successor = publishing.publishes()[1]
    assert successor.name == f"{writer.name}-follow-1"
    assert outcome(successor) == "Published"
    assert "TakeSnapshot" not in states_of(successor)
    assert len(snapshots_of(stage, writer.volume)) == 1
    assert is_free(stage, writer)


def test_a_writer_whose_publish_died_while_it_stood_still_is_let_go_at_once(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish whose function is denied what it needs to begin the snapshot
    writer, hook = hooked(stage, fleet, publishing, "function")
    refuse(stage, "TakeSnapshotFunction", "GetItem", times=1)

    # When it fails
    died = publishing.publish(writer.name)

    # Then the writer runs before anything else happens, and another execution tries again
    assert died.error == "Interrupted"
    assert "AccessDeniedError" in (died.cause or "")
    assert hook.actions == ["quiesce", "resume"]
    assert not hook.quiet
    settle(stage, publishing)
    assert outcome(publishing.publishes()[1]) == "Published"
    assert hook.actions == ["quiesce", "resume"] * 2
    assert len(snapshots_of(stage, writer.volume)) == 1


def test_a_writer_is_let_go_when_the_execution_is_aborted_while_it_stands_still(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a writer that is being made to stand still
    writer, hook = hooked(
        stage,
        fleet,
        publishing,
        "function",
        lambda action, n: {"state": "pending" if action == "quiesce" and n > 1 else "done"},
    )
    publishing.materialize(writer.name)
    stage.world.run_until(lambda: bool(hook.asked), limit=SOON)

    # When somebody aborts the execution
    abort(stage, publishing)
    settle(stage, publishing)

    # Then another lets the writer go, and does no more
    successor = publishing.publishes()[-1]
    assert outcome(successor) == "Stopped"
    assert "somebody aborted the execution" in reason(successor)
    assert hook.actions[-1] == "resume"
    assert not hook.quiet
    assert snapshots_of(stage, writer.volume) == []
    assert is_free(stage, writer)


def test_an_abort_ends_the_claim_and_what_waited_follows(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish whose snapshot has begun, and a request that waits for the next
    writer = publishing.add_writer(fleet)
    publishing.materialize(writer.name)
    until_begun(stage, writer)
    stage.world.run_for(60)
    publishing.materialize(writer.name)
    stage.world.run_for(30)

    # When somebody aborts the publish
    abort(stage, publishing)
    settle(stage, publishing)

    # Then what waited is published, and the abort is told
    assert outcome(publishing.publishes()[-1]) == "Published"
    (failed,) = told(stage, "Publish Failed")
    assert "somebody aborted the execution" in failed["message"]
    assert is_free(stage, writer)


def test_a_publish_that_dies_again_and_again_is_given_up_and_a_person_is_told(
    stage: Stage, fleet: StagedFleet, seen: Seen, publishing: Publishing
) -> None:
    # Given a role that lacks what it needs
    writer, hook = hooked(stage, fleet, publishing, "function")
    refuse(stage, "TakeSnapshotFunction", "GetItem", times=100)

    # When data is ready
    publishing.materialize(writer.name)
    settle(stage, publishing)

    # Then four executions tried, the writer runs, and one mail says so
    assert [one.error for one in publishing.publishes()] == ["Interrupted"] * 4
    assert not hook.quiet
    assert is_free(stage, writer)
    (mail,) = seen.mails()
    assert "its execution died 4 times" in mail


@pytest.mark.parametrize("operation", ["GetParameter", "GetItem"])
def test_a_successor_that_dies_before_it_has_the_claim_leaves_nothing_stuck(
    stage: Stage, fleet: StagedFleet, publishing: Publishing, operation: str
) -> None:
    # Given a publish that died, and a successor that cannot take over
    writer = publishing.add_writer(fleet)
    refuse(stage, "InspectSnapshotFunction", "GetItem", times=1)
    publishing.publish(writer.name)
    refuse(stage, "ClaimWriterFunction", operation, times=100)

    settle(stage, publishing)

    assert is_free(stage, writer)
    messages = [one["message"] for one in told(stage, "Publish Failed")]
    assert any("died as well" in message for message in messages)


def test_a_follower_that_dies_before_it_has_the_writer_is_told_of_once(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    publishing.materialize(writer.name)
    until_begun(stage, writer)
    stage.world.run_for(60)
    publishing.materialize(writer.name)
    stage.world.run_for(30)
    refuse(stage, "ClaimWriterFunction", "GetParameter", times=100)

    settle(stage, publishing)

    assert is_free(stage, writer)
    (failed,) = told(stage, "Publish Failed")
    assert "was not published once more" in failed["message"]


def test_recovery_does_not_need_the_event_of_the_death(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    stage.world.events.delivery = lambda event: () if event.source == "aws.states" else (1.0,)
    refuse(stage, "InspectSnapshotFunction", "GetItem", times=1)

    publishing.publish(writer.name)
    settle(stage, publishing)

    assert outcome(publishing.publishes()[-1]) == "Published"
    assert is_free(stage, writer)


def test_a_redriven_execution_whose_claim_was_taken_over_changes_nothing(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    refuse(stage, "InspectSnapshotFunction", "GetItem", times=1)
    died = publishing.publish(writer.name)
    stage.world.run_for(30)

    stage.session.client("stepfunctions").redrive_execution(executionArn=died.arn)
    settle(stage, publishing)

    assert outcome(died) == "Superseded"
    assert outcome(publishing.publishes()[1]) == "Published"
    assert len(snapshots_of(stage, writer.volume)) == 1


def test_a_change_of_the_hook_meanwhile_does_not_keep_a_writer_standing(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish that died right after it had made the writer stand still
    writer, hook = hooked(stage, fleet, publishing, "function")
    refuse(stage, "TakeSnapshotFunction", "GetItem", times=1)
    refuse(stage, "ResumeWriterFunction", "GetItem", times=1)
    died = publishing.publish(writer.name)
    assert (died.error, hook.quiet) == ("AccessDeniedError", True)

    # When the writer's parameter loses its hook
    publishing.configure(writer.name, {"volume": {"id": writer.volume}, "fleets": [fleet.name]})
    settle(stage, publishing)

    # Then the hook that was called is the one that lets go
    assert not hook.quiet
    assert outcome(publishing.publishes()[-1]) == "Published"
