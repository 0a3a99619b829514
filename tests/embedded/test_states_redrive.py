"""RedriveExecution: who may be redriven, where it goes on, and what it still knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from tests.embedded.machines import (
    Bench,
    a_pass,
    definition,
    output,
    task,
    types,
    wait_for_token,
)

END = {"Type": "Succeed"}
DAY = 86_400


class BrokenError(Exception):
    """What the function raises until it is repaired."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def broken(bench: Bench, name: str = "work") -> Callable[[], None]:
    """Deploy a function that fails until the returned repair is called."""
    state = {"broken": True, "calls": 0}

    def handler(event: Any) -> Any:
        state["calls"] += 1
        if state["broken"]:
            raise BrokenError(f"call {state['calls']}")
        return event

    def repair() -> None:
        state["broken"] = False

    bench.function(name, handler)
    return repair


def redrive(bench: Bench, execution: Execution, **params: Any) -> Any:
    reply = bench.sfn("RedriveExecution", executionArn=execution.arn, **params)
    return reply["redriveDate"]


def refusal(bench: Bench, execution: Execution) -> str:
    with pytest.raises(AwsError) as refused:
        redrive(bench, execution)
    assert refused.value.code == "ExecutionNotRedrivable"
    described = bench.describe(execution)
    assert described["redriveStatus"] == "NOT_REDRIVABLE"
    reason: str = described["redriveStatusReason"]
    assert reason in refused.value.message
    return reason


# -- where it goes on ------------------------------------------------------------------------------


def test_a_redriven_execution_goes_on_at_the_task_that_failed(bench: Bench) -> None:
    repair = broken(bench)
    states = {
        "Count": a_pass(Assign={"n": "{% $states.input.n + 1 %}"}, Output={"own": 1}, Next="Call"),
        "Call": task(
            payload={"input": "{% $states.input %}", "n": "{% $n %}"},
            Assign={"n": "{% $n + 1 %}"},
            Output="{% $states.result.Payload %}",
            Next="Tell",
        ),
        "Tell": a_pass(Output=["{% $states.input %}", "{% $n %}"]),
    }
    execution = bench.run(states, {"n": 1}, seconds=60)
    assert execution.status == "FAILED"
    repair()
    redrive(bench, execution)
    bench.world.run_for(0)
    assert output(execution) == [{"input": {"own": 1}, "n": 2}, 3]
    assert types(execution)[5:] == [
        "TaskStarted",
        "TaskFailed",
        "ExecutionFailed",
        "ExecutionRedriven",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "PassStateEntered",
        "PassStateExited",
        "ExecutionSucceeded",
    ]
    assert types(execution).count("TaskStateEntered") == 1


def test_the_definition_is_the_one_the_execution_started_with(bench: Bench) -> None:
    repair = broken(bench)
    execution = bench.run({"Call": task(Output="old")})
    repair()
    bench.sfn(
        "UpdateStateMachine",
        stateMachineArn=execution.machine.arn,
        definition=definition({"Other": a_pass(Output="new")}),
    )
    redrive(bench, execution)
    bench.world.run_for(0)
    assert output(execution) == "old"


def test_retries_count_anew_after_a_redrive(bench: Bench) -> None:
    broken(bench)
    rule = {"ErrorEquals": ["BrokenError"], "MaxAttempts": 2, "BackoffRate": 1}
    execution = bench.run({"Call": task(Retry=[rule])}, seconds=10)
    assert types(execution).count("TaskScheduled") == 3
    redrive(bench, execution)
    bench.world.run_for(10)
    assert types(execution).count("TaskScheduled") == 6
    assert execution.status == "FAILED"


def test_an_execution_stopped_between_two_attempts_calls_at_once(bench: Bench) -> None:
    repair = broken(bench)
    rule = {"ErrorEquals": ["BrokenError"], "IntervalSeconds": 600}
    execution = bench.run({"Call": task(Retry=[rule])}, seconds=10)
    bench.sfn("StopExecution", executionArn=execution.arn)
    repair()
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.status == "SUCCEEDED"


def test_a_task_s_timeout_starts_anew_with_a_new_token(bench: Bench) -> None:
    bench.keep_tokens()
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=60)}, seconds=100)
    redrive(bench, execution)
    bench.world.run_for(59)
    assert execution.status == "RUNNING"
    old, new = bench.tokens
    with pytest.raises(AwsError, match="TaskTimedOut"):
        bench.sfn("SendTaskSuccess", taskToken=old, output="{}")
    bench.sfn("SendTaskSuccess", taskToken=new, output="{}")
    bench.world.run_for(0)
    assert execution.status == "SUCCEEDED"


