"""Retry and Catch: which errors they match, how often, how late, and what they see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from embedded.states.execution import Execution
from embedded.states.failures import StateFailedError
from embedded.states.integrations import lambda_refused
from embedded.world.errors import AwsError, FunctionDiedError, NotEmulatedError
from embedded.world.faults import Call
from tests.embedded.machines import Bench, a_pass, output, task, types, wait_for_token

END = {"Type": "Succeed"}


class BusyError(Exception):
    """What a function raises in these tests."""


class OtherError(Exception):
    """Another."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def failing(*errors: type[BaseException] | None) -> Callable[[Any], Any]:
    """Make a handler that raises these one after the other, and then works."""
    remaining = list(errors)

    def handler(event: Any) -> Any:
        error = remaining.pop(0) if remaining else None
        if error is not None:
            raise error("no luck")
        return {"event": event}

    return handler


def call_times(execution: Execution) -> list[float]:
    return [
        (event.at - execution.started_at).total_seconds()
        for event in execution.history
        if event.type == "TaskScheduled"
    ]


# -- what an error is called -----------------------------------------------------------------------


def test_an_exception_s_class_is_the_error_and_its_payload_the_cause(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    catch = [
        {
            "ErrorEquals": ["BusyError"],
            "Next": "Done",
            "Output": {
                "error": "{% $states.errorOutput.Error %}",
                "message": "{% $parse($states.errorOutput.Cause).errorMessage %}",
                "type": "{% $parse($states.errorOutput.Cause).errorType %}",
            },
        }
    ]
    execution = bench.run({"Call": task(Catch=catch), "Done": END})
    assert output(execution) == {"error": "BusyError", "message": "no luck", "type": "BusyError"}


def test_a_function_that_dies_fails_with_the_runtime_s_error(bench: Bench) -> None:
    bench.function("work", failing(FunctionDiedError))
    assert bench.run({"Call": task()}).error == "Runtime.ExitError"


def test_a_function_that_does_not_exist_fails_the_task(bench: Bench) -> None:
    execution = bench.run({"Call": task("nobody")})
    assert execution.error == "Lambda.ResourceNotFoundException"
    assert "Function not found" in (execution.cause or "")


def test_what_is_not_emulated_is_no_outcome(bench: Bench) -> None:
    def handler(_: Any) -> None:
        raise NotEmulatedError("this")

    bench.function("work", handler)
    bench.start({"Call": task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "End"}]), "End": END})
    with pytest.raises(NotEmulatedError):
        bench.world.run_for(0)


# -- matching --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "rule", "matches"),
    [
        ("BusyError", "BusyError", True),
        ("BusyError", "OtherError", False),
        ("BusyError", "States.ALL", True),
        ("BusyError", "States.TaskFailed", True),
        ("Lambda.TooManyRequestsException", "States.TaskFailed", True),
        ("States.Timeout", "States.Timeout", True),
        ("States.Timeout", "States.ALL", True),
        ("States.Timeout", "States.TaskFailed", False),
        ("States.QueryEvaluationError", "States.ALL", True),
        ("States.DataLimitExceeded", "States.DataLimitExceeded", True),
        ("States.DataLimitExceeded", "States.ALL", False),
        ("States.DataLimitExceeded", "States.TaskFailed", False),
        ("States.Runtime", "States.Runtime", False),
        ("States.Runtime", "States.ALL", False),
        ("States.Runtime", "States.TaskFailed", False),
    ],
)
def test_rules_match_errors_as_aws_documents(error: str, rule: str, matches: bool) -> None:  # noqa: FBT001
    assert StateFailedError(error, None).matches([rule]) is matches


# -- Retry -----------------------------------------------------------------------------------------


def test_the_defaults_try_three_more_times_one_two_and_four_seconds_apart(bench: Bench) -> None:
    bench.function("work", failing(*[BusyError] * 9))
    execution = bench.run({"Call": task(Retry=[{"ErrorEquals": ["BusyError"]}])}, seconds=100)
    assert call_times(execution) == [0, 1, 3, 7]
    assert execution.error == "BusyError"


def test_the_wait_grows_by_the_rate_up_to_the_longest_delay(bench: Bench) -> None:
    bench.function("work", failing(*[BusyError] * 5))
    rule = {
        "ErrorEquals": ["BusyError"],
        "IntervalSeconds": 2,
        "BackoffRate": 3,
        "MaxDelaySeconds": 20,
        "MaxAttempts": 5,
    }
    execution = bench.run({"Call": task(Retry=[rule])}, seconds=100)
    assert call_times(execution) == [0, 2, 8, 26, 46, 66]
    assert execution.status == "SUCCEEDED"


