"""Rollouts that die in the simulation: rolled, played, judged."""

from __future__ import annotations

import pytest

from snaproll.domain import claims, fencing
from snaproll.domain.ledger import FleetState
from snaproll.steps import recover as recover_step
from tests.simulation.dice import schedule_of
from tests.simulation.play import Played, play
from tests.simulation.report import timeline
from tests.simulation.schedule import (
    CallsFail,
    Entry,
    EventTravels,
    Failure,
    FleetSetup,
    OperatorAborts,
    OperatorRedrives,
    Schedule,
    SnapshotCompletes,
    SnapshotFails,
)

MINUTE = 60.0
GOOD = SnapshotCompletes(at=10 * MINUTE, label="good", taken_before=300.0)
DIES = CallsFail(
    at=0.0, function="StartRefreshFunction", operation="PutItem", nth=1, failure=Failure.DENIED
)
SUCCESSOR_DIES = CallsFail(
    at=0.0,
    function="ClaimFleetFunction",
    operation="TransactWriteItems",
    nth=2,
    failure=Failure.DENIED,
)
REDRIVEN = OperatorRedrives(at=10 * MINUTE, once_taken_over=True)


def played(*entries: Entry) -> Played:
    """Play what happens to one brisk fleet."""
    fleet = FleetSetup(capacity=2, checkpoints=(), warmup=60, bake=300, unhealthy_grace=300)
    return play(Schedule(seed=1, world_seed=1, fleets=(fleet,), entries=entries))


def test_every_way_to_die_gets_rolled() -> None:
    rolled = [entry for seed in range(300) for entry in schedule_of(seed).entries]

    assert any(isinstance(one, SnapshotFails) for one in rolled)
    assert any(isinstance(one, OperatorRedrives) and one.once_taken_over for one in rolled)
    assert any(isinstance(one, OperatorAborts) and one.state == "WaitForQuiet" for one in rolled)
    assert any(isinstance(one, EventTravels) and one.times > 1 for one in rolled)


def test_who_is_redriven_too_late_is_redriven_once_another_has_its_claim() -> None:
    found = played(GOOD, DIES, REDRIVEN)

    assert found.violation is None, timeline(found)
    first = found.executions[0]
    assert first.redrive_count == 1
    assert found.outcomes() == {"Superseded": 1, "Live": 1}


def test_every_event_of_a_source_is_lost_as_often_as_it_says() -> None:
    lost = EventTravels(at=0.0, source="aws.states", nth=1, times=60, arrivals=())
    found = played(GOOD, DIES, lost)

    # The comparison finds the dead claim then, and not the event.
    assert found.violation is None, timeline(found)
    assert sum("is lost" in one.what for one in found.happenings) > 1
    assert found.outcomes()["Live"] == 1


def test_a_snapshot_that_fails_rolls_nothing() -> None:
    found = played(SnapshotFails(at=10 * MINUTE))

    assert found.violation is None, timeline(found)
    assert not found.executions
    assert any("ends in an error" in one.what for one in found.happenings)


def test_a_running_rollouts_claim_that_is_taken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def inherit(owner: str, state: FleetState, **told: object) -> FleetState:
        fence = state.claim.fence if state.claim else 0
        return fencing.inherit_claim(owner, state, fence=fence, execution=str(told["execution"]))

    monkeypatch.setattr(claims, "inherit_claim", inherit)

    violation = played(GOOD, DIES, SUCCESSOR_DIES, REDRIVEN).violation

    assert violation is not None
    assert violation.invariant == "I2"
    assert "took the claim of" in violation.sentence


def test_a_person_who_is_called_too_soon_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recover_step, "MOST_TAKEOVERS", 0)

    violation = played(GOOD, DIES).violation

    assert violation is not None
    assert violation.invariant == "I6"
    assert "was given up" in violation.sentence
