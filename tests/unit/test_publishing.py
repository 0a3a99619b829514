"""Who may publish a writer's data, and what becomes of requests that come meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from snaproll.domain.publishes import (
    Published,
    PublishMode,
    PublishTrigger,
    Wish,
    WriterState,
)
from snaproll.domain.publishing import (
    SETTLE,
    SKEW,
    Answer,
    ask,
    covers,
    cut,
    end,
    execution_name,
    merged,
    name_for_event,
    name_for_tick,
    name_successor,
    prove,
    settled,
    take_over,
)
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


def claimed(**changes: Any) -> WriterState:
    state, _ = ask("sec", WriterState(), wish(**changes), execution=ONE, now=NOW)
    return state


def begun(**changes: Any) -> WriterState:
    state = claimed(**changes)
    return cut(state, prove("sec", state, execution=ONE, fence=1), NOW + MINUTE)


def test_a_free_writer_is_claimed_and_its_publish_gets_a_number() -> None:
    state = claimed()

    assert state.claim is not None
    assert (state.claim.publish, state.claim.fence) == ("sec-1", 1)


def test_asking_again_for_the_same_execution_changes_nothing() -> None:
    state = claimed()

    assert ask("sec", state, wish(), execution=ONE, now=NOW + MINUTE) == (state, Answer.CLAIMED)


def test_a_request_before_the_cut_joins_and_the_newer_data_time_counts() -> None:
    state = claimed(data_time=NOW - 9 * MINUTE)

    after, answer = ask("sec", state, wish(data_time=NOW - MINUTE), execution=OTHER, now=NOW)

    assert answer is Answer.COVERED
    assert after.claim is not None
    assert after.claim.wish.data_time == NOW - MINUTE


@pytest.mark.parametrize(
    ("seconds", "answer"), [(-30, Answer.COVERED), (-2, Answer.MERGED), (0, Answer.MERGED)]
)
def test_after_the_cut_only_what_was_asked_for_well_before_it_is_covered(
    seconds: int, answer: Answer
) -> None:
    asked = wish(asked_at=NOW + MINUTE + timedelta(seconds=seconds))

    assert ask("sec", begun(), asked, execution=OTHER, now=NOW + 2 * MINUTE)[1] is answer


def test_an_old_data_time_does_not_make_a_late_request_covered() -> None:
    late = wish(asked_at=NOW + 2 * MINUTE, data_time=NOW - timedelta(days=1))

    assert not covers(PublishMode.PUBLISH, NOW + MINUTE, late)


def test_a_snapshot_only_does_not_cover_a_publish() -> None:
    early = wish(asked_at=NOW - MINUTE)

    assert not covers(PublishMode.SNAPSHOT_ONLY, NOW, early)
    assert covers(PublishMode.PUBLISH, NOW, wish(asked_at=NOW - MINUTE))


def test_wishes_that_are_merged_are_fulfilled_by_what_fulfils_both() -> None:
    both = merged(
        wish(mode=PublishMode.SNAPSHOT_ONLY, data_time=NOW, trigger=PublishTrigger.PERSON),
        wish(asked_at=NOW + MINUTE),
    )

    assert both == wish(asked_at=NOW + MINUTE, trigger=PublishTrigger.PERSON)


def test_what_waited_follows_once() -> None:
    state = begun()
    for minute in (2, 3):
        asked = wish(asked_at=NOW + minute * MINUTE)
        state, _ = ask("sec", state, asked, execution=OTHER, now=asked.asked_at)

    after = end("sec", state, None)

    assert after.claim is None
    assert after.pending is None
    assert after.successor is not None
    assert after.successor.name == "sec-follow-1"
    assert after.successor.wish.asked_at == NOW + 3 * MINUTE


def test_what_joined_a_publish_that_fails_follows_and_only_once() -> None:
    # Given a request that was told that the snapshot of another serves it
    asked = wish(asked_at=NOW + MINUTE, reason="the second")
    state, answer = ask("sec", claimed(reason="the first"), asked, execution=OTHER, now=NOW)
    assert answer is Answer.COVERED

    # When that one fails, and what follows it as well
    failed = end("sec", state, None)
    assert failed.successor is not None
    following, _ = ask(
        "sec", failed, failed.successor.wish, execution=failed.successor.name, now=NOW
    )
    again = end("sec", following, None)

    # Then it alone was done once more
    assert failed.successor.wish == asked
    assert (again.claim, again.successor) == (None, None)


def test_nothing_follows_a_publish_that_served_all_who_joined() -> None:
    state, _ = ask("sec", claimed(), wish(), execution=OTHER, now=NOW)
    cut_at = NOW + MINUTE
    done = Published(snapshot="snap-1", mode=PublishMode.PUBLISH, cut_at=cut_at)

    assert end("sec", state, done).successor is None


@pytest.mark.parametrize("asked_at", [NOW, NOW + 2 * MINUTE])
def test_what_joins_after_the_cut_follows_a_failure_together_with_what_waits(
    asked_at: datetime,
) -> None:
    # One was asked for before the cut and came late, the other after it.
    state = begun()
    for at in (NOW, asked_at):
        state, _ = ask("sec", state, wish(asked_at=at), execution=OTHER, now=NOW + 2 * MINUTE)

    after = end("sec", state, None)

    assert after.successor is not None
    assert after.successor.wish.asked_at == asked_at
    assert after.pending is None


def test_a_follower_that_another_publish_served_first_follows_when_that_fails() -> None:
    # Given a follower that is named, and somebody who is faster
    waiting, _ = ask("sec", begun(), wish(asked_at=NOW + 2 * MINUTE), execution=OTHER, now=NOW)
    freed = end("sec", waiting, None)
    taken, answer = ask("sec", freed, wish(), execution=OTHER, now=NOW)
    assert answer is Answer.CLAIMED

    after = end("sec", taken, None)

    assert after.successor is not None
    assert after.successor.wish.asked_at == NOW + 2 * MINUTE


def test_the_same_data_is_not_published_again() -> None:
    last = Published(snapshot="snap-1", mode=PublishMode.PUBLISH, cut_at=NOW, stated=NOW - MINUTE)
    later = NOW + timedelta(hours=1)

    answers = [
        ask(
            "sec",
            WriterState(last=last),
            wish(asked_at=later, data_time=at),
            execution=ONE,
            now=later,
        )[1]
        for at in (NOW - MINUTE, NOW, None)
    ]

    assert answers == [Answer.PUBLISHED, Answer.CLAIMED, Answer.CLAIMED]


def test_a_claim_is_taken_over_with_a_higher_fence_and_the_same_publish() -> None:
    state = begun()
    assert state.claim is not None
    named = name_successor("sec", state, state.claim)

    after = take_over("sec", named, fence=1, execution=OTHER)

    assert after.claim is not None
    assert (after.claim.fence, after.claim.publish, after.claim.takeovers) == (2, "sec-1", 1)
    with pytest.raises(ClaimLostError):
        prove("sec", after, execution=ONE, fence=1)
    with pytest.raises(ClaimLostError):
        take_over("sec", after, fence=1, execution=ONE)


def test_a_second_try_waits_until_ec2_would_list_what_the_first_has_made() -> None:
    claim = begun().claim
    assert claim is not None
    assert claim.cut_at is not None

    assert not settled(claim, claim.cut_at + SETTLE - timedelta(seconds=1))
    assert settled(claim, claim.cut_at + SETTLE)


# -- merging and covering -------------------------------------------------------------------------


@pytest.mark.parametrize("reasons", [("fix", None), (None, "fix"), ("fix", "other")])
def test_wishes_that_are_merged_keep_the_first_reason(reasons: tuple[str | None, ...]) -> None:
    one, other = (wish(reason=reason) for reason in reasons)

    assert merged(one, other).reason == "fix"


def test_two_wishes_that_nothing_follows_make_one_that_nothing_follows() -> None:
    only = wish(mode=PublishMode.SNAPSHOT_ONLY)

    assert merged(only, only).mode is PublishMode.SNAPSHOT_ONLY


def test_what_was_asked_for_as_long_before_the_cut_as_clocks_may_differ_is_covered() -> None:
    assert covers(PublishMode.PUBLISH, NOW + SKEW, wish())
    assert not covers(PublishMode.PUBLISH, NOW + SKEW - timedelta(milliseconds=1), wish())


def asked_on(last: Published, **changes: Any) -> Answer:
    """What a free writer answers that has published something."""
    state = WriterState(last=last)
    return ask("sec", state, wish(**changes), execution=ONE, now=NOW)[1]


@pytest.mark.parametrize(
    ("had", "wanted", "answer"),
    [
        (PublishMode.PUBLISH, PublishMode.PUBLISH, Answer.PUBLISHED),
        (PublishMode.PUBLISH, PublishMode.SNAPSHOT_ONLY, Answer.PUBLISHED),
        (PublishMode.SNAPSHOT_ONLY, PublishMode.SNAPSHOT_ONLY, Answer.PUBLISHED),
        (PublishMode.SNAPSHOT_ONLY, PublishMode.PUBLISH, Answer.CLAIMED),
    ],
)
@pytest.mark.parametrize("by", ["its cut", "its data time"])
def test_a_snapshot_that_nothing_follows_is_no_publish(
    had: PublishMode, wanted: PublishMode, answer: Answer, by: str
) -> None:
    cut_at = NOW + MINUTE if by == "its cut" else NOW - MINUTE
    last = Published(snapshot="snap-1", mode=had, cut_at=cut_at, stated=NOW)

    assert asked_on(last, mode=wanted, data_time=NOW) is answer


def test_data_of_an_unknown_time_is_not_known_to_be_published() -> None:
    last = Published(snapshot="snap-1", mode=PublishMode.PUBLISH, cut_at=NOW - MINUTE)

    assert asked_on(last, data_time=NOW - MINUTE) is Answer.CLAIMED


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (name_for_event("sec", "event-1"), "sec-event-1"),
        (name_for_tick("sec", NOW), "sec-scheduled-20260105T0900Z"),
    ],
)
def test_an_execution_is_named_by_what_asked_for_it(name: str, expected: str) -> None:
    assert name == expected


@pytest.mark.parametrize(
    "name",
    [
        execution_name("w" * 40, 999_999),
        name_for_event("w" * 40, "0" * 36),
        name_for_tick("w" * 40, NOW),
    ],
)
def test_no_name_is_longer_than_step_functions_takes(name: str) -> None:
    assert len(name) <= 80
