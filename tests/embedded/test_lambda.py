"""Lambda: running a handler, what it is given, and how its failure is told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.world.awslambda import FunctionSpec, Invocation
from embedded.world.errors import AwsError, FunctionDiedError, NotEmulatedError
from embedded.world.world import World

ROLE = "arn:aws:iam::111122223333:role/any"


class BrokenError(Exception):
    """A failure of a handler under test."""


def world_with(handler: Callable[[Any, Any], Any], **settings: Any) -> World:
    world = World()
    world.awslambda.install(FunctionSpec("f", handler, "Function", ROLE, **settings))
    return world


def invoked(handler: Callable[[Any, Any], Any], payload: Any = None) -> Invocation:
    return world_with(handler).awslambda.invoke("f", payload or {}, caller="test")


def test_a_handler_gets_the_event_and_gives_its_result() -> None:
    invocation = invoked(lambda event, _: {"twice": event["n"] * 2}, {"n": 2})

    assert invocation.payload == {"twice": 4}
    assert invocation.error is None


def test_neither_the_event_nor_the_result_is_shared() -> None:
    kept: list[Any] = []

    def handler(event: Any, _: Any) -> Any:
        kept.append(event)
        return event

    sent = {"list": [1]}
    invocation = invoked(handler, sent)
    kept[0]["list"].append(2)

    assert sent == {"list": [1]}
    assert invocation.payload == {"list": [1]}


def test_a_result_goes_through_json() -> None:
    assert invoked(lambda *_: (1, Decimal("2.5"))).payload == [1, 2.5]


def test_a_result_that_is_no_json_fails_the_invocation() -> None:
    error = invoked(lambda *_: datetime(2026, 1, 1)).error  # noqa: DTZ001

    assert error is not None
    assert error.error_type == "Runtime.MarshalError"
    assert error.error_message == (
        "Unable to marshal response: Object of type datetime is not JSON serializable"
    )


def test_an_exception_is_told_by_its_class_name_and_text() -> None:
    def handler(*_: Any) -> Any:
        raise BrokenError("no such fleet")

    error = invoked(handler).error

    assert error is not None
    assert (error.error_type, error.error_message) == ("BrokenError", "no such fleet")
    assert "in handler" in error.stack_trace[-1]
    assert str(os.getcwd()) not in "".join(error.stack_trace)  # noqa: PTH109


def test_a_function_that_dies_reports_an_exit_of_the_runtime() -> None:
    def handler(*_: Any) -> Any:
        raise FunctionDiedError

    error = invoked(handler).error

    assert error is not None
    assert error.error_type == "Runtime.ExitError"
    assert error.as_payload().keys() == {"errorType", "errorMessage"}


def test_leaving_the_process_is_an_exit_of_the_runtime() -> None:
    error = invoked(lambda *_: sys.exit(3)).error

    assert error is not None
    assert error.error_type == "Runtime.ExitError"


def test_a_response_above_six_megabytes_fails_the_invocation() -> None:
    error = invoked(lambda *_: "x" * 7_000_000).error

    assert error is not None
    assert error.error_type == "Function.ResponseSizeTooLarge"


def test_what_the_world_does_not_model_is_no_failure_of_the_function() -> None:
    def handler(*_: Any) -> Any:
        raise NotEmulatedError("something")

    with pytest.raises(NotEmulatedError):
        invoked(handler)


def test_a_handler_sees_its_own_environment_and_nothing_of_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_THE_MACHINE", "1")
    world = world_with(lambda *_: dict(os.environ), environment={"MINE": "yes"})

    seen = world.awslambda.invoke("f", {}, caller="test").payload

    assert seen["MINE"] == "yes"
    assert seen["AWS_REGION"] == "us-east-1"
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert "OF_THE_MACHINE" not in seen
    assert os.environ["OF_THE_MACHINE"] == "1"


def test_the_context_tells_about_the_invocation() -> None:
    def handler(_: Any, context: Any) -> Any:
        return [
            context.function_name,
            context.function_version,
            context.memory_limit_in_mb,
            context.get_remaining_time_in_millis(),
            context.invoked_function_arn,
            context.aws_request_id,
        ]

    world = world_with(handler, memory_mb=256, timeout_seconds=30)
    invocation = world.awslambda.invoke("f", {}, caller="test")

    assert invocation.payload == [
        "f", "$LATEST", "256", 30_000, world.awslambda.arn_of("f"), invocation.request_id,
    ]  # fmt: skip


def test_what_a_handler_prints_is_kept_with_its_request() -> None:
    world = world_with(lambda *_: print("one\ntwo"))  # noqa: T201

    invocation = world.awslambda.invoke("f", {}, caller="test")

    assert [record.line for record in world.awslambda.logs["f"]] == ["one", "two"]
    assert world.awslambda.logs["f"][0].request_id == invocation.request_id


def test_a_stream_kept_from_an_earlier_invocation_still_writes_into_the_running_one() -> None:
    streams: list[Any] = []

    def handler(event: Any, _: Any) -> None:
        streams.append(sys.stdout)
        streams[0].write(f"{event['n']}\n")

    world = world_with(handler)
    first = world.awslambda.invoke("f", {"n": 1}, caller="test")
    second = world.awslambda.invoke("f", {"n": 2}, caller="test")

    told = [(record.request_id, record.line) for record in world.awslambda.logs["f"]]
    assert told == [(first.request_id, "1"), (second.request_id, "2")]


def test_what_surrounds_a_handler_is_entered_for_each_run() -> None:
    entered: list[str] = []

    @contextmanager
    def around(spec: FunctionSpec) -> Iterator[None]:
        entered.append(f"{spec.logical_id} of {os.environ['MINE']}")
        yield
        entered.append("left")

    world = world_with(lambda *_: None, environment={"MINE": "me"})
    world.awslambda.around = around
    world.awslambda.invoke("f", {}, caller="test")

    assert entered == ["Function of me", "left"]


def test_the_api_tells_a_failure_apart_from_an_error_of_lambda() -> None:
    def handler(*_: Any) -> Any:
        raise BrokenError("no")

    client = direct.session(world_with(handler)).client("lambda")
    reply = client.invoke(FunctionName="f", Payload=b"{}")

    assert reply["StatusCode"] == 200
    assert reply["FunctionError"] == "Unhandled"
    assert json.loads(reply["Payload"].read())["errorType"] == "BrokenError"


def test_a_dry_run_runs_nothing() -> None:
    ran: list[int] = []
    client = direct.session(world_with(lambda *_: ran.append(1))).client("lambda")

    assert client.invoke(FunctionName="f", InvocationType="DryRun")["StatusCode"] == 204
    assert ran == []


@pytest.mark.parametrize("name", ["f", "arn:aws:lambda:us-east-1:111122223333:function:f"])
def test_a_function_is_found_by_name_and_by_arn(name: str) -> None:
    client = direct.session(world_with(lambda *_: 1)).client("lambda")

    assert client.get_function_configuration(FunctionName=name)["FunctionName"] == "f"


def test_a_payload_that_is_no_json_is_refused() -> None:
    client = direct.session(world_with(lambda *_: 1)).client("lambda")

    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName="f", Payload=b"{")


def test_a_payload_above_six_megabytes_is_refused() -> None:
    world = world_with(lambda *_: 1)

    with pytest.raises(AwsError) as caught:
        world.awslambda.invoke("f", "x" * 6_300_000, caller="test")

    assert caught.value.code == "RequestTooLargeException"


def test_a_permission_names_a_service_and_a_source() -> None:
    # Given a permission for one rule
    world = world_with(lambda *_: 1)
    client = direct.session(world).client("lambda")
    client.add_permission(
        FunctionName="f",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=world.arn("events", "rule/a"),
    )
    arn = world.awslambda.arn_of("f")

    # Then that rule may invoke the function, and neither another rule nor another service
    world.awslambda.check_permission(arn, "events.amazonaws.com", world.arn("events", "rule/a"))
    for service, source in [
        ("events.amazonaws.com", world.arn("events", "rule/b")),
        ("sns.amazonaws.com", world.arn("events", "rule/a")),
    ]:
        with pytest.raises(AwsError, match="not authorized"):
            world.awslambda.check_permission(arn, service, source)


def test_a_statement_id_is_used_once() -> None:
    client = direct.session(world_with(lambda *_: 1)).client("lambda")
    permission: Any = {
        "FunctionName": "f",
        "StatementId": "a",
        "Action": "lambda:InvokeFunction",
        "Principal": "events.amazonaws.com",
    }
    client.add_permission(**permission)

    with pytest.raises(client.exceptions.ResourceConflictException):
        client.add_permission(**permission)


def test_a_function_without_permissions_has_no_policy() -> None:
    client = direct.session(world_with(lambda *_: 1)).client("lambda")

    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_policy(FunctionName="f")


def test_an_environment_above_four_kilobytes_is_refused() -> None:
    with pytest.raises(AwsError, match="4KB"):
        world_with(lambda *_: 1, environment={"X": "y" * 5000})


def test_a_version_is_not_emulated() -> None:
    client = direct.session(world_with(lambda *_: 1)).client("lambda")

    with pytest.raises(NotEmulatedError):
        client.invoke(FunctionName="f", Qualifier="3")


def test_an_unknown_function_is_not_found() -> None:
    with pytest.raises(ClientError, match="Function not found"):
        direct.session(World()).client("lambda").invoke(FunctionName="nobody")
