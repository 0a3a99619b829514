"""A state machine of a check's own that only waits."""

from __future__ import annotations

import json
from typing import Any, Final

from tools.conformance.answers import Answer
from tools.conformance.checks import Need, check
from tools.conformance.place import TAG, Place, by

COST: Final = "about ten state transitions: less than $0.001"
DEFINITION: Final = {
    "Comment": "A conformance check of snaproll: waits, and does nothing.",
    "QueryLanguage": "JSONata",
    "StartAt": "WaitForCheck",
    "States": {
        "WaitForCheck": {"Type": "Wait", "Seconds": "{% $states.input.seconds %}", "End": True}
    },
}
TRUST: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "states.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
_MODEL: Final = "botocore model"


def own_machine(place: Place, word: str) -> str:
    """Make a state machine, and a role for it that may do nothing; gives the machine's ARN."""
    name = place.name(word)
    role = place.make(
        f"the role {name} (it may do nothing)",
        f"aws iam delete-role --role-name {name}",
        by("iam:DeleteRole", RoleName=name),
        "iam:CreateRole",
        RoleName=name,
        AssumeRolePolicyDocument=json.dumps(TRUST),
        Description="A conformance check of snaproll; may do nothing",
        Tags=place.tags,
    ).at("Role.Arn")
    arn = place.arn("states", f"stateMachine:{name}")
    place.expect(
        f"the state machine {name}",
        f"aws stepfunctions delete-state-machine --state-machine-arn {arn}",
        by("stepfunctions:DeleteStateMachine", stateMachineArn=arn),
    )
    # A role that was made a moment ago is not known everywhere yet.
    place.ask_until(
        lambda answer: answer.reply is not None,
        "stepfunctions:CreateStateMachine",
        name=name,
        roleArn=role,
        definition=json.dumps(DEFINITION),
        type="STANDARD",
        tags=[{"key": TAG, "value": place.run}],
    )
    return arn


def execution(machine: str, name: str) -> str:
    """The ARN of an execution."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def begin(place: Place, machine: str, name: str, content: dict[str, Any]) -> Answer:
    """Start an execution."""
    return place.ask(
        "stepfunctions:StartExecution",
        stateMachineArn=machine,
        name=name,
        input=json.dumps(content),
    )


def over(place: Place, arn: str) -> Answer:
    """An execution that has ended."""
    return place.ask_until(
        lambda answer: answer.reply is not None and answer.at("status") != "RUNNING",
        "stepfunctions:DescribeExecution",
        executionArn=arn,
    )


@check(
    "stepfunctions:StartExecution",
    "stepfunctions:DescribeExecution",
    "stepfunctions:StopExecution",
    source=f"{_MODEL} StartExecution: idempotent while it runs with the same input, else "
    "ExecutionAlreadyExists",
    need=Need.OWN,
    cost=COST,
)
def the_same_name_and_input_is_the_same_execution_while_it_runs(place: Place) -> None:
    machine = own_machine(place, "once")
    begin(place, machine, "first", {"seconds": 600}).must_reply("executionArn", "startDate")
    begin(place, machine, "first", {"seconds": 600}).must_reply("executionArn")
    begin(place, machine, "first", {"seconds": 601}).must_refuse("ExecutionAlreadyExists")
    # Whether inputs are compared as texts or as values is not documented: only compared.
    spaced = {"stateMachineArn": machine, "name": "first", "input": '{ "seconds": 600 }'}
    place.ask("stepfunctions:StartExecution", **spaced)
    arn = execution(machine, "first")
    place.settle()
    place.ask("stepfunctions:DescribeExecution", executionArn=arn).must_hold("status", "RUNNING")
    stop = {"executionArn": arn, "error": "Checked", "cause": "by a check"}
    place.ask("stepfunctions:StopExecution", **stop).must_reply("stopDate")
    over(place, arn).must_hold("status", "ABORTED")
    place.ask("stepfunctions:StopExecution", **stop)
    begin(place, machine, "first", {"seconds": 600}).must_refuse("ExecutionAlreadyExists")


@check(
    "stepfunctions:RedriveExecution",
    "stepfunctions:GetExecutionHistory",
    "stepfunctions:ListExecutions",
    source="Step Functions developer guide, 'Restarting state machine executions with redrive'; "
    f"{_MODEL} GetExecutionHistory, ListExecutions: nextToken",
    need=Need.OWN,
    cost=COST,
)
def an_aborted_execution_is_redriven_and_its_history_comes_in_pages(place: Place) -> None:
    machine = own_machine(place, "again")
    for name in ("first", "second"):
        begin(place, machine, name, {"seconds": 600}).must_reply("executionArn")
        place.settle()
        arn = execution(machine, name)
        place.ask("stepfunctions:StopExecution", executionArn=arn).must_reply("stopDate")
        over(place, arn)
    place.ask("stepfunctions:RedriveExecution", executionArn=arn).must_reply("redriveDate")
    place.settle()
    place.ask("stepfunctions:DescribeExecution", executionArn=arn).must_hold("redriveCount", 1)
    place.ask("stepfunctions:RedriveExecution", executionArn=arn).must_refuse(
        "ExecutionNotRedrivable"
    )
    place.ask("stepfunctions:StopExecution", executionArn=arn).must_reply("stopDate")
    over(place, arn)
    page = place.ask("stepfunctions:GetExecutionHistory", executionArn=arn, maxResults=2)
    page.must_reply("events[].type", "events[].id")
    place.ask(
        "stepfunctions:GetExecutionHistory",
        executionArn=arn,
        maxResults=2,
        nextToken=page.at("nextToken"),
    ).must_reply("events[].type")
    listed = place.ask("stepfunctions:ListExecutions", stateMachineArn=machine, maxResults=1)
    listed.must_reply("executions[].executionArn", "executions[].status")
    place.ask(
        "stepfunctions:ListExecutions",
        stateMachineArn=machine,
        maxResults=1,
        nextToken=listed.at("nextToken"),
    ).must_reply("executions[].executionArn")


@check(
    "stepfunctions:StartExecution",
    source=f"{_MODEL} StartExecution, errors: StateMachineDoesNotExist, InvalidExecutionInput",
    need=Need.OWN,
    cost=COST,
)
def what_cannot_be_started_is_refused(place: Place) -> None:
    machine = own_machine(place, "refused")
    spoilt = {"stateMachineArn": machine, "name": "spoilt", "input": "{"}
    place.ask("stepfunctions:StartExecution", **spoilt).must_refuse("InvalidExecutionInput")
    nothing = machine.replace(place.name("refused"), place.name("none"))
    begin(place, nothing, "first", {}).must_refuse("StateMachineDoesNotExist")


@check(
    "stepfunctions:SendTaskSuccess",
    "stepfunctions:SendTaskFailure",
    source=f"{_MODEL} SendTaskSuccess and SendTaskFailure, errors: InvalidToken",
    need=Need.OWN,
)
def a_token_that_was_never_handed_out_is_invalid(place: Place) -> None:
    place.ask("stepfunctions:SendTaskSuccess", taskToken="none", output="{}").must_refuse(
        "InvalidToken"
    )
    place.ask("stepfunctions:SendTaskFailure", taskToken="none").must_refuse("InvalidToken")
