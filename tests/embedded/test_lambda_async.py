"""Asynchronous invocation: tries, pauses, and where events end that fail them all."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from embedded import direct
from embedded.world.awslambda import FunctionSpec
from embedded.world.world import World

ROLE = "arn:aws:iam::111122223333:role/any"


class Scene:
    """A function that fails its first few runs."""

    def __init__(self, *, failures: int, **settings: Any) -> None:
        self.world = World()
        self.runs: list[tuple[datetime, str]] = []
        self.failures = failures
        self.sqs = direct.session(self.world).client("sqs")
        self.client = direct.session(self.world).client("lambda")
        self.sqs.create_queue(QueueName="failed")
        self.queue = self.world.arn("sqs", "failed")
        spec = FunctionSpec("f", self._handle, "Function", ROLE, **settings)
        self.world.awslambda.install(spec)

    def _handle(self, _: Any, context: Any) -> str:
        self.runs.append((self.world.clock.now(), context.aws_request_id))
        if len(self.runs) <= self.failures:
            raise ValueError(f"run {len(self.runs)} failed")
        return "fine"

    def invoke(self, hours: float = 1) -> None:
        """Queue an event and let time pass."""
        reply = self.client.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"a": 1}')
        assert reply["StatusCode"] == 202
        assert self.runs == []
        self.world.run_for(hours * 3600)


def test_an_event_that_works_is_tried_once() -> None:
    scene = Scene(failures=0)

    scene.invoke()

    assert len(scene.runs) == 1
    assert scene.world.awslambda.dropped == []


def test_a_failing_event_is_tried_again_after_one_and_after_two_minutes() -> None:
    scene = Scene(failures=9)

    scene.invoke()

    first, second, third = (at for at, _ in scene.runs)
    assert second - first == timedelta(minutes=1)
    assert third - second == timedelta(minutes=2)


def test_every_try_is_a_run() -> None:
    scene = Scene(failures=1)

    scene.invoke()

    assert [run.error_type for run in scene.world.awslambda.runs] == ["ValueError", None]


def test_every_try_has_the_same_request_id() -> None:
    scene = Scene(failures=2)

    scene.invoke()

    assert len({request_id for _, request_id in scene.runs}) == 1


def test_an_event_that_fails_every_try_is_gone_without_a_queue() -> None:
    scene = Scene(failures=9)

    scene.invoke()

    (dropped,) = scene.world.awslambda.dropped
    assert dropped.event == {"a": 1}
    assert dropped.kept_by is None


def test_a_dead_letter_queue_gets_the_event_with_its_error() -> None:
    scene = Scene(failures=9, dead_letter_arn="arn:aws:sqs:us-east-1:111122223333:failed")

    scene.invoke()

    (letter,) = scene.world.sqs.messages(scene.queue)
    assert json.loads(letter.body) == {"a": 1}
    assert letter.text_attributes()["ErrorMessage"] == "run 3 failed"


def test_a_destination_gets_a_record_of_the_invocation() -> None:
    scene = Scene(failures=9)
    scene.client.put_function_event_invoke_config(
        FunctionName="f",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": scene.queue}},
    )

    scene.invoke()

    record = json.loads(scene.world.sqs.messages(scene.queue)[0].body)
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestPayload"] == {"a": 1}
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_a_success_has_a_destination_of_its_own() -> None:
    scene = Scene(failures=0)
    scene.client.put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": scene.queue}}
    )

    scene.invoke()

    record = json.loads(scene.world.sqs.messages(scene.queue)[0].body)
    assert record["responsePayload"] == "fine"


def test_an_event_that_got_too_old_is_not_tried_again() -> None:
    scene = Scene(failures=9)
    scene.client.put_function_event_invoke_config(FunctionName="f", MaximumEventAgeInSeconds=90)

    scene.invoke()

    assert len(scene.runs) == 2
    assert scene.world.awslambda.dropped[0].condition == "EventAgeExceeded"


def test_the_settings_can_be_read_back() -> None:
    scene = Scene(failures=0)
    scene.client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)

    config = scene.client.get_function_event_invoke_config(FunctionName="f")

    assert config["MaximumRetryAttempts"] == 0
    assert config["MaximumEventAgeInSeconds"] == 21_600
