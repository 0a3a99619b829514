"""What services tell CloudWatch of themselves: functions, queues, and metrics in logs."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import pytest

from embedded.world.awslambda import FunctionSpec
from embedded.world.cloudwatch.embedded_metrics import metrics_in
from embedded.world.cloudwatch.metrics import MetricKey
from embedded.world.errors import NotEmulatedError
from embedded.world.world import World

LINE = {
    "_aws": {
        "Timestamp": 1,
        "CloudWatchMetrics": [
            {
                "Namespace": "app",
                "Dimensions": [["service"], ["service", "fleet"]],
                "Metrics": [{"Name": "Died", "Unit": "Count"}],
            }
        ],
    },
    "service": "rolls",
    "fleet": "sec",
    "Died": [2.0, 3.0],
}


@pytest.fixture
def world() -> World:
    return World(seed=4)


def total(world: World, namespace: str, name: str, **dimensions: str) -> float | None:
    """The sum of a metric over everything so far."""
    series = world.cloudwatch.series(MetricKey(namespace, name, frozenset(dimensions.items())))
    now = world.clock.now()
    return series.datapoint(now - timedelta(hours=1), now + timedelta(seconds=1), "Sum")


def install(world: World, handler: Any) -> None:
    world.awslambda.install(FunctionSpec("f", handler, "F", world.arn("iam", "role/f")))


def test_runs_of_a_function_are_counted_and_failures_among_them(world: World) -> None:
    def handler(event: Any, _: object) -> None:
        if event["fails"]:
            raise ValueError("injected")

    install(world, handler)

    for fails in (True, False, True):
        world.awslambda.invoke("f", {"fails": fails}, caller="test")

    assert total(world, "AWS/Lambda", "Invocations", FunctionName="f") == 3
    assert total(world, "AWS/Lambda", "Errors", FunctionName="f") == 2


def test_metrics_in_a_functions_log_are_found(world: World) -> None:
    install(world, lambda _event, _context: sys.stdout.write(json.dumps(LINE)))

    world.awslambda.invoke("f", {}, caller="test")

    assert total(world, "app", "Died", service="rolls") == 5
    assert total(world, "app", "Died", service="rolls", fleet="sec") == 5
    assert total(world, "app", "Died", fleet="sec") is None


@pytest.mark.parametrize("line", ["Died: 3", '{"_aws": 1}', '{"_aws": {}}', '"_aws" {', "{}"])
def test_a_line_of_another_form_holds_no_metrics(line: str) -> None:
    assert list(metrics_in(line)) == []


def test_a_dimension_that_the_line_does_not_have_leaves_its_set_out() -> None:
    line = {name: value for name, value in LINE.items() if name != "fleet"}

    assert [put.dimensions for put in metrics_in(json.dumps(line))] == [{"service": "rolls"}] * 2


def depth(world: World) -> float | None:
    """The last measured depth of the queue."""
    key = MetricKey(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", frozenset({("QueueName", "q")})
    )
    now = world.clock.now()
    return world.cloudwatch.series(key).datapoint(now - timedelta(minutes=2), now, "Maximum")


def test_a_queues_depth_is_measured_every_minute_while_it_is_in_use(world: World) -> None:
    url = world.call("sqs", "CreateQueue", {"QueueName": "q"})["QueueUrl"]
    world.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "lost"})
    world.run_for(120)
    assert depth(world) == 1

    world.call("sqs", "PurgeQueue", {"QueueUrl": url})
    world.run_for(180)
    assert depth(world) == 0


def test_six_hours_after_its_last_use_a_queue_is_measured_no_more(world: World) -> None:
    url = world.call("sqs", "CreateQueue", {"QueueName": "q"})["QueueUrl"]
    world.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "lost"})

    world.run_for(timedelta(hours=5, minutes=59).total_seconds())
    assert depth(world) == 1

    world.run_for(600)
    assert depth(world) is None
    assert world.clock.next_at() is None


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("AWS/Lambda", "Throttles"), ("AWS/States", "ExecutionTime"), ("AWS/SQS", "SentMessageSize")],
)
def test_an_alarm_on_what_a_service_does_not_tell_is_refused(
    world: World, namespace: str, name: str
) -> None:
    with pytest.raises(NotEmulatedError, match=name):
        world.cloudwatch.series(MetricKey(namespace, name, frozenset()))
