"""The story that a history tells to somebody who has not read the code."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from embedded.states.history import duration, short, story
from tests.embedded.machines import Bench, a_pass, task, wait_for_token


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.keep_tokens()
    return bench


def test_a_rollout_s_story_reads_from_start_to_end(bench: Bench) -> None:
    attempts = iter([True, False])

    def plan(_: Any) -> dict[str, Any]:
        if next(attempts):
            raise ConnectionError("Rate exceeded")
        return {"message": "snap-1 is newer than snap-0", "checks": list(range(100))}

    bench.function("plan", plan)
    states = {
        "PlanRollout": task("plan", Retry=[{"ErrorEquals": ["ConnectionError"]}], Next="Remember"),
        "Remember": a_pass(Assign={"fleet": "sec"}, Next="AwaitSignal"),
        "AwaitSignal": wait_for_token(TimeoutSeconds=300, Next="Judge"),
        "Judge": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.reason = '5xx' %}", "Next": "CoolDown"}],
            "Default": "PlanRollout",
        },
        "CoolDown": {"Type": "Wait", "Seconds": 90, "Next": "RolledBack"},
        "RolledBack": {
            "Type": "Fail",
            "Error": "RolledBack",
            "Cause": "{% $fleet & ' is back on snap-0' %}",
        },
    }
    arn = bench.define(states, name="rollout")
    execution = bench.world.states.start(arn, "sec-snap-1-1", {"fleet": "sec"})
    bench.world.run_for(120)
    bench.sfn("SendTaskSuccess", taskToken=bench.tokens[0], output='{"reason": "5xx"}')
    bench.world.run_for(3600)
    assert story(execution) == (
        """\
rollout / sec-snap-1-1: FAILED after 3m 30s
input: {"fleet": "sec"}

          +0s               started
          +0s  PlanRollout  ConnectionError: Rate exceeded (tried again after 1s)
          +1s  PlanRollout  snap-1 is newer than snap-0
          +1s  Remember     fleet = sec
          +1s  AwaitSignal  waits for 5m 00s
      +2m 00s  AwaitSignal  woken: 5xx
      +2m 00s  Judge        chose CoolDown
      +2m 00s  CoolDown     waited 1m 30s
      +3m 30s               failed

error: RolledBack
cause: sec is back on snap-0"""
    )


def test_a_running_execution_s_story_ends_where_it_is(bench: Bench) -> None:
    execution = bench.run({"AwaitSignal": wait_for_token()}, seconds=60)
    assert story(execution).endswith(
        "AwaitSignal  waits without a limit\n            …  still in AwaitSignal"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"woken_by": "Checkpoint Reached"}', "woken: Checkpoint Reached"),
        ('{"n": 1}', 'woken: {"n": 1}'),
        ('{"by": "alarm", "n": 1}', 'woken: {"by": "alarm", "n": 1}'),
    ],
)
def test_what_woke_a_task_is_told(bench: Bench, answer: str, expected: str) -> None:
    execution = bench.run({"AwaitSignal": wait_for_token()}, seconds=60)
    bench.sfn("SendTaskSuccess", taskToken=bench.tokens[0], output=answer)
    bench.world.run_for(0)
    assert expected in story(execution)


def test_timeouts_and_redrives_are_told(bench: Bench) -> None:
    execution = bench.run({"AwaitSignal": wait_for_token(TimeoutSeconds=60)}, seconds=61)
    bench.sfn("RedriveExecution", executionArn=execution.arn)
    bench.sfn("StopExecution", executionArn=execution.arn)
    told = story(execution)
    assert "AwaitSignal  nobody answered for 1m 00s" in told
    assert "— redriven by an operator (redrive 1) —" in told
    assert "stopped by an operator" in told


def test_a_handled_failure_is_told_as_handled(bench: Bench) -> None:
    bench.function("work", lambda _: 1 / 0)
    rule = {"ErrorEquals": ["States.ALL"], "Next": "Tell"}
    execution = bench.run({"Call": task(Catch=[rule]), "Tell": a_pass(Output="fine")})
    told = story(execution)
    assert "Call  ZeroDivisionError: division by zero (handled)" in told
    assert "Tell  fine" in told
    assert told.endswith("output: fine")


def test_a_failed_expression_is_told(bench: Bench) -> None:
    told = story(bench.run({"Shape": a_pass(Output="{% $states.input.absent %}")}))
    assert "States.QueryEvaluationError: An error occurred while executing the state" in told


def test_a_state_machine_s_timeout_is_told(bench: Bench) -> None:
    rest = {"Type": "Wait", "Seconds": 90, "End": True}
    told = story(bench.run({"Rest": rest}, TimeoutSeconds=60, seconds=60))
    assert "Rest  waited 1m 00s" in told
    assert "ran longer than the state machine allows" in told


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"message": "in words", "n": 1}, "in words"),
        ({"reason": "in words"}, "in words"),
        ({"a": 1, "b": {"reason": "one level down"}}, "one level down"),
        ({"message": 5}, '{"message": 5}'),
        ({"message": ""}, '{"message": ""}'),
        ("text", "text"),
        (None, "null"),
        ([1, 2], "[1, 2]"),
        ("é", "é"),
    ],
)
def test_a_payload_is_told_in_its_own_words_if_it_has_any(value: object, expected: str) -> None:
    assert short(value) == expected


def test_a_long_payload_is_cut() -> None:
    told = short(list(range(1000)))
    assert len(told) == 110
    assert told.endswith("…")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (14, "14s"),
        (59.9, "1m 00s"),
        (125, "2m 05s"),
        (3725, "1h 02m 05s"),
        (90_061, "1d 01h 01m"),
    ],
)
def test_durations_are_told_in_two_or_three_units(seconds: float, expected: str) -> None:
    assert duration(timedelta(seconds=seconds)) == expected
