"""What Task states call: Lambda, EventBridge and AWS SDK operations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.faults import Call
from tests.embedded.machines import Bench, a_pass, output, task

END = {"Type": "Succeed"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def sdk(what: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{what}",
        "Arguments": arguments,
        **({} if "Next" in more else {"End": True}),
        **more,
    }


def put_events(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::events:putEvents",
        "Arguments": {"Entries": list(entries)},
        "End": True,
        **more,
    }


# -- Lambda ----------------------------------------------------------------------------------------


def test_the_result_of_an_invocation_is_what_aws_gives(bench: Bench) -> None:
    bench.function("work", lambda event: {"got": event})
    result = output(bench.run({"Call": task(payload={"n": 1})}))
    assert result["Payload"] == {"got": {"n": 1}}
    assert result["StatusCode"] == 200
    assert result["ExecutedVersion"] == "$LATEST"
    assert result["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert result["SdkResponseMetadata"]["RequestId"]


def test_a_slow_function_is_waited_for(bench: Bench) -> None:
    bench.function("work", lambda _: "done", takes_seconds=20)
    execution = bench.run({"Call": task(Output="{% $states.result.Payload %}")}, seconds=19)
    assert execution.running

    bench.world.run_for(1)

    assert output(execution) == "done"


def test_a_slow_function_fails_when_it_is_done_and_not_before(bench: Bench) -> None:
    bench.function("work", lambda _: 1 / 0, takes_seconds=20)
    execution = bench.run({"Call": task()}, seconds=19)
    assert execution.running

    bench.world.run_for(1)

    assert execution.error == "ZeroDivisionError"


def test_a_task_does_not_wait_for_a_function_past_its_own_timeout(bench: Bench) -> None:
    bench.function("work", lambda _: "done", takes_seconds=20)
    caught = {"ErrorEquals": ["States.Timeout"], "Next": "Late"}
    states = {"Call": task(TimeoutSeconds=5, Catch=[caught]), "Late": a_pass()}

    execution = bench.run(states, seconds=5)

    assert execution.status == "SUCCEEDED"
    assert "TaskTimedOut" in [event["type"] for event in bench.history(execution)]


def test_a_function_that_takes_as_long_as_its_timeout_is_stopped(bench: Bench) -> None:
    did = list[str]()
    bench.function("work", lambda _: did.append("it"), takes_seconds=60)

    execution = bench.run({"Call": task()}, seconds=60)

    assert execution.error == "Sandbox.Timedout"
    assert "Task timed out after 60.00 seconds" in (execution.cause or "")
    assert did == ["it"], "what it did is done all the same"


def test_a_stopped_execution_hears_nothing_of_a_function_that_still_runs(bench: Bench) -> None:
    bench.function("work", lambda _: "done", takes_seconds=20)
    execution = bench.run({"Call": task()}, seconds=5)

    bench.sfn("StopExecution", executionArn=execution.arn)
    bench.world.run_for(60)

    assert execution.status == "ABORTED"


def test_a_function_is_found_by_name_and_by_arn(bench: Bench) -> None:
    bench.function("work", lambda _: "here")
    for name in ("work", bench.world.awslambda.arn_of("work")):
        other = Bench()
        other.function("work", lambda _: "here")
        execution = other.run({"Call": task(name, Output="{% $states.result.Payload %}")})
        assert output(execution) == "here"


def test_no_payload_is_an_empty_object(bench: Bench) -> None:
    bench.function("work", lambda event: event)
    state = task(Arguments={"FunctionName": "work"}, Output="{% $states.result.Payload %}")
    assert output(bench.run({"Call": state})) == {}


def test_the_history_names_the_integration_and_keeps_the_arguments(bench: Bench) -> None:
    bench.function("work", lambda _: None)
    execution = bench.run({"Call": task(payload={"n": 1}, TimeoutSeconds=60)})
    assert bench.history(execution)[2]["taskScheduledEventDetails"] == {
        "resourceType": "lambda",
        "resource": "invoke",
        "region": "us-east-1",
        "parameters": '{"FunctionName":"work","Payload":{"n":1}}',
        "timeoutInSeconds": 60,
    }


# -- EventBridge -----------------------------------------------------------------------------------


def test_an_event_names_the_execution_among_its_resources(bench: Bench) -> None:
    entry = {
        "Source": "snaproll",
        "DetailType": "Release Live",
        "Detail": {"fleet": "{% $states.input.fleet %}"},
        "Resources": ["arn:aws:ec2:us-east-1::snapshot/snap-1"],
    }
    execution = bench.run({"Tell": put_events(entry)}, {"fleet": "sec"})
    result = output(execution)
    assert result["FailedEntryCount"] == 0
    assert result["Entries"][0]["EventId"]
    (call,) = [call for call in bench.world.calls if call.operation == "PutEvents"]
    (sent,) = call.params["Entries"]
    assert json.loads(sent["Detail"]) == {"fleet": "sec"}
    assert sent["Resources"] == [
        "arn:aws:ec2:us-east-1::snapshot/snap-1",
        execution.arn,
        execution.machine.arn,
    ]


def test_a_detail_that_is_a_string_stays_one(bench: Bench) -> None:
    entry = {"Source": "snaproll", "DetailType": "x", "Detail": '{"a": 1}'}
    bench.run({"Tell": put_events(entry)})
    (call,) = [call for call in bench.world.calls if call.operation == "PutEvents"]
    assert call.params["Entries"][0]["Detail"] == '{"a": 1}'


def test_one_failed_entry_fails_the_task(bench: Bench) -> None:
    good = {"Source": "snaproll", "DetailType": "x", "Detail": {}}
    bad = good | {"Detail": "no json"}
    rule = {"ErrorEquals": ["EventBridge.FailedEntry"], "Next": "Done"}
    execution = bench.run({"Tell": put_events(good, bad, Catch=[rule]), "Done": END})
    assert output(execution)["Error"] == "EventBridge.FailedEntry"
    assert json.loads(output(execution)["Cause"])["FailedEntryCount"] == 1


def test_a_refused_put_events_fails_the_task(bench: Bench) -> None:
    def refuse(call: Call) -> None:
        if call.operation == "PutEvents":
            raise AwsError("InternalException", "try again", http_status=500)

    bench.world.faults.before_effect(refuse)
    entry = {"Source": "snaproll", "DetailType": "x", "Detail": {}}
    assert bench.run({"Tell": put_events(entry)}).error == "EventBridge.InternalException"


# -- the SDK ---------------------------------------------------------------------------------------


def test_an_sdk_call_reaches_the_service(bench: Bench) -> None:
    bench.world.call("ssm", "PutParameter", {"Name": "/x", "Value": "1", "Type": "String"})
    execution = bench.run(
        {"Read": sdk("ssm:getParameter", {"Name": "{% $states.input.name %}"})}, {"name": "/x"}
    )
    parameter = output(execution)["Parameter"]
    assert parameter["Value"] == "1"
    assert parameter["LastModifiedDate"] == "2026-01-05T09:00:00.000Z"
    assert bench.world.calls[-1].caller == "states:machine"


def test_a_modelled_error_has_the_name_of_its_exception_class(bench: Bench) -> None:
    execution = bench.run({"Read": sdk("ssm:getParameter", {"Name": "/x"})})
    assert execution.error == "Ssm.ParameterNotFoundException"
    assert "(Service: Ssm, Status Code: 400)" in (execution.cause or "")


def test_an_unmodelled_error_has_the_name_of_the_service(bench: Bench) -> None:
    arguments = {"SnapshotIds": ["snap-0123456789abcdef0"]}
    execution = bench.run({"Read": sdk("ec2:describeSnapshots", arguments)})
    assert execution.error == "Ec2.Ec2Exception"


def test_a_fault_in_a_wire_code_is_told_by_its_class(bench: Bench) -> None:
    def refuse(call: Call) -> None:
        if call.service == "autoscaling":
            raise AwsError("InstanceRefreshInProgress", "one at a time")

    bench.world.faults.before_effect(refuse)
    state = sdk("autoscaling:startInstanceRefresh", {"AutoScalingGroupName": "g"})
    assert bench.run({"Start": state}).error == "AutoScaling.InstanceRefreshInProgressException"


def test_members_are_in_pascal_case_whatever_the_service_s_own(bench: Bench) -> None:
    machine = bench.define({"Done": END}, name="other")
    execution = bench.run(
        {
            "Start": sdk(
                "sfn:startExecution",
                {"StateMachineArn": machine, "Name": "one", "Input": "{}"},
                Output="{% $states.result %}",
            )
        }
    )
    assert output(execution) == {
        "ExecutionArn": bench.world.arn("states", "execution:other:one"),
        "StartDate": "2026-01-05T09:00:00.000Z",
    }


def test_arguments_of_the_wrong_type_cannot_even_be_caught(bench: Bench) -> None:
    rule = {"ErrorEquals": ["States.ALL"], "Next": "Done"}
    state = sdk("ssm:getParameter", {"Name": "{% 5 %}"}, Catch=[rule])
    execution = bench.run({"Read": state, "Done": END})
    assert execution.error == "States.Runtime"


def test_an_operation_that_the_world_does_not_model_says_so(bench: Bench) -> None:
    bench.start({"Read": sdk("ssm:listCommands", {})})
    with pytest.raises(NotEmulatedError):
        bench.world.run_for(0)


def test_a_token_can_be_answered_by_another_execution(bench: Bench) -> None:
    bench.keep_tokens()
    waiting = bench.run(
        {
            "Ask": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Arguments": {
                    "FunctionName": "ask",
                    "Payload": {"token": "{% $states.context.Task.Token %}"},
                },
                "Next": "Tell",
            },
            "Tell": a_pass(),
        }
    )
    answer = sdk("sfn:sendTaskSuccess", {"TaskToken": bench.tokens[0], "Output": "7"})
    answering = bench.run({"Answer": answer}, name="answering")
    assert output(answering) == {}
    assert output(waiting) == 7
