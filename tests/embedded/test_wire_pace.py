"""Paced time: timers in their order and at their instants, at any speed."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from embedded.scenarios.stage import Stage
from embedded.wire.pace import Pacemaker
from embedded.world.world import World

PATIENCE_SECONDS = 60
"""How long a test waits for another thread before it fails."""


def test_time_passes_by_itself_once_it_is_started() -> None:
    world, rang = World(), threading.Event()
    world.clock.after(3600, "ring", rang.set)
    pacemaker = Pacemaker(world, speed=1_000_000)

    pacemaker.start()

    assert rang.wait(PATIENCE_SECONDS)
    pacemaker.stop()


def test_time_stands_still_until_it_is_started() -> None:
    world = World()
    before = world.clock.now()

    with Pacemaker(world, speed=1_000_000):
        now = world.clock.now()

    assert now == before


def test_a_call_makes_time_wait_for_it() -> None:
    world = World()
    pacemaker = Pacemaker(world, speed=1_000_000)
    pacemaker.start()

    with pacemaker:
        before = world.clock.now()
        world.clock.after(1, "tick", lambda: None)
        after = world.clock.now()

    pacemaker.stop()
    assert after == before


def test_a_call_can_make_something_due_sooner_than_what_was_waited_for() -> None:
    # Given a clock that waits for tomorrow
    world, rang = World(), threading.Event()
    world.clock.after(86_400, "tomorrow", lambda: None)
    pacemaker = Pacemaker(world, speed=60)
    pacemaker.start()

    # When a call sets a timer for the next second
    with pacemaker:
        world.clock.after(1, "soon", rang.set)

    # Then it rings in time
    assert rang.wait(PATIENCE_SECONDS)
    pacemaker.stop()


def test_timers_run_at_their_own_instants_however_late_the_machine_is() -> None:
    world, done = World(), threading.Event()
    seen: list[datetime] = []
    due = [world.clock.now() + timedelta(seconds=seconds) for seconds in (1, 2, 3)]
    for when in reversed(due):
        world.clock.at(when, "note", lambda: seen.append(world.clock.now()))
    world.clock.at(due[-1], "end", done.set)
    pacemaker = Pacemaker(world, speed=1_000_000)

    pacemaker.start()
    done.wait(PATIENCE_SECONDS)
    pacemaker.stop()

    assert seen == due


def test_what_a_timer_raises_stops_the_clock_and_is_told() -> None:
    world = World()

    def stumble() -> None:
        raise RuntimeError("stumbled")

    world.clock.after(1, "stumble", stumble)
    pacemaker = Pacemaker(world, speed=1_000_000)

    pacemaker.start()

    assert pacemaker.failed.wait(PATIENCE_SECONDS)
    pacemaker.stop()
    assert str(pacemaker.failure) == "stumbled"


@pytest.mark.parametrize("speed", [5_000, 1_000_000])
def test_a_rollout_ends_alike_at_every_speed(speed: float) -> None:
    # Given the same snapshot in two worlds
    free, paced = Stage(), Stage()
    for stage in (free, paced):
        stage.complete_snapshot(stage.add_fleet("sec"), "corrupt")

    # When one runs as fast as it can, and the other at a pace
    free.world.run_for(3600)
    free.finish()
    ended = threading.Event()
    span = free.world.clock.now() - paced.world.clock.now()
    paced.world.clock.after(span.total_seconds(), "the end of the story", ended.set)
    pacemaker = Pacemaker(paced.world, speed)
    pacemaker.start()
    assert ended.wait(PATIENCE_SECONDS)
    pacemaker.stop()

    # Then the same has happened at the same instants
    (one,), (other,) = free.rollouts(), paced.rollouts()
    assert (one.status, one.stopped_at) == (other.status, other.stopped_at)
    assert calls_of(free) == calls_of(paced)[: len(calls_of(free))]


def calls_of(stage: Stage) -> list[tuple[datetime, str, str]]:
    return [(call.at, call.service, call.operation) for call in stage.world.calls]