def test_the_state_machine_s_timeout_starts_anew(bench: Bench) -> None:
    bench.keep_tokens()
    execution = bench.run({"Ask": wait_for_token()}, TimeoutSeconds=100, seconds=100)
    assert execution.status == "TIMED_OUT"
    redrive(bench, execution)
    bench.world.run_for(99)
    assert execution.status == "RUNNING"
    bench.world.run_for(1)
    assert execution.status == "TIMED_OUT"


def test_the_year_does_not_start_anew(bench: Bench) -> None:
    bench.keep_tokens()
    execution = bench.run({"Ask": wait_for_token()}, seconds=360 * DAY)
    bench.sfn("StopExecution", executionArn=execution.arn)
    redrive(bench, execution)
    bench.world.run_for(5 * DAY + 1)
    assert execution.status == "TIMED_OUT"


def test_a_fail_state_is_entered_again_and_fails_again(bench: Bench) -> None:
    execution = bench.run({"Stop": {"Type": "Fail", "Error": "RolledBack", "Cause": "5xx"}})
    redrive(bench, execution)
    bench.world.run_for(0)
    assert (execution.status, execution.error, execution.cause) == ("FAILED", "RolledBack", "5xx")
    assert types(execution) == [
        "ExecutionStarted",
        "FailStateEntered",
        "ExecutionFailed",
        "ExecutionRedriven",
        "FailStateEntered",
        "ExecutionFailed",
    ]


def test_a_choice_is_evaluated_again(bench: Bench) -> None:
    choice = {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $millis() > $toMillis($states.input.t) %}", "Next": "Done"}],
    }
    execution = bench.run({"Choose": choice, "Done": END}, {"t": "2026-01-05T09:00:30Z"})
    assert execution.error == "States.NoChoiceMatched"
    bench.world.run_for(60)
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.status == "SUCCEEDED"
    assert types(execution).count("ChoiceStateEntered") == 1


def test_a_wait_until_what_has_passed_is_left_at_once(bench: Bench) -> None:
    rest = {"Type": "Wait", "Timestamp": "2026-01-05T09:10:00Z", "End": True}
    execution = bench.run({"Rest": rest}, seconds=10)
    bench.sfn("StopExecution", executionArn=execution.arn)
    bench.world.run_for(1000)
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.status == "SUCCEEDED"


def test_a_wait_of_some_seconds_is_waited_for_in_full(bench: Bench) -> None:
    execution = bench.run({"Rest": {"Type": "Wait", "Seconds": 100, "End": True}}, seconds=90)
    bench.sfn("StopExecution", executionArn=execution.arn)
    redrive(bench, execution)
    bench.world.run_for(99)
    assert execution.status == "RUNNING"
    bench.world.run_for(1)
    assert execution.status == "SUCCEEDED"


