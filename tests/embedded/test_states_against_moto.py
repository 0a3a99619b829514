"""The interpreter and moto's engine run the same definitions alike, as far as moto's goes.

Nothing here waits, because moto's engine has no virtual time. Where the two differ on purpose,
the definition keeps clear of it and says so; the differences themselves are below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.embedded.engines import both, moto_engine
from tests.embedded.machines import States, a_pass

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


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    with moto_engine() as client:
        yield client


@pytest.mark.parametrize("what", DEFINITIONS)
def test_both_engines_give_the_same_path_and_outcome(moto: Any, what: str) -> None:
    ours, theirs = both(moto, DEFINITIONS[what])

    assert ours == theirs
