"""What can go wrong when AWS's own services invoke a function."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, ReadTimeoutError

from embedded.world.errors import AwsError, FunctionTimedOutError
from embedded.world.faults import Call, Interference
from tests.embedded.machines import Bench, output, task
from tests.embedded.test_lambda_async import Scene

URL = "https://lambda.us-east-1.amazonaws.com/"


def invoked_by(caller: str, fault: BaseException, times: int = 1) -> Interference:
    """Let the first invocations by a caller go wrong."""
    left = times

    def interfere(call: Call) -> None:
        nonlocal left
        if call.operation == "Invoke" and call.caller.startswith(caller) and left:
            left -= 1
            raise fault

    return interfere


# -- by Step Functions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (
            AwsError("TooManyRequestsException", "Rate Exceeded.", http_status=429),
            "Lambda.TooManyRequestsException",
        ),
        (AwsError("ServiceException", "broken", http_status=500), "Lambda.ServiceException"),
        (ConnectTimeoutError(endpoint_url=URL), "Lambda.SdkClientException"),
    ],
)
def test_a_task_names_what_kept_lambda_from_running_its_function(
    fault: AwsError | BotoCoreError, name: str
) -> None:
    bench, runs = Bench(), list[Any]()
    bench.function("work", runs.append)
    bench.world.faults.before_effect(invoked_by("states:", fault))

    execution = bench.run({"Call": task()})

    assert (execution.status, execution.error) == ("FAILED", name)
    assert runs == []


def test_a_task_whose_function_ran_unheard_runs_it_twice() -> None:
    # Given an answer that never comes, and a task that retries that
    bench, runs = Bench(), list[Any]()

    def count(event: Any) -> int:
        runs.append(event)
        return len(runs)

    bench.function("work", count)
    silence = ReadTimeoutError(endpoint_url=URL)
    bench.world.faults.after_effect(invoked_by("states:", silence))
    retry = [{"ErrorEquals": ["Lambda.ClientExecutionTimeoutException"], "IntervalSeconds": 1}]

    execution = bench.run({"Call": task(Retry=retry)}, seconds=5)

    assert output(execution)["Payload"] == 2


def test_a_function_whose_time_is_up_fails_as_sandbox_timedout() -> None:
    bench = Bench()

    def stop(_: Any) -> None:
        raise FunctionTimedOutError

    bench.function("work", stop)

    execution = bench.run({"Call": task()})

    assert execution.error == "Sandbox.Timedout"
    assert "Task timed out after" in json.loads(execution.cause or "")["errorMessage"]


# -- by Lambda's queue -----------------------------------------------------------------------------


def test_a_throttled_event_goes_back_into_the_queue_and_costs_no_try() -> None:
    # Given more throttling than an event has tries
    scene = Scene(failures=0)
    throttled = AwsError("TooManyRequestsException", "Rate Exceeded.", http_status=429)
    scene.world.faults.before_effect(invoked_by("lambda.amazonaws.com", throttled, times=9))

    scene.invoke()

    # Then it is run when that ends: after 1, 2, 4, … seconds, and then every five minutes
    assert len(scene.runs) == 1
    waited = scene.runs[0][0] - scene.world.calls[1].at
    assert timedelta(minutes=8) < waited < timedelta(minutes=14)


def test_an_event_that_stays_throttled_is_dropped_when_it_is_too_old() -> None:
    scene = Scene(failures=0)
    throttled = AwsError("TooManyRequestsException", "Rate Exceeded.", http_status=429)
    scene.world.faults.before_effect(invoked_by("lambda.amazonaws.com", throttled, times=10**6))

    scene.invoke(hours=8)

    assert scene.runs == []
    assert [one.condition for one in scene.world.awslambda.dropped] == ["EventAgeExceeded"]


def test_an_event_of_whose_run_lambda_does_not_know_is_run_twice() -> None:
    scene = Scene(failures=0)
    broken = AwsError("ServiceException", "broken", http_status=500)
    scene.world.faults.after_effect(invoked_by("lambda.amazonaws.com", broken))

    scene.invoke()

    assert len(scene.runs) == 2
    assert len({request_id for _, request_id in scene.runs}) == 1
