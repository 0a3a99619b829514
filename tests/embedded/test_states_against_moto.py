"""The interpreter and moto's engine run the same definitions alike, as far as moto's goes.

moto's engine is LocalStack's, which is checked against recordings of AWS. It needs a JSONata
evaluator, which is given here; it knows no redrive and no virtual time, so nothing here waits.
Where the two differ on purpose, the definition keeps clear of it and says so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto import mock_aws
from moto.stepfunctions.parser.asl.jsonata import jsonata as hook

from tests.embedded.machines import ROLE, Bench, States, a_pass, definition

_PATIENCE_SECONDS = 20
REGION = "us-east-1"
GET = "arn:aws:states:::aws-sdk:ssm:getParameter"


def read(name: str, **more: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": GET, "Arguments": {"Name": name}, **more}
    return state if "Next" in more else state | {"End": True}


VALUE = "{% $states.result.Parameter.Value %}"
DEFINITIONS: dict[str, States] = {
    "data moves through passes and variables": {
        "A": a_pass(
            Assign={"n": "{% $states.input.n + 1 %}", "list": [1, None, "{% 'x' %}"]},
            Output={"was": "{% $states.input %}"},
            Next="B",
        ),
        # Output leaves $n alone: moto's engine shows it the new value, AWS the old one.
        "B": a_pass(Assign={"n": "{% $n * 10 %}"}, Output="{% [$list] %}", Next="C"),
        "C": a_pass(Output={"n": "{% $n %}", "in": "{% $states.input %}"}),
    },
    "a choice takes its rule's shaping": {
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.input.n > 5 %}", "Next": "Done", "Output": "big"},
                {
                    "Condition": "{% $states.input.n = 1 %}",
                    "Next": "Done",
                    "Assign": {"by": "rule"},
                    "Output": {"n": "{% $states.input.n %}"},
                },
            ],
            "Default": "Stop",
        },
        "Done": {"Type": "Succeed", "Output": ["{% $by %}", "{% $states.input %}"]},
        "Stop": {"Type": "Fail"},
    },
    "a choice falls through to its default": {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.n > 5 %}", "Next": "Done"}],
            "Default": "Stop",
        },
        "Done": {"Type": "Succeed"},
        "Stop": {"Type": "Fail", "Error": "{% 'E' & $states.input.n %}", "Cause": "as told"},
    },
    "a task shapes its result": {
        "Read": read("/there", Assign={"v": VALUE}, Output={"v": VALUE}, Next="Tell"),
        "Tell": a_pass(Output=["{% $v %}", "{% $states.input %}"]),
    },
    "an error is caught by its kind": {
        "Read": read(
            "/missing",
            Catch=[
                {"ErrorEquals": ["Other"], "Next": "Stop"},
                {
                    "ErrorEquals": ["States.TaskFailed"],
                    "Next": "Tell",
                    "Assign": {"why": "{% $lowercase($states.errorOutput.Error) %}"},
                    "Output": {"input": "{% $states.input %}"},
                },
            ],
        ),
        "Tell": a_pass(Output=["{% $why %}", "{% $states.input %}"]),
        "Stop": {"Type": "Fail"},
    },
    "an error is caught by the wildcard": {
        "Read": read("/missing", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Tell"}]),
        "Tell": a_pass(Output={"has": "{% $keys($states.input) %}"}),
    },
    "an uncaught error fails the execution": {"Read": read("/missing")},
    "an expression that returns nothing fails": {
        "A": a_pass(Output={"v": "{% $states.input.absent %}"})
    },
    # In Arguments only: moto's engine does not catch what fails in Output, which AWS documents.
    "an expression that returns nothing is caught": {
        "Read": read(
            "{% $states.input.absent %}",
            Catch=[{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Done"}],
        ),
        "Done": {"Type": "Succeed", "Output": {"error": "{% $states.input.Error %}"}},
    },
    "the context object": {
        "A": a_pass(
            Output={
                "name": "{% $states.context.Execution.Name %}",
                "input": "{% $states.context.Execution.Input %}",
                "state": "{% $states.context.State.Name %}",
                "machine": "{% $states.context.StateMachine.Name %}",
            }
        )
    },
}


def _evaluate(expression: str) -> Any:
    """Give moto's engine the evaluator that its own would need a Java machine for."""
    evaluator = Jsonata(expression)
    evaluator.set_output_convert_nulls(False)
    # The engine asks with $exists whether a None is undefined.
    return json.loads(json.dumps(Utils.convert_nulls(evaluator.evaluate(None))))


@pytest.fixture
def moto_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(hook, "_eval_jsonata", _evaluate)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        ssm = boto3.client("ssm", region_name=REGION)
        ssm.put_parameter(Name="/there", Value="1", Type="String")
        yield boto3.client("stepfunctions", region_name=REGION)


def told(described: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Keep what two runs of a definition must have in common."""
    path: list[tuple[str, str | None]] = []
    for event in events:
        details = event.get("stateEnteredEventDetails") or event.get("stateExitedEventDetails")
        step = (event["type"], details["name"] if details else None)
        if path[-1:] != [step]:  # moto's engine tells of a failed expression twice
            path.append(step)
    return {
        "status": described["status"],
        # moto writes the service in lower case: ssm.ParameterNotFoundException.
        "error": described.get("error", "").lower(),
        "output": json.loads(described["output"]) if "output" in described else None,
        "path": path,
    }


def in_moto(client: Any, text: str) -> dict[str, Any]:
    arn = client.create_state_machine(name="machine", definition=text, roleArn=ROLE)
    execution = client.start_execution(
        stateMachineArn=arn["stateMachineArn"], name="one", input='{"n": 1}'
    )["executionArn"]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (described := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "moto's engine did not end"
        time.sleep(0.01)
    return told(described, client.get_execution_history(executionArn=execution)["events"])


def in_the_world(states: States) -> dict[str, Any]:
    bench = Bench()
    bench.world.call("ssm", "PutParameter", {"Name": "/there", "Value": "1", "Type": "String"})
    execution = bench.world.states.start(bench.define(states), "one", {"n": 1})
    bench.world.run_for(0)
    return told(bench.describe(execution), bench.history(execution))


@pytest.mark.parametrize("what", DEFINITIONS)
def test_both_engines_give_the_same_path_and_outcome(moto_engine: Any, what: str) -> None:
    states = DEFINITIONS[what]
    assert in_the_world(states) == in_moto(moto_engine, definition(states))
