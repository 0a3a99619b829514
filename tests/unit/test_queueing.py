"""What becomes of a request that finds its fleet busy."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from snaproll.domain.ledger import Claim, FleetState, Phase, Queued, Trigger
from snaproll.domain.queueing import Place, enqueue
from snaproll.errors import StalePlanError
from tests.unit.builders import EXECUTION, LIVE, NOW, OLD_SNAPSHOT, SNAPSHOT, TARGET

WANTED = "snap-0fffffffffffffff0"
AUTOMATIC = [Trigger.SNAPSHOT, Trigger.RECONCILE]


def running(queued: Queued | None = None, **changes: Any) -> FleetState:
    """A fleet that an automatic rollout is moving forward."""
    claim = Claim(
        execution=EXECUTION, fence=3, snapshot=SNAPSHOT, trigger=Trigger.SNAPSHOT, claimed_at=NOW
    )
    return FleetState(live=LIVE, claim=claim.model_copy(update=changes), queued=queued)


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


@pytest.mark.parametrize(("first", "then"), [(None, NOW), (NOW, None)])
def test_of_two_requests_that_cannot_be_compared_the_later_one_waits(
    first: datetime | None, then: datetime | None
) -> None:
    waiting = wish(Trigger.SNAPSHOT, None, data_time=first)
    other = wish(Trigger.SNAPSHOT, None, snapshot="snap-9", data_time=then)

    state, place = enqueue("sec-prod", running(queued=waiting), other)

    assert (state.queued, place) == (other, Place.WAITS)


def test_a_snapshot_of_the_very_same_moment_does_not_push_out_the_one_that_waits() -> None:
    waiting = wish(Trigger.SNAPSHOT, None)
    before = running(queued=waiting)

    found = enqueue("sec-prod", before, wish(Trigger.SNAPSHOT, None, snapshot="snap-9"))

    assert found == (before, Place.COMES_LATER)


def test_of_two_persons_the_one_who_asked_last_is_served() -> None:
    first = wish(reason=None, data_time=NOW + timedelta(days=1))
    last = wish(reason=None, snapshot="snap-9")

    state, place = enqueue("sec-prod", running(queued=first), last)

    assert (state.queued, place) == (last, Place.WAITS)


@pytest.mark.parametrize(("snapshot", "left"), [(OLD_SNAPSHOT, "bad data"), (WANTED, None)])
def test_on_a_fleet_that_was_never_rolled_the_rollback_target_counts_as_live(
    snapshot: str, left: str | None
) -> None:
    never_rolled = running(target=TARGET).model_copy(update={"live": None})

    state, _ = enqueue("sec-prod", never_rolled, wish(snapshot=snapshot))

    assert claim_of(state).hold_after == left


def test_a_fleet_without_a_known_target_is_not_held_for_a_repair() -> None:
    unplanned = running().model_copy(update={"live": None})

    state, place = enqueue("sec-prod", unplanned, wish())

    assert (place, claim_of(state).hold_after) == (Place.PRE_EMPTS, None)


def test_what_is_to_be_rolled_out_again_leaves_no_hold() -> None:
    state, _ = enqueue("sec-prod", running(), wish(snapshot=LIVE.snapshot, again=True))

    assert claim_of(state).hold_after is None


def test_on_a_free_fleet_nobody_waits() -> None:
    with pytest.raises(StalePlanError, match="Fleet sec-prod is free"):
        enqueue("sec-prod", FleetState(), wish())
