"""Failures over time: what counts as one."""

from __future__ import annotations

from typing import Any

import pytest

from snaproll.domain.ledger import Claim, Outcome, Trigger
from snaproll.domain.trouble import says_something
from tests.unit.builders import EXECUTION, NOW, SNAPSHOT


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