def test_full_jitter_waits_anything_between_nothing_and_the_delay(bench: Bench) -> None:
    rule = {"ErrorEquals": ["BusyError"], "IntervalSeconds": 10, "JitterStrategy": "FULL"}
    waits = set()
    for seed in range(5):
        bench = Bench(seed=seed)
        bench.function("work", failing(BusyError))
        times = call_times(bench.run({"Call": task(Retry=[rule])}, seconds=100))
        assert 0 <= times[1] <= 10
        waits.add(times[1])
    assert len(waits) == 5


def test_no_attempts_means_no_retry(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    rules = [{"ErrorEquals": ["BusyError"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]
    execution = bench.run({"Call": task(Retry=rules)}, seconds=100)
    assert call_times(execution) == [0]
    assert execution.error == "BusyError"


def test_each_retrier_counts_for_itself(bench: Bench) -> None:
    bench.function("work", failing(BusyError, OtherError, BusyError, OtherError, BusyError))
    rules = [
        {"ErrorEquals": ["BusyError"], "MaxAttempts": 3, "BackoffRate": 1},
        {"ErrorEquals": ["OtherError"], "MaxAttempts": 2, "BackoffRate": 1},
    ]
    execution = bench.run({"Call": task(Retry=rules)}, seconds=100)
    assert execution.status == "SUCCEEDED"
    assert len(call_times(execution)) == 6


def test_the_first_rule_that_matches_decides_even_when_it_is_used_up(bench: Bench) -> None:
    bench.function("work", failing(*[BusyError] * 4))
    rules = [
        {"ErrorEquals": ["BusyError"], "MaxAttempts": 1},
        {"ErrorEquals": ["States.ALL"], "MaxAttempts": 9},
    ]
    execution = bench.run({"Call": task(Retry=rules)}, seconds=100)
    assert len(call_times(execution)) == 2
    assert execution.error == "BusyError"


def test_retries_count_anew_when_the_state_is_entered_again(bench: Bench) -> None:
    bench.function("work", failing(BusyError, None, BusyError, None))
    rules = [{"ErrorEquals": ["BusyError"], "MaxAttempts": 1}]
    states = {
        "Start": a_pass(Assign={"lap": 1}, Next="Call"),
        "Call": task(Retry=rules, Next="Again"),
        "Again": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $lap = 1 %}", "Next": "Call", "Assign": {"lap": 2}}],
            "Default": "Done",
        },
        "Done": END,
    }
    assert bench.run(states, seconds=100).status == "SUCCEEDED"


def test_arguments_are_evaluated_anew_for_each_attempt(bench: Bench) -> None:
    seen: list[Any] = []

    def handler(event: Any) -> None:
        seen.append(event)
        raise BusyError

    bench.function("work", handler)
    payload = {"retry": "{% $states.context.State.RetryCount %}", "at": "{% $now() %}"}
    bench.run({"Call": task(payload=payload, Retry=[{"ErrorEquals": ["States.ALL"]}])}, seconds=99)
    assert [event["retry"] for event in seen] == [0, 1, 2, 3]
    assert seen[1]["at"] == "2026-01-05T09:00:01.000Z"


def test_a_retry_is_scheduled_again_without_entering_the_state_again(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    execution = bench.run({"Call": task(Retry=[{"ErrorEquals": ["States.ALL"]}])}, seconds=9)
    assert types(execution) == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]


def test_a_failed_expression_can_be_retried_and_calls_the_function_again(bench: Bench) -> None:
    answers = iter([{}, {"n": 1}])
    bench.function("work", lambda _: next(answers))
    rules = [{"ErrorEquals": ["States.QueryEvaluationError"]}]
    execution = bench.run(
        {"Call": task(Output="{% $states.result.Payload.n %}", Retry=rules)}, seconds=9
    )
    assert output(execution) == 1
    assert "EvaluationFailed" in types(execution)


def test_a_very_late_retry_does_not_overflow(bench: Bench) -> None:
    bench.function("work", failing(*[BusyError] * 2000))
    rule = {
        "ErrorEquals": ["BusyError"],
        "MaxAttempts": 1100,
        "BackoffRate": 10,
        "MaxDelaySeconds": 2,
    }
    execution = bench.run({"Call": task(Retry=[rule])}, seconds=5000)
    assert len(call_times(execution)) == 1101


# -- Catch -----------------------------------------------------------------------------------------


def test_a_caught_error_is_the_output_unless_the_rule_says_otherwise(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    execution = bench.run(
        {
            "Call": task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Done"}]),
            "Done": END,
        }
    )
    assert set(output(execution)) == {"Error", "Cause"}


def test_a_catcher_assigns_and_sees_the_input(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    rule = {
        "ErrorEquals": ["BusyError"],
        "Next": "Tell",
        "Assign": {"why": "{% $states.errorOutput.Error %}"},
        "Output": "{% $states.input %}",
    }
    execution = bench.run(
        {
            "Call": task(Catch=[rule], Assign={"why": "never"}),
            "Tell": a_pass(Output=["{% $states.input %}", "{% $why %}"]),
        },
        {"n": 1},
    )
    assert output(execution) == [{"n": 1}, "BusyError"]


def test_the_first_catcher_that_matches_decides(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    rules = [
        {"ErrorEquals": ["OtherError"], "Next": "Other"},
        {"ErrorEquals": ["BusyError"], "Next": "Busy"},
        {"ErrorEquals": ["States.ALL"], "Next": "Other"},
    ]
    states = {"Call": task(Catch=rules), "Busy": END, "Other": {"Type": "Fail"}}
    assert bench.run(states).status == "SUCCEEDED"


def test_retries_come_before_catchers(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    state = task(
        Retry=[{"ErrorEquals": ["BusyError"]}],
        Catch=[{"ErrorEquals": ["BusyError"], "Next": "Stop"}],
        Next="Done",
    )
    execution = bench.run({"Call": state, "Done": END, "Stop": {"Type": "Fail"}}, seconds=9)
    assert execution.status == "SUCCEEDED"


def test_a_catcher_s_own_failed_expression_fails_the_execution(bench: Bench) -> None:
    bench.function("work", failing(BusyError))
    rules = [
        {
            "ErrorEquals": ["BusyError"],
            "Next": "Done",
            "Output": "{% $states.errorOutput.Absent %}",
        },
        {"ErrorEquals": ["States.ALL"], "Next": "Done"},
    ]
    execution = bench.run({"Call": task(Catch=rules), "Done": END})
    assert execution.error == "States.QueryEvaluationError"
    assert "for the field 'Catch[0]/Output'" in (execution.cause or "")


# -- faults of the services ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["TooManyRequestsException", "ServiceException", "EC2ThrottledException"]
)
def test_a_fault_of_the_lambda_service_is_named_after_its_exception(code: str) -> None:
    failure = lambda_refused(AwsError(code, "Rate exceeded", http_status=429))
    assert failure.error == f"Lambda.{code}"
    assert failure.cause == "Rate exceeded (Service: Lambda, Status Code: 429)"


def test_a_fault_before_an_sdk_call_fails_the_task(bench: Bench) -> None:
    def refuse(call: Call) -> None:
        if call.service == "ssm":
            raise AwsError("InternalServerError", "try again", http_status=500)

    bench.world.faults.before_effect(refuse)
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Arguments": {"Name": "/x"},
        "End": True,
    }
    assert bench.run({"Read": state}).error == "Ssm.InternalServerException"


# -- timeouts --------------------------------------------------------------------------------------


def test_a_task_that_nobody_answers_times_out_without_a_cause(bench: Bench) -> None:
    bench.keep_tokens()
    rule = {"ErrorEquals": ["States.Timeout"], "Next": "Done"}
    execution = bench.run(
        {"Ask": wait_for_token(TimeoutSeconds=60, Catch=[rule]), "Done": END}, seconds=100
    )
    assert output(execution) == {"Error": "States.Timeout", "Cause": ""}
    assert (execution.history[5].type, execution.history[5].details) == (
        "TaskTimedOut",
        {
            "resourceType": "lambda",
            "resource": "invoke.waitForTaskToken",
            "error": "States.Timeout",
        },
    )


def test_an_uncaught_timeout_fails_the_execution_with_no_cause(bench: Bench) -> None:
    bench.keep_tokens()
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=60)}, seconds=100)
    assert (execution.status, execution.error, execution.cause) == (
        "FAILED",
        "States.Timeout",
        None,
    )


@pytest.mark.parametrize("value", [0, -5, "60", 1.5, None])
def test_a_timeout_that_is_no_number_of_seconds_fails_before_the_call(
    bench: Bench, value: object
) -> None:
    bench.keep_tokens()
    state = wait_for_token(TimeoutSeconds="{% $states.input.seconds %}")
    execution = bench.run({"Ask": state}, {"seconds": value}, seconds=100)
    assert execution.error == "States.QueryEvaluationError"
    assert bench.tokens == []


def test_a_timeout_holds_for_each_attempt(bench: Bench) -> None:
    bench.keep_tokens()
    rule = {"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 5, "MaxAttempts": 1}
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=60, Retry=[rule])}, seconds=1000)
    assert call_times(execution) == [0, 65]
    assert execution.error == "States.Timeout"
    assert len(set(bench.tokens)) == 2
