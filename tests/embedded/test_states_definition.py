"""What CreateStateMachine refuses, and how it says where the mistake is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.states.definition import compile_definition, read_definition
from embedded.world.errors import AwsError
from tests.embedded.machines import INVOKE, a_pass, definition, task, wait_for_token

END = {"Type": "Succeed"}


def refusal(states: dict[str, Any], **top: Any) -> str:
    with pytest.raises(AwsError) as refused:
        compile_definition(definition(states, **top))
    assert refused.value.code == "InvalidDefinition"
    return refused.value.message


def refusal_of(state: dict[str, Any]) -> str:
    return refusal({"It": state})


# -- what is in ------------------------------------------------------------------------------------


def test_everything_in_use_is_accepted() -> None:
    program = compile_definition(
        definition(
            {
                "Start": a_pass(Comment="why", Assign={"n": 1, "wait": 2}, Next="Call"),
                "Call": task(
                    payload={"n": "{% $n %}"},
                    TimeoutSeconds="{% $wait %}",
                    Retry=[
                        {
                            "ErrorEquals": ["A", "B"],
                            "IntervalSeconds": 2,
                            "MaxAttempts": 0,
                            "BackoffRate": 1,
                            "MaxDelaySeconds": 3,
                            "JitterStrategy": "FULL",
                        },
                        {"ErrorEquals": ["States.ALL"]},
                    ],
                    Catch=[
                        {
                            "ErrorEquals": ["States.DataLimitExceeded"],
                            "Next": "Stop",
                            "Assign": {"why": "{% $states.errorOutput.Cause %}"},
                            "Output": None,
                        }
                    ],
                    Assign={"answer": "{% $states.result.Payload %}"},
                    Output="{% $states.result.Payload %}",
                    Next="Ask",
                ),
                "Ask": wait_for_token(TimeoutSeconds=60, HeartbeatSeconds=10, Next="Choose"),
                "Choose": {
                    "Type": "Choice",
                    "Choices": [
                        {"Condition": "{% $n = 1 %}", "Next": "Rest", "Assign": {"n": 2}},
                        {"Condition": True, "Next": "Until", "Output": {}},
                    ],
                    "Default": "Stop",
                },
                "Rest": {"Type": "Wait", "Seconds": "{% $wait %}", "Next": "Until"},
                "Until": {"Type": "Wait", "Timestamp": "2026-01-05T09:00:00Z", "Next": "Done"},
                "Done": {"Type": "Succeed", "Output": "{% $n %}"},
                "Stop": {"Type": "Fail", "Error": "No", "Cause": "{% 'n is ' & $n %}"},
            },
            Comment="all of it",
            Version="1.0",
            TimeoutSeconds=3600,
        )
    )
    assert program.variables["Stop"] == ("n",)
    assert "Ask" not in program.variables


def test_other_partitions_name_the_same_integrations() -> None:
    compile_definition(definition({"It": task(Resource="arn:aws-us-gov:states:::lambda:invoke")}))


def test_a_yaml_definition_is_the_same_as_json() -> None:
    text = read_definition(
        "QueryLanguage: JSONata\nStartAt: It\nStates:\n  It:\n    Type: Wait\n"
        "    Timestamp: 2026-01-05T09:00:00Z\n    End: true\n"
    )
    assert json.loads(text)["States"]["It"]["Timestamp"] == "2026-01-05T09:00:00Z"
    compile_definition(text)


def test_a_definition_is_compiled_once_per_text() -> None:
    text = definition({"It": END})
    assert compile_definition(text) is compile_definition(str(text))


# -- shape -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_state_types_that_are_not_emulated_are_refused(kind: str) -> None:
    message = refusal_of({"Type": kind, "End": True})
    assert "exists on AWS and is not emulated" in message
    assert "at /States/It/Type" in message


@pytest.mark.parametrize("kind", ["Taks", None, 3])
def test_unknown_state_types_are_refused(kind: object) -> None:
    assert "at /States/It/Type" in refusal_of({"Type": kind, "End": True})


@pytest.mark.parametrize("field", ["InputPath", "ResultPath", "Parameters", "ResultSelector"])
def test_jsonpath_fields_are_refused_by_name(field: str) -> None:
    message = refusal_of(a_pass(**{field: "$"}))
    assert f"'{field}' is only supported for the 'JSONPath' QueryLanguage" in message
    assert f"at /States/It/{field}" in message


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (a_pass(Retry=[]), "Retry"),
        (a_pass(TimeoutSeconds=1), "TimeoutSeconds"),
        (END | {"Next": "It"}, "Next"),
        (END | {"Assign": {}}, "Assign"),
        (task(Credentials={}), "Credentials"),
        ({"Type": "Fail", "Output": 1}, "Output"),
        (task(Retry=[{"ErrorEquals": ["A"], "Next": "It"}]), "Next"),
    ],
)
def test_unknown_fields_are_refused_where_they_stand(state: dict[str, Any], field: str) -> None:
    assert f"Field '{field}' is not supported" in refusal_of(state)


def test_unknown_fields_at_the_top_are_refused() -> None:
    assert "Field 'Name' is not supported at /Name" in refusal({"It": END}, Name="x")


@pytest.mark.parametrize("language", ["JSONPath", "jsonata", None])
def test_only_jsonata_is_emulated(language: object) -> None:
    assert "QueryLanguage" in refusal({"It": END}, QueryLanguage=language)


def test_a_state_cannot_turn_back_to_jsonpath() -> None:
    assert "at /States/It/QueryLanguage" in refusal_of(END | {"QueryLanguage": "JSONPath"})


def test_the_language_must_be_named_because_aws_defaults_to_the_other() -> None:
    with pytest.raises(AwsError, match="only 'JSONata' is emulated"):
        compile_definition(json.dumps({"StartAt": "It", "States": {"It": END}}))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1, "a": 2}'])
def test_what_is_no_object_in_json_is_refused(text: str) -> None:
    with pytest.raises(AwsError, match="InvalidDefinition"):
        compile_definition(text)


def test_two_states_of_one_name_are_refused() -> None:
    text = '{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{}}}'
    with pytest.raises(AwsError, match="'A' occurs twice"):
        compile_definition(text)


def test_a_key_that_occurs_twice_in_yaml_is_refused() -> None:
    with pytest.raises(AwsError, match="occurs twice"):
        read_definition("a: 1\nb: 2\na: 3\n")


def test_broken_yaml_is_refused() -> None:
    with pytest.raises(AwsError, match="INVALID_YAML"):
        read_definition("a: [")


def test_a_state_s_name_has_at_most_eighty_characters() -> None:
    refusal({"x" * 81: END})


def test_every_mistake_is_told_at_once() -> None:
    message = refusal({"A": a_pass(InputPath="$"), "B": {"Type": "Wat"}, "C": a_pass(Foo=1)})
    assert all(f"/States/{name}" in message for name in "ABC")


# -- transitions -----------------------------------------------------------------------------------


def test_start_at_must_name_a_state() -> None:
    assert "there is no state 'Else' at /StartAt" in refusal({"It": END}, StartAt="Else")


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (a_pass(Next="Gone"), "Next"),
        (task(Catch=[{"ErrorEquals": ["A"], "Next": "Gone"}]), "Catch[0]/Next"),
        (
            {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Gone"}], "Default": "End"},
            "Choices[0]/Next",
        ),
        (
            {"Type": "Choice", "Choices": [{"Condition": True, "Next": "End"}], "Default": "Gone"},
            "Default",
        ),
    ],
)
def test_every_transition_must_name_a_state(state: dict[str, Any], field: str) -> None:
    assert f"there is no state 'Gone' at /States/It/{field}" in refusal({"It": state, "End": END})


def test_a_state_that_nothing_leads_to_is_refused() -> None:
    assert "'Island' is not reachable" in refusal({"It": END, "Island": END})


def test_a_machine_without_an_end_is_refused() -> None:
    message = refusal({"A": a_pass(Next="B"), "B": a_pass(Next="A")})
    assert "MISSING_END_STATE" in message


def test_a_loop_without_a_way_out_is_refused() -> None:
    choice = {"Type": "Choice", "Choices": [{"Condition": True, "Next": "A"}], "Default": "End"}
    message = refusal({"It": choice, "A": a_pass(Next="B"), "B": a_pass(Next="A"), "End": END})
    assert "the state 'A' never ends" in message
    assert "'It'" not in message


@pytest.mark.parametrize(
    "state", [{"Type": "Pass"}, {"Type": "Pass", "End": False}, a_pass() | {"Next": "It"}]
)
def test_a_state_has_either_next_or_end(state: dict[str, Any]) -> None:
    refusal_of(state)


# -- tasks -----------------------------------------------------------------------------------------


def test_a_task_needs_a_resource() -> None:
    assert "'Resource' is required" in refusal_of({"Type": "Task", "Arguments": {}, "End": True})


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:lambda:us-east-1:111122223333:function:direct",
        "arn:aws:states:::lambda:invoke.sync",
        "arn:aws:states:::sns:publish",
        "arn:aws:states:::aws-sdk:ec2:describeNothing",
        "arn:aws:states:::aws-sdk:s3:getObject",
        "arn:aws:states:::aws-sdk:ec2:DescribeInstances",
        "arn:aws:states:::aws-sdk:ssm:getParameter.waitForTaskToken",
        "{% $resource %}",
    ],
)
def test_unknown_integrations_are_refused(resource: str) -> None:
    message = refusal_of(task(Resource=resource, Arguments={"Name": "x"}))
    assert "is no integration that is emulated at /States/It/Resource" in message


def test_a_lambda_task_needs_a_function_name() -> None:
    message = refusal_of(task(Arguments={"Payload": {}}))
    assert "'FunctionName' is required" in message


@pytest.mark.parametrize("field", ["InvocationType", "Qualifier", "functionName"])
def test_arguments_that_lambda_does_not_take_here_are_refused(field: str) -> None:
    message = refusal_of(task(Arguments={"FunctionName": "f", field: "x"}))
    assert f"'{field}' is not supported in Arguments" in message


def test_arguments_of_an_sdk_call_are_checked_by_its_own_model() -> None:
    get = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter", "End": True}
    message = refusal_of(get | {"Arguments": {"name": "x"}})
    assert "'Name' is required" in message
    assert "'name' is not supported" in message


def test_entries_of_put_events_are_checked() -> None:
    put = {"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "End": True}
    message = refusal_of(put | {"Arguments": {"Entries": [{"Source": "a", "detail": {}}]}})
    assert "'DetailType' is required in Arguments/Entries" in message
    assert "'detail' is not supported in Arguments/Entries" in message


def test_arguments_must_be_an_object_or_an_expression() -> None:
    assert "must be an object or an expression" in refusal_of(task(Arguments="everything"))


def test_a_task_that_waits_must_hand_its_token_over() -> None:
    state = wait_for_token(Arguments={"FunctionName": "ask", "Payload": {}})
    assert "Token is handed to nobody" in refusal_of(state)


def test_a_heartbeat_needs_a_task_that_waits() -> None:
    assert "at /States/It/HeartbeatSeconds" in refusal_of(task(HeartbeatSeconds=5))


def test_a_heartbeat_is_shorter_than_the_timeout() -> None:
    message = refusal_of(wait_for_token(TimeoutSeconds=10, HeartbeatSeconds=10))
    assert "must be smaller than TimeoutSeconds" in message


@pytest.mark.parametrize("value", [0, -1, 1.5, "60", True])
def test_a_timeout_is_a_positive_integer_or_an_expression(value: object) -> None:
    assert "TimeoutSeconds" in refusal_of(task(TimeoutSeconds=value))


# -- Retry and Catch -------------------------------------------------------------------------------


def test_the_wildcard_stands_alone() -> None:
    message = refusal_of(task(Retry=[{"ErrorEquals": ["A", "States.ALL"]}]))
    assert "must stand alone, in the last rule at /States/It/Retry[0]/ErrorEquals" in message


def test_the_wildcard_stands_last() -> None:
    rules = [
        {"ErrorEquals": ["States.ALL"], "Next": "It"},
        {"ErrorEquals": ["A"], "Next": "It"},
    ]
    assert "in the last rule at /States/It/Catch[0]" in refusal_of(task(Catch=rules))


def test_an_error_named_twice_is_refused() -> None:
    rules = [{"ErrorEquals": ["A"]}, {"ErrorEquals": ["B", "A"]}]
    assert "'A' is named twice" in refusal_of(task(Retry=rules))


@pytest.mark.parametrize("name", ["States.Runtime", "States.Timedout", "States.NoChoiceMatched"])
def test_errors_that_a_task_cannot_handle_are_refused(name: str) -> None:
    assert "no error that a Task can handle" in refusal_of(task(Retry=[{"ErrorEquals": [name]}]))


@pytest.mark.parametrize(
    "rule",
    [
        {"ErrorEquals": []},
        {"ErrorEquals": ["A"], "IntervalSeconds": 0},
        {"ErrorEquals": ["A"], "MaxAttempts": -1},
        {"ErrorEquals": ["A"], "BackoffRate": 0.5},
        {"ErrorEquals": ["A"], "JitterStrategy": "EQUAL"},
        {"ErrorEquals": ["A"], "IntervalSeconds": 5, "MaxDelaySeconds": 5},
    ],
)
def test_values_out_of_range_in_retry_are_refused(rule: dict[str, Any]) -> None:
    assert "/States/It/Retry" in refusal_of(task(Retry=[rule]))


# -- expressions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["{% 1 + %}", "{% a[1,2) %}", "{% %}"])
def test_an_expression_that_does_not_parse_is_refused(value: str) -> None:
    message = refusal_of(a_pass(Output={"v": [value]}))
    assert "INVALID_JSONATA_EXPRESSION" in message
    assert "at /States/It/Output/v[0]" in message


@pytest.mark.parametrize("value", ["{% 1", "1 %}", " {% 1 %}", "{% 1 %} "])
def test_an_expression_is_opened_and_closed_at_the_very_ends(value: str) -> None:
    assert "INVALID_JSONATA_EXPRESSION" in refusal_of(a_pass(Output=value))


def test_a_reference_to_nothing_is_refused_in_aws_s_words() -> None:
    message = refusal_of(a_pass(Output={"v": "{% phone %}"}))
    assert (
        "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. "
        "at /States/It/Output/v"
    ) in message


def test_eval_is_refused() -> None:
    assert "Function '$eval' is not supported" in refusal_of(a_pass(Output="{% $eval('1') %}"))


def test_a_variable_that_no_state_assigns_is_refused() -> None:
    assert "no state assigns the variable '$typo'" in refusal_of(a_pass(Output="{% $typo %}"))


RESULT = "{% $states.result %}"
ERROR = "{% $states.errorOutput %}"
TASK = "{% $states.context.Task.Token %}"


@pytest.mark.parametrize(
    ("state", "member"),
    [
        (task(payload=RESULT), "result"),
        (a_pass(Output=RESULT), "result"),
        (task(Catch=[{"ErrorEquals": ["A"], "Next": "It", "Output": RESULT}]), "result"),
        (task(Output=ERROR), "errorOutput"),
        (a_pass(Assign={"e": ERROR}), "errorOutput"),
        (task(payload=TASK), "context.Task"),
        (wait_for_token(Output=TASK), "context.Task"),
        (a_pass(Output="{% $states.inptu %}"), "inptu"),
        (a_pass(Output="{% $states.context.Map.Item %}"), "context.Map"),
    ],
)
def test_a_member_of_states_is_refused_where_it_does_not_exist(
    state: dict[str, Any], member: str
) -> None:
    assert f"Reference to '$states.{member}' is not supported here" in refusal_of(state)


def test_states_as_a_whole_is_refused() -> None:
    assert "Reference to '$states' is not supported here" in refusal_of(
        a_pass(Output="{% $states %}")
    )


@pytest.mark.parametrize("name", ["states", "1st", "a-b", "", "x" * 81, "count", "eval", "hash"])
def test_names_that_no_variable_can_have_are_refused(name: str) -> None:
    assert "at /States/It/Assign/" in refusal_of(a_pass(Assign={name: 1}))


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (
            {"Type": "Choice", "Choices": [{"Condition": "yes", "Next": "It"}]},
            "Choices[0]/Condition",
        ),
        ({"Type": "Wait", "Seconds": "5", "End": True}, "Seconds"),
        ({"Type": "Wait", "Seconds": -1, "End": True}, "Seconds"),
        ({"Type": "Wait", "Timestamp": "tomorrow", "End": True}, "Timestamp"),
        ({"Type": "Wait", "Timestamp": "2026-01-05T09:00:00", "End": True}, "Timestamp"),
    ],
)
def test_constants_of_the_wrong_type_are_refused(state: dict[str, Any], field: str) -> None:
    assert f"/States/It/{field}" in refusal_of(state)


@pytest.mark.parametrize("more", [{}, {"Seconds": 1, "Timestamp": "2026-01-05T09:00:00Z"}])
def test_a_wait_has_either_seconds_or_a_timestamp(more: dict[str, Any]) -> None:
    assert "exactly one of 'Seconds' and 'Timestamp'" in refusal_of(
        {"Type": "Wait", "End": True} | more
    )


def test_a_substitution_that_was_forgotten_is_refused() -> None:
    state = task(Resource=INVOKE, Arguments={"FunctionName": "${PlanRolloutFunction}"})
    assert "still holds a '${…}' substitution at /States/It/Arguments/FunctionName" in refusal_of(
        state
    )
