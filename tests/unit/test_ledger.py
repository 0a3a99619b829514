"""Every transition of a fleet's state in the ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaproll.domain.claims import (
    give_up_claim,
    note_intent,
    note_source,
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
    Trigger,
    Trouble,
    Waiting,
)
from snaproll.domain.release import Release, RollbackTarget
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
    assert "fleet sec-prod" in str(lost.value)


def test_what_a_version_is_made_from_is_noted_before_it_is_made() -> None:
    state = claimed(FleetState(revision=5, fence=2, live=LIVE))

    noted = note_source(state, claim_of(state), source=OLD, target=TARGET)

    assert (claim_of(noted).source, claim_of(noted).target) == (OLD, TARGET)
    assert claim_of(noted).candidate is None
    assert note_intent(noted, claim_of(noted), candidate=CANDIDATE, target=TARGET) == (
        noted.model_copy(
            update={"claim": claim_of(noted).model_copy(update={"candidate": CANDIDATE})}
        )
    )


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
