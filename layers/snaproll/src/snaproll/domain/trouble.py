"""Failures over time: when the same is tried again, and when a person is called."""

from __future__ import annotations

from datetime import datetime, timedelta

from snaproll.domain.ledger import Claim, FleetState, Outcome, Trouble

ROLLBACKS_UNTIL_HOLD = 3

_FIRST_RETRY = timedelta(minutes=30)

_LONGEST_RETRY = timedelta(hours=6)


def count_failure(state: FleetState, outcome: Outcome, what: str, now: datetime) -> FleetState:
    """Remember that a rollout did not become live; ``what`` tells one trouble from another."""
    before = state.trouble
    failures = (before.failures if before else 0) + 1
    rollbacks = (before.rollbacks if before else 0) + 1 if outcome is Outcome.ROLLED_BACK else 0
    wait = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures - 1, 8))
    trouble = Trouble(
        rollbacks=rollbacks,
        failures=failures,
        last=what,
        repeated=before is not None and before.last == what,
        retry_after=now + wait,
    )
    return state.model_copy(update={"trouble": trouble})


def says_something(outcome: Outcome, claim: Claim) -> bool:
    """Whether an ending says anything about the data or the fleet.

    A rollout that a person stopped does not, unless it had evidence against its data.
    """
    if outcome in (Outcome.LIVE, Outcome.STAGED):
        return False
    return claim.against_data or not (outcome is Outcome.STOPPED or claim.stop is not None)


def rolled_back_too_often(state: FleetState) -> bool:
    """Whether so many rollouts in a row were rolled back that a person has to look."""
    return state.trouble is not None and state.trouble.rollbacks >= ROLLBACKS_UNTIL_HOLD


def may_retry(state: FleetState, now: datetime) -> bool:
    """Whether the scheduled comparison may start a rollout."""
    return state.trouble is None or now >= state.trouble.retry_after
