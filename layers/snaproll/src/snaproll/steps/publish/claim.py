"""Claiming a writer, or joining the publish that has it; and giving it back."""

from __future__ import annotations

from pydantic import ValidationError

from snaproll.contracts.publish.announcements import event_of
from snaproll.contracts.publish.events import DataMaterialized
from snaproll.contracts.publish.requests import PublishRequest, input_of, request_of
from snaproll.contracts.publish.steps import (
    ClaimWriterRequest,
    FinishPublishRequest,
    Publish,
    PublishEnded,
    WriterClaimed,
)
from snaproll.domain.fencing import quiet_seconds
from snaproll.domain.publishes import (
    GOOD,
    PublishClaim,
    Published,
    PublishOutcome,
    PublishRecord,
    Wish,
    WriterState,
)
from snaproll.domain.publishing import Answer, ask, end, prove, take_over
from snaproll.domain.snapshot import data_time, lies_ahead, matches
from snaproll.domain.wording import listed
from snaproll.domain.writer import Writer
from snaproll.errors import ClaimLostError, InvalidEventError, InvalidRequestError
from snaproll.explain import explain
from snaproll.runtime import Runtime
from snaproll.steps.publish.fleets import known_fleets

EVENT_OF = {
    PublishOutcome.PUBLISHED: "Snapshot Published",
    PublishOutcome.SNAPSHOT_TAKEN: "Snapshot Taken",
}
"""The detail-type of the domain event that tells of each good outcome."""
FAILED = "Publish Failed"
"""The detail-type of the domain event that tells of every other."""


def claim_writer(request: ClaimWriterRequest, runtime: Runtime) -> WriterClaimed:
    """Take the right to publish a writer's data, or merge the request with what is under way.

    Raises
    ------
    InvalidRequestError, InvalidEventError
        When the input is neither a request nor a known event.
    UnknownWriterError, InvalidWriterConfigurationError
        When the writer is not configured, or wrongly.
    ClaimLostError
        What was to be taken over is gone.
    """
    wanted = _request_in(request)
    writer = runtime.writers.get(wanted.writer)
    execution = request.execution
    if wanted.data_time is not None and lies_ahead(wanted.data_time, runtime.now()):
        raise InvalidRequestError(
            f"The data time {wanted.data_time.isoformat()} lies ahead: no data is true yet then."
        )
    wish = Wish(
        mode=wanted.mode,
        trigger=wanted.trigger,
        asked_at=wanted.asked_at or execution.started_at,
        data_time=wanted.data_time,
        reason=wanted.reason,
    )
    answer = Answer.CLAIMED

    def transition(state: WriterState) -> WriterState:
        nonlocal answer
        if wanted.takes_over is not None:
            return take_over(writer.name, state, fence=wanted.takes_over, execution=execution.id)
        after, answer = ask(writer.name, state, wish, execution=execution.id, now=runtime.now())
        return after

    state = runtime.writer_ledger.change(writer.name, transition)
    message = _sentence(answer, writer, state)
    if answer is not Answer.CLAIMED or state.claim is None:
        if answer in (Answer.COVERED, Answer.MERGED):
            _tell("Publish Merged", writer.name, execution.id, message, runtime)
        return WriterClaimed(answer=answer, message=message)
    claim = state.claim
    if claim.takeovers == 0:
        _tell("Publish Started", writer.name, execution.id, message, runtime)
    return WriterClaimed(
        answer=answer,
        message=message,
        publish=Publish(
            writer=writer.name,
            policy=writer.policy,
            id=claim.publish,
            execution=execution.id,
            started_at=claim.claimed_at,
            fence=claim.fence,
        ),
        quiet_seconds=quiet_seconds(claim.takeovers - 1) if claim.takeovers else 0,
        snapshot=claim.snapshot,
        hooked=claim.hook_until is not None,
        stop=claim.stop,
    )


def _request_in(request: ClaimWriterRequest) -> PublishRequest:
    raw = request.input
    if isinstance(raw, dict) and "detail-type" in raw:
        try:
            event = DataMaterialized.model_validate(raw)
        except ValidationError as error:
            raise InvalidEventError(explain("The event given as execution input", error)) from error
        return request_of(event)
    try:
        return PublishRequest.model_validate(raw)
    except ValidationError as error:
        raise InvalidRequestError(
            f"{explain('The execution input', error)} Start it again with, for example, "
            f'{{"writer": "<name>"}} or {{"writer": "<name>", "mode": "snapshot_only"}}.'
        ) from error


def _sentence(answer: Answer, writer: Writer, state: WriterState) -> str:
    holder = state.claim.execution.rsplit(":", 1)[-1] if state.claim else "another execution"
    match answer:
        case Answer.CLAIMED:
            how = (
                "is taken over from an execution that died"
                if state.claim is not None and state.claim.takeovers
                else "began"
            )
            return f"Publishing the data of writer {writer.name} {how}."
        case Answer.COVERED:
            return (
                f"The snapshot that {holder} takes of writer {writer.name} holds this data as "
                f"well: the two requests were merged. Should that fail, one more follows by itself."
            )
        case Answer.MERGED:
            return (
                f"{holder} has begun its snapshot of writer {writer.name} already. One more "
                f"follows by itself when that has ended, for this request and any other that waits."
            )
        case Answer.PUBLISHED:
            last = state.last.snapshot if state.last else "the last snapshot"
            return (
                f"{last} of writer {writer.name} holds this data already. To take another all the "
                f'same, leave the data time out: {{"writer": "{writer.name}"}}.'
            )


