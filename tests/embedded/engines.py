"""moto's engine for state machines, beside our interpreter: the same definition through both.

moto's engine is LocalStack's, which is checked against recordings of AWS. It needs a JSONata
evaluator, which is given here; it knows no redrive and no virtual time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import boto3
import pytest
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto import mock_aws
from moto.stepfunctions.parser.asl.jsonata import jsonata as hook

from tests.embedded.machines import ROLE, Bench, States, definition

_PATIENCE_SECONDS = 20
REGION = "us-east-1"
_names = (f"machine-{number}" for number in count())


def _evaluate(expression: str) -> Any:
    """Give moto's engine the evaluator that its own would need a Java machine for."""
    evaluator = Jsonata(expression)
    evaluator.set_output_convert_nulls(False)
    try:
        value = evaluator.evaluate(None)
    except JException as failure:
        raise hook.JSONataException("UNKNOWN", str(failure)) from failure
    # The engine asks with $exists whether a None is undefined.
    return json.loads(json.dumps(Utils.convert_nulls(value)))


@contextmanager
def moto_engine() -> Iterator[Any]:
    """A Step Functions client of moto, with a parameter ``/there`` to be read."""
    with (
        pytest.MonkeyPatch.context() as patch,
        mock_aws(config={"stepfunctions": {"execute_state_machine": True}}),
    ):
        patch.setattr(hook, "_eval_jsonata", _evaluate)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        ssm = boto3.client("ssm", region_name=REGION)
        ssm.put_parameter(Name="/there", Value="1", Type="String")
        yield boto3.client("stepfunctions", region_name=REGION)


def _told(described: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """What two runs of a definition must have in common."""
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
        "output": _output(described.get("output")),
        "path": path,
    }


def _output(text: str | None) -> Any:
    """The output as a value; None as well for moto's texts, which lack their quotes."""
    try:
        return json.loads(text) if text is not None else None
    except ValueError:
        return None


def both(client: Any, states: States) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a definition in our interpreter and in moto's engine; what the two have in common."""
    name = next(_names)
    return _in_the_world(name, states), _in_moto(client, name, definition(states))


def _in_moto(client: Any, name: str, text: str) -> dict[str, Any]:
    arn = client.create_state_machine(name=name, definition=text, roleArn=ROLE)
    execution = client.start_execution(
        stateMachineArn=arn["stateMachineArn"], name="one", input='{"n": 1}'
    )["executionArn"]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (described := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "moto's engine did not end"
        time.sleep(0.01)
    return _told(described, client.get_execution_history(executionArn=execution)["events"])


def _in_the_world(name: str, states: States) -> dict[str, Any]:
    bench = Bench()
    bench.world.call("ssm", "PutParameter", {"Name": "/there", "Value": "1", "Type": "String"})
    execution = bench.world.states.start(bench.define(states, name=name), "one", {"n": 1})
    bench.world.run_for(0)
    return _told(bench.describe(execution), bench.history(execution))
