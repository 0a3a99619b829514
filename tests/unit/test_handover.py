"""A rollout that changes hands without anybody's death."""

from __future__ import annotations

import pytest

from snaproll.domain.claims import (
    count_dead_successor,
    name_successor,
    take_over,
    was_handed_over,
)
from snaproll.domain.handover import MOST_LOOKS, is_due, name_heir
from snaproll.domain.ledger import Claim, FleetState, Successor, Trigger
from tests.unit.builders import EXECUTION, NOW, SNAPSHOT

CLAIM = Claim(
    execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
)
HELD = FleetState(claim=CLAIM, fence=3, attempts=4)
HEIR = EXECUTION.removesuffix("-1") + "-5"

EVENTS_OF_A_LOOK = 13
"""A wait enters, is scheduled, started and submitted, succeeds or times out, and exits: 6. A look
enters, is scheduled and started, succeeds, and exits: 5. The choice between them: 2."""
EVENTS_BESIDE = 200
"""Everything before the first look and after the last, with half an hour of waiting for a fleet."""
LIMIT = 15_000
FULL = 25_000


def successor_of(state: FleetState) -> Successor:
    assert state.successor is not None
    return state.successor


def taken(state: FleetState) -> Claim:
    """The claim after whoever is named took it over."""
    after = take_over("sec-prod", state, fence=3, execution=HEIR).claim
    assert after is not None
    return after


def test_no_history_grows_past_its_limit_however_long_the_rollout() -> None:
    assert MOST_LOOKS * EVENTS_OF_A_LOOK + EVENTS_BESIDE < LIMIT


def test_a_history_has_room_for_a_failed_call_in_every_look() -> None:
    failed_call = 3  # scheduled, started, failed

    assert LIMIT + MOST_LOOKS * 3 * failed_call < FULL


@pytest.mark.parametrize(
    ("looks", "due"), [(1, False), (MOST_LOOKS - 1, False), (MOST_LOOKS, True)]
)
def test_an_execution_hands_over_after_its_last_look(looks: int, *, due: bool) -> None:
    assert is_due(looks) is due


def test_who_hands_over_names_the_next_attempt_and_keeps_the_claim_meanwhile() -> None:
    state = name_heir("sec-prod", HELD, CLAIM)

    assert state.claim == CLAIM
    assert successor_of(state).name == f"sec-prod-{SNAPSHOT}-5"
    assert successor_of(state).takes_over == 3
    assert was_handed_over(state, 3)


def test_handing_over_twice_names_one() -> None:
    once = name_heir("sec-prod", HELD, CLAIM)

    assert name_heir("sec-prod", once, CLAIM) == once


def test_the_heir_of_this_claim_takes_the_place_of_another_successor() -> None:
    other = Successor(name="another", snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, takes_over=2)

    state = name_heir("sec-prod", HELD.model_copy(update={"successor": other}), CLAIM)

    assert successor_of(state).takes_over == 3


def test_a_handed_over_claim_counts_no_death() -> None:
    assert taken(name_heir("sec-prod", HELD, CLAIM)).takeovers == 0


def test_a_dead_ones_claim_counts_it() -> None:
    assert taken(name_successor("sec-prod", HELD, CLAIM)).takeovers == 1


def test_of_an_execution_that_died_before_it_took_over_another_takes_the_place() -> None:
    # Given one that was named and ended without a claim
    named = name_heir("sec-prod", HELD, CLAIM)

    # When it is forgotten
    buried = count_dead_successor(named, successor_of(named))
    assert buried.claim is not None
    again = name_successor("sec-prod", buried, buried.claim)

    # Then the next attempt is named, and its death counted
    assert buried.claim.takeovers == 1
    assert successor_of(again).name.endswith("-6")
    assert not was_handed_over(again, 3)


def test_one_that_was_named_meanwhile_is_not_forgotten() -> None:
    named = name_heir("sec-prod", HELD, CLAIM)
    other = successor_of(named).model_copy(update={"name": "another"})

    assert count_dead_successor(named, other) == named
