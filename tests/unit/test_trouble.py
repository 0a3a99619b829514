"""Failures over time: what counts as one, and when the same is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.ledger import Claim, FleetState, Outcome, Trigger, Trouble
from snaproll.domain.trouble import (
    count_failure,
    may_retry,
    rolled_back_too_often,
    says_something,
)
from tests.unit.builders import EXECUTION, LIVE, NOW, SNAPSHOT


def claim(**changes: Any) -> Claim:
    """A claim of an automatic rollout."""
    made = Claim(
        execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
    )
    return made.model_copy(update=changes)


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.NEEDS_ATTENTION])
def test_a_rollout_that_failed_counts(outcome: Outcome) -> None:
    assert says_something(outcome, claim())


def test_one_that_became_live_does_not() -> None:
    assert not says_something(Outcome.LIVE, claim())


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.STOPPED])
def test_one_that_a_person_stopped_does_not(outcome: Outcome) -> None:
    assert not says_something(outcome, claim(stop="ann wants another"))


def test_evidence_against_the_data_counts_whoever_stopped_it() -> None:
    assert says_something(Outcome.ROLLED_BACK, claim(stop="ann", against_data=True))


@pytest.mark.parametrize("outcome", [Outcome.LIVE, Outcome.STAGED])
def test_what_ended_well_does_not_even_with_evidence(outcome: Outcome) -> None:
    assert not says_something(outcome, claim(against_data=True))


def after(*outcomes: Outcome, what: str = "the same") -> FleetState:
    """A fleet after rollouts that ended so, one after the other."""
    state = FleetState(live=LIVE)
    for outcome in outcomes:
        state = count_failure(state, outcome, what, NOW)
    return state


def trouble(state: FleetState) -> Trouble:
    assert state.trouble is not None
    return state.trouble


def test_a_first_failure_is_noted_with_when_the_same_may_be_tried_again() -> None:
    noted = Trouble(
        rollbacks=0,
        failures=1,
        last="the same",
        repeated=False,
        retry_after=NOW + timedelta(minutes=30),
    )

    assert after(Outcome.FLEET_NOT_READY) == FleetState(live=LIVE, trouble=noted)


def test_each_failure_doubles_the_time_up_to_six_hours() -> None:
    waits = [
        trouble(after(*[Outcome.FLEET_NOT_READY] * times)).retry_after - NOW
        for times in range(1, 20)
    ]

    assert waits[:5] == [timedelta(minutes=minutes) for minutes in (30, 60, 120, 240, 360)]
    assert set(waits[5:]) == {timedelta(hours=6)}


def test_a_fleet_that_fails_for_years_waits_no_longer_than_that() -> None:
    years = FleetState(
        trouble=Trouble(rollbacks=0, failures=100_000, last="the same", retry_after=NOW)
    )

    found = trouble(count_failure(years, Outcome.FLEET_NOT_READY, "the same", NOW))

    assert (found.failures, found.retry_after) == (100_001, NOW + timedelta(hours=6))


def test_three_rollbacks_in_a_row_are_too_many() -> None:
    back = Outcome.ROLLED_BACK

    assert not rolled_back_too_often(FleetState())
    assert [rolled_back_too_often(after(*[back] * times)) for times in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]


def test_another_failure_in_between_begins_the_row_anew() -> None:
    back = Outcome.ROLLED_BACK

    found = trouble(after(back, back, Outcome.FLEET_NOT_READY, back))

    assert (found.rollbacks, found.failures) == (1, 4)


def test_a_failure_is_a_repetition_when_the_last_one_was_alike() -> None:
    once = after(Outcome.FLEET_NOT_READY)

    same = trouble(count_failure(once, Outcome.FLEET_NOT_READY, "the same", NOW))
    other = trouble(count_failure(once, Outcome.FLEET_NOT_READY, "another", NOW))

    assert (same.repeated, other.repeated) == (True, False)
    assert other.last == "another"


def test_the_comparison_starts_the_same_again_when_its_time_has_come() -> None:
    state = after(Outcome.FLEET_NOT_READY)
    due = trouble(state).retry_after

    assert may_retry(FleetState(), NOW)
    assert not may_retry(state, due - timedelta(seconds=1))
    assert may_retry(state, due)
