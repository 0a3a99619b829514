"""What is thrown together on purpose: that it happens when it is to, and what it shows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.states.history import moments
from embedded.world.behaviour import Scenario
from snaproll.domain import forward
from tests.simulation.dice import schedule_of
from tests.simulation.parts import Timed
from tests.simulation.play import Played, play
from tests.simulation.schedule import (
    CapacityChanges,
    EventsAreLate,
    FleetSetup,
    InTheMiddle,
    OperatorAsks,
    RefreshesBegin,
    Schedule,
    SnapshotCompletes,
)
from tests.simulation.shrink import shrink

MINUTE, HOUR = 60.0, 3600.0
BRISK = FleetSetup(capacity=2, checkpoints=(), warmup=60, bake=300, unhealthy_grace=300)
GOOD = SnapshotCompletes(at=10 * MINUTE, label="good", taken_before=300.0)
BAD = GOOD.model_copy(update={"scenario": Scenario.CORRUPT})
HOLD = OperatorAsks(at=0.0, what="hold")


def story(*entries: Timed) -> Schedule:
    """A schedule of one fleet."""
    written = {"seed": 1, "world_seed": 1, "fleets": (BRISK,), "entries": entries}
    return Schedule.model_validate(written)


def told(played: Played) -> dict[str, float]:
    """When each thing happened, in seconds after the beginning."""
    return {one.what: (one.at - played.began).total_seconds() for one in played.happenings}


def test_something_happens_so_long_after_a_refresh_is_in_a_state() -> None:
    grows = CapacityChanges(at=0.0, desired=3)

    played = play(story(GOOD, InTheMiddle(at=0.0, state="Baking", later=90.0, then=grows)))

    assert played.violation is None
    (refresh,) = played.world.autoscaling.groups["sim-replicas"].refreshes
    grown = told(played)["the desired capacity of sim-replicas becomes 3"]
    baked_at = (refresh.ended - played.began).total_seconds() - BRISK.bake - 600  # type: ignore[operator]
    assert grown == pytest.approx(baked_at + 90)


def test_something_happens_while_a_rollout_is_in_a_state() -> None:
    played = play(story(GOOD, InTheMiddle(at=0.0, state="AwaitSignal", then=HOLD)))

    assert played.violation is None
    (held,) = [at for what, at in told(played).items() if "'hold'" in what]
    assert held == pytest.approx(GOOD.at + 1.0, abs=2.0)


def test_nothing_happens_in_a_state_that_never_comes() -> None:
    played = play(story(GOOD, InTheMiddle(at=0.0, state="RollBack", then=HOLD)))

    assert played.violation is None
    assert not any("'hold'" in what for what in told(played))


def test_events_are_late_for_as_long_as_they_are_said_to_be() -> None:
    played = play(story(EventsAreLate(at=0.0, by=5 * MINUTE, seconds=2 * HOUR), GOOD))

    assert played.violation is None
    (rollout,) = played.executions
    woken = [at for at, _, what in moments(rollout) if what.startswith("woken")]
    assert min(woken) > rollout.started_at + timedelta(minutes=5)


def test_refreshes_begin_as_late_as_they_are_said_to() -> None:
    played = play(story(RefreshesBegin(at=0.0, after=0.0), GOOD))

    (refresh,) = played.world.autoscaling.groups["sim-replicas"].refreshes
    assert refresh.started == refresh.requested


@pytest.mark.parametrize("what", ["quarantined", "insist"])
def test_what_instances_condemned_is_refused_to_whoever_names_it(what: str) -> None:
    asks = OperatorAsks.model_validate({"at": 3 * HOUR, "what": what})

    played = play(story(BAD, asks))

    assert played.violation is None
    assert played.outcomes() == {"RolledBack": 1, "SnapshotRejected": 1}


def test_a_grace_that_never_ends_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "_by_new_instances", lambda *_: None)

    found = play(story(BAD)).violation

    assert found is not None
    assert found.invariant == "grace"


def test_most_seeds_throw_nothing_together() -> None:
    kinds = (EventsAreLate, InTheMiddle, RefreshesBegin)
    met = [
        seed
        for seed in range(400)
        if any(isinstance(one, kinds) for one in schedule_of(seed).entries)
    ]

    assert 40 <= len(met) <= 120


def test_what_happens_in_the_middle_happens_at_once_when_that_is_enough() -> None:
    middle = InTheMiddle(at=60.0, state="AwaitSignal", later=17.5, then=HOLD)

    small = shrink(story(middle), fails=lambda one: len(one.entries) == 1)

    assert small.entries == (middle.model_copy(update={"later": 0.0}),)
