"""State machines for tests: functions to call, a definition to run, and a clock to run it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from embedded.states.execution import Execution
from embedded.world.awslambda import FunctionSpec
from embedded.world.world import World

ROLE = "arn:aws:iam::111122223333:role/rollout"
INVOKE = "arn:aws:states:::lambda:invoke"
WAIT_FOR_TOKEN = f"{INVOKE}.waitForTaskToken"
States = dict[str, dict[str, Any]]


class Bench:
    """A world with one state machine and the functions that it calls."""

    def __init__(self, *, seed: int = 0) -> None:
        self.world = World(seed=seed)
        self.tokens: list[str] = []
        self.events: list[dict[str, Any]] = []

    def function(
        self, name: str, handler: Callable[[Any], Any], *, takes_seconds: float = 0
    ) -> None:
        """Deploy a function whose handler takes the event alone."""
        self.world.awslambda.install(
            FunctionSpec(
                name=name,
                handler=lambda event, _context: handler(event),
                logical_id=name,
                role_arn=ROLE,
                timeout_seconds=60,
                takes_seconds=takes_seconds,
            )
        )

    def keep_tokens(self, name: str = "ask") -> None:
        """Deploy a function that keeps the task token it is given, and returns at once."""
        self.function(name, lambda event: self.tokens.append(event["token"]))

    def define(self, states: States, *, name: str = "machine", **top: Any) -> str:
        """Create a state machine that starts at the first state; gives its ARN."""
        reply = self.world.call(
            "stepfunctions",
            "CreateStateMachine",
            {"name": name, "definition": definition(states, **top), "roleArn": ROLE},
        )
        arn: str = reply["stateMachineArn"]
        return arn

    def start(self, states: States, value: Any = None, **top: Any) -> Execution:
        """Create a state machine and start an execution of it, which has not run yet."""
        return self.world.states.start(self.define(states, **top), None, value or {})

    def run(
        self, states: States, value: Any = None, *, seconds: float = 0, **top: Any
    ) -> Execution:
        """Create a state machine and let one execution of it run for some time."""
        execution = self.start(states, value, **top)
        self.world.run_for(seconds)
        return execution

    def sfn(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call the Step Functions API."""
        return self.world.call("stepfunctions", operation, params)

    def describe(self, execution: Execution) -> dict[str, Any]:
        """Call DescribeExecution."""
        return self.sfn("DescribeExecution", executionArn=execution.arn)

    def history(self, execution: Execution) -> list[dict[str, Any]]:
        """Read a whole history."""
        reply = self.sfn("GetExecutionHistory", executionArn=execution.arn, maxResults=1000)
        events: list[dict[str, Any]] = reply["events"]
        return events


def definition(states: States, **top: Any) -> str:
    """Write a definition that starts at the first of its states."""
    return json.dumps(
        {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states} | top
    )


def task(name: str = "work", payload: Any = None, **more: Any) -> dict[str, Any]:
    """Write a Task that calls a function and ends the execution, unless it goes on."""
    arguments = {"FunctionName": name, "Payload": {} if payload is None else payload}
    return _ended({"Type": "Task", "Resource": INVOKE, "Arguments": arguments} | more)


def wait_for_token(name: str = "ask", **more: Any) -> dict[str, Any]:
    """Write a Task that hands its token to a function and waits for it to come back."""
    arguments = {"FunctionName": name, "Payload": {"token": "{% $states.context.Task.Token %}"}}
    return _ended({"Type": "Task", "Resource": WAIT_FOR_TOKEN, "Arguments": arguments} | more)


def a_pass(**more: Any) -> dict[str, Any]:
    """Write a Pass that ends the execution, unless it goes on."""
    return _ended({"Type": "Pass"} | more)


def _ended(state: dict[str, Any]) -> dict[str, Any]:
    return state if "Next" in state else state | {"End": True}


def types(execution: Execution) -> list[str]:
    """Give the types of an execution's events."""
    return [event.type for event in execution.history]


def output(execution: Execution) -> Any:
    """Give the output of an execution that succeeded."""
    assert execution.status == "SUCCEEDED", (execution.error, execution.cause)
    assert execution.output is not None
    return execution.output.value


def evaluate(expression: str, value: Any = None, *, seed: int = 0) -> Any:
    """Run one expression in a Pass, with ``value`` as the input."""
    bench = Bench(seed=seed)
    return output(bench.run({"Shape": a_pass(Output=f"{{% {expression} %}}")}, value))
