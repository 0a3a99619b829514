"""What states do with data, variables and time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.embedded.machines import Bench, a_pass, output, task, types

BIG = "x" * 262_144
END = {"Type": "Succeed"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


# -- data and variables ----------------------------------------------------------------------------


def test_a_state_without_output_hands_its_input_on(bench: Bench) -> None:
    assert output(bench.run({"A": a_pass(Next="B"), "B": a_pass()}, {"n": 1})) == {"n": 1}


def test_every_expression_of_a_state_sees_the_variables_at_its_entry(bench: Bench) -> None:
    execution = bench.run(
        {
            "Set": a_pass(Assign={"a": 1, "b": 2}, Next="Swap"),
            "Swap": a_pass(
                Assign={"a": "{% $b %}", "b": "{% $a %}"}, Output="{% $a %}", Next="Read"
            ),
            "Read": a_pass(Output=["{% $states.input %}", "{% $a %}", "{% $b %}"]),
        }
    )
    assert output(execution) == [1, 2, 1]


def test_a_variable_may_be_null(bench: Bench) -> None:
    execution = bench.run(
        {
            "Set": a_pass(Assign={"a": None}, Next="Read"),
            "Read": a_pass(Output={"a": "{% $a %}", "null": "{% $a = null %}"}),
        }
    )
    assert output(execution) == {"a": None, "null": True}


def test_a_variable_that_was_not_assigned_on_the_way_is_undefined(bench: Bench) -> None:
    execution = bench.run(
        {
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Condition": True, "Next": "Read"}],
                "Default": "Set",
            },
            "Set": a_pass(Assign={"a": 1}, Next="Read"),
            "Read": a_pass(Output="{% $a %}"),
        }
    )
    assert execution.error == "States.QueryEvaluationError"


def test_a_failed_state_assigns_nothing(bench: Bench) -> None:
    bench.function("work", lambda _: {"n": 1})
    execution = bench.run(
        {
            "Call": task(
                Assign={"a": 1},
                Output="{% $states.result.Payload.absent %}",
                Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Read"}],
            ),
            "Read": a_pass(Output="{% $exists($a) %}"),
        }
    )
    assert output(execution) is False


def test_a_task_shapes_its_result(bench: Bench) -> None:
    bench.function("work", lambda event: {"twice": event["n"] * 2})
    execution = bench.run(
        {
            "Call": task(
                payload={"n": "{% $states.input.n %}"},
                Assign={"twice": "{% $states.result.Payload.twice %}"},
                Output={"was": "{% $states.input.n %}", "code": "{% $states.result.StatusCode %}"},
                Next="Read",
            ),
            "Read": a_pass(Output=["{% $states.input %}", "{% $twice %}"]),
        },
        {"n": 4},
    )
    assert output(execution) == [{"was": 4, "code": 200}, 8]


def test_a_handler_cannot_change_what_the_execution_knows(bench: Bench) -> None:
    def spoil(event: dict[str, Any]) -> None:
        event["list"].append("spoiled")

    bench.function("work", spoil)
    execution = bench.run(
        {"Call": task(payload="{% $states.input %}", Output="{% $states.input %}")}, {"list": [1]}
    )
    assert output(execution) == {"list": [1]}


# -- the context object ----------------------------------------------------------------------------


def test_the_context_object_tells_about_execution_state_and_machine(bench: Bench) -> None:
    execution = bench.run(
        {
            "Rest": {"Type": "Wait", "Seconds": 90, "Next": "Tell"},
            "Tell": a_pass(Output="{% $states.context %}"),
        },
        {"n": 1},
        seconds=90,
    )
    assert output(execution) == {
        "Execution": {
            "Id": execution.arn,
            "Input": {"n": 1},
            "Name": execution.name,
            "RoleArn": "arn:aws:iam::111122223333:role/rollout",
            "StartTime": "2026-01-05T09:00:00.000Z",
            "RedriveCount": 0,
        },
        "State": {"EnteredTime": "2026-01-05T09:01:30.000Z", "Name": "Tell", "RetryCount": 0},
        "StateMachine": {
            "Id": "arn:aws:states:us-east-1:111122223333:stateMachine:machine",
            "Name": "machine",
        },
    }


# -- Choice ----------------------------------------------------------------------------------------


def choosing(**rules: Any) -> dict[str, dict[str, Any]]:
    return {
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $states.input.n > 10 %}",
                    "Next": "End",
                    "Output": "big",
                    "Assign": {"by": "first"},
                },
                {"Condition": "{% $states.input.n > 5 %}", "Next": "End", "Output": "middling"},
            ],
            "Assign": {"by": "default"},
            **rules,
        },
        "End": a_pass(Output=["{% $states.input %}", "{% $exists($by) ? $by : 'nobody' %}"]),
    }


@pytest.mark.parametrize(
    ("number", "expected"),
    [(11, ["big", "first"]), (6, ["middling", "nobody"]), (1, ["small", "default"])],
)
def test_the_first_true_condition_decides_and_only_its_own_shaping_holds(
    bench: Bench, number: int, expected: list[str]
) -> None:
    execution = bench.run(choosing(Default="End", Output="small"), {"n": number})
    assert output(execution) == expected


def test_no_true_condition_and_no_default_fails_the_execution(bench: Bench) -> None:
    execution = bench.run(choosing(), {"n": 1})
    assert execution.status == "FAILED"
    assert execution.error == "States.NoChoiceMatched"


def test_a_condition_that_is_no_boolean_fails_the_execution(bench: Bench) -> None:
    states = choosing(Default="End")
    states["Choose"]["Choices"][0]["Condition"] = "{% $states.input.n %}"
    execution = bench.run(states, {"n": 1})
    assert execution.error == "States.QueryEvaluationError"
    assert (execution.cause or "").endswith(
        "specified for the field 'Choices[0]/Condition' returned an unexpected result type. "
        "Expected 'boolean', but was 'number' for value: 1"
    )


def test_conditions_after_the_true_one_are_not_evaluated(bench: Bench) -> None:
    states = choosing(Default="End")
    states["Choose"]["Choices"].append({"Condition": "{% 1 + 'a' %}", "Next": "End"})
    assert bench.run(states, {"n": 11}).status == "SUCCEEDED"


# -- Wait ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wait",
    [
        {"Seconds": 90},
        {"Seconds": "{% $states.input.seconds %}"},
        {"Timestamp": "2026-01-05T09:01:30Z"},
        {"Timestamp": "2026-01-05T10:01:30+01:00"},
        {"Timestamp": "{% $fromMillis($millis() + 90000) %}"},
    ],
)
def test_a_wait_lets_emulated_time_pass(bench: Bench, wait: dict[str, Any]) -> None:
    execution = bench.run(
        {"Rest": {"Type": "Wait", "End": True} | wait}, {"seconds": 90}, seconds=1000
    )
    assert execution.stopped_at == execution.started_at + timedelta(seconds=90)


@pytest.mark.parametrize("wait", [{"Seconds": 0}, {"Timestamp": "2026-01-01T00:00:00Z"}])
def test_a_wait_for_what_has_passed_ends_at_once(bench: Bench, wait: dict[str, Any]) -> None:
    execution = bench.run({"Rest": {"Type": "Wait", "End": True} | wait})
    assert execution.stopped_at == execution.started_at


@pytest.mark.parametrize(
    ("wait", "value"),
    [
        ({"Seconds": "{% $states.input.v %}"}, -1),
        ({"Seconds": "{% $states.input.v %}"}, 1.5),
        ({"Seconds": "{% $states.input.v %}"}, 100_000_000),
        ({"Seconds": "{% $states.input.v %}"}, "5"),
        ({"Seconds": "{% $states.input.v %}"}, True),
        ({"Timestamp": "{% $states.input.v %}"}, "tomorrow"),
        ({"Timestamp": "{% $states.input.v %}"}, 5),
    ],
)
def test_a_wait_for_nonsense_fails_the_execution(
    bench: Bench, wait: dict[str, Any], value: object
) -> None:
    execution = bench.run({"Rest": {"Type": "Wait", "End": True} | wait}, {"v": value})
    assert execution.error == "States.QueryEvaluationError"


def test_a_whole_number_of_seconds_may_be_written_with_a_point(bench: Bench) -> None:
    execution = bench.run(
        {"Rest": {"Type": "Wait", "End": True, "Seconds": "{% $states.input.v %}"}},
        {"v": 5.0},
        seconds=5,
    )
    assert execution.status == "SUCCEEDED"


# -- ends ------------------------------------------------------------------------------------------


def test_succeed_shapes_the_output(bench: Bench) -> None:
    execution = bench.run({"Done": END | {"Output": {"n": "{% $states.input.n %}"}}}, {"n": 1})
    assert output(execution) == {"n": 1}


def test_fail_writes_its_error_and_cause(bench: Bench) -> None:
    execution = bench.run(
        {
            "Stop": {
                "Type": "Fail",
                "Error": "{% 'Rolled' & 'Back' %}",
                "Cause": "{% 'because of ' & $states.input.why %}",
            }
        },
        {"why": "5xx"},
    )
    assert (execution.status, execution.error, execution.cause) == (
        "FAILED",
        "RolledBack",
        "because of 5xx",
    )
    assert types(execution) == ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"]
    assert execution.output is None


def test_fail_may_say_nothing(bench: Bench) -> None:
    execution = bench.run({"Stop": {"Type": "Fail"}})
    assert (execution.status, execution.error, execution.cause) == ("FAILED", None, None)


def test_a_cause_that_is_no_string_fails_otherwise(bench: Bench) -> None:
    execution = bench.run({"Stop": {"Type": "Fail", "Error": "E", "Cause": "{% 1 %}"}})
    assert execution.error == "States.QueryEvaluationError"


# -- limits ----------------------------------------------------------------------------------------


def test_an_output_of_more_than_256_kib_fails_the_state(bench: Bench) -> None:
    half = "x" * 131_070
    execution = bench.run(
        {"Grow": a_pass(Output=["{% $states.input.half %}", "{% $states.input.half %}"])},
        {"half": half},
    )
    assert execution.error == "States.DataLimitExceeded"
    assert execution.cause == (
        "The state/task 'Grow' returned a result with a size exceeding the maximum number of bytes "
        "service limit."
    )


def test_the_limit_counts_bytes_not_characters(bench: Bench) -> None:
    bench.function("work", lambda _: "é" * 131_100)
    assert bench.run({"Call": task()}).error == "States.DataLimitExceeded"


def test_a_result_just_below_the_limit_passes(bench: Bench) -> None:
    bench.function("work", lambda _: "x" * 261_500)
    assert bench.run({"Call": task(Output={})}).status == "SUCCEEDED"


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        (["States.ALL"], "FAILED"),
        (["States.TaskFailed"], "FAILED"),
        (["States.DataLimitExceeded"], "SUCCEEDED"),
    ],
)
def test_only_its_own_name_catches_the_data_limit(
    bench: Bench, rules: list[str], status: str
) -> None:
    bench.function("work", lambda _: BIG)
    catch = [{"ErrorEquals": rules, "Next": "Done"}]
    assert bench.run({"Call": task(Catch=catch), "Done": END}).status == status


def test_arguments_of_more_than_256_kib_are_not_sent(bench: Bench) -> None:
    called: list[Any] = []
    bench.function("work", called.append)
    text = "{% $states.input.half & $states.input.half %}"
    execution = bench.run({"Call": task(payload={"a": text})}, {"half": "x" * 131_080})
    assert execution.error == "States.DataLimitExceeded"
    assert called == []


def test_one_assign_of_more_than_256_kib_fails_the_state(bench: Bench) -> None:
    half = "{% $states.input.half %}"
    execution = bench.run({"Set": a_pass(Assign={"a": half, "b": half})}, {"half": "x" * 131_080})
    assert execution.error == "States.DataLimitExceeded"


def test_all_variables_together_have_at_most_10_mib(bench: Bench) -> None:
    states = {
        f"Set{number}": a_pass(
            Assign={f"v{number}": "{% $states.input %}"}, Next=f"Set{number + 1}"
        )
        for number in range(60)
    } | {"Set60": a_pass()}
    execution = bench.run(states, {"text": "x" * 250_000})
    assert execution.error == "States.DataLimitExceeded"
    assert len(execution.variables) == 10_485_760 // 250_011


def test_the_25000th_event_ends_the_execution(bench: Bench) -> None:
    again = {
        "Type": "Choice",
        "Choices": [{"Condition": False, "Next": "Done"}],
        "Default": "Again",
    }
    execution = bench.run({"Again": again, "Done": END})
    assert execution.status == "FAILED"
    assert execution.error == "States.Runtime"
    assert execution.cause == "The execution reached the maximum number of history events (25000)."
    assert len(execution.history) == 25_000
    assert execution.history[-1].type == "ExecutionFailed"


# -- time ------------------------------------------------------------------------------------------


def test_the_state_machine_s_timeout_ends_the_execution(bench: Bench) -> None:
    rest = {"Type": "Wait", "Seconds": 1000, "End": True}
    execution = bench.run({"Rest": rest}, TimeoutSeconds=60, seconds=2000)
    assert execution.status == "TIMED_OUT"
    assert execution.stopped_at == execution.started_at + timedelta(seconds=60)
    last = bench.history(execution)[-1]
    assert last["type"] == "ExecutionTimedOut"
    assert last["executionTimedOutEventDetails"] == {"error": "States.Timeout"}
    assert not {"error", "cause", "output"} & set(bench.describe(execution))
    assert types(execution)[-2] == "WaitStateEntered"


def test_no_execution_lives_longer_than_a_year(bench: Bench) -> None:
    year = 365 * 86_400
    rest = {"Type": "Wait", "Seconds": year + 1, "End": True}
    execution = bench.run({"Rest": rest}, seconds=year + 10)
    assert execution.status == "TIMED_OUT"


def test_an_ended_execution_leaves_no_timer_behind(bench: Bench) -> None:
    bench.run({"Done": END}, TimeoutSeconds=60, seconds=30)
    assert bench.world.clock.next_at() is None


# -- what is billed --------------------------------------------------------------------------------


def test_transitions_are_the_start_each_state_and_each_retry(bench: Bench) -> None:
    failures = iter([True, True, False])

    def work(_: Any) -> None:
        if next(failures):
            raise ValueError

    bench.function("work", work)
    execution = bench.run(
        {"A": a_pass(Next="B"), "B": task(Retry=[{"ErrorEquals": ["ValueError"]}])}, seconds=10
    )
    assert execution.status == "SUCCEEDED"
    assert execution.transitions == 1 + 2 + 2


def test_each_state_is_a_step_of_its_own(bench: Bench) -> None:
    execution = bench.start({"A": a_pass(Next="B"), "B": a_pass()})
    bench.world.step()
    assert types(execution)[-1] == "PassStateExited"
    assert execution.status == "RUNNING"
