"""A writer's claim: taken, taken over, lost, given back; and executions that are named for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snaproll.domain.fencing import forget_successor, quiet_seconds
from snaproll.domain.publishes import (
    PublishClaim,
    Published,
    PublishMode,
    PublishSuccessor,
    PublishTrigger,
    Wish,
    WriterState,
)
from snaproll.domain.publishing import Answer, ask, end, name_successor, prove, take_over
from snaproll.errors import ClaimLostError

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE, OTHER = "arn:aws:states:::execution:publish:one", "arn:aws:states:::execution:publish:other"


def wish(**changes: Any) -> Wish:
    return Wish(
        **{
            "mode": PublishMode.PUBLISH,
            "trigger": PublishTrigger.DATA,
            "asked_at": NOW,
            **changes,
        }
    )


FULL = WriterState(
    revision=8,
    fence=4,
    publishes=6,
    attempts=2,
    last=Published(snapshot="snap-1", mode=PublishMode.PUBLISH, cut_at=NOW - 9 * MINUTE),
    waiting="the token of a dead one",
)


def claim(**changes: Any) -> PublishClaim:
    """The claim of the execution ONE on the writer of FULL."""
    kept = PublishClaim(execution=ONE, fence=5, publish="sec-7", wish=wish(), claimed_at=NOW)
    return kept.model_copy(update=changes)


def changed(state: WriterState, **changes: Any) -> WriterState:
    return state.model_copy(update=changes)


def follower(**changes: Any) -> PublishSuccessor:
    return PublishSuccessor(**{"name": "one", "wish": wish(), **changes})


def test_a_claim_takes_the_next_number_and_clears_what_the_last_one_left() -> None:
    after, answer = ask("sec", FULL, wish(), execution=ONE, now=NOW)

    assert answer is Answer.CLAIMED
    assert after == changed(FULL, fence=5, publishes=7, claim=claim(), waiting=None)


def test_who_was_named_takes_the_writer_for_its_own_wish_alone() -> None:
    # The reason that is written down with the successor is in the wish that it asks with.
    named = changed(FULL, successor=follower(wish=wish(reason="what it was named for")))

    after, _ = ask("sec", named, wish(), execution=ONE, now=NOW)

    assert after == changed(FULL, fence=5, publishes=7, claim=claim(), waiting=None)


@pytest.mark.parametrize("changes", [{"name": "another"}, {"takes_over": 4}])
def test_who_comes_before_the_one_that_was_named_serves_it_as_well(changes: Any) -> None:
    named = changed(FULL, successor=follower(wish=wish(reason="it waits"), **changes))

    after, answer = ask("sec", named, wish(), execution=ONE, now=NOW)

    assert answer is Answer.CLAIMED
    both = wish(reason="it waits")
    assert after.claim == claim(wish=both, joined=both)
    assert after.successor is None


def test_who_was_named_for_a_writer_that_is_busy_is_forgotten() -> None:
    busy = changed(FULL, claim=claim(execution=OTHER), successor=follower())

    after, answer = ask("sec", busy, wish(), execution=ONE, now=NOW)

    joined = claim(execution=OTHER, joined=wish())
    assert (after, answer) == (changed(busy, claim=joined, successor=None), Answer.COVERED)


def test_who_was_named_for_what_is_published_by_now_is_forgotten() -> None:
    last = Published(snapshot="snap-2", mode=PublishMode.PUBLISH, cut_at=NOW + MINUTE)
    named = changed(FULL, last=last, successor=follower())

    after, answer = ask("sec", named, wish(), execution=ONE, now=NOW)

    assert (after, answer) == (changed(named, successor=None), Answer.PUBLISHED)


def test_what_waits_behind_a_publish_is_merged_into_one() -> None:
    state = changed(FULL, claim=claim(cut_at=NOW), pending=wish(reason="the first"))

    after, answer = ask("sec", state, wish(), execution=OTHER, now=NOW)

    assert answer is Answer.MERGED
    assert after == changed(state, pending=wish(reason="the first"))


@pytest.mark.parametrize("cut_at", [None, NOW + MINUTE])
def test_all_who_join_a_publish_are_remembered_for_its_failure(cut_at: datetime | None) -> None:
    first = wish(asked_at=NOW - MINUTE, reason="the first")
    state = changed(FULL, claim=claim(cut_at=cut_at, joined=first))

    after, answer = ask("sec", state, wish(), execution=OTHER, now=NOW)

    assert answer is Answer.COVERED
    assert after.claim is not None
    assert after.claim.joined == wish(reason="the first")


def test_what_joins_after_the_cut_does_not_change_what_the_snapshot_is_for() -> None:
    own = wish(data_time=NOW - 9 * MINUTE)
    state = changed(FULL, claim=claim(wish=own, cut_at=NOW + MINUTE))

    after, answer = ask("sec", state, wish(data_time=NOW), execution=OTHER, now=NOW)

    assert answer is Answer.COVERED
    assert after.claim == claim(wish=own, cut_at=NOW + MINUTE, joined=wish(data_time=NOW))


def test_a_snapshot_only_that_has_begun_does_not_cover_a_publish() -> None:
    only = claim(wish=wish(mode=PublishMode.SNAPSHOT_ONLY), cut_at=NOW + MINUTE)

    _, answer = ask("sec", changed(FULL, claim=only), wish(), execution=OTHER, now=NOW)

    assert answer is Answer.MERGED


@pytest.mark.parametrize("cut_at", [None, NOW + MINUTE])
def test_a_publish_that_was_stopped_covers_nothing_more(cut_at: datetime | None) -> None:
    stopped = changed(FULL, claim=claim(stop="it was aborted", cut_at=cut_at))

    after, answer = ask("sec", stopped, wish(), execution=OTHER, now=NOW)

    assert (after, answer) == (changed(stopped, pending=wish()), Answer.MERGED)


# -- changing hands -------------------------------------------------------------------------------


def test_who_takes_over_goes_on_with_all_that_the_dead_one_had_noted() -> None:
    dead = claim(fence=3, cut_at=NOW, snapshot="snap-2", takeovers=1)
    state = changed(FULL, claim=dead, successor=follower(takes_over=3))

    after = take_over("sec", state, fence=3, execution=OTHER)

    inherited = dead.model_copy(update={"execution": OTHER, "fence": 5, "takeovers": 2})
    assert after == changed(FULL, fence=5, claim=inherited, successor=None, waiting=None)
    assert take_over("sec", after, fence=3, execution=OTHER) == after


@pytest.mark.parametrize("state", [FULL, changed(FULL, claim=claim())])
def test_a_claim_that_is_gone_is_not_taken_over(state: WriterState) -> None:
    with pytest.raises(ClaimLostError, match=r"on writer sec .* \(fence 3\) is gone"):
        take_over("sec", state, fence=3, execution=OTHER)


def test_each_taker_over_waits_four_times_as_long_as_the_one_before() -> None:
    assert [quiet_seconds(takeovers) for takeovers in range(3)] == [90, 360, 1440]


@pytest.mark.parametrize(
    ("state", "holder"),
    [
        (FULL, "nobody"),
        (changed(FULL, claim=claim(execution=OTHER)), OTHER),
        (changed(FULL, claim=claim(fence=6)), ONE),
    ],
    ids=["given back", "another execution's", "of another fence"],
)
def test_a_lost_claim_is_told_with_its_holder(state: WriterState, holder: str) -> None:
    with pytest.raises(ClaimLostError, match="It changes nothing more") as lost:
        prove("sec", state, execution=ONE, fence=5)

    assert f"writer sec (fence 5; {holder} holds it now, fence 4)" in str(lost.value)


@pytest.mark.parametrize(
    ("before", "asked", "stop"),
    [(None, None, None), (None, "aborted", "aborted"), ("first", "then", "first")],
)
def test_the_successor_of_a_dead_publish_is_the_next_attempt_and_stops_what_was_stopped(
    before: str | None, asked: str | None, stop: str | None
) -> None:
    dead = claim(stop=before)
    state = changed(FULL, claim=dead, successor=follower())

    after = name_successor("sec", state, dead, stop=asked)

    named = follower(name="sec-follow-3", takes_over=5)
    assert after == changed(FULL, claim=claim(stop=stop), successor=named, attempts=3)
    # Once named it stays, and hears of an abort that comes later.
    assert after.claim is not None
    later = name_successor("sec", after, after.claim, stop="later")
    assert later == changed(after, claim=claim(stop=stop or "later"))


def test_a_successor_that_ran_is_forgotten_unless_another_was_named_meanwhile() -> None:
    named = changed(FULL, successor=follower())

    assert forget_successor(named, follower()) == FULL
    assert forget_successor(named, follower(name="another")) == named


# -- giving back ----------------------------------------------------------------------------------


def test_a_publish_that_failed_leaves_what_was_published_before() -> None:
    after = end("sec", changed(FULL, claim=claim()), None)

    assert after == changed(FULL, waiting=None)


def test_what_waits_is_not_published_again_when_this_snapshot_holds_it() -> None:
    last = Published(snapshot="snap-2", mode=PublishMode.PUBLISH, cut_at=NOW + MINUTE)
    state = changed(FULL, claim=claim(), pending=wish())

    assert end("sec", state, last) == changed(FULL, waiting=None, last=last)


def test_what_waits_for_newer_data_is_the_next_attempt() -> None:
    last = Published(snapshot="snap-2", mode=PublishMode.PUBLISH, cut_at=NOW)
    state = changed(FULL, claim=claim(), pending=wish())

    named = follower(name="sec-follow-3")
    expected = changed(FULL, waiting=None, last=last, successor=named, attempts=3)
    assert end("sec", state, last) == expected
