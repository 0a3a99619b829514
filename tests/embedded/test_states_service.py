"""The API of Step Functions: state machines, executions, names, pages and events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel, StringShape
from botocore.validate import ParamValidator

from embedded.world.errors import AwsError, NotEmulatedError
from tests.embedded.machines import (
    ROLE,
    Bench,
    States,
    a_pass,
    definition,
    output,
    task,
    wait_for_token,
)

END = {"Done": {"Type": "Succeed"}}
REST = {"Rest": {"Type": "Wait", "Seconds": 100, "End": True}}
DAY = 86_400


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(bench: Bench, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as error:
        bench.sfn(operation, **params)
    return error.value.code


# -- replies ---------------------------------------------------------------------------------------


def test_every_reply_has_botocore_s_shape(bench: Bench) -> None:
    model = ServiceModel(Loader().load_service_model("stepfunctions", "service-2"))
    bench.keep_tokens()
    bench.function("work", lambda _: 1 / 0)
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Shape"}]
    states = {
        "Ask": wait_for_token(TimeoutSeconds=60, HeartbeatSeconds=30, Catch=catch, Next="Call"),
        "Shape": a_pass(Assign={"a": 1}, Next="Rest"),
        "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Call"},
        "Call": task(
            Output="{% $states.result.absent %}",
            Catch=[{"ErrorEquals": ["States.Timeout"], "Next": "Rest"}],
            Next="Choose",
        ),
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Condition": True, "Next": "Done"}],
            "Default": "Stop",
        },
        "Done": {"Type": "Succeed"},
        "Stop": {"Type": "Fail", "Error": "E", "Cause": "C"},
    }
    arn = bench.define(states)
    execution = bench.world.states.start(arn, "one", {})
    bench.world.run_for(100)
    bench.sfn("RedriveExecution", executionArn=execution.arn, clientToken="a")
    bench.function("work", lambda _: 1)
    bench.world.run_for(1)
    bench.sfn("TagResource", resourceArn=arn, tags=[{"key": "a", "value": "b"}])
    for operation, params in (
        ("CreateStateMachine", {"name": "new", "definition": definition(END), "roleArn": ROLE}),
        ("UpdateStateMachine", {"stateMachineArn": arn, "roleArn": ROLE}),
        ("DescribeStateMachine", {"stateMachineArn": arn}),
        ("ListStateMachines", {}),
        ("DescribeStateMachineForExecution", {"executionArn": execution.arn}),
        ("StartExecution", {"stateMachineArn": arn}),
        ("DescribeExecution", {"executionArn": execution.arn}),
        ("ListExecutions", {"stateMachineArn": arn}),
        ("GetExecutionHistory", {"executionArn": execution.arn}),
        ("GetExecutionHistory", {"executionArn": execution.arn, "includeExecutionData": False}),
        ("StopExecution", {"executionArn": execution.arn}),
        ("ListTagsForResource", {"resourceArn": arn}),
        ("UntagResource", {"resourceArn": arn, "tagKeys": ["a"]}),
        ("DeleteStateMachine", {"stateMachineArn": arn}),
    ):
        reply = bench.sfn(operation, **params)
        shape = model.operation_model(operation).output_shape
        assert shape is not None
        report = ParamValidator().validate(reply, shape)
        assert not report.has_errors(), (operation, report.generate_report())


def test_every_event_type_is_one_that_botocore_knows(bench: Bench) -> None:
    model = ServiceModel(Loader().load_service_model("stepfunctions", "service-2"))
    bench.function("work", lambda _: 1)
    execution = bench.run({"Call": task(Next="Done"), **END})
    known = model.shape_for("HistoryEventType")
    assert isinstance(known, StringShape)
    assert {event["type"] for event in bench.history(execution)} <= set(known.enum)


def test_a_reply_is_built_afresh(bench: Bench) -> None:
    execution = bench.run({"Shape": a_pass(Assign={"a": 1})})
    bench.history(execution)[2]["stateExitedEventDetails"]["assignedVariables"]["a"] = "spoiled"
    again = bench.history(execution)[2]["stateExitedEventDetails"]
    assert again["assignedVariables"] == {"a": "1"}


# -- state machines --------------------------------------------------------------------------------


def test_a_definition_is_checked_when_it_is_created_and_when_it_is_updated(bench: Bench) -> None:
    bad = definition({"A": a_pass(Next="Nowhere")})
    create = {"name": "m", "definition": bad, "roleArn": ROLE}
    assert refused(bench, "CreateStateMachine", **create) == "InvalidDefinition"
    arn = bench.define(END)
    update = {"stateMachineArn": arn, "definition": bad}
    assert refused(bench, "UpdateStateMachine", **update) == "InvalidDefinition"


def test_creating_twice_is_the_same_unless_the_definition_differs(bench: Bench) -> None:
    arn = bench.define(END)
    assert bench.define(END) == arn
    create = {"name": "machine", "definition": definition(REST), "roleArn": ROLE}
    assert refused(bench, "CreateStateMachine", **create) == "StateMachineAlreadyExists"


@pytest.mark.parametrize("name", ["a b", "a:b", "a/b", "a*", "", "x" * 81, "a\x00"])
def test_bad_names_are_refused(bench: Bench, name: str) -> None:
    create = {"name": name, "definition": definition(END), "roleArn": ROLE}
    assert refused(bench, "CreateStateMachine", **create) == "InvalidName"
    start = {"stateMachineArn": bench.define(END), "name": name}
    assert refused(bench, "StartExecution", **start) == "InvalidName"


def test_a_running_execution_keeps_its_revision_and_a_new_one_takes_the_new(bench: Bench) -> None:
    rest: States = {
        "Rest": {"Type": "Wait", "Seconds": 9, "Next": "Tell"},
        "Tell": a_pass(Output="old"),
    }
    old = bench.start(rest)
    arn = old.machine.arn
    bench.world.run_for(1)
    reply = bench.sfn(
        "UpdateStateMachine",
        stateMachineArn=arn,
        definition=definition({"A": a_pass(Output="new")}),
    )
    new = bench.world.states.start(arn, None, {})
    bench.world.run_for(10)
    assert (output(old), output(new)) == ("old", "new")
    for execution, revision in ((old, None), (new, reply["revisionId"])):
        told = bench.sfn("DescribeStateMachineForExecution", executionArn=execution.arn)
        assert told.get("revisionId") == revision


def test_an_update_must_change_something(bench: Bench) -> None:
    update = {"stateMachineArn": bench.define(END)}
    assert refused(bench, "UpdateStateMachine", **update) == "MissingRequiredParameter"


def test_describe_tells_which_variables_a_state_refers_to(bench: Bench) -> None:
    arn = bench.define(
        {"Set": a_pass(Assign={"a": 1}, Next="Read"), "Read": a_pass(Output="{% $a %}")}
    )
    described = bench.sfn("DescribeStateMachine", stateMachineArn=arn)
    assert described["variableReferences"] == {"Read": ["a"]}
    assert described["status"] == "ACTIVE"
    assert json.loads(described["definition"])["StartAt"] == "Set"


def test_an_unknown_state_machine_is_refused(bench: Bench) -> None:
    arn = bench.world.arn("states", "stateMachine:none")
    assert refused(bench, "DescribeStateMachine", stateMachineArn=arn) == "StateMachineDoesNotExist"
    assert refused(bench, "StartExecution", stateMachineArn=arn) == "StateMachineDoesNotExist"
    assert refused(bench, "StartExecution", stateMachineArn="none") == "InvalidArn"


def test_versions_and_express_are_not_emulated(bench: Bench) -> None:
    arn = bench.define(END)
    create = {"name": "m", "definition": definition(END), "roleArn": ROLE}
    for operation, params in (
        ("StartExecution", {"stateMachineArn": f"{arn}:1"}),
        ("CreateStateMachine", create | {"type": "EXPRESS"}),
        ("CreateStateMachine", create | {"publish": True}),
        ("PublishStateMachineVersion", {"stateMachineArn": arn}),
    ):
        with pytest.raises(NotEmulatedError):
            bench.sfn(operation, **params)


def test_deleting_ends_executions_at_their_next_transition(bench: Bench) -> None:
    states: States = {"Rest": {"Type": "Wait", "Seconds": 9, "Next": "Done"}, **END}
    execution = bench.run(states, seconds=1)
    arn = execution.machine.arn
    bench.sfn("DeleteStateMachine", stateMachineArn=arn)
    assert bench.sfn("DescribeStateMachine", stateMachineArn=arn)["status"] == "DELETING"
    assert refused(bench, "StartExecution", stateMachineArn=arn) == "StateMachineDeleting"
    bench.world.run_for(10)
    assert execution.status == "ABORTED"
    assert refused(bench, "DescribeStateMachine", stateMachineArn=arn) == "StateMachineDoesNotExist"
    bench.sfn("DeleteStateMachine", stateMachineArn=arn)


def test_a_state_machine_without_executions_is_gone_at_once(bench: Bench) -> None:
    arn = bench.define(END)
    bench.sfn("DeleteStateMachine", stateMachineArn=arn)
    assert bench.sfn("ListStateMachines")["stateMachines"] == []


def test_state_machines_are_listed_by_name_in_pages(bench: Bench) -> None:
    for name in ("c", "a", "b"):
        bench.define(END, name=name)
    first = bench.sfn("ListStateMachines", maxResults=2)
    second = bench.sfn("ListStateMachines", maxResults=2, nextToken=first["nextToken"])
    assert [item["name"] for item in first["stateMachines"]] == ["a", "b"]
    assert [item["name"] for item in second["stateMachines"]] == ["c"]
    assert "nextToken" not in second


# -- starting --------------------------------------------------------------------------------------


def test_starting_a_running_execution_again_is_the_same(bench: Bench) -> None:
    arn = bench.define(REST)
    start = {"stateMachineArn": arn, "name": "one", "input": '{"n": 1}'}
    first = bench.sfn("StartExecution", **start)
    bench.world.run_for(10)
    assert bench.sfn("StartExecution", **start) == first
    assert len(bench.world.states.executions(arn)) == 1


@pytest.mark.parametrize("text", ['{"n": 2}', '{"n":1}', "{}"])
def test_another_input_under_the_same_name_is_refused(bench: Bench, text: str) -> None:
    arn = bench.define(REST)
    bench.sfn("StartExecution", stateMachineArn=arn, name="one", input='{"n": 1}')
    start = {"stateMachineArn": arn, "name": "one", "input": text}
    assert refused(bench, "StartExecution", **start) == "ExecutionAlreadyExists"


def test_the_name_of_a_closed_execution_is_taken_for_ninety_days(bench: Bench) -> None:
    arn = bench.define(END)
    start = {"stateMachineArn": arn, "name": "one"}
    bench.sfn("StartExecution", **start)
    bench.world.run_for(90 * DAY)
    assert refused(bench, "StartExecution", **start) == "ExecutionAlreadyExists"
    bench.world.run_for(1)
    bench.sfn("StartExecution", **start)


def test_a_closed_execution_is_forgotten_after_ninety_days(bench: Bench) -> None:
    execution = bench.run(END)
    bench.world.run_for(90 * DAY + 1)
    described = {"executionArn": execution.arn}
    assert refused(bench, "DescribeExecution", **described) == "ExecutionDoesNotExist"
    assert bench.world.states.executions() == []


def test_two_state_machines_may_have_executions_of_one_name(bench: Bench) -> None:
    for name in ("a", "b"):
        bench.sfn("StartExecution", stateMachineArn=bench.define(END, name=name), name="one")
    assert len(bench.world.states.executions()) == 2


def test_an_execution_without_a_name_gets_one(bench: Bench) -> None:
    arn = bench.define(END)
    arns = {bench.sfn("StartExecution", stateMachineArn=arn)["executionArn"] for _ in range(3)}
    assert len(arns) == 3


def test_no_input_is_an_empty_object(bench: Bench) -> None:
    arn = bench.define({"Tell": a_pass(Output="{% $states.input %}")})
    reply = bench.sfn("StartExecution", stateMachineArn=arn)
    bench.world.run_for(0)
    assert output(bench.world.states.execution(reply["executionArn"])) == {}


def test_an_input_must_be_json_and_small_enough(bench: Bench) -> None:
    arn = bench.define(END)
    start = {"stateMachineArn": arn, "input": "{"}
    assert refused(bench, "StartExecution", **start) == "InvalidExecutionInput"
    start["input"] = f'"{"x" * 262_143}"'
    assert refused(bench, "StartExecution", **start) == "ValidationException"
    start["input"] = f'"{"x" * 262_142}"'
    bench.sfn("StartExecution", **start)


# -- reading ---------------------------------------------------------------------------------------


def test_describe_tells_input_and_output_as_they_were_given(bench: Bench) -> None:
    arn = bench.define({"Tell": a_pass(Output={"v": None})})
    reply = bench.sfn("StartExecution", stateMachineArn=arn, name="one", input='{ "n" : 1 }')
    bench.world.run_for(0)
    described = bench.sfn("DescribeExecution", executionArn=reply["executionArn"])
    assert described["input"] == '{ "n" : 1 }'
    assert described["output"] == '{"v":null}'
    assert described["startDate"] == described["stopDate"] == bench.world.clock.now()


def test_an_unknown_execution_is_refused(bench: Bench) -> None:
    arn = bench.world.arn("states", "execution:machine:none")
    assert refused(bench, "DescribeExecution", executionArn=arn) == "ExecutionDoesNotExist"
    assert refused(bench, "DescribeExecution", executionArn="none") == "InvalidArn"


def test_executions_are_listed_newest_first_by_status_and_in_pages(bench: Bench) -> None:
    arn = bench.define(REST)
    for name in "abcde":
        bench.world.states.start(arn, name, {})
        bench.world.run_for(60)
    first = bench.sfn("ListExecutions", stateMachineArn=arn, maxResults=2)
    bench.world.states.start(arn, "f", {})
    second = bench.sfn(
        "ListExecutions", stateMachineArn=arn, maxResults=2, nextToken=first["nextToken"]
    )
    running = bench.sfn("ListExecutions", stateMachineArn=arn, statusFilter="RUNNING")
    assert [item["name"] for item in first["executions"]] == ["e", "d"]
    assert [item["name"] for item in second["executions"]] == ["c", "b"]
    assert [item["name"] for item in running["executions"]] == ["f", "e"]


def test_a_made_up_page_token_is_refused(bench: Bench) -> None:
    arn = bench.define(END)
    for token in ("nonsense", "bm9uc2Vuc2U=", "YWZ0ZXI6eA=="):
        listing = {"stateMachineArn": arn, "nextToken": token}
        assert refused(bench, "ListExecutions", **listing) == "InvalidToken"


def test_a_history_is_read_in_pages_and_backwards(bench: Bench) -> None:
    execution = bench.run({"A": a_pass(Next="B"), "B": a_pass()})
    ids: list[int] = []
    params: dict[str, Any] = {"executionArn": execution.arn, "maxResults": 4}
    while True:
        reply = bench.sfn("GetExecutionHistory", **params)
        ids += [event["id"] for event in reply["events"]]
        if "nextToken" not in reply:
            break
        params["nextToken"] = reply["nextToken"]
    assert ids == [1, 2, 3, 4, 5, 6]
    back = bench.sfn(
        "GetExecutionHistory", executionArn=execution.arn, reverseOrder=True, maxResults=2
    )
    more = bench.sfn(
        "GetExecutionHistory",
        executionArn=execution.arn,
        reverseOrder=True,
        maxResults=2,
        nextToken=back["nextToken"],
    )
    assert [event["id"] for event in back["events"] + more["events"]] == [6, 5, 4, 3]


def test_a_history_can_be_read_without_data(bench: Bench) -> None:
    bench.function("work", lambda _: "secret")
    execution = bench.run({"Call": task(payload="secret")}, "secret")
    reply = bench.sfn("GetExecutionHistory", executionArn=execution.arn, includeExecutionData=False)
    assert "secret" not in str(reply)


def test_stopping_a_closed_execution_changes_nothing(bench: Bench) -> None:
    execution = bench.run(END)
    bench.world.run_for(60)
    reply = bench.sfn("StopExecution", executionArn=execution.arn, error="Late")
    assert reply == {"stopDate": execution.started_at}
    assert execution.status == "SUCCEEDED"


def test_stopping_keeps_the_operator_s_words(bench: Bench) -> None:
    execution = bench.run(REST, seconds=10)
    bench.sfn("StopExecution", executionArn=execution.arn, error="Mistake", cause="wrong fleet")
    described = bench.describe(execution)
    assert (described["status"], described["error"], described["cause"]) == (
        "ABORTED",
        "Mistake",
        "wrong fleet",
    )
    last = bench.history(execution)[-1]
    assert last["executionAbortedEventDetails"] == {"error": "Mistake", "cause": "wrong fleet"}
    bench.world.run_for(200)
    assert execution.status == "ABORTED"


# -- tags ------------------------------------------------------------------------------------------


def test_tags_are_set_and_taken_away(bench: Bench) -> None:
    arn = bench.define(END)
    tags = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    bench.sfn("TagResource", resourceArn=arn, tags=tags)
    bench.sfn("UntagResource", resourceArn=arn, tagKeys=["a", "zz"])
    assert bench.sfn("ListTagsForResource", resourceArn=arn)["tags"] == tags[1:]
    nobody = bench.world.arn("states", "stateMachine:none")
    assert refused(bench, "ListTagsForResource", resourceArn=nobody) == "ResourceNotFound"


# -- events ----------------------------------------------------------------------------------------


def listen(bench: Bench) -> list[dict[str, Any]]:
    """Send every status change to a function, and keep what arrives."""
    seen: list[dict[str, Any]] = []
    bench.function("listen", seen.append)
    world = bench.world
    pattern = json.dumps({"source": ["aws.states"]})
    world.call("events", "PutRule", {"Name": "states", "EventPattern": pattern})
    target = {"Id": "1", "Arn": world.awslambda.arn_of("listen")}
    world.call("events", "PutTargets", {"Rule": "states", "Targets": [target]})
    world.call(
        "lambda",
        "AddPermission",
        {
            "FunctionName": "listen",
            "StatementId": "events",
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": world.arn("events", "rule/states"),
        },
    )
    return seen


def test_status_changes_are_told_to_eventbridge(bench: Bench) -> None:
    seen = listen(bench)
    states: States = {
        "Rest": {"Type": "Wait", "Seconds": 9, "Next": "Stop"},
        "Stop": {"Type": "Fail", "Error": "E", "Cause": "C"},
    }
    execution = bench.run(states, {"n": 1}, seconds=60)
    running, failed = seen
    assert running["detail-type"] == "Step Functions Execution Status Change"
    assert running["resources"] == [execution.arn]
    assert running["detail"] == {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine.arn,
        "name": execution.name,
        "status": "RUNNING",
        "startDate": 1_767_603_600_000,
        "stopDate": None,
        "input": '{"n":1}',
        "output": None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is RUNNING and cannot be redriven.",
        "inputDetails": {"included": True},
        "outputDetails": None,
        "error": None,
        "cause": None,
    }
    assert failed["detail"] | {"status": "FAILED"} == failed["detail"]
    assert (failed["detail"]["error"], failed["detail"]["cause"]) == ("E", "C")
    assert failed["detail"]["stopDate"] == 1_767_603_609_000
    assert failed["detail"]["redriveStatus"] == "REDRIVABLE"


def test_a_redrive_is_told_as_running_once_more(bench: Bench) -> None:
    seen = listen(bench)
    execution = bench.run({"Stop": {"Type": "Fail"}}, seconds=60)
    bench.sfn("RedriveExecution", executionArn=execution.arn)
    bench.world.run_for(60)
    assert [event["detail"]["status"] for event in seen] == [
        "RUNNING",
        "FAILED",
        "RUNNING",
        "FAILED",
    ]
    assert seen[2]["detail"]["redriveCount"] == 1
    assert seen[2]["detail"]["redriveDate"] == 1_767_603_660_000


def test_data_of_more_than_248_kib_is_left_out_of_the_event(bench: Bench) -> None:
    seen = listen(bench)
    bench.run({"Shape": a_pass(Output="small")}, {"big": "x" * 254_000}, seconds=60)
    bench.run(
        {"Shape": a_pass(Output="{% $states.input %}")},
        {"half": "x" * 130_000},
        name="b",
        seconds=60,
    )
    details = [event["detail"] for event in seen if event["detail"]["status"] == "SUCCEEDED"]
    assert details[0]["input"] is None
    assert details[0]["inputDetails"] == {"included": False}
    assert details[0]["output"] == '"small"'
    # Together they are too large, and the input is what goes.
    assert details[1]["input"] is None
    assert details[1]["outputDetails"] == {"included": True}
