"""Publishes that died: their writer is let go, and another execution goes on."""

from __future__ import annotations

from snaproll.aws.executions import GONE
from snaproll.contracts.announcements import console_link
from snaproll.contracts.publish.announcements import event_of
from snaproll.contracts.publish.events import PublishEndedBadly, RecoverEvent
from snaproll.contracts.values import Recorded
from snaproll.domain.fencing import MOST_TAKEOVERS, forget_successor
from snaproll.domain.publishes import (
    PublishClaim,
    PublishOutcome,
    PublishRecord,
    PublishSuccessor,
    WriterState,
)
from snaproll.domain.publishing import end, name_successor
from snaproll.runtime import Runtime
from snaproll.steps.publish.claim import FAILED, start_successor

_ALIVE = frozenset({"RUNNING", "PENDING_REDRIVE"})
_ABORTED = "ABORTED"
_TOLD = frozenset(PublishOutcome)
"""Errors of executions that ended in a named outcome, which was told when it was recorded."""


def recover_publish(event: RecoverEvent, runtime: Runtime) -> Recorded:
    """Deal with the death of one execution; on a tick of the schedule, with every busy writer."""
    writers = runtime.writer_ledger.publishing()
    if not isinstance(event.root, PublishEndedBadly):
        done = [f"{writer}: {_look_after(writer, runtime)}" for writer in writers]
        return Recorded(message="; ".join(done) or "Nothing is being published.")
    died = event.root.detail
    for writer in writers:
        state = runtime.writer_ledger.state(writer)
        named = state.successor is not None and state.successor.name == died.name
        if named or (state.claim is not None and state.claim.execution == died.execution):
            return Recorded(message=_look_after(writer, runtime))
    if died.error in _TOLD:
        return Recorded(message=f"{died.name} ended as {died.error}, which was told.")
    what = f"{died.error}: {died.cause}" if died.error else "somebody aborted it"
    message = f"{died.name} failed before it had a writer. {what}"
    told = event_of(runtime.settings.environment, died.name, died.execution, message)
    runtime.announcements.publish(FAILED, told)
    return Recorded(message=message)


def _look_after(writer: str, runtime: Runtime) -> str:
    """Compare what the ledger says of a writer with what runs; what was done, in words."""
    state = runtime.writer_ledger.state(writer)
    if state.claim is not None:
        # An event may be late, and the execution redriven meanwhile: it is asked itself.
        return recover(writer, runtime.executions.status(state.claim.execution), runtime)
    if state.successor is not None and _over(state.successor, runtime):
        return _drop(writer, state.successor, runtime)
    started = start_successor(writer, state, runtime)
    return f"started {started}" if started else "nothing to do"


def _drop(writer: str, successor: PublishSuccessor, runtime: Runtime) -> str:
    """A follow-up that died before it had the writer is not tried for ever."""
    runtime.writer_ledger.change(writer, lambda state: forget_successor(state, successor))
    execution = _arn(successor, runtime)
    message = (
        f"The data of writer {writer} was not published once more: {successor.name}, which was to "
        f"do it, failed before it had the writer. Look at {console_link(execution)}."
    )
    told = event_of(runtime.settings.environment, writer, execution, message)
    runtime.announcements.publish(FAILED, told)
    return message


def _arn(successor: PublishSuccessor, runtime: Runtime) -> str:
    machine = runtime.settings.publish_machine
    return f"{machine.replace(':stateMachine:', ':execution:')}:{successor.name}"


def _over(successor: PublishSuccessor, runtime: Runtime) -> bool:
    return runtime.executions.status(_arn(successor, runtime)) not in (*_ALIVE, GONE)


def recover(writer: str, status: str, runtime: Runtime) -> str:
    """Deal with a claim whose execution has this status; what was done, in words.

    Another execution takes over, at most three times, and goes on where the dead one stopped. An
    abort is a person's wish to stop: the other one then only lets the writer go.
    """
    state = runtime.writer_ledger.state(writer)
    claim = state.claim
    if claim is None:
        started = start_successor(writer, state, runtime)
        return f"started {started}" if started else "nothing holds it"
    if status in _ALIVE:
        return f"{claim.execution} runs"
    aborted = status == _ABORTED
    heir = state.successor
    if heir is not None and heir.takes_over == claim.fence and _over(heir, runtime):
        why = f"{heir.name}, which was to go on after its execution had died, died as well"
        return _give_up(writer, claim, why, runtime)
    if claim.takeovers >= MOST_TAKEOVERS:
        why = f"its execution died {MOST_TAKEOVERS + 1} times, the last time as {status}"
        return _give_up(writer, claim, why, runtime)
    if aborted and claim.hook_until is None:
        return _give_up(writer, claim, "somebody aborted the execution", runtime)

    def transition(before: WriterState) -> WriterState:
        present = before.claim
        if present is None or present.fence != claim.fence:
            return before
        stop = "somebody aborted the execution" if aborted else None
        return name_successor(writer, before, present, stop=stop)

    state = runtime.writer_ledger.change(writer, transition)
    started = start_successor(writer, state, runtime)
    return f"{claim.execution} died ({status}); {started} goes on"


def _give_up(writer: str, claim: PublishClaim, why: str, runtime: Runtime) -> str:
    still = (
        f" It may stand still until {claim.hook_until.isoformat()}, when its hook lets it go by "
        f"itself: look whether it did."
        if claim.hook_until is not None
        else ""
    )
    kept = f" {claim.snapshot} is there all the same." if claim.snapshot else ""
    message = f"The data of writer {writer} was not published: {why}.{kept}{still}"
    record = PublishRecord(
        writer=writer,
        publish=claim.publish,
        outcome=PublishOutcome.STOPPED,
        message=message,
        execution=claim.execution,
        trigger=claim.wish.trigger,
        mode=claim.wish.mode,
        started_at=claim.claimed_at,
        ended_at=runtime.now(),
        volume=claim.volume,
        snapshot=claim.snapshot,
    )

    def transition(before: WriterState) -> WriterState:
        if before.claim is None or before.claim.fence != claim.fence:
            return before
        return end(writer, before, None)

    state = runtime.writer_ledger.change(writer, transition, record)
    told = event_of(runtime.settings.environment, writer, claim.execution, message)
    runtime.announcements.publish(
        FAILED, told.model_copy(update={"outcome": record.outcome, "snapshot": claim.snapshot})
    )
    start_successor(writer, state, runtime)
    return message
