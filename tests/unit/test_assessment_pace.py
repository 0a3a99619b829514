"""How long a rollout sleeps between looks: short enough to judge, long enough to never run full."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaproll.domain.assessment import Memory, Verdict
from snaproll.domain.back import assess_back
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import Instance, RefreshStatus
from snaproll.domain.look import Look
from snaproll.domain.pace import FIRST_WAIT, FLOOR_PATIENCE, LONGEST_WAIT
from snaproll.domain.probe import Probing
from tests.unit.builders import FAILING, NEW, NOW, OLD, STARTING, look, members

EVENTS_OF_A_LOOK = 13
"""AwaitSignal is entered, scheduled, started, submitted, timed out and exited (6), WatchHealth
entered, scheduled, started, succeeded and exited (5), ActOnVerdict entered and exited (2)."""
TRANSITIONS_OF_A_LOOK = 3
EVENTS_ALLOWED = 15_000
TRANSITIONS_ALLOWED = 120
BEFORE_AND_AFTER = 15
"""Transitions of a rollout besides its looks."""
LONGEST_REFRESH = timedelta(days=14)

old, new = members(4, OLD), members(4, NEW, "i-new")
quiet = {"refresh": {"checkpoints": [], "bake": "30m"}}


def waits(scene: Callable[[datetime, int], Look], until: timedelta) -> list[timedelta]:
    """Play looks without any signal from NOW on; how long the rollout slept after each."""
    slept: list[timedelta] = []
    at, memory = NOW, Memory()
    while at - NOW < until:
        found = assess_forward(scene(at, len(slept)), memory)
        assert found.verdict is Verdict.WAIT, found.reason
        memory = found.memory
        slept.append(timedelta(seconds=found.wait_seconds))
        at += slept[-1]
    return slept


def test_while_nothing_is_wrong_waits_double_up_to_the_longest() -> None:
    def nothing(at: datetime, _: int) -> Look:
        return look(old, new[:1], at=at, started=NOW, sections=quiet)

    assert waits(nothing, timedelta(hours=1))[:6] == [
        FIRST_WAIT,
        FIRST_WAIT * 2,
        FIRST_WAIT * 4,
        FIRST_WAIT * 8,
        LONGEST_WAIT,
        LONGEST_WAIT,
    ]


def test_something_wrong_makes_the_next_wait_short_again() -> None:
    def failing_for_a_while(at: datetime, number: int) -> Look:
        health = {new[0].id: FAILING} if number == 4 else {}
        return look(old, new[:1], at=at, started=NOW, health=health, sections=quiet)

    assert waits(failing_for_a_while, timedelta(hours=1))[4:7] == [
        FIRST_WAIT,
        FIRST_WAIT,
        FIRST_WAIT * 2,
    ]


@pytest.mark.parametrize("pause", ["2m", "5m", "10m", "1h"])
def test_a_look_falls_inside_each_pause_even_when_its_event_is_lost(pause: str) -> None:
    sections = {"refresh": {"checkpoints": [10, 100], "checkpoint_wait": pause}}

    def nothing(at: datetime, _: int) -> Look:
        return look(old, new[:1], at=at, started=NOW, sections=sections)

    policy = look(sections=sections).policy.refresh
    assert max(waits(nothing, timedelta(hours=3))) <= policy.checkpoint_wait


def test_a_look_falls_on_the_end_of_the_grace() -> None:
    found = assess_forward(look(old, new[:1], health={new[0].id: STARTING}), Memory())
    later = NOW + timedelta(minutes=9)

    again = assess_forward(look(old, new[:1], health={new[0].id: STARTING}, at=later), found.memory)

    assert again.wait_seconds == 60


def test_a_look_falls_on_the_end_of_the_floors_patience() -> None:
    # Given a fleet that is below its floor, and a signal that wakes its rollout after 90 seconds
    bad = {old[0].id: FAILING}
    found = assess_forward(look(old, health=bad, sections=quiet), Memory(quiet_looks=5))
    woken = look(old, health=bad, sections=quiet, at=NOW + timedelta(seconds=90))

    again = assess_forward(woken, found.memory)

    assert found.wait_seconds == FIRST_WAIT.total_seconds()
    assert again.wait_seconds == FLOOR_PATIENCE.total_seconds() - 90


def test_a_look_falls_on_the_end_of_the_grace_of_a_rollback() -> None:
    def short(minutes: float) -> Look:
        at = NOW + timedelta(minutes=minutes)
        return look((), old[:3], wanted=OLD, status=RefreshStatus.ROLLBACK_SUCCESSFUL, at=at)

    found = assess_back(short(0), Memory())

    assert assess_back(short(9.5), found.memory).wait_seconds == 30


def test_a_deadline_that_is_over_hurries_nobody() -> None:
    # Given a rollback during which the floor's patience has just come to its end
    memory = Memory(below_floor_since=NOW - FLOOR_PATIENCE)
    below = look((), old[:3], wanted=OLD, status=RefreshStatus.ROLLBACK_IN_PROGRESS)
    # And a fleet that has just baked, and one of which a probe could be asked again just now
    baked = look(new=new, status=RefreshStatus.BAKING)
    baking = Memory(baking_since=NOW - timedelta(minutes=30))
    asked = Memory(probing=Probing(again_at=NOW), quiet_looks=1)

    assert assess_back(below, memory).wait_seconds == 60
    assert assess_forward(baked, baking).wait_seconds == 60
    assert assess_forward(look(old, new[:1]), asked).wait_seconds == 120


def test_one_that_is_pending_has_no_deadline() -> None:
    # Given a new instance that was not healthy, and in whose place another one is pending
    found = assess_forward(look(old, new[:1], health={new[0].id: STARTING}), Memory())
    pending = Instance("i-new9", "Pending", NEW)

    again = assess_forward(look(old, [pending], at=NOW + timedelta(minutes=9.5)), found.memory)

    assert again.wait_seconds == 2 * FIRST_WAIT.total_seconds()


def test_a_look_may_come_after_a_second() -> None:
    # Given an instance whose grace of a minute ends in a second
    sections = {"health": {"unhealthy_grace": "1m"}}
    starting = {new[0].id: STARTING}
    first = look(old, new[:1], started=NOW, health=starting, sections=sections)
    memory = assess_forward(first, Memory()).memory
    at = NOW + timedelta(seconds=59)

    again = look(old, new[:1], started=NOW, at=at, health=starting, sections=sections)

    assert assess_forward(again, memory).wait_seconds == 1


def test_looks_come_as_seldom_as_half_a_pause() -> None:
    sections = {"refresh": {"checkpoints": [10, 100], "checkpoint_wait": "10m"}}

    def nothing(at: datetime, _: int) -> Look:
        return look(old, new[:1], at=at, started=NOW, sections=sections)

    assert max(waits(nothing, timedelta(hours=1))) == timedelta(minutes=5)


def test_the_last_look_before_aws_saves_the_release_falls_just_inside_its_bake() -> None:
    def baking(at: datetime, _: int) -> Look:
        return look(new=new, status=RefreshStatus.BAKING, at=at, started=NOW)

    slept = waits(baking, timedelta(minutes=30))

    policy = look().policy
    assert sum(slept, timedelta(0)) == policy.refresh.bake
    assert policy.refresh.bake < policy.bake_given_to_aws


@pytest.mark.parametrize(
    ("says", "sections"),
    [
        ("the policy's defaults", {}),
        ("short pauses", {"refresh": {"checkpoints": [50, 100], "checkpoint_wait": "1m"}}),
        ("no pauses", {"refresh": {"checkpoints": []}}),
        ("an impatient owner", {"health": {"unhealthy_grace": "1m"}}),
    ],
)
@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "always something new"])
def test_a_refresh_of_fourteen_days_does_not_fill_the_history(
    says: str,
    sections: dict[str, Any],
    busy: bool,  # noqa: FBT001
) -> None:
    # Given a large fleet of which each look sees another instance that is not yet healthy
    fleet = members(2000, NEW, "i-new")

    def scene(at: datetime, number: int) -> Look:
        there = fleet[: 1 + number] if busy else fleet[:1]
        starting = {there[-1].id: STARTING} if busy else {}
        return look(old, there, at=at, started=NOW, health=starting, sections=sections)

    # Then its looks leave room in the history for what signals add
    looks = len(waits(scene, LONGEST_REFRESH))
    assert looks * EVENTS_OF_A_LOOK < EVENTS_ALLOWED, says


def test_a_rollback_of_fourteen_days_does_not_fill_the_history_either() -> None:
    at, memory, looks = NOW, Memory(), 0
    while at - NOW < LONGEST_REFRESH:
        scene = look(
            new=members(1 + looks % 4, OLD),
            wanted=OLD,
            status=RefreshStatus.ROLLBACK_IN_PROGRESS,
            at=at,
            started=NOW,
        )
        found = assess_back(scene, memory)
        memory, looks = found.memory, looks + 1
        at += timedelta(seconds=found.wait_seconds)

    assert looks * EVENTS_OF_A_LOOK < EVENTS_ALLOWED


def test_a_healthy_rollout_of_two_hours_stays_within_its_transitions() -> None:
    # Given a refresh that replaces instances for 80 minutes, one every ten, and bakes for 40
    fleet = members(8, NEW, "i-new")

    def scene(at: datetime, _: int) -> Look:
        minutes = (at - NOW) / timedelta(minutes=1)
        there = fleet[: min(8, 1 + int(minutes // 10))]
        status = RefreshStatus.IN_PROGRESS if minutes < 80 else RefreshStatus.BAKING
        return look(old, there, at=at, started=NOW, status=status)

    looks = len(waits(scene, timedelta(hours=2)))

    assert looks * TRANSITIONS_OF_A_LOOK + BEFORE_AND_AFTER <= TRANSITIONS_ALLOWED


@given(
    age=st.timedeltas(timedelta(0), LONGEST_REFRESH),
    quiet_looks=st.integers(0, 5000),
    status=st.sampled_from([status for status in RefreshStatus if status.active]),
    grace_began=st.none() | st.timedeltas(timedelta(0), timedelta(minutes=9)),
)
def test_whatever_a_look_sees_the_wait_is_a_whole_number_of_seconds_within_a_day(
    age: timedelta, quiet_looks: int, status: RefreshStatus, grace_began: timedelta | None
) -> None:
    memory = Memory(
        quiet_looks=quiet_looks,
        progress_at=None if grace_began is None else NOW - grace_began,
        healthy_new=4,
    )
    scene = look(old, new[:1], status=status, started=NOW - age, health={new[0].id: STARTING})

    found = assess_back(scene, memory)

    assert found.verdict is Verdict.WAIT
    assert 1 <= found.wait_seconds <= 86_400
