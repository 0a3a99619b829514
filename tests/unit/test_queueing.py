"""What becomes of a request that finds its fleet busy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.ledger import Claim, FleetState, Phase, Queued, Trigger
from snaproll.domain.queueing import Place, enqueue
from snaproll.errors import StalePlanError
from tests.unit.builders import EXECUTION, LIVE, NOW, SNAPSHOT

WANTED = "snap-0fffffffffffffff0"
AUTOMATIC = [Trigger.SNAPSHOT, Trigger.RECONCILE]


def running(**changes: Any) -> FleetState:
    """A fleet that an automatic rollout is moving forward."""
    claim = Claim(
        execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
    )
    return FleetState(live=LIVE, claim=claim.model_copy(update=changes))


def wish(
    trigger: Trigger = Trigger.PERSON, reason: str | None = "bad data", **changes: Any
) -> Queued:
    """A request for another snapshot, a person's repair unless said otherwise."""
    asked = Queued(snapshot=WANTED, trigger=trigger, reason=reason, data_time=NOW, asked_at=NOW)
    return asked.model_copy(update=changes)


def claim_of(state: FleetState) -> Claim:
    assert state.claim is not None
    return state.claim


def test_a_persons_repair_stops_an_automatic_rollout_and_is_next() -> None:
    state, place = enqueue("sec-prod", running(), wish())

    assert place is Place.PRE_EMPTS
    assert state.queued == wish()
    assert claim_of(state).stop == f"a person asked for {WANTED} instead: bad data"


def test_a_repair_leaves_no_hold_behind_what_it_stopped() -> None:
    state, _ = enqueue("sec-prod", running(), wish())

    assert claim_of(state).hold_after is None


def test_asking_for_what_is_live_leaves_a_hold_as_there_is_nothing_to_roll_out() -> None:
    state, place = enqueue("sec-prod", running(), wish(snapshot=LIVE.snapshot))

    assert place is Place.PRE_EMPTS
    assert claim_of(state).hold_after == "bad data"


@pytest.mark.parametrize("trigger", AUTOMATIC)
def test_nothing_automatic_stops_a_rollout(trigger: Trigger) -> None:
    state, place = enqueue("sec-prod", running(), wish(trigger, data_time=NOW + timedelta(days=1)))

    assert (place, claim_of(state).stop) == (Place.WAITS, None)


def test_without_a_reason_a_person_waits_as_well() -> None:
    state, place = enqueue("sec-prod", running(), wish(reason=None))

    assert (place, claim_of(state).stop) == (Place.WAITS, None)


def test_another_persons_rollout_is_not_stopped() -> None:
    state, place = enqueue("sec-prod", running(trigger=Trigger.PERSON), wish())

    assert (place, claim_of(state).stop) == (Place.WAITS, None)


@pytest.mark.parametrize("going", [{"phase": Phase.BACK}, {"stop": "ann holds the fleet"}])
def test_what_goes_back_already_is_left_to_it(going: dict[str, Any]) -> None:
    before = running(**going)

    state, place = enqueue("sec-prod", before, wish())

    assert place is Place.WAITS_FOR_ROLLBACK
    assert state.claim == before.claim
    assert state.queued == wish()


@pytest.mark.parametrize("trigger", Trigger)
def test_a_request_for_what_is_being_rolled_out_changes_nothing(trigger: Trigger) -> None:
    before = running()

    state, place = enqueue("sec-prod", before, wish(trigger, snapshot=SNAPSHOT))

    assert (state, place) == (before, Place.RUNS_ALREADY)


def test_a_request_for_what_is_being_rolled_back_waits_for_its_turn() -> None:
    state, place = enqueue("sec-prod", running(phase=Phase.BACK), wish(snapshot=SNAPSHOT))

    assert place is Place.WAITS_FOR_ROLLBACK
    assert state.queued is not None


@pytest.mark.parametrize("trigger", AUTOMATIC)
def test_a_person_who_waits_comes_before_everything_automatic(trigger: Trigger) -> None:
    before = running().model_copy(update={"queued": wish(reason=None, data_time=None)})

    state, place = enqueue("sec-prod", before, wish(trigger, reason=None))

    assert (state, place) == (before, Place.COMES_LATER)


@pytest.mark.parametrize(("hours", "place"), [(-1, Place.COMES_LATER), (1, Place.WAITS)])
def test_of_two_automatic_requests_the_newer_data_waits(hours: int, place: Place) -> None:
    waiting = wish(Trigger.SNAPSHOT, None)
    other = wish(Trigger.SNAPSHOT, None, snapshot=SNAPSHOT[:-1] + "9")
    before = running().model_copy(update={"queued": waiting})

    found = enqueue(
        "sec-prod",
        before,
        other.model_copy(update={"data_time": NOW + timedelta(hours=hours)}),
    )

    assert found.place is place


def test_on_a_free_fleet_nobody_waits() -> None:
    with pytest.raises(StalePlanError):
        enqueue("sec-prod", FleetState(), wish())
