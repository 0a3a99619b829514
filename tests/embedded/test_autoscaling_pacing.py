"""The arithmetic of an instance refresh: how many may be launched and terminated now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded.world.autoscaling.pacing import Bounds, Census, next_step


def census(desired: int, **counts: int) -> Census:
    usual = {
        "live": desired,
        "ready": desired,
        "leaving": 0,
        "up_to_date": 0,
        "kept": 0,
        "replaceable_ready": desired,
        "replaceable_warming": 0,
        "replaceable_failing": 0,
    }
    return Census(desired=desired, **{**usual, **counts})


@pytest.mark.parametrize(
    ("desired", "percent", "expected"), [(4, 90, 4), (10, 90, 9), (3, 50, 2), (7, 0, 0)]
)
def test_the_minimum_healthy_count_is_rounded_up(desired: int, percent: int, expected: int) -> None:
    assert Bounds.of(desired, percent, None).minimum == expected


def test_the_maximum_healthy_count_is_rounded_down() -> None:
    assert Bounds.of(5, 60, 130).maximum == 6


def test_an_explicit_maximum_that_leaves_no_room_is_exceeded_by_one() -> None:
    bounds = Bounds.of(4, 100, 100)

    step = next_step(census(4), bounds, limit=4)

    assert (step.terminations, step.extra) == (0, 1)


@pytest.mark.parametrize(("size", "extra"), [(6, 2), (5, 1), (4, 0)])
def test_the_maximum_size_bounds_what_is_launched_first(size: int, extra: int) -> None:
    bounds = Bounds.of(4, 100, 200, maximum_size=size)

    assert next_step(census(4), bounds, limit=4).extra == extra
    assert bounds.stuck == (extra == 0)


def test_with_100_and_100_one_goes_after_its_replacement_is_ready() -> None:
    bounds = Bounds.of(4, 100, 100)

    step = next_step(census(4, live=5, ready=5, up_to_date=1), bounds, limit=4)

    assert (step.terminate_ready, step.extra) == (1, 0)


def test_a_maximum_of_150_launches_half_of_the_group_first() -> None:
    step = next_step(census(10), Bounds.of(10, 100, 150), limit=10)

    assert (step.terminations, step.extra) == (0, 5)


def test_a_minimum_below_the_maximum_terminates_and_launches_together() -> None:
    step = next_step(census(10), Bounds.of(10, 80, 100), limit=10)

    assert (step.terminate_ready, step.extra) == (2, 0)


def test_without_a_maximum_one_is_replaced_even_when_the_minimum_does_not_allow_it() -> None:
    step = next_step(census(1), Bounds.of(1, 90, None), limit=1)

    assert (step.terminate_ready, step.extra) == (1, 0)


def test_without_a_maximum_the_next_one_waits_until_the_group_is_whole() -> None:
    missing_one = census(4, ready=3, up_to_date=1, replaceable_ready=3)

    step = next_step(missing_one, Bounds.of(4, 100, None), limit=4)

    assert step.terminations == 0


def test_what_is_terminating_takes_room_above_the_desired_capacity() -> None:
    leaving = census(4, leaving=1, up_to_date=1, replaceable_ready=3)

    assert next_step(leaving, Bounds.of(4, 100, 100), limit=4).extra == 0


def test_failing_instances_go_first_and_cost_no_ready_one() -> None:
    failing = census(4, ready=3, replaceable_ready=3, replaceable_failing=1)

    step = next_step(failing, Bounds.of(4, 100, 100), limit=4)

    assert (step.terminate_failing, step.terminate_ready) == (1, 0)


def test_an_instance_that_warms_up_is_left_alone_while_too_few_are_ready() -> None:
    warming = census(1, ready=0, replaceable_ready=0, replaceable_warming=1)

    step = next_step(warming, Bounds.of(1, 100, 200), limit=1)

    assert (step.terminations, step.extra) == (0, 1)


def test_nothing_is_held_above_the_capacity_when_no_old_instance_is_left() -> None:
    scaled_in = census(0, live=1, ready=1, up_to_date=1, replaceable_ready=0)

    assert next_step(scaled_in, Bounds.of(0, 100, 150), limit=0).extra == 0


def test_no_more_are_replaced_than_the_checkpoint_allows() -> None:
    step = next_step(census(10), Bounds.of(10, 0, 100), limit=2)

    assert step.terminations == 2


@st.composite
def groups(draw: st.DrawFn) -> tuple[Census, Bounds, int]:
    desired = draw(st.integers(0, 20))
    parts = draw(st.tuples(*[st.integers(0, 8)] * 6))
    new_ready, new_unready, old_ready, warming, failing, kept = parts
    minimum = draw(st.integers(0, 100))
    maximum = draw(st.integers(100, min(200, minimum + 100)))
    counted = Census(
        desired=desired,
        live=sum(parts),
        ready=new_ready + old_ready,
        leaving=draw(st.integers(0, 5)),
        up_to_date=new_ready + new_unready,
        kept=kept,
        replaceable_ready=old_ready,
        replaceable_warming=warming,
        replaceable_failing=failing,
    )
    return counted, Bounds.of(desired, minimum, maximum), draw(st.integers(0, 20))


@given(groups())
def test_the_minimum_is_never_broken_by_a_refresh_with_a_maximum(
    case: tuple[Census, Bounds, int],
) -> None:
    counted, bounds, limit = case

    step = next_step(counted, bounds, limit)

    assert step.terminate_ready == 0 or counted.ready - step.terminate_ready >= bounds.minimum


@given(groups())
def test_the_maximum_is_never_broken_by_a_refresh(case: tuple[Census, Bounds, int]) -> None:
    counted, bounds, limit = case

    step = next_step(counted, bounds, limit)

    assert bounds.maximum is not None
    assert counted.desired + step.extra <= max(bounds.maximum, counted.desired)


@given(groups())
def test_a_refresh_never_terminates_what_it_does_not_have(
    case: tuple[Census, Bounds, int],
) -> None:
    counted, bounds, limit = case

    step = next_step(counted, bounds, limit)

    assert 0 <= step.terminate_failing <= counted.replaceable_failing
    assert 0 <= step.terminate_warming <= counted.replaceable_warming
    assert 0 <= step.terminate_ready <= counted.replaceable_ready
