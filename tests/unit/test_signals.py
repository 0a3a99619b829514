"""How a waiting rollout is woken: by each signal, once, and not too often."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaproll.domain.ledger import Claim, FleetState, Seen, Trigger, Waiting
from snaproll.domain.signals import WAKE_GAP, begin_wait, shorten_after_wake, signal
from tests.unit.builders import EXECUTION, NOW, SNAPSHOT


def claimed() -> FleetState:
    """A fleet that a rollout has just claimed."""
    claim = Claim(
        execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
    )
    return FleetState(revision=5, fence=3, claim=claim)


def waiting(state: FleetState, seen: Seen, at: datetime, token: str = "token") -> FleetState:  # noqa: S107
    after, missed = begin_wait(state, token=token, fence=3, seen=seen, now=at)
    assert not missed
    return after


def seen(state: FleetState) -> Seen:
    """What a look that begins now knows of the signals."""
    return Seen(signals=state.signals, woken_at=state.woken_at, at=NOW)


def test_the_first_signal_wakes_the_one_who_waits() -> None:
    state = claimed()
    state = waiting(state, seen(state), NOW)

    after, token = signal(state, NOW + timedelta(seconds=1))

    assert token == "token"  # noqa: S105 - a task token
    assert (after.signals, after.woken_at) == (1, NOW + timedelta(seconds=1))


def test_a_signal_while_nobody_waits_is_counted_and_wakes_nobody() -> None:
    after, token = signal(claimed(), NOW)

    assert (after.signals, token) == (1, None)


@pytest.mark.parametrize("seconds", [0, 1, 29])
def test_signals_soon_after_a_wake_are_merged(seconds: int) -> None:
    # Given a rollout that was woken, looked, and waits again
    state = claimed()
    state = waiting(state, seen(state), NOW)
    state, _ = signal(state, NOW)
    state = waiting(state, seen(state), NOW, "second")

    # When another signal comes within the gap
    after, token = signal(state, NOW + timedelta(seconds=seconds))

    # Then it is counted and wakes nobody, and the rollout sleeps no longer than the gap
    assert token is None
    assert after.signals == 2
    assert shorten_after_wake(600, seen(state), NOW) == WAKE_GAP.total_seconds()


def test_a_signal_that_wakes_nobody_takes_the_old_token_away() -> None:
    # Given the token of a wait that timed out, and a signal that only it could have been given
    state = waiting(claimed(), Seen(signals=0, woken_at=None, at=NOW), NOW, "stale")
    began = seen(state).model_copy(update={"at": NOW + timedelta(minutes=5)})
    state, _ = signal(state, NOW + timedelta(minutes=5))

    after, missed = begin_wait(
        state,
        token="fresh",  # noqa: S106 - a task token
        fence=3,
        seen=began,
        now=NOW + timedelta(minutes=6),
    )

    assert missed
    assert after == state.model_copy(
        update={"waiting": None, "woken_at": NOW + timedelta(minutes=6)}
    )


@pytest.mark.parametrize(("fence", "minutes", "late"), [(3, 1, True), (3, 0, False), (2, 1, False)])
def test_a_wait_that_began_after_a_later_look_is_not_replaced(
    fence: int,
    minutes: int,
    late: bool,  # noqa: FBT001 - a column of the table
) -> None:
    # Given that another function of the same claim, which looked later, waits already
    present = Waiting(token="present", fence=fence, seen_at=NOW + timedelta(minutes=minutes))  # noqa: S106
    state = claimed().model_copy(update={"waiting": present, "signals": 7})

    after, missed = begin_wait(
        state,
        token="late",  # noqa: S106 - a task token
        fence=3,
        seen=Seen(signals=7, woken_at=None, at=NOW),
        now=NOW + timedelta(minutes=2),
    )

    assert not missed
    assert (after == state) is late


def test_a_signal_after_the_gap_wakes_again() -> None:
    state = claimed()
    state = waiting(state, seen(state), NOW)
    state, _ = signal(state, NOW)
    state = waiting(state, seen(state), NOW, "second")

    _, token = signal(state, NOW + WAKE_GAP)

    assert token == "second"  # noqa: S105 - a task token


def test_a_signal_during_the_look_ends_the_next_wait_at_once() -> None:
    # Given a look that began before the signal came
    state = claimed()
    began = seen(state)
    state, _ = signal(state, NOW)

    # When the rollout would go to sleep after that look
    after, missed = begin_wait(state, token="token", fence=3, seen=began, now=NOW)  # noqa: S106

    # Then it does not
    assert missed
    assert after.waiting is None
    assert after.woken_at == NOW


def test_a_signal_that_reached_only_a_stale_token_ends_the_next_wait_at_once() -> None:
    # Given a rollout whose wait timed out and which looks: its old token is still in the ledger
    state = claimed()
    state = waiting(state, seen(state), NOW, "stale")
    began = seen(state)

    # When a signal comes during that look, and wakes nobody with the stale token
    state, token = signal(state, NOW + timedelta(minutes=5))
    assert token == "stale"  # noqa: S105 - a task token
    _, missed = begin_wait(
        state,
        token="fresh",  # noqa: S106 - a task token
        fence=3,
        seen=began,
        now=NOW + timedelta(minutes=5, seconds=1),
    )

    # Then the next wait ends at once
    assert missed


def test_a_signal_during_a_look_soon_after_a_wake_waits_for_the_end_of_the_gap() -> None:
    # Given a rollout that a signal has just woken, so that its next sleep is short
    state = claimed()
    state = waiting(state, seen(state), NOW)
    state, _ = signal(state, NOW)
    began = seen(state)

    # When another signal comes during the look
    state, _ = signal(state, NOW + timedelta(seconds=1))
    after, missed = begin_wait(
        state,
        token="second",  # noqa: S106 - a task token
        fence=3,
        seen=began,
        now=NOW + timedelta(seconds=2),
    )

    # Then it sleeps, and not past the gap
    assert not missed
    assert after.waiting == Waiting(token="second", fence=3, seen_at=NOW)  # noqa: S106 - a task token
    assert shorten_after_wake(600, began, NOW + timedelta(seconds=2)) <= WAKE_GAP.total_seconds()


def test_a_look_that_no_signal_woke_sleeps_as_long_as_it_likes() -> None:
    never = Seen(signals=0, woken_at=None, at=NOW)
    long_ago = Seen(signals=4, woken_at=NOW - WAKE_GAP, at=NOW)

    assert shorten_after_wake(600, never, NOW) == 600
    assert shorten_after_wake(600, long_ago, NOW) == 600


def test_a_short_sleep_is_not_made_longer_by_a_wake() -> None:
    just_now = Seen(signals=1, woken_at=NOW, at=NOW)

    assert shorten_after_wake(5, just_now, NOW) == 5


@given(st.lists(st.integers(0, 40), max_size=60))
def test_no_rhythm_of_signals_is_missed_or_wakes_more_than_once_in_a_gap(gaps: list[int]) -> None:
    """Play signals against a rollout that looks, which takes no time, and sleeps."""
    state = claimed()
    state = waiting(state, seen(state), NOW)
    now, deadline = NOW, NOW + timedelta(minutes=10)
    looks: list[tuple[datetime, int]] = []
    signals: list[datetime] = []
    wakes: list[datetime] = []

    def look(at: datetime) -> None:
        nonlocal state, deadline
        looks.append((at, state.signals))
        knows = seen(state)
        state = waiting(state, knows, at)
        deadline = at + timedelta(seconds=shorten_after_wake(600, knows, at))

    for gap in gaps:
        now += timedelta(seconds=gap)
        while deadline <= now:
            look(deadline)
        state, token = signal(state, now)
        signals.append(now)
        if token is not None:
            wakes.append(now)
            look(now)
    look(deadline)

    assert all(later - earlier >= WAKE_GAP for earlier, later in pairwise(wakes))
    for number, came in enumerate(signals, start=1):
        first = next(at for at, known in looks if known >= number)
        assert first - came <= WAKE_GAP
