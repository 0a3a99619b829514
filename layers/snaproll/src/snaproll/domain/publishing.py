"""Who may publish a writer's data: claiming, merging, taking over, giving back.

A transition takes the present state and gives the next one, or raises. It never reads a clock and
never writes: the adapter writes what comes out, on condition that nobody wrote in between.

A snapshot holds what was on the volume at the moment that CreateSnapshot was called. So requests
that come before that moment (the *cut*) are covered by the snapshot that is being prepared, and
those that come after it are merged into one that follows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from snaproll.domain.fencing import inherit_claim, prove_fence
from snaproll.domain.publishes import (
    PublishClaim,
    Published,
    PublishMode,
    PublishSuccessor,
    PublishTrigger,
    Wish,
    WriterState,
)

SKEW = timedelta(seconds=5)
"""How far the clocks of Step Functions and of a function may be apart."""
SETTLE = timedelta(seconds=60)
"""After this time EC2 lists a snapshot that was made; its reads are eventually consistent."""


class Answer(StrEnum):
    """What became of a request."""

    CLAIMED = "claimed"
    """The execution has the writer, and takes a snapshot."""
    COVERED = "covered"
    """The snapshot that another execution takes holds the data."""
    MERGED = "merged"
    """A snapshot follows the one that is being taken, for this request and others."""
    PUBLISHED = "published"
    """A snapshot that was taken before holds the data."""


def merged(one: Wish, other: Wish) -> Wish:
    """A wish whose fulfilment fulfils both."""
    wants = {one.mode, other.mode}
    times = (one.data_time, other.data_time)
    known = [time for time in times if time is not None]
    person = next((wish for wish in (one, other) if wish.trigger is PublishTrigger.PERSON), one)
    return Wish(
        mode=PublishMode.PUBLISH if PublishMode.PUBLISH in wants else PublishMode.SNAPSHOT_ONLY,
        trigger=person.trigger,
        asked_at=max(one.asked_at, other.asked_at),
        # "As of the snapshot" is later than any time that is known before it.
        data_time=max(known) if len(known) == len(times) else None,
        reason=one.reason or other.reason,
    )


def _merged(one: Wish, other: Wish | None) -> Wish:
    return one if other is None else merged(one, other)


def covers(mode: PublishMode, cut_at: datetime, wish: Wish) -> bool:
    """Whether a snapshot of a mode that began at ``cut_at`` holds what is wished for."""
    if mode is PublishMode.SNAPSHOT_ONLY and wish.mode is PublishMode.PUBLISH:
        return False
    # Not its data time: what was true at midnight may have reached the volume at noon.
    return wish.asked_at + SKEW <= cut_at


def _began_after(claim: PublishClaim, wish: Wish) -> bool:
    return claim.cut_at is not None and covers(claim.wish.mode, claim.cut_at, wish)


def _holds_already(last: Published | None, wish: Wish) -> bool:
    if last is None:
        return False
    if covers(last.mode, last.cut_at, wish):
        return True
    good_for = last.mode is PublishMode.PUBLISH or wish.mode is PublishMode.SNAPSHOT_ONLY
    told = (last.stated, wish.data_time)
    return good_for and told[0] is not None and told[1] is not None and told[1] <= told[0]


def ask(
    writer: str, state: WriterState, wish: Wish, *, execution: str, now: datetime
) -> tuple[WriterState, Answer]:
    """Claim a writer, or merge the wish with what is under way."""
    name = execution.rpartition(":")[2]
    claim, successor = state.claim, state.successor
    if claim is not None and claim.execution == execution:
        return state, Answer.CLAIMED
    if successor is not None and successor.name == name and successor.takes_over is None:
        state = state.model_copy(update={"successor": None})
    if claim is not None:
        return _ask_behind(state, claim, wish)
    if _holds_already(state.last, wish):
        return state, Answer.PUBLISHED
    waiting = state.successor.wish if state.successor is not None else None
    number, fence = state.publishes + 1, state.fence + 1
    taken = PublishClaim(
        execution=execution,
        fence=fence,
        publish=f"{writer}-{number}",
        # Whoever was to come next is served by this one as well.
        wish=_merged(wish, waiting),
        joined=waiting,
        claimed_at=now,
    )
    update = {"claim": taken, "fence": fence, "publishes": number, "successor": None}
    return state.model_copy(update={**update, "waiting": None}), Answer.CLAIMED


def _ask_behind(state: WriterState, claim: PublishClaim, wish: Wish) -> tuple[WriterState, Answer]:
    began = claim.cut_at is not None
    if claim.stop is not None or (began and not _began_after(claim, wish)):
        return state.model_copy(update={"pending": _merged(wish, state.pending)}), Answer.MERGED
    joined = _merged(wish, claim.joined)
    served = claim.wish if began else merged(claim.wish, wish)
    return noted(state, claim, wish=served, joined=joined), Answer.COVERED


def take_over(writer: str, state: WriterState, *, fence: int, execution: str) -> WriterState:
    """Take the claim of a dead publish over, with all that it had noted.

    Raises
    ------
    ClaimLostError
        The claim with that fence is gone, or was taken over by another.
    """
    return inherit_claim(f"writer {writer}", state, fence=fence, execution=execution)


def prove(writer: str, state: WriterState, *, execution: str, fence: int) -> PublishClaim:
    """The claim, if it is this execution's.

    Raises
    ------
    ClaimLostError
        When it is not, or no longer.
    """
    return prove_fence(f"writer {writer}", state, execution=execution, fence=fence)


def noted(state: WriterState, claim: PublishClaim, **what: object) -> WriterState:
    """Write something down in the claim."""
    return state.model_copy(update={"claim": claim.model_copy(update=what)})


def cut(state: WriterState, claim: PublishClaim, now: datetime) -> WriterState:
    """Say that the snapshot begins now: what is asked for from here on may not be in it.

    Said again, after a try that left no snapshot, the cut is later: the snapshot will be as well.
    """
    return noted(state, claim, cut_at=now)


def settled(claim: PublishClaim, now: datetime) -> bool:
    """Whether EC2 would list a snapshot by now that an earlier try has made."""
    return claim.cut_at is None or now - claim.cut_at >= SETTLE


def name_successor(
    writer: str, state: WriterState, claim: PublishClaim, *, stop: str | None = None
) -> WriterState:
    """Write down which execution is to take a dead publish's claim over, and if it only ends it."""
    kept = claim.model_copy(update={"stop": claim.stop or stop})
    if state.successor is not None and state.successor.takes_over == claim.fence:
        return state.model_copy(update={"claim": kept})
    attempt = state.attempts + 1
    successor = PublishSuccessor(
        name=execution_name(writer, attempt), wish=claim.wish, takes_over=claim.fence
    )
    return state.model_copy(update={"claim": kept, "successor": successor, "attempts": attempt})


