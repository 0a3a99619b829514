"""Holding a fleet, stopping what runs on it, and what moves up when it is free again."""

from __future__ import annotations

from typing import Any

import pytest

from snaproll.domain.claims import give_up_claim, resume, set_hold, stop_claim, turn_back
from snaproll.domain.ledger import (
    Claim,
    FleetState,
    Hold,
    Phase,
    Queued,
    Successor,
    Trigger,
    Trouble,
    Waiting,
)
from tests.unit.builders import EXECUTION, LIVE, NOW, SNAPSHOT

WANTED = "snap-0fffffffffffffff0"
HOLD = Hold(by="ann", reason="maintenance", since=NOW)
CLAIM = Claim(
    execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
)
RUNNING = FleetState(
    live=LIVE,
    claim=CLAIM,
    fence=3,
    attempts=4,
    waiting=Waiting(token="asleep", fence=3, seen_at=NOW),  # noqa: S106 - a task token
)
AUTOMATIC = Queued(snapshot=WANTED, trigger=Trigger.SNAPSHOT, asked_at=NOW)
ASKED = Queued(snapshot=WANTED, trigger=Trigger.PERSON, reason="bad", asked_at=NOW, again=True)
TROUBLE = Trouble(rollbacks=1, failures=2, last="FleetNotReady", retry_after=NOW)


def changed(state: FleetState, **changes: Any) -> FleetState:
    return state.model_copy(update=changes)


def claim(**changes: Any) -> Claim:
    return CLAIM.model_copy(update=changes)


# -- holding --------------------------------------------------------------------------------------


def test_a_hold_lets_what_runs_go_on() -> None:
    assert set_hold(RUNNING, HOLD, roll_back=False) == changed(RUNNING, hold=HOLD)


def test_a_hold_that_rolls_back_stops_what_runs_and_stays_behind_it() -> None:
    after = set_hold(RUNNING, HOLD, roll_back=True)

    why = "ann holds the fleet: maintenance"
    assert after == changed(RUNNING, hold=HOLD, claim=claim(stop=why, hold_after=why))


def test_on_a_free_fleet_a_hold_has_nothing_to_roll_back() -> None:
    assert set_hold(FleetState(), HOLD, roll_back=True) == FleetState(hold=HOLD)


def test_who_stops_a_rollout_does_not_replace_the_hold_that_it_leaves_anyway() -> None:
    after = stop_claim(RUNNING, claim(hold_after="an older wish"), "stop it")

    assert after.claim == claim(stop="stop it", hold_after="an older wish")


@pytest.mark.parametrize(
    ("by_person", "before", "left"),
    [(False, None, None), (True, None, "bad"), (False, "older", "older"), (True, "older", "older")],
)
def test_only_a_person_who_stops_a_refresh_leaves_a_new_hold_behind(
    by_person: bool,  # noqa: FBT001 - a column of the table
    before: str | None,
    left: str | None,
) -> None:
    running = claim(hold_after=before)

    after = turn_back(RUNNING, running, why="bad", against_data=False, by_person=by_person)

    back = running.model_copy(update={"phase": Phase.BACK, "why": "bad", "hold_after": left})
    assert after == changed(RUNNING, claim=back)


def test_a_rollback_is_nobodys_wish_unless_it_is_said() -> None:
    after = turn_back(RUNNING, CLAIM, why="bad", against_data=False)

    assert after.claim is not None
    assert after.claim.hold_after is None


def test_another_hold_does_not_hide_that_the_fleet_needs_a_person() -> None:
    broken = Hold(by="snaproll", reason="it is half way", since=NOW, needs_person=True)
    needs = HOLD.model_copy(update={"needs_person": True})

    assert set_hold(FleetState(hold=broken), HOLD, roll_back=False).hold == needs
    assert set_hold(FleetState(hold=HOLD), HOLD, roll_back=False).hold == HOLD
    assert give_up_claim("sec-prod", changed(RUNNING, hold=broken), HOLD).hold == needs


# -- giving back ----------------------------------------------------------------------------------


def test_a_claim_that_is_given_back_takes_its_token_along_and_nothing_else() -> None:
    held = changed(RUNNING, hold=HOLD, trouble=TROUBLE)

    after = give_up_claim("sec-prod", held, None)

    assert after == changed(held, claim=None, waiting=None)


@pytest.mark.parametrize("queued", [AUTOMATIC, ASKED])
def test_what_waits_becomes_the_next_attempt(queued: Queued) -> None:
    after = give_up_claim("sec-prod", changed(RUNNING, queued=queued), None)

    successor = Successor(
        name=f"sec-prod-{WANTED}-5",
        snapshot=WANTED,
        trigger=queued.trigger,
        reason=queued.reason,
        again=queued.again,
    )
    assert after == changed(RUNNING, claim=None, waiting=None, successor=successor, attempts=5)


@pytest.mark.parametrize(("before", "left"), [(HOLD, None), (None, HOLD)])
def test_nothing_automatic_moves_up_on_a_held_fleet(before: Hold | None, left: Hold | None) -> None:
    waiting = changed(RUNNING, queued=AUTOMATIC, hold=before)

    after = give_up_claim("sec-prod", waiting, left)

    assert after == changed(waiting, claim=None, waiting=None, hold=HOLD)


def test_what_a_person_asked_for_moves_up_on_a_held_fleet() -> None:
    after = give_up_claim("sec-prod", changed(RUNNING, queued=ASKED, hold=HOLD), None)

    assert after.successor is not None
    assert (after.successor.snapshot, after.queued, after.hold) == (WANTED, None, HOLD)


def test_a_hold_that_a_rollout_leaves_replaces_the_one_before() -> None:
    newer = Hold(by="snaproll", reason="three in a row", since=NOW)

    assert give_up_claim("sec-prod", changed(RUNNING, hold=HOLD), newer).hold == newer


# -- resuming -------------------------------------------------------------------------------------


def test_a_resumed_fleet_forgets_its_troubles_and_starts_what_waits() -> None:
    held = FleetState(live=LIVE, hold=HOLD, trouble=TROUBLE, queued=AUTOMATIC, attempts=4)

    after = resume("sec-prod", held)

    successor = Successor(name=f"sec-prod-{WANTED}-5", snapshot=WANTED, trigger=Trigger.SNAPSHOT)
    assert after == FleetState(live=LIVE, successor=successor, attempts=5)


def test_a_rollout_that_is_being_stopped_goes_back_and_leaves_no_hold_after_a_resume() -> None:
    stopped = changed(RUNNING, hold=HOLD, claim=claim(stop="wait", hold_after="wait"))

    after = resume("sec-prod", stopped)

    assert after == changed(RUNNING, claim=claim(stop="wait"))
