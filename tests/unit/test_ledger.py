"""Every transition of a fleet's state in the ledger."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaproll.domain.claims import (
    give_up_claim,
    note_intent,
    promote,
    prove_claim,
    resume,
    set_hold,
    take_claim,
    turn_back,
)
from snaproll.domain.ledger import (
    Claim,
    FleetState,
    Hold,
    Phase,
    Queued,
    Seen,
    Trigger,
    Trouble,
    Waiting,
)
from snaproll.domain.release import Release, RollbackTarget
from snaproll.domain.signals import WAKE_GAP, begin_wait, shorten_after_wake, signal
from snaproll.domain.staging import stage
from snaproll.errors import ClaimLostError, FleetBusyError, StalePlanError
from tests.unit.builders import CANDIDATE, EXECUTION, LIVE, NEW, NOW, OLD, SNAPSHOT, TARGET

OTHER = f"{EXECUTION}-other"
HOLD = Hold(by="snaproll", reason="three were rolled back.", since=NOW)
BROKEN = Hold(by="snaproll", reason="it needs a person.", since=NOW, needs_person=True)
ASKED = Queued(snapshot=SNAPSHOT, trigger=Trigger.PERSON, reason="bad", data_time=NOW, asked_at=NOW)


def claim_of(state: FleetState) -> Claim:
    assert state.claim is not None
    return state.claim


def claimed(state: FleetState | None = None, **changes: Any) -> FleetState:
    """A fleet after this rollout claimed it."""
    before = state or FleetState(revision=5, fence=2)
    request: dict[str, Any] = {
        "planned_revision": before.revision,
        "execution": EXECUTION,
        "snapshot": SNAPSHOT,
        "trigger": Trigger.SNAPSHOT,
        "now": NOW,
        **changes,
    }
    return take_claim("sec-prod", before, **request)


# -- claim ----------------------------------------------------------------------------------------


def test_a_free_fleet_is_claimed_with_a_higher_fence() -> None:
    state = claimed(FleetState(revision=5, fence=2, live=LIVE))

    assert state.fence == 3
    assert claim_of(state) == Claim(
        execution=EXECUTION,
        fence=3,
        snapshot=SNAPSHOT,
        trigger=Trigger.SNAPSHOT,
        claimed_at=NOW,
        phase=Phase.FORWARD,
    )
    assert state.live == LIVE


def test_a_token_that_a_dead_rollout_left_behind_is_forgotten() -> None:
    left = FleetState(waiting=Waiting(token="old", fence=1, seen_at=NOW))  # noqa: S106 - a task token

    assert claimed(left).waiting is None


def test_the_same_execution_claims_again_without_a_change() -> None:
    first = claimed()

    again = claimed(first, planned_revision=0, now=NOW + timedelta(minutes=5))

    assert again == first


@pytest.mark.parametrize(
    "changes",
    [{"execution": OTHER}, {"snapshot": "snap-0bbbbbbbbbbbbbbb0"}],
    ids=["another execution", "another snapshot"],
)
def test_a_claimed_fleet_is_busy_for(changes: dict[str, Any]) -> None:
    with pytest.raises(FleetBusyError) as busy:
        claimed(claimed(), **changes)

    assert "sec-prod" in str(busy.value)
    assert SNAPSHOT in str(busy.value)
    assert EXECUTION in str(busy.value)


def test_a_claim_on_an_outdated_plan_is_refused() -> None:
    with pytest.raises(StalePlanError, match="from revision 4 to 5"):
        claimed(FleetState(revision=5), planned_revision=4)


def test_a_busy_fleet_is_busy_even_for_an_outdated_plan() -> None:
    with pytest.raises(FleetBusyError):
        claimed(claimed(), execution=OTHER, planned_revision=0)


def test_its_own_claim_is_proven() -> None:
    state = claimed()

    proven = prove_claim("sec-prod", state, execution=EXECUTION, fence=3)

    assert proven == state.claim


@pytest.mark.parametrize(
    ("state", "holder"),
    [
        (FleetState(fence=3), "nobody holds it"),
        (claimed(FleetState(fence=2), execution=OTHER), f"{OTHER} holds it"),
        (claimed(FleetState(fence=3)), f"{EXECUTION} holds it"),
        (claimed(FleetState(fence=1)), f"{EXECUTION} holds it"),
    ],
    ids=["given back", "taken over", "fenced off", "of a later fence"],
)
def test_a_lost_claim_is_told_with_its_holder(state: FleetState, holder: str) -> None:
    with pytest.raises(ClaimLostError, match="It changes nothing more") as lost:
        prove_claim("sec-prod", state, execution=EXECUTION, fence=3)

    assert holder in str(lost.value)


def test_what_will_be_changed_is_noted_before_it_is() -> None:
    state = claimed()

    noted = note_intent(state, claim_of(state), candidate=CANDIDATE, target=TARGET)

    assert (claim_of(noted).candidate, claim_of(noted).target) == (CANDIDATE, TARGET)
    assert note_intent(noted, claim_of(noted), candidate=CANDIDATE, target=TARGET) == noted


def test_turning_back_is_noted_once() -> None:
    state = claimed()

    back = turn_back(state, claim_of(state), why="bad", against_data=True)

    assert claim_of(back).phase is Phase.BACK
    assert (claim_of(back).why, claim_of(back).against_data) == ("bad", True)
    assert turn_back(back, claim_of(back), why="bad", against_data=True) == back


@pytest.mark.parametrize("hold", [None, HOLD], ids=["no hold before", "a hold before"])
def test_giving_up_a_claim_leaves_a_hold_as_it_was(hold: Hold | None) -> None:
    after = give_up_claim("sec-prod", claimed(FleetState(hold=hold)), None)

    assert (after.claim, after.waiting, after.hold) == (None, None, hold)


def test_a_rollout_that_needs_a_person_leaves_its_hold_in_the_same_write() -> None:
    after = give_up_claim("sec-prod", claimed(), HOLD)

    assert (after.claim, after.hold) == (None, HOLD)


def test_what_a_person_asked_for_is_next_although_the_fleet_is_held() -> None:
    state = claimed().model_copy(update={"queued": ASKED})

    after = give_up_claim("sec-prod", state, HOLD)

    assert after.successor is not None
    assert (after.successor.snapshot, after.queued) == (SNAPSHOT, None)


@pytest.mark.parametrize("later", [None, HOLD], ids=["no hold since", "another hold since"])
def test_on_a_fleet_that_needs_a_person_it_waits_for_the_resume(later: Hold | None) -> None:
    broken = give_up_claim("sec-prod", claimed().model_copy(update={"queued": ASKED}), BROKEN)

    # Whatever ends or is held before the resume
    again = give_up_claim("sec-prod", claimed(broken), later)
    held = set_hold(again, HOLD, roll_back=False)
    for state in (broken, again, held):
        assert (state.successor, state.queued) == (None, ASKED)

    resumed = resume("sec-prod", held)
    assert resumed.successor is not None
    assert (resumed.successor.snapshot, resumed.hold) == (SNAPSHOT, None)


@given(st.integers(1, 20))
def test_fences_only_grow_however_often_a_fleet_changes_hands(times: int) -> None:
    state, fences = FleetState(), []
    for number in range(times):
        state = claimed(state, execution=f"{EXECUTION}-{number}")
        fences.append(claim_of(state).fence)
        state = give_up_claim("sec-prod", state, None)

    assert fences == list(range(1, times + 1))


# -- what a group may name ------------------------------------------------------------------------


def test_a_fleet_that_was_never_rolled_is_expected_to_name_nothing() -> None:
    assert FleetState().expected_snapshots() == frozenset()


def test_while_a_rollout_runs_its_candidate_its_target_and_what_is_live_may_be_named() -> None:
    target = RollbackTarget(template=OLD, snapshot="snap-of-before")
    state = claimed(FleetState(live=LIVE))
    noted = note_intent(state, claim_of(state), candidate=CANDIDATE, target=target)

    named = {LIVE.snapshot, CANDIDATE.snapshot, "snap-of-before"}
    assert state.expected_snapshots() == {LIVE.snapshot}
    assert noted.expected_snapshots() == named
    assert note_intent(
        state, claim_of(state), candidate=CANDIDATE, target=RollbackTarget(template=OLD)
    ).expected_snapshots() == {LIVE.snapshot, CANDIDATE.snapshot}


def test_what_is_live_may_be_named_while_what_is_staged_is_watched() -> None:
    staged = stage(FleetState(live=LIVE), CANDIDATE, target=TARGET, group="g", now=NOW)

    assert staged.expected_snapshots() == {CANDIDATE.snapshot}
    assert claimed(staged).expected_snapshots() == {CANDIDATE.snapshot, LIVE.snapshot}


# -- promote --------------------------------------------------------------------------------------


def test_promoting_makes_the_live_release_the_previous_one() -> None:
    after = promote(FleetState(live=LIVE), CANDIDATE, TARGET)

    assert (after.live, after.previous) == (CANDIDATE, LIVE)


def test_promoting_ends_all_troubles_and_leaves_the_claim_with_nothing_to_do() -> None:
    trouble = Trouble(rollbacks=1, failures=2, last="FleetNotReady", retry_after=NOW)
    state = claimed(FleetState(live=LIVE, proven=OLD, trouble=trouble))

    after = promote(state, CANDIDATE, TARGET)

    promoted = claim_of(state).model_copy(update={"promoted": True})
    ends = {"live": CANDIDATE, "previous": LIVE, "proven": None, "trouble": None}
    assert after == state.model_copy(update={**ends, "claim": promoted})


def test_what_is_live_is_not_its_own_previous_one() -> None:
    found = RollbackTarget(template=OLD, snapshot=CANDIDATE.snapshot)

    assert promote(FleetState(), CANDIDATE, found).previous is None


def test_promoting_twice_is_promoting_once() -> None:
    once = promote(FleetState(live=LIVE), CANDIDATE, TARGET)

    assert promote(once, CANDIDATE, TARGET) == once


def test_on_a_fleet_that_was_never_rolled_what_was_found_becomes_the_previous_one() -> None:
    after = promote(FleetState(), CANDIDATE, TARGET)

    assert TARGET.snapshot is not None
    assert after.previous == Release(snapshot=TARGET.snapshot, template=TARGET.template)


def test_on_a_fleet_without_data_there_is_no_previous_one() -> None:
    after = promote(FleetState(), CANDIDATE, RollbackTarget(template=OLD, snapshot=None))

    assert (after.live, after.previous) == (CANDIDATE, None)


def test_the_live_snapshot_in_a_newer_version_is_no_new_release() -> None:
    patched = CANDIDATE.model_copy(
        update={"template": NEW.model_copy(update={"version": NEW.version + 1})}
    )
    state = promote(FleetState(live=LIVE), CANDIDATE, TARGET)

    after = promote(state, patched, TARGET)

    assert (after.live, after.previous) == (patched, LIVE)


# -- signals --------------------------------------------------------------------------------------


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
