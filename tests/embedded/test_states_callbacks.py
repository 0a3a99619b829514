"""Task tokens: handing them out, answering them, and answering them too late."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.errors import AwsError
from tests.embedded.machines import Bench, a_pass, output, task, types, wait_for_token

END = {"Type": "Succeed"}


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.keep_tokens()
    return bench


def code_of(bench: Bench, operation: str, token: str, **params: Any) -> str:
    with pytest.raises(AwsError) as refused:
        bench.sfn(operation, taskToken=token, **params)
    return refused.value.code


def test_the_answer_to_a_token_is_the_task_s_result(bench: Bench) -> None:
    state = wait_for_token(
        Assign={"woken_by": "{% $states.result.by %}"}, Output="{% $states.result %}", Next="Tell"
    )
    tell = a_pass(Output=["{% $states.input %}", "{% $woken_by %}"])
    execution = bench.run({"Ask": state, "Tell": tell}, seconds=60)
    assert execution.status == "RUNNING"
    bench.sfn("SendTaskSuccess", taskToken=bench.tokens[0], output='{"by": "alarm"}')
    bench.world.run_for(0)
    assert output(execution) == [{"by": "alarm"}, "alarm"]
    assert types(execution)[:7] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
        "TaskStateExited",
    ]


def test_the_result_of_the_call_itself_is_only_in_the_history(bench: Bench) -> None:
    execution = bench.run({"Ask": wait_for_token()})
    submitted = bench.history(execution)[4]
    assert submitted["type"] == "TaskSubmitted"
    assert '"StatusCode":200' in submitted["taskSubmittedEventDetails"]["output"]


def test_a_failure_sent_to_a_token_fails_the_task(bench: Bench) -> None:
    rule = {"ErrorEquals": ["Superseded"], "Next": "Done"}
    execution = bench.run({"Ask": wait_for_token(Catch=[rule]), "Done": END})
    bench.sfn(
        "SendTaskFailure", taskToken=bench.tokens[0], error="Superseded", cause="a newer snapshot"
    )
    bench.world.run_for(0)
    assert output(execution) == {"Error": "Superseded", "Cause": "a newer snapshot"}
    assert "TaskFailed" in types(execution)


def test_a_failure_without_a_name_matches_only_the_wildcards(bench: Bench) -> None:
    rules = [
        {"ErrorEquals": ["Superseded"], "Next": "Stop"},
        {"ErrorEquals": ["States.TaskFailed"], "Next": "Done"},
    ]
    states = {"Ask": wait_for_token(Catch=rules), "Done": END, "Stop": {"Type": "Fail"}}
    execution = bench.run(states)
    bench.sfn("SendTaskFailure", taskToken=bench.tokens[0])
    bench.world.run_for(0)
    assert output(execution) == {"Error": "", "Cause": ""}


def test_an_answer_in_time_leaves_the_timeout_without_effect(bench: Bench) -> None:
    rest = {"Type": "Wait", "Seconds": 100, "End": True}
    execution = bench.run(
        {"Ask": wait_for_token(TimeoutSeconds=60, Next="Rest"), "Rest": rest}, seconds=59
    )
    bench.sfn("SendTaskSuccess", taskToken=bench.tokens[0], output="{}")
    bench.world.run_for(200)
    assert execution.status == "SUCCEEDED"
    assert "TaskTimedOut" not in types(execution)


def test_a_function_may_answer_its_own_token_before_it_returns(bench: Bench) -> None:
    def at_once(event: dict[str, Any]) -> None:
        bench.sfn("SendTaskSuccess", taskToken=event["token"], output='"at once"')

    bench.function("ask", at_once)
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=60)})
    assert output(execution) == "at once"
    assert types(execution)[4:6] == ["TaskSubmitted", "TaskSucceeded"]


def test_an_answer_counts_even_if_the_function_fails_after_it(bench: Bench) -> None:
    def answer_and_die(event: dict[str, Any]) -> None:
        bench.sfn("SendTaskSuccess", taskToken=event["token"], output="1")
        raise ValueError

    bench.function("ask", answer_and_die)
    assert output(bench.run({"Ask": wait_for_token()})) == 1


def test_a_function_that_fails_takes_its_token_with_it(bench: Bench) -> None:
    def keep_and_die(event: dict[str, Any]) -> None:
        bench.tokens.append(event["token"])
        raise ValueError

    bench.function("ask", keep_and_die)
    execution = bench.run({"Ask": wait_for_token()})
    assert execution.error == "ValueError"
    assert code_of(bench, "SendTaskSuccess", bench.tokens[0], output="{}") == "TaskTimedOut"


def test_every_attempt_has_a_token_of_its_own_and_the_old_one_is_dead(bench: Bench) -> None:
    rule = {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=10, Retry=[rule])}, seconds=15)
    first, second = bench.tokens
    assert code_of(bench, "SendTaskSuccess", first, output="1") == "TaskTimedOut"
    bench.sfn("SendTaskSuccess", taskToken=second, output="2")
    bench.world.run_for(0)
    assert output(execution) == 2


def test_a_token_can_be_answered_once(bench: Bench) -> None:
    bench.run({"Ask": wait_for_token()})
    bench.sfn("SendTaskSuccess", taskToken=bench.tokens[0], output="1")
    for operation, params in (
        ("SendTaskSuccess", {"output": "2"}),
        ("SendTaskFailure", {}),
        ("SendTaskHeartbeat", {}),
    ):
        assert code_of(bench, operation, bench.tokens[0], **params) == "TaskTimedOut"


def test_a_second_answer_from_within_the_function_is_late_too(bench: Bench) -> None:
    codes: list[str] = []

    def twice(event: dict[str, Any]) -> None:
        bench.sfn("SendTaskSuccess", taskToken=event["token"], output="1")
        codes.append(code_of(bench, "SendTaskSuccess", event["token"], output="2"))

    bench.function("ask", twice)
    assert output(bench.run({"Ask": wait_for_token()})) == 1
    assert codes == ["TaskTimedOut"]


def test_an_unknown_token_and_a_string_that_was_never_one_are_told_apart(bench: Bench) -> None:
    bench.run({"Ask": wait_for_token()})
    unknown = bench.tokens[0][:-3] + "abc"
    assert code_of(bench, "SendTaskSuccess", unknown, output="{}") == "TaskDoesNotExist"
    assert code_of(bench, "SendTaskSuccess", "nonsense", output="{}") == "InvalidToken"


def test_an_output_must_be_json_and_small_enough(bench: Bench) -> None:
    execution = bench.run({"Ask": wait_for_token()})
    (token,) = bench.tokens
    assert code_of(bench, "SendTaskSuccess", token, output="{") == "InvalidOutput"
    big = f'"{"x" * 262_143}"'
    assert code_of(bench, "SendTaskSuccess", token, output=big) == "ValidationException"
    assert execution.status == "RUNNING"


def test_tokens_are_long_and_repeat_with_the_seed(bench: Bench) -> None:
    bench.run({"Ask": wait_for_token()})
    other = Bench()
    other.keep_tokens()
    other.run({"Ask": wait_for_token()})
    assert bench.tokens == other.tokens
    assert 500 < len(bench.tokens[0]) <= 2048


# -- heartbeats ------------------------------------------------------------------------------------


def test_a_task_whose_heart_stops_times_out(bench: Bench) -> None:
    state = wait_for_token(TimeoutSeconds=600, HeartbeatSeconds=30)
    execution = bench.run({"Ask": state}, seconds=31)
    assert execution.error == "States.Timeout"
    assert types(execution)[-2] == "TaskTimedOut"


def test_a_heartbeat_starts_its_clock_anew_and_leaves_no_trace(bench: Bench) -> None:
    state = wait_for_token(TimeoutSeconds=600, HeartbeatSeconds=30)
    execution = bench.run({"Ask": state}, seconds=25)
    events = len(execution.history)
    bench.sfn("SendTaskHeartbeat", taskToken=bench.tokens[0])
    bench.world.run_for(29)
    assert execution.status == "RUNNING"
    assert len(execution.history) == events
    bench.world.run_for(2)
    assert execution.error == "States.Timeout"


def test_heartbeats_do_not_move_the_timeout(bench: Bench) -> None:
    state = wait_for_token(TimeoutSeconds=60, HeartbeatSeconds=30)
    execution = bench.run({"Ask": state})
    for _ in range(2):
        bench.world.run_for(25)
        bench.sfn("SendTaskHeartbeat", taskToken=bench.tokens[0])
    bench.world.run_for(11)
    assert execution.error == "States.Timeout"


@pytest.mark.parametrize("name", ["States.HeartbeatTimeout", "States.Timeout", "States.ALL"])
def test_a_stopped_heart_is_caught_under_either_name(bench: Bench, name: str) -> None:
    rule = {"ErrorEquals": [name], "Next": "Done"}
    state = wait_for_token(HeartbeatSeconds=30, Catch=[rule])
    assert bench.run({"Ask": state, "Done": END}, seconds=31).status == "SUCCEEDED"


def test_a_timeout_is_no_heartbeat_timeout(bench: Bench) -> None:
    rule = {"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "Done"}
    state = wait_for_token(TimeoutSeconds=30, Catch=[rule])
    assert bench.run({"Ask": state, "Done": END}, seconds=31).status == "FAILED"


def test_a_heartbeat_without_heartbeat_seconds_is_accepted(bench: Bench) -> None:
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=60)})
    bench.sfn("SendTaskHeartbeat", taskToken=bench.tokens[0])
    bench.world.run_for(61)
    assert execution.error == "States.Timeout"


# -- closed executions -----------------------------------------------------------------------------


def test_stopping_an_execution_kills_its_token(bench: Bench) -> None:
    execution = bench.run({"Ask": wait_for_token()})
    bench.sfn("StopExecution", executionArn=execution.arn)
    assert code_of(bench, "SendTaskSuccess", bench.tokens[0], output="{}") == "TaskTimedOut"
    bench.world.run_for(10)
    assert execution.status == "ABORTED"


def test_an_execution_that_its_own_function_stops_before_it_fails_stays_stopped(
    bench: Bench,
) -> None:
    def stop(_: Any) -> None:
        bench.sfn("StopExecution", executionArn=bench.world.states.executions()[0].arn)
        raise RuntimeError("too late")

    bench.function("work", stop)
    execution = bench.run({"Call": task(Next="Done"), "Done": END})
    assert execution.status == "ABORTED"
    assert types(execution)[-1] == "ExecutionAborted"


def test_an_execution_that_its_own_function_stops_stays_stopped(bench: Bench) -> None:
    def stop(_: Any) -> str:
        bench.sfn("StopExecution", executionArn=bench.world.states.executions()[0].arn)
        return "too late"

    bench.function("work", stop)
    execution = bench.run({"Call": task(Next="Done"), "Done": END})
    assert execution.status == "ABORTED"
    assert types(execution)[-1] == "ExecutionAborted"
