"""Claims that change hands, and executions that are named before they are started."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.claims import (
    count_dead_successor,
    execution_name,
    name_next,
    name_successor,
    note_refresh,
    take_claim,
    take_over,
)
from snaproll.domain.fencing import forget_successor, quiet_seconds
from snaproll.domain.ledger import (
    Claim,
    FleetState,
    Hold,
    Phase,
    RefreshNote,
    Successor,
    Trigger,
    Waiting,
)
from snaproll.errors import ClaimLostError
from tests.unit.builders import CANDIDATE, EXECUTION, LIVE, NOW, SNAPSHOT, TARGET

OTHER = EXECUTION.removesuffix("-1") + "-5"
CLAIM = Claim(
    execution=EXECUTION,
    fence=3,
    snapshot=SNAPSHOT,
    trigger=Trigger.PERSON,
    claimed_at=NOW - timedelta(hours=1),
    reason="bad data",
    phase=Phase.BACK,
    candidate=CANDIDATE,
    target=TARGET,
    why="an alarm fired",
    takeovers=1,
)
SUCCESSOR = Successor(
    name=f"sec-prod-{SNAPSHOT}-5", snapshot=SNAPSHOT, trigger=Trigger.PERSON, takes_over=3
)
ANOTHER = Successor(name="sec-prod-another-9", snapshot="snap-9", trigger=Trigger.SNAPSHOT)
DEAD = FleetState(
    live=LIVE,
    claim=CLAIM,
    fence=7,
    attempts=4,
    waiting=Waiting(token="left", fence=3, seen_at=NOW),  # noqa: S106 - a task token
)
"""A fleet whose rollout died; the fence has grown since, as it may when others tried."""


def changed(state: FleetState, **changes: Any) -> FleetState:
    return state.model_copy(update=changes)


# -- claiming -------------------------------------------------------------------------------------


def test_a_claim_keeps_all_that_was_asked_and_clears_what_the_last_one_left() -> None:
    free = changed(DEAD, claim=None, successor=ANOTHER)

    after = take_claim(
        "sec-prod",
        free,
        planned_revision=0,
        execution=EXECUTION,
        snapshot=SNAPSHOT,
        trigger=Trigger.PERSON,
        now=NOW,
        reason="bad data",
        hold_if_live="going back",
        again=True,
    )

    claim = Claim(
        execution=EXECUTION,
        fence=8,
        snapshot=SNAPSHOT,
        trigger=Trigger.PERSON,
        claimed_at=NOW,
        reason="bad data",
        hold_if_live="going back",
        again=True,
    )
    assert after == changed(free, claim=claim, fence=8, waiting=None, successor=None)


def test_a_refresh_is_noted_in_the_claim_and_nothing_else_changes() -> None:
    refresh = RefreshNote(id="refresh-1", started_at=NOW, capacity=4)

    after = note_refresh(DEAD, CLAIM, refresh)

    assert after == changed(DEAD, claim=CLAIM.model_copy(update={"refresh": refresh}))


# -- taking over ----------------------------------------------------------------------------------


def test_who_takes_over_goes_on_with_all_that_the_dead_one_had_noted() -> None:
    after = take_over("sec-prod", changed(DEAD, successor=SUCCESSOR), fence=3, execution=OTHER)

    inherited = CLAIM.model_copy(update={"execution": OTHER, "fence": 8, "takeovers": 2})
    assert after == changed(DEAD, claim=inherited, fence=8, waiting=None, successor=None)


def test_taking_over_twice_is_taking_over_once() -> None:
    once = take_over("sec-prod", DEAD, fence=3, execution=OTHER)

    assert take_over("sec-prod", once, fence=3, execution=OTHER) == once


@pytest.mark.parametrize("claim", [None, CLAIM.model_copy(update={"fence": 4})])
def test_a_claim_that_is_gone_or_another_ones_is_not_taken_over(claim: Claim | None) -> None:
    with pytest.raises(ClaimLostError, match=r"on fleet sec-prod .* \(fence 3\) is gone"):
        take_over("sec-prod", changed(DEAD, claim=claim), fence=3, execution=OTHER)


def test_each_taker_over_waits_four_times_as_long_as_the_one_before() -> None:
    assert [quiet_seconds(takeovers) for takeovers in range(3)] == [90, 360, 1440]


# -- naming ---------------------------------------------------------------------------------------


def test_the_successor_of_a_dead_rollout_is_its_next_attempt() -> None:
    after = name_successor("sec-prod", changed(DEAD, successor=ANOTHER), CLAIM)

    assert after == changed(DEAD, successor=SUCCESSOR, attempts=5)


def test_a_successor_that_is_named_already_stays() -> None:
    named = name_successor("sec-prod", DEAD, CLAIM)

    assert name_successor("sec-prod", named, CLAIM) == named


def test_an_execution_is_named_by_fleet_snapshot_and_attempt() -> None:
    assert execution_name("sec-prod", SNAPSHOT, 2) == f"sec-prod-{SNAPSHOT}-2"


def test_the_next_execution_of_a_free_fleet_is_named_as_asked() -> None:
    free = changed(DEAD, claim=None)

    after = name_next("sec-prod", free, SNAPSHOT, Trigger.RECONCILE, NOW)

    named = Successor(name=SUCCESSOR.name, snapshot=SNAPSHOT, trigger=Trigger.RECONCILE)
    assert after == changed(free, successor=named, attempts=5)


@pytest.mark.parametrize(
    "busy",
    [
        {"claim": CLAIM},
        {"successor": ANOTHER},
        {"hold": Hold(by="ann", reason="wait", since=NOW)},
        {"hold": Hold(by="ann", reason="wait", since=NOW, until=NOW + timedelta(seconds=1))},
    ],
    ids=["a rollout runs", "one is named", "it is held", "it is held for a while"],
)
def test_nothing_is_named_while(busy: dict[str, Any]) -> None:
    state = changed(FleetState(), **busy)

    assert name_next("sec-prod", state, SNAPSHOT, Trigger.RECONCILE, NOW) == state


def test_a_hold_that_is_over_holds_nothing_up() -> None:
    over = FleetState(hold=Hold(by="ann", reason="wait", since=NOW - timedelta(days=1), until=NOW))

    after = name_next("sec-prod", over, SNAPSHOT, Trigger.RECONCILE, NOW)

    assert after.successor is not None


# -- forgetting -----------------------------------------------------------------------------------


def test_a_successor_that_ran_is_forgotten_unless_another_was_named_meanwhile() -> None:
    named = changed(DEAD, successor=SUCCESSOR)

    assert forget_successor(named, SUCCESSOR) == changed(named, successor=None)
    assert forget_successor(named, ANOTHER) == named


@pytest.mark.parametrize("claim", [None, CLAIM.model_copy(update={"fence": 4})])
def test_the_death_of_a_successor_does_not_count_against_another_claim(
    claim: Claim | None,
) -> None:
    state = changed(DEAD, claim=claim, successor=SUCCESSOR)

    assert count_dead_successor(state, SUCCESSOR) == state
