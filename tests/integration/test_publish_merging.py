"""One publish at a time for each writer: what comes meanwhile is covered, or follows once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.scenarios.writers import Publishing, StagedWriter
from embedded.states.execution import Execution
from snaproll.aws.writer_ledger import WriterLedger
from snaproll.domain.publishes import WriterState
from tests.integration.hooks import WITH_FUNCTION, Hook
from tests.integration.seen import outcome, reason
from tests.integration.test_publish import snapshots_of, tags_of, told

SOON = timedelta(minutes=5)


def ledger_of(stage: Stage, writer: str) -> WriterState:
    """What the ledger holds of a writer."""
    table = stage.stack.outputs["LedgerTableName"]
    return WriterLedger(stage.session.client("dynamodb"), table).state(writer)


def until_begun(stage: Stage, writer: StagedWriter) -> None:
    """Let the writer's snapshot begin."""
    stage.world.run_until(lambda: bool(snapshots_of(stage, writer.volume)), limit=SOON)


def played(stage: Stage, publishing: Publishing, known: int) -> list[Execution]:
    """Let everything come to rest; the publishes that started after some were known."""
    stage.world.run_for(60)
    publishing.finish()
    stage.world.run_for(60)
    publishing.finish()
    return publishing.publishes()[known:]


def test_what_comes_before_the_snapshot_begins_is_covered_by_it(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish whose writer takes a while to stand still
    hook = Hook(stage, lambda _, n: {"state": "done" if n > 5 else "pending"}).as_function()
    writer = publishing.add_writer(fleet, WITH_FUNCTION)
    publishing.materialize(writer.name, data_time="2026-01-05T08:00:00+00:00")
    stage.world.run_until(lambda: bool(hook.asked), limit=SOON)

    # When newer data is ready before the snapshot begins
    publishing.materialize(writer.name, data_time="2026-01-05T08:30:00+00:00")
    first, second = played(stage, publishing, 0)

    # Then one snapshot is both, and has the newer data time
    assert (outcome(first), outcome(second)) == ("Published", "Merged")
    assert f"{first.name} takes" in reason(second)
    (snapshot,) = snapshots_of(stage, writer.volume)
    assert tags_of(stage, snapshot)["snaproll:data-time"] == "2026-01-05T08:30:00+00:00"
    assert len(told(stage, "Publish Merged")) == 1


def test_what_was_merged_with_a_publish_that_fails_is_published_by_itself(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish whose writer will not stand still, and a request that is merged with it
    def answer(action: str, asked: int) -> dict[str, str]:
        if action == "resume" or asked > 6:
            return {"state": "done"}
        return {"state": "pending" if asked < 6 else "no"}

    hook = Hook(stage, answer).as_function()
    writer = publishing.add_writer(fleet, WITH_FUNCTION)
    publishing.materialize(writer.name)
    stage.world.run_until(lambda: bool(hook.asked), limit=SOON)
    publishing.materialize(writer.name, reason="the second")

    # When it fails
    executions = played(stage, publishing, 0)

    # Then one more takes the snapshot
    assert [outcome(one) for one in executions] == ["WriterNotQuiesced", "Merged", "Published"]
    assert "Should that fail, one more follows" in reason(executions[1])
    assert len(snapshots_of(stage, writer.volume)) == 1


def test_what_comes_after_the_snapshot_began_is_in_one_that_follows(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a snapshot that has begun
    writer = publishing.add_writer(fleet)
    publishing.materialize(writer.name)
    until_begun(stage, writer)
    stage.world.run_for(60)

    # When data is ready three times before it is whole
    for minute in (1, 2, 3):
        publishing.materialize(writer.name, reason=f"the {minute}th")
        stage.world.run_for(60)
    executions = played(stage, publishing, 0)

    # Then one more snapshot follows for all three
    assert [outcome(one) for one in executions] == [
        *("Published", "Merged", "Merged", "Merged", "Published"),
    ]
    assert executions[-1].name == f"{writer.name}-follow-1"
    first, second = sorted(
        snapshots_of(stage, writer.volume),
        key=lambda one: tags_of(stage, one)["snaproll:data-time"],
    )
    assert tags_of(stage, first)["snaproll:publish"] == f"{writer.name}-1"
    assert tags_of(stage, second)["snaproll:publish"] == f"{writer.name}-2"
    assert ledger_of(stage, writer.name).pending is None


def test_an_event_that_was_late_on_its_way_is_not_taken_for_covered(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Data that was true before the snapshot may have reached the volume after it.
    writer = publishing.add_writer(fleet)
    publishing.start({"writer": writer.name})
    until_begun(stage, writer)
    stage.world.run_for(60)

    publishing.materialize(writer.name, data_time="2026-01-05T06:00:00+00:00")
    executions = played(stage, publishing, 0)

    assert [outcome(one) for one in executions] == ["Published", "Merged", "Published"]


def test_a_follower_of_a_snapshot_only_is_published_when_one_of_the_merged_wants_that(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a snapshot only that has begun
    writer = publishing.add_writer(fleet)
    publishing.start({"writer": writer.name, "mode": "snapshot_only"})
    until_begun(stage, writer)
    stage.world.run_for(60)

    # When another and a publish are asked for
    publishing.start({"writer": writer.name, "mode": "snapshot_only"})
    publishing.start({"writer": writer.name})
    executions = played(stage, publishing, 0)

    # Then what follows is published, and fleets roll onto that alone
    assert [outcome(one) for one in executions] == [
        *("SnapshotTaken", "Merged", "Merged", "Published"),
    ]
    stage.finish()
    assert [outcome(one) for one in stage.rollouts()] == ["Live"]


def test_whoever_comes_first_serves_the_one_that_was_to_follow_as_well(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a publish that is over, and a follower whose start is lost on the way
    writer = publishing.add_writer(fleet)
    publishing.materialize(writer.name)
    until_begun(stage, writer)
    stage.world.run_for(60)
    publishing.materialize(writer.name)
    lost = True

    def lose(call: Any) -> None:
        if lost and call.operation == "StartExecution" and call.caller == "FinishPublishFunction":
            raise TimeoutError

    stage.world.faults.before_effect(lose)
    stage.world.run_until(
        lambda: ledger_of(stage, writer.name).successor is not None, limit=timedelta(hours=1)
    )

    # When somebody publishes by hand before the follower is started
    publishing.start({"writer": writer.name})
    stage.world.run_for(60)
    lost = False
    stage.world.run_for(3600)
    publishing.finish()

    # Then the follower finds that there is nothing left for it
    assert len(snapshots_of(stage, writer.volume)) == 2
    state = ledger_of(stage, writer.name)
    assert (state.claim, state.pending, state.successor) == (None, None, None)


def test_writers_do_not_wait_for_each_other(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    other = stage.add_fleet("other")
    for one in (fleet, other):
        publishing.add_writer(one)

    for one in (fleet, other):
        publishing.materialize(one.name)
    executions = played(stage, publishing, 0)

    assert [outcome(one) for one in executions] == ["Published", "Published"]
