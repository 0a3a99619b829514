"""The direct door: ordinary clients, answered by a world."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError

from embedded import direct
from embedded.world.awslambda import FunctionSpec
from embedded.world.errors import AwsError, FunctionDiedError, NotEmulatedError
from embedded.world.faults import Call
from embedded.world.service import Params, Reply
from embedded.world.ssm import ParameterStore
from embedded.world.world import World

NAME = "/fleets/a"


def world_with_parameter() -> World:
    world = World()
    direct.session(world).client("ssm").put_parameter(Name=NAME, Value="1", Type="String")
    world.calls.clear()
    return world


def fail_times(world: World, times: int, error: BaseException) -> None:
    left = [error] * times

    def interfere(_: Call) -> None:
        if left:
            raise left.pop()

    world.faults.before_effect(interfere)


def test_a_call_reaches_the_world_with_its_caller() -> None:
    world = world_with_parameter()

    direct.session(world, "watcher").client("ssm").get_parameter(Name=NAME)

    call = world.calls[-1]
    assert (call.caller, call.service, call.operation) == ("watcher", "ssm", "GetParameter")


def test_a_reply_has_the_metadata_that_botocore_adds() -> None:
    ssm = direct.session(world_with_parameter()).client("ssm")

    reply = ssm.get_parameter(Name=NAME)

    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert reply["ResponseMetadata"]["RetryAttempts"] == 0


def test_parameters_are_validated_as_botocore_does_before_the_world_sees_them() -> None:
    world = world_with_parameter()
    ssm = direct.session(world).client("ssm")

    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "Name"'):
        ssm.get_parameter()  # type: ignore[call-arg]

    assert world.calls == []


def test_an_error_is_the_modelled_exception_of_the_client() -> None:
    ssm = direct.session(World()).client("ssm")

    with pytest.raises(ssm.exceptions.ParameterNotFound) as caught:
        ssm.get_parameter(Name="nowhere")

    assert caught.value.response["Error"]["Code"] == "ParameterNotFound"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.operation_name == "GetParameter"


def test_the_exception_class_is_found_by_the_wire_code() -> None:
    world = World()
    autoscaling = direct.session(world).client("autoscaling")
    fail_times(world, 1, AwsError("InstanceRefreshInProgress", "one is under way"))

    with pytest.raises(autoscaling.exceptions.InstanceRefreshInProgressFault) as caught:
        autoscaling.start_instance_refresh(AutoScalingGroupName="replicas")

    assert caught.value.response["Error"]["Code"] == "InstanceRefreshInProgress"


def test_a_modelled_error_has_the_status_of_its_shape() -> None:
    client = direct.session(World()).client("lambda")

    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.get_function(FunctionName="nobody")

    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_throttling_is_retried_until_the_call_gets_through() -> None:
    world = world_with_parameter()
    fail_times(world, 2, AwsError("ThrottlingException", "Rate exceeded"))

    reply = direct.session(world).client("ssm").get_parameter(Name=NAME)

    assert reply["ResponseMetadata"]["RetryAttempts"] == 2
    assert [call.attempt for call in world.calls] == [1, 2, 3]


def test_a_call_that_keeps_failing_is_given_up_after_the_attempts_allowed() -> None:
    world = world_with_parameter()
    fail_times(world, 9, AwsError("InternalServerError", "sorry", http_status=500))

    with pytest.raises(ClientError) as caught:
        direct.session(world, max_attempts=2).client("ssm").get_parameter(Name=NAME)

    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 1
    assert len(world.calls) == 2


def test_a_callers_mistake_is_not_retried() -> None:
    world = World()

    with pytest.raises(ClientError):
        direct.session(world).client("ssm").get_parameter(Name="nowhere")

    assert len(world.calls) == 1


def test_an_answer_that_gets_lost_is_asked_for_again() -> None:
    # Given a call whose effect happens while its answer times out
    world = World()
    lost = [ReadTimeoutError(endpoint_url="https://ssm")]

    def lose(_: Call) -> None:
        if lost:
            raise lost.pop()

    world.faults.after_effect(lose)

    # When the SDK tries again, then it meets the effect of its own first try
    ssm = direct.session(world).client("ssm")
    with pytest.raises(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(Name=NAME, Value="1", Type="String")


def test_a_timeout_that_stays_reaches_the_caller_as_it_is() -> None:
    world = world_with_parameter()
    fail_times(world, 9, ReadTimeoutError(endpoint_url="https://ssm"))

    with pytest.raises(ReadTimeoutError):
        direct.session(world).client("ssm").get_parameter(Name=NAME)

    assert len(world.calls) == direct.SDK_ATTEMPTS


def test_a_function_that_dies_in_a_call_is_not_kept_alive_by_retries() -> None:
    world = world_with_parameter()
    fail_times(world, 1, FunctionDiedError())

    with pytest.raises(FunctionDiedError):
        direct.session(world).client("ssm").get_parameter(Name=NAME)


def test_what_is_not_emulated_cannot_be_mistaken_for_an_answer_of_aws() -> None:
    ssm = direct.session(World()).client("ssm")

    with pytest.raises(NotEmulatedError, match="ssm:GetDocument"):
        ssm.get_document(Name="anything")


def test_a_waiter_is_refused_because_it_would_sleep_in_real_time() -> None:
    with pytest.raises(NotEmulatedError, match="real time"):
        direct.session(World()).client("ec2").get_waiter("snapshot_completed")


def test_paginators_walk_through_every_page() -> None:
    world = World()
    ssm = direct.session(world).client("ssm")
    for number in range(23):
        ssm.put_parameter(Name=f"/fleets/{number:02}", Value="x", Type="String")

    pages = list(ssm.get_paginator("get_parameters_by_path").paginate(Path="/fleets"))

    assert [len(page["Parameters"]) for page in pages] == [10, 10, 3]


def test_idempotency_tokens_are_filled_in_and_the_same_in_every_run() -> None:
    def token_of_a_run() -> Any:
        world = World(seed=7)
        template: Any = {"ImageId": "ami-0123456789abcdef0"}
        direct.session(world).client("ec2").create_launch_template(
            LaunchTemplateName="replicas", LaunchTemplateData=template
        )
        return world.calls[-1].params["ClientToken"]

    assert token_of_a_run() == token_of_a_run() != ""


def test_what_a_caller_passes_is_not_shared_with_the_world() -> None:
    world = World()
    tags: list[Any] = [{"Key": "a", "Value": "1"}]
    ssm = direct.session(world).client("ssm")
    ssm.put_parameter(Name=NAME, Value="x", Type="String", Tags=tags)

    tags[0]["Value"] = "2"

    listed = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=NAME)
    assert listed["TagList"] == [{"Key": "a", "Value": "1"}]


def test_two_worlds_share_nothing_but_the_making_of_their_clients() -> None:
    one, other = world_with_parameter(), World()

    client = direct.session(one).client("ssm")
    stranger = direct.session(other).client("ssm")

    assert client.get_parameter(Name=NAME)["Parameter"]["Value"] == "1"
    with pytest.raises(ClientError):
        stranger.get_parameter(Name=NAME)


def test_a_reply_that_does_not_fit_its_shape_is_the_models_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()

    def misspelt(_self: object, _params: Params) -> Reply:
        return {"Parametre": {}}

    monkeypatch.setattr(ParameterStore, "get_parameter", misspelt)

    with pytest.raises(TypeError, match="Parametre is not a member of GetParameterResult"):
        direct.session(world).client("ssm").get_parameter(Name=NAME)


def test_the_payload_of_a_function_is_a_stream_as_from_the_wire() -> None:
    world = World()
    world.awslambda.install(
        FunctionSpec("echo", lambda event, _: event, "Echo", "arn:aws:iam::1:role/r")
    )

    reply = (
        direct.session(world)
        .client("lambda")
        .invoke(FunctionName="echo", Payload=json.dumps({"a": 1}))
    )

    assert json.loads(reply["Payload"].read()) == {"a": 1}


def test_the_callers_environment_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "does-not-exist")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    client = direct.session(World(region="us-west-2")).client("sqs")

    assert client.meta.region_name == "us-west-2"
