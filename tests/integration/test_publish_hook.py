"""The quiesce hook: the writer stands still while the snapshot begins, and never for longer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.scenarios.writers import Publishing, StagedWriter
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from tests.integration.hooks import HOOK, WITH_DOCUMENT, WITH_FUNCTION, Hook
from tests.integration.seen import Seen, outcome, reason, states_of
from tests.integration.test_publish import snapshots_of, told
from tests.integration.test_publish_merging import ledger_of

KINDS = ["function", "document"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of hook keep the same contract."""
    found: str = request.param
    return found


def hooked(
    stage: Stage, fleet: StagedFleet, publishing: Publishing, kind: str, behaviour: Any = None
) -> tuple[StagedWriter, Hook]:
    """A writer on an instance with a hook of a kind."""
    hook = Hook(stage, behaviour) if behaviour else Hook(stage)
    writer = publishing.add_instance(fleet, {"Role": "writer"})
    policy = {
        "volume": {"instance_tags": {"Role": "writer"}, "device": DATA_DEVICE},
        "fleets": [fleet.name],
    }
    if kind == "function":
        hook.as_function()
        publishing.configure(writer.name, {**policy, **WITH_FUNCTION})
    else:
        hook.as_document()
        publishing.configure(writer.name, {**policy, **WITH_DOCUMENT})
    return writer, hook


def test_the_writer_stands_still_when_the_snapshot_begins_and_runs_right_after(
    stage: Stage, fleet: StagedFleet, publishing: Publishing, kind: str
) -> None:
    # Given a writer with a hook
    writer, hook = hooked(stage, fleet, publishing, kind)
    quiet: list[bool] = []
    stage.world.faults.before_effect(
        lambda call: quiet.append(hook.quiet) if call.operation == "CreateSnapshot" else None
    )

    # When its data is published
    publish = publishing.publish(writer.name)

    # Then it stood still at the call, and was let go long before the snapshot was whole
    assert outcome(publish) == "Published"
    assert quiet == [True]
    assert not hook.quiet
    assert hook.actions == ["quiesce", "resume"]
    states = states_of(publish)
    assert states.index("ResumeWriter") < states.index("InspectSnapshot")


