"""A rollout sleeps until something happens, wakes at once when it does, and misses nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.faults import Call
from tests.integration.seen import Seen, outcome, states_of

SIGNAL = "snaproll-demo-signal-rollout"


def event(fleet: StagedFleet) -> dict[str, Any]:
    """An event of the fleet's refresh, as EventBridge hands it to the function."""
    return {
        "source": "aws.autoscaling",
        "detail-type": "EC2 Auto Scaling Instance Refresh Checkpoint Reached",
        "detail": {"AutoScalingGroupName": fleet.group},
    }


def signal(stage: Stage, fleet: StagedFleet) -> str:
    """Tell the rollout that something happened; what became of it, in words."""
    invocation = stage.world.awslambda.invoke(SIGNAL, event(fleet), caller="events.amazonaws.com")
    assert invocation.error is None, invocation.error
    message: str = invocation.payload["message"]
    return message


@pytest.fixture
def asleep(stage: Stage, fleet: StagedFleet) -> Execution:
    """A rollout that waits for longer than any gap between signals, and hears of nothing."""
    stage.world.events.delivery = lambda one: () if one.source == "aws.autoscaling" else (1.0,)
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(stage.rollouts()), limit=timedelta(minutes=5))
    rollout = stage.rollouts()[-1]
    stage.world.run_until(lambda: naps(rollout) == 3, limit=timedelta(hours=1))
    stage.world.run_for(1)
    return rollout


def naps(rollout: Execution) -> int:
    """How often a rollout went to sleep so far."""
    return states_of(rollout).count("AwaitSignal")


def looks(rollout: Execution) -> list[datetime]:
    """When a rollout looked."""
    return [
        one.at
        for one in rollout.history
        if one.type == "TaskStateEntered" and one.details["name"] == "WatchHealth"
    ]


def during_a_look(stage: Stage, act: Callable[[], object]) -> None:
    """Do something once, in the middle of the next look."""
    done: list[int] = []

    def interfere(call: Call) -> None:
        looks_now = call.caller == "WatchHealthFunction" and call.operation == "DescribeAlarms"
        if looks_now and not done:
            done.append(call.number)
            act()

    stage.world.faults.before_effect(interfere)


def test_a_signal_wakes_a_sleeping_rollout_at_once(
    stage: Stage, fleet: StagedFleet, asleep: Execution
) -> None:
    before = len(looks(asleep))

    said = signal(stage, fleet)
    stage.world.run_for(0)

    assert said == "woke sec-prod"
    assert len(looks(asleep)) == before + 1
    assert looks(asleep)[-1] == stage.world.clock.now()


def test_signals_within_half_a_minute_are_merged_into_one_later_look(
    stage: Stage, fleet: StagedFleet, asleep: Execution
) -> None:
    # Given a rollout that a signal has just woken
    signal(stage, fleet)
    stage.world.run_for(0)
    woken, before = stage.world.clock.now(), len(looks(asleep))

    # When a burst of signals follows
    for _ in range(20):
        stage.world.run_for(1)
        assert signal(stage, fleet) == "nobody to wake"

    # Then there is one look for all of them, at the end of the half minute
    stage.world.run_for(30)
    assert looks(asleep)[before:] == [woken + timedelta(seconds=30)]


def test_a_signal_during_a_look_makes_the_next_sleep_end_at_once(
    stage: Stage, fleet: StagedFleet, asleep: Execution
) -> None:
    # Given a signal that comes after the look began and before the rollout sleeps again
    before = len(looks(asleep))
    during_a_look(stage, lambda: signal(stage, fleet))

    # When that look happens
    stage.world.run_until(lambda: len(looks(asleep)) > before, limit=timedelta(hours=1))
    stage.world.run_for(1)

    # Then another follows at once
    assert len(looks(asleep)) == before + 2
    assert looks(asleep)[-1] - looks(asleep)[-2] <= timedelta(seconds=1)


def test_a_signal_for_a_token_that_nobody_waits_on_any_more_is_not_lost(
    stage: Stage, fleet: StagedFleet, asleep: Execution, seen: Seen
) -> None:
    # Given that the wait has timed out, so that its token is stale while the rollout looks
    stale = seen.state.waiting
    assert stale is not None
    said: list[str] = []
    during_a_look(stage, lambda: said.append(signal(stage, fleet)))

    # When a signal comes during the look
    before = len(looks(asleep))
    stage.world.run_until(lambda: bool(said), limit=timedelta(hours=1))
    stage.world.run_for(1)

    # Then it woke nobody, and a look follows nevertheless
    assert said == ["nobody to wake"]
    assert len(looks(asleep)) == before + 2


def test_an_event_of_a_group_that_is_not_rolled_costs_one_read(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    said = signal(stage, fleet)

    assert said == "nobody to wake"
    assert [call.operation for call in seen.calls()] == ["Query"]


def test_a_rollout_ends_well_when_every_event_of_its_refresh_is_lost(
    stage: Stage, asleep: Execution, seen: Seen
) -> None:
    stage.finish()

    assert outcome(asleep) == "Live"
    assert seen.serves(asleep.input.value["snapshot"])


def test_a_rollout_ends_well_when_every_event_comes_twice_and_late(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.world.events.delivery = lambda _: (5.0, 400.0)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    assert len(seen.refreshes) == 1


def test_signals_every_second_cost_no_more_than_two_looks_in_half_a_minute(
    stage: Stage, fleet: StagedFleet, asleep: Execution
) -> None:
    began, before = stage.world.clock.now(), len(looks(asleep))

    while asleep.running and stage.world.clock.now() - began < timedelta(minutes=20):
        stage.world.run_for(1)
        signal(stage, fleet)

    # One that a signal woke, and one at the end of the gap, for those that were merged
    gaps = (stage.world.clock.now() - began) / timedelta(seconds=30)
    assert gaps <= len(looks(asleep)) - before <= 2 * gaps + 1