def proven(publish: Publish, state: WriterState) -> PublishClaim:
    """The publish's claim in a state that was read, or that a transition is to change.

    Raises
    ------
    ClaimLostError
        The claim is no longer this publish's.
    """
    return prove(publish.writer, state, execution=publish.execution, fence=publish.fence)


def finish_publish(request: FinishPublishRequest, runtime: Runtime) -> PublishEnded:
    """Record the outcome, give the claim back and tell of it; start what waited, in that order.

    Raises
    ------
    ClaimLostError
        The claim is no longer this publish's, and it left no record.
    """
    publish = request.publish
    state = runtime.writer_ledger.state(publish.writer)
    try:
        record = _record(request, proven(publish, state), runtime)
        state = runtime.writer_ledger.change(
            publish.writer, lambda before: _ended(request, before, record), record
        )
    except ClaimLostError:
        # This step, run again after it had written: tell the same once more.
        left = runtime.writer_ledger.record_of(publish.writer, publish.execution)
        if left is None:
            raise
        record = left
    told = event_of(
        runtime.settings.environment, publish.writer, record.execution, record.message
    ).model_copy(
        update={
            "outcome": record.outcome,
            "snapshot": record.snapshot,
            "volume": record.volume,
            "data_time": record.data_time,
            "mode": record.mode,
            "fleets": record.fleets,
            "checks": record.checks,
        }
    )
    runtime.announcements.publish(EVENT_OF.get(record.outcome, FAILED), told)
    start_successor(publish.writer, runtime.writer_ledger.state(publish.writer), runtime)
    return PublishEnded(
        writer=publish.writer,
        outcome=record.outcome,
        message=record.message,
        snapshot=record.snapshot,
        data_time=record.data_time,
        fleets=record.fleets,
    )


def _ended(request: FinishPublishRequest, state: WriterState, record: PublishRecord) -> WriterState:
    claim = proven(request.publish, state)
    published = None
    if record.outcome in GOOD and record.snapshot and claim.cut_at:
        published = Published(
            snapshot=record.snapshot,
            mode=record.mode,
            cut_at=claim.cut_at,
            stated=claim.wish.data_time,
        )
    return end(request.publish.writer, state, published)


def _record(request: FinishPublishRequest, claim: PublishClaim, runtime: Runtime) -> PublishRecord:
    publish = request.publish
    good = request.outcome in GOOD
    snapshot = runtime.snapshots.get(claim.snapshot) if good and claim.snapshot else None
    followers = (
        [
            fleet.name
            for fleet in known_fleets(runtime)
            if matches(snapshot, fleet.policy.snapshots.tags)
        ]
        if snapshot is not None
        else []
    )
    record = PublishRecord(
        writer=publish.writer,
        publish=publish.id,
        outcome=request.outcome,
        message="",
        execution=publish.execution,
        trigger=claim.wish.trigger,
        mode=claim.wish.mode,
        started_at=publish.started_at,
        ended_at=runtime.now(),
        volume=claim.volume,
        snapshot=claim.snapshot,
        data_time=data_time(snapshot).at if snapshot is not None else None,
        fleets=followers,
        checks=request.checks,
    )
    return record.model_copy(update={"message": _outcome_sentence(request, record)})


def _outcome_sentence(request: FinishPublishRequest, record: PublishRecord) -> str:
    reason, writer = request.reason.rstrip("."), record.writer
    at = record.data_time.isoformat() if record.data_time else "an unknown time"
    match record.outcome:
        case PublishOutcome.PUBLISHED:
            takers = (
                f"{listed(record.fleets)} select{'s' if len(record.fleets) == 1 else ''} it, and "
                f"what follows is their rollout"
                if record.fleets
                else "no fleet of this environment selects it"
            )
            return f"{record.snapshot} holds the data of writer {writer} as of {at}; {takers}."
        case PublishOutcome.SNAPSHOT_TAKEN:
            return (
                f"{record.snapshot} holds the data of writer {writer} as of {at}. It was asked "
                f"for as a snapshot only: no fleet selects it, and none is rolled onto it."
            )
        case _:
            kept = f" {record.snapshot} is there all the same." if record.snapshot else ""
            return (
                f"The data of writer {writer} was not published: {reason}.{kept} Mend this, then "
                f'start it again with {{"writer": "{writer}"}}.'
            )


def start_successor(writer: str, state: WriterState, runtime: Runtime) -> str | None:
    """Start the execution that the ledger names as the next one; its name.

    Starting it again is harmless: the name is taken then.
    """
    successor = state.successor
    if successor is None:
        return None
    content = input_of(writer, successor.wish, successor.takes_over)
    runtime.executions.start(runtime.settings.publish_machine, successor.name, content)
    return successor.name


def _tell(kind: str, writer: str, execution: str, message: str, runtime: Runtime) -> None:
    told = event_of(runtime.settings.environment, writer, execution, message)
    runtime.announcements.publish(kind, told)