def test_a_hook_is_told_what_and_until_when(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer, hook = hooked(stage, fleet, publishing, "function")

    publishing.publish(writer.name)

    quiesce, resume = hook.asked
    assert {**quiesce, "deadline": ""} == {
        "version": "1",
        "action": "quiesce",
        "environment": "demo",
        "writer": writer.name,
        "publish": f"{writer.name}-1",
        "volume": writer.volume,
        "instance": writer.instance,
        "deadline": "",
    }
    assert resume["deadline"] == quiesce["deadline"]
    left = datetime.fromisoformat(quiesce["deadline"]) - stage.world.clock.now()
    assert left < timedelta(minutes=5)


def test_a_hook_that_needs_time_is_asked_again_with_the_same_publish(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer, hook = hooked(
        stage,
        fleet,
        publishing,
        "function",
        lambda _, n: {"state": "done" if n >= 4 else "pending"},
    )

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "Published"
    assert hook.actions == ["quiesce"] * 4 + ["resume"] * 4
    assert len({one["publish"] for one in hook.asked}) == 1


def broken(action: str, _: int) -> dict[str, str]:
    if action == "quiesce":
        raise RuntimeError("the log cannot be flushed")
    return {"state": "done"}


def test_a_hook_that_fails_lets_no_snapshot_be_taken_and_is_undone(
    stage: Stage, fleet: StagedFleet, publishing: Publishing, kind: str
) -> None:
    writer, hook = hooked(stage, fleet, publishing, kind, broken)

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "WriterNotQuiesced"
    assert "the log cannot be flushed" in reason(publish)
    assert hook.actions == ["quiesce", "resume"]
    assert snapshots_of(stage, writer.volume) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [(None, "allowed is"), ({"state": "perhaps"}, "allowed is"), ("done", "allowed is")],
)
def test_an_answer_that_is_none_counts_as_a_failure(
    stage: Stage, fleet: StagedFleet, publishing: Publishing, answer: Any, problem: str
) -> None:
    writer, _ = hooked(
        stage,
        fleet,
        publishing,
        "function",
        lambda action, _: answer if action == "quiesce" else {"state": "done"},
    )

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "WriterNotQuiesced"
    assert problem in reason(publish)


def test_a_writer_that_never_stands_still_is_let_go_at_its_limit(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer, hook = hooked(
        stage,
        fleet,
        publishing,
        "function",
        lambda action, _: {"state": "pending" if action == "quiesce" else "done"},
    )
    began = stage.world.clock.now()

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "WriterNotQuiesced"
    assert "did not stand still within its limit" in reason(publish)
    assert hook.actions[-1] == "resume"
    assert stage.world.clock.now() - began < timedelta(minutes=7)


@pytest.mark.parametrize(
    ("code", "status", "ending"),
    [
        ("IncorrectState", 400, "SnapshotFailed"),
        ("UnauthorizedOperation", 403, "Interrupted"),
        ("InternalError", 500, "Interrupted"),
        ("RequestLimitExceeded", 503, "Interrupted"),
    ],
)
def test_the_writer_is_let_go_even_when_the_snapshot_call_fails(
    stage: Stage,
    fleet: StagedFleet,
    publishing: Publishing,
    code: str,
    status: int,
    ending: str,
) -> None:
    # Given a writer whose snapshot cannot be taken
    writer, hook = hooked(stage, fleet, publishing, "function")

    def refuse(call: Call) -> None:
        if call.operation == "CreateSnapshot":
            raise AwsError(code, "not now", http_status=status)

    stage.world.faults.before_effect(refuse)

    # When its data is published
    publish = publishing.publish(writer.name)

    # Then the execution fails as it must, and the writer runs
    assert publish.error == ending
    assert not hook.quiet
    assert hook.actions[-1] == "resume"
    assert snapshots_of(stage, writer.volume) == []


def test_a_hook_that_cannot_let_go_is_asked_until_its_limit_and_somebody_is_called(
    stage: Stage, fleet: StagedFleet, publishing: Publishing, seen: Seen
) -> None:
    # Given a hook whose way back is broken
    def stuck(action: str, _: int) -> dict[str, str]:
        if action == "resume":
            raise RuntimeError("the lock is rusty")
        return {"state": "done"}

    writer, hook = hooked(stage, fleet, publishing, "function", stuck)

    # When the data is published
    publish = publishing.publish(writer.name)

    # Then the snapshot is there all the same, and a mail says what to look at
    assert outcome(publish) == "Published"
    assert hook.actions.count("resume") > 10
    (event,) = told(stage, "Writer Not Resumed")
    assert "the lock is rusty" in event["message"]
    assert any("Writer Not Resumed" in mail for mail in seen.mails())
    assert ledger_of(stage, writer.name).claim is None


def test_a_snapshot_is_not_begun_when_the_time_of_the_hook_is_over(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given EC2 that asks for patience for longer than the writer may stand still
    writer, hook = hooked(stage, fleet, publishing, "function")
    publishing.configure(
        writer.name,
        {
            "volume": {"id": writer.volume},
            "fleets": [fleet.name],
            "quiesce": {"function": HOOK, "limit": "30s"},
        },
    )
    until = stage.world.clock.now() + timedelta(seconds=60)

    def throttle(call: Call) -> None:
        if call.operation == "CreateSnapshot" and stage.world.clock.now() < until:
            raise AwsError("RequestLimitExceeded", "slow down", http_status=503)

    stage.world.faults.before_effect(throttle)

    # When the data is published
    publish = publishing.publish(writer.name)

    # Then no snapshot is begun of a writer that may run again by then
    assert outcome(publish) == "WriterNotQuiesced"
    assert "its snapshot has not begun" in reason(publish)
    assert hook.actions[-1] == "resume"
    assert snapshots_of(stage, writer.volume) == []


def test_a_hook_whose_name_does_not_begin_as_the_stack_says_is_not_called(
    fleet: StagedFleet, publishing: Publishing
) -> None:
    publishing.add_writer(fleet, {"quiesce": {"function": "somebodys-function"}})

    publish = publishing.publish(fleet.name)

    assert publish.error == "AccessDeniedError"


def test_a_document_on_an_instance_without_an_agent_is_a_failure_that_says_so(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer, _ = hooked(stage, fleet, publishing, "document")
    stage.world.ssm.commands.managed.clear()

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "WriterNotQuiesced"
    assert "not in a valid state" in reason(publish)


def test_a_document_needs_a_volume_that_is_attached(
    fleet: StagedFleet, publishing: Publishing
) -> None:
    publishing.add_writer(fleet, WITH_DOCUMENT)

    publish = publishing.publish(fleet.name)

    assert outcome(publish) == "WriterNotReady"
    assert "is attached to no instance" in reason(publish)