def test_a_state_that_was_not_entered_yet_is_entered(bench: Bench) -> None:
    execution = bench.start({"A": a_pass(Next="B"), "B": a_pass(Output="b")})
    bench.world.step()
    bench.sfn("StopExecution", executionArn=execution.arn)
    redrive(bench, execution)
    bench.world.run_for(0)
    assert output(execution) == "b"
    assert types(execution)[-3:] == ["PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_what_was_caught_is_not_where_a_redrive_goes_on(bench: Bench) -> None:
    repair = broken(bench)
    rule = {"ErrorEquals": ["States.ALL"], "Next": "Stop"}
    execution = bench.run({"Call": task(Catch=[rule]), "Stop": {"Type": "Fail", "Error": "Caught"}})
    repair()
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.error == "Caught"


def test_a_redriven_execution_knows_that_it_was(bench: Bench) -> None:
    repair = broken(bench)
    context = "{% $states.context.Execution %}"
    execution = bench.run({"Call": task(Next="Tell"), "Tell": a_pass(Output=context)})
    bench.world.run_for(60)
    repair()
    redrive(bench, execution)
    bench.world.run_for(0)
    told = output(execution)
    assert told["RedriveCount"] == 1
    assert told["RedriveTime"] == "2026-01-05T09:01:00.000Z"
    assert told["StartTime"] == "2026-01-05T09:00:00.000Z"


def test_describe_tells_of_the_redrive_and_no_longer_of_the_error(bench: Bench) -> None:
    broken(bench)
    bench.keep_tokens()
    execution = bench.run({"Call": task()})
    assert bench.describe(execution)["error"] == "BrokenError"
    assert bench.describe(execution)["redriveStatus"] == "REDRIVABLE"
    when = redrive(bench, execution)
    described = bench.describe(execution)
    assert described["status"] == "RUNNING"
    assert described["redriveCount"] == 1
    assert described["redriveDate"] == when == bench.world.clock.now()
    assert not {"error", "cause", "stopDate"} & set(described)


def test_a_redrive_is_billed_as_a_transition(bench: Bench) -> None:
    repair = broken(bench)
    execution = bench.run({"Call": task()})
    before = execution.transitions
    repair()
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.transitions == before + 1


def test_an_execution_can_be_redriven_many_times(bench: Bench) -> None:
    repair = broken(bench)
    execution = bench.run({"Call": task()})
    for count in range(1, 4):
        redrive(bench, execution)
        bench.world.run_for(0)
        assert (execution.status, execution.redrive_count) == ("FAILED", count)
    repair()
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.status == "SUCCEEDED"


# -- who may be redriven ---------------------------------------------------------------------------


def test_a_running_execution_is_not_redrivable(bench: Bench) -> None:
    execution = bench.run({"Rest": {"Type": "Wait", "Seconds": 9, "End": True}})
    assert refusal(bench, execution) == "Execution is RUNNING and cannot be redriven."


def test_a_succeeded_execution_is_not_redrivable(bench: Bench) -> None:
    execution = bench.run({"Done": END})
    assert refusal(bench, execution) == "Execution is SUCCEEDED and cannot be redriven."


def test_an_execution_is_redrivable_for_fourteen_days(bench: Bench) -> None:
    broken(bench)
    execution = bench.run({"Call": task()}, seconds=14 * DAY)
    redrive(bench, execution)
    bench.world.run_for(14 * DAY + 1)
    assert refusal(bench, execution) == "Execution redrivable period exceeded."


def test_an_execution_with_a_full_history_is_not_redrivable(bench: Bench) -> None:
    again = {
        "Type": "Choice",
        "Choices": [{"Condition": False, "Next": "Done"}],
        "Default": "Again",
    }
    execution = bench.run({"Again": again, "Done": END})
    assert refusal(bench, execution) == "Execution history event limit exceeded."


def test_an_execution_older_than_a_year_is_not_redrivable(bench: Bench) -> None:
    bench.keep_tokens()
    execution = bench.run({"Ask": wait_for_token()}, seconds=365 * DAY)
    assert execution.status == "TIMED_OUT"
    bench.world.run_for(1)
    assert refusal(bench, execution) == "Execution has exceeded the max execution time."


def test_executions_of_a_state_machine_that_is_gone_are_not_redrivable(bench: Bench) -> None:
    broken(bench)
    execution = bench.run({"Call": task()})
    bench.sfn("DeleteStateMachine", stateMachineArn=execution.machine.arn)
    assert refusal(bench, execution) == "State machine is in DELETING status."


# -- the client token ------------------------------------------------------------------------------


def test_the_same_client_token_redrives_once(bench: Bench) -> None:
    broken(bench)
    execution = bench.run({"Call": task()})
    first = redrive(bench, execution, clientToken="a")
    bench.world.run_for(60)
    assert execution.status == "FAILED"
    assert redrive(bench, execution, clientToken="a") == first
    assert execution.redrive_count == 1
    redrive(bench, execution, clientToken="b")
    assert execution.redrive_count == 2


def test_a_client_token_answers_while_the_redriven_execution_runs(bench: Bench) -> None:
    bench.keep_tokens()
    execution = bench.run({"Ask": wait_for_token(TimeoutSeconds=60)}, seconds=61)
    first = redrive(bench, execution, clientToken="a")
    bench.world.run_for(5)
    assert redrive(bench, execution, clientToken="a") == first


def test_a_client_token_is_forgotten_after_a_quarter_of_an_hour(bench: Bench) -> None:
    broken(bench)
    execution = bench.run({"Call": task()})
    redrive(bench, execution, clientToken="a")
    bench.world.run_for(15 * 60 + 1)
    redrive(bench, execution, clientToken="a")
    assert execution.redrive_count == 2


def test_only_the_last_ten_client_tokens_are_remembered(bench: Bench) -> None:
    broken(bench)
    execution = bench.run({"Call": task()})
    for number in range(11):
        redrive(bench, execution, clientToken=str(number))
        bench.world.run_for(1)
    redrive(bench, execution, clientToken="10")
    assert execution.redrive_count == 11
    redrive(bench, execution, clientToken="0")
    assert execution.redrive_count == 12


def test_the_stop_date_of_a_redriven_execution_is_its_last(bench: Bench) -> None:
    broken(bench)
    execution = bench.run({"Call": task()}, seconds=60)
    redrive(bench, execution)
    bench.world.run_for(0)
    assert execution.stopped_at == execution.started_at + timedelta(seconds=60)
