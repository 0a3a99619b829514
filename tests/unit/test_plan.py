"""Whether a request for a rollout leads to one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.ledger import Claim, FleetState, Hold, Trigger
from snaproll.domain.plan import Decision, Serving, SkipReason, decide
from snaproll.domain.snapshot import Snapshot
from tests.unit.builders import EXECUTION, LIVE, NOW, SNAPSHOT, good_snapshot

HOLD = Hold(by="ann", reason="Maintenance.", since=NOW)
CLAIM = Claim(
    execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
)
AUTOMATIC, PERSON = Trigger.SNAPSHOT, Trigger.PERSON
OF_ANY_SNAPSHOT = [one for one in Trigger if one is not Trigger.SCALE_OUT]
"""Triggers that may be of any snapshot; the other is of one that is staged."""


def decision(
    state: FleetState,
    trigger: Trigger = AUTOMATIC,
    snapshot: Snapshot | None = None,
    serving: Serving | None = None,
    reason: str | None = None,
) -> Decision:
    """What is decided on a rollout of one snapshot, a good and new one unless said otherwise."""
    found = snapshot or good_snapshot()
    return decide(
        "sec-prod",
        state,
        snapshot_id=found.id,
        snapshot=found,
        trigger=trigger,
        execution=EXECUTION,
        now=NOW,
        serving=serving,
        reason=reason,
    )


@pytest.mark.parametrize("trigger", OF_ANY_SNAPSHOT)
@pytest.mark.parametrize("state", [FleetState(), FleetState(live=LIVE)], ids=["new", "rolled"])
def test_a_newer_snapshot_is_rolled_out(state: FleetState, trigger: Trigger) -> None:
    found = decision(state, trigger)

    assert found.skip is None
    assert found.message == f"{SNAPSHOT} is to be rolled out to fleet sec-prod."


@pytest.mark.parametrize("trigger", OF_ANY_SNAPSHOT)
def test_what_is_live_already_is_not_rolled_out_again(trigger: Trigger) -> None:
    live = good_snapshot(id=LIVE.snapshot)

    found = decision(FleetState(live=LIVE, hold=HOLD), trigger, live, Serving())

    assert found.skip is SkipReason.ALREADY_LIVE
    assert found.message == f"{LIVE.snapshot} is already live on fleet sec-prod. Nothing to do."


def test_what_a_fleet_served_before_snaproll_came_is_live_already() -> None:
    found = decision(FleetState(), PERSON, serving=Serving())

    assert found.skip is SkipReason.ALREADY_LIVE
    assert "since before snaproll came" in found.message


DRIFTED = Serving(drift="the group saves something else")
HEALS = Serving(drift="the group saves something else", heals=True)


@pytest.mark.parametrize(
    ("trigger", "serving"),
    [(PERSON, DRIFTED), (PERSON, HEALS), (AUTOMATIC, HEALS), (PERSON, Serving(wanted=True))],
    ids=["a person on a drifted fleet", "and on one that heals", "healing", "a person's wish"],
)
def test_what_is_live_is_rolled_out_again(trigger: Trigger, serving: Serving) -> None:
    live = good_snapshot(id=LIVE.snapshot)

    found = decision(FleetState(live=LIVE), trigger, live, serving)

    assert found.skip is None
    assert found.again


def test_nothing_automatic_touches_a_drifted_fleet_that_is_only_to_be_told_of() -> None:
    live = good_snapshot(id=LIVE.snapshot)

    found = decision(FleetState(live=LIVE), AUTOMATIC, live, DRIFTED)

    assert found.skip is SkipReason.DRIFTED
    assert "the group saves something else" in found.message
    assert '"snapshot": "live"' in found.message


def test_a_held_fleet_is_not_healed() -> None:
    live = good_snapshot(id=LIVE.snapshot)

    assert (
        decision(FleetState(live=LIVE, hold=HOLD), AUTOMATIC, live, HEALS).skip is SkipReason.HELD
    )


def test_a_hold_keeps_automatic_rollouts_away_and_says_whose_it_is() -> None:
    found = decision(FleetState(live=LIVE, hold=HOLD))

    assert found.skip is SkipReason.HELD
    assert "held by ann" in found.message
    assert "Maintenance." in found.message


def test_a_hold_does_not_stop_a_person() -> None:
    assert decision(FleetState(live=LIVE, hold=HOLD), PERSON).skip is None


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=3)], ids=["as old", "older"])
def test_a_late_event_of_an_older_snapshot_moves_nothing_back(age: timedelta) -> None:
    assert LIVE.data_time is not None
    late = good_snapshot(start_time=LIVE.data_time - age)

    found = decision(FleetState(live=LIVE), snapshot=late)

    assert found.skip is SkipReason.SUPERSEDED
    assert f"is older than the live release of fleet sec-prod ({LIVE.snapshot}, " in found.message
    assert "only move forward" in found.message


def test_a_hold_that_is_over_keeps_nothing_away() -> None:
    over = HOLD.model_copy(update={"until": NOW})
    standing = HOLD.model_copy(update={"until": NOW + timedelta(seconds=1)})

    assert decision(FleetState(live=LIVE, hold=over)).skip is None
    assert decision(FleetState(live=LIVE, hold=standing)).skip is SkipReason.HELD


REPLACED = FleetState(live=LIVE, claim=CLAIM)


@pytest.mark.parametrize(
    ("says", "state", "trigger", "reason", "kept"),
    [
        ("a person with a reason", REPLACED, PERSON, "bad data", True),
        ("a person without one", REPLACED, PERSON, None, False),
        ("nobody in person", REPLACED, AUTOMATIC, "bad data", False),
        ("nothing runs", FleetState(live=LIVE), PERSON, "bad data", False),
        ("nothing is live", FleetState(claim=CLAIM), PERSON, "bad data", False),
        (
            "what runs rolls out what is live",
            FleetState(live=LIVE, claim=CLAIM.model_copy(update={"snapshot": LIVE.snapshot})),
            PERSON,
            "bad data",
            False,
        ),
    ],
)
def test_what_is_live_is_taken_back_from_what_replaces_it_only_for_a_reason(
    says: str,
    state: FleetState,
    trigger: Trigger,
    reason: str | None,
    kept: bool,  # noqa: FBT001 - a column of the table
) -> None:
    live = good_snapshot(id=LIVE.snapshot)

    found = decision(state, trigger, live, Serving(), reason)

    assert (found.skip is None) is kept, says
    assert not found.again


def test_a_snapshot_of_unknown_age_goes_on_to_be_rejected_with_a_record() -> None:
    assert decision(FleetState(live=LIVE), snapshot=good_snapshot(copied=True)).skip is None


def test_a_snapshot_that_does_not_exist_goes_on_to_be_rejected_with_a_record() -> None:
    found = decide(
        "sec-prod",
        FleetState(live=LIVE),
        snapshot_id=SNAPSHOT,
        snapshot=None,
        trigger=AUTOMATIC,
        execution=EXECUTION,
        now=NOW,
    )

    assert found.skip is None


@pytest.mark.parametrize(
    ("claim", "skip"),
    [
        ({}, None),
        ({"execution": f"{EXECUTION}-other"}, SkipReason.SUPERSEDED),
    ],
    ids=["its own", "another's"],
)
def test_a_rollout_that_plans_again_under_its_own_claim_does_not_supersede_itself(
    claim: dict[str, Any], skip: SkipReason | None
) -> None:
    # Given live data that is as new as the snapshot's
    state = FleetState(live=LIVE, claim=CLAIM.model_copy(update=claim))
    assert LIVE.data_time is not None

    found = decision(state, snapshot=good_snapshot(start_time=LIVE.data_time))

    assert found.skip is skip