def end(writer: str, state: WriterState, published: Published | None) -> WriterState:
    """End a publish: in one write the claim goes and what waits becomes the successor.

    After one that failed, what had joined it waits as well.
    """
    freed = state.model_copy(
        update={"claim": None, "waiting": None, "last": published or state.last, "pending": None}
    )
    pending = state.pending
    if published is None and state.claim is not None and state.claim.joined is not None:
        pending = _merged(state.claim.joined, pending)
    if pending is None or _holds_already(freed.last, pending):
        return freed
    attempt = state.attempts + 1
    successor = PublishSuccessor(name=execution_name(writer, attempt), wish=pending)
    return freed.model_copy(update={"successor": successor, "attempts": attempt})


def execution_name(writer: str, attempt: int) -> str:
    """The name of an execution that snaproll itself starts: a second start of it is impossible."""
    return f"{writer}-follow-{attempt}"


def name_for_event(writer: str, event_id: str) -> str:
    """The name of the execution for an event, however often that is delivered.

    At most 40 + 1 + 36 characters of the 80 that Step Functions allows.
    """
    return f"{writer}-{event_id}"


def name_for_tick(writer: str, at: datetime) -> str:
    """The name of the execution for a tick of the schedule: one in a minute."""
    return f"{writer}-scheduled-{at:%Y%m%dT%H%MZ}"
