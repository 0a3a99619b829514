"""The wire door: every protocol, every refusal, and one world behind many connections."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from embedded.wire.server import PortTakenError, WireDoor
from embedded.world.faults import Call
from embedded.world.world import World

Clients = Callable[[str], Any]
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=dummy/20260105/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def door(world: World) -> Iterator[WireDoor]:
    with WireDoor(world, speed=0) as opened:
        yield opened


@pytest.fixture
def clients(door: WireDoor) -> Clients:
    return lambda service: client_of(door.url, service)


def client_of(url: str, service: str) -> Any:
    make: Callable[..., Any] = boto3.Session(
        aws_access_key_id="dummy",
        aws_secret_access_key="dummy",  # noqa: S106 - the wire door checks no signature
        region_name="us-east-1",
    ).client
    config = Config(proxies={}, retries={"total_max_attempts": 1})
    return make(service, endpoint_url=url, config=config)


def posted(url: str, service: str, body: str, **headers: str) -> tuple[int, str]:
    """Send a request that no SDK would send."""
    request = urllib.request.Request(  # noqa: S310 - the door's own loopback address
        url,
        data=body.encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": SIGNED.format(service=service),
            **headers,
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("service", "operation", "member"),
    [
        pytest.param("ec2", "describe_snapshots", "Snapshots", id="ec2 XML"),
        pytest.param(
            "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", id="query"
        ),
        pytest.param("cloudwatch", "describe_alarms", "MetricAlarms", id="JSON, formerly query"),
        pytest.param("stepfunctions", "list_state_machines", "stateMachines", id="JSON 1.0"),
        pytest.param("events", "list_rules", "Rules", id="JSON 1.1"),
        pytest.param("lambda", "list_functions", "Functions", id="REST JSON"),
    ],
)
def test_every_protocol_of_the_sdk_is_spoken(
    clients: Clients, service: str, operation: str, member: str
) -> None:
    reply = getattr(clients(service), operation)()

    assert reply[member] == []


def test_an_older_sdk_asks_cloudwatch_in_the_query_protocol(door: WireDoor) -> None:
    status, body = posted(door.url, "monitoring", "Action=DescribeAlarms&Version=2010-08-01")

    assert status == 200
    assert "<DescribeAlarmsResult>" in body


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("ec2", "describe_images", {}),
        ("autoscaling", "describe_lifecycle_hooks", {"AutoScalingGroupName": "none"}),
        ("autoscaling", "describe_account_limits", {}),
        ("cloudwatch", "list_dashboards", {}),
        ("stepfunctions", "list_activities", {}),
        ("lambda", "list_layers", {}),
        ("rds", "describe_db_instances", {}),
        ("glue", "get_databases", {}),
    ],
)
def test_what_is_not_supported_says_so_as_an_error_of_aws(
    clients: Clients, service: str, operation: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refusal:
        getattr(clients(service), operation)(**params)

    assert refusal.value.response["Error"]["Code"] == "NotEmulated"
    assert "does not model" in refusal.value.response["Error"]["Message"]


def test_an_action_that_no_model_knows_is_refused_by_name(door: WireDoor) -> None:
    status, body = posted(door.url, "ec2", "Action=DescribeUnicorns&Version=2016-11-15")

    assert status == 501
    assert "<Code>NotEmulated</Code>" in body
    assert "ec2:DescribeUnicorns" in body


def test_parameters_that_do_not_fit_the_model_are_refused(door: WireDoor) -> None:
    status, body = posted(
        door.url, "autoscaling", "Action=SetDesiredCapacity&Version=2011-01-01&DesiredCapacity=1"
    )

    assert status == 400
    assert "<Code>ValidationError</Code>" in body
    assert "AutoScalingGroupName" in body


def test_a_body_that_cannot_be_read_is_refused(door: WireDoor) -> None:
    status, body = posted(
        door.url,
        "autoscaling",
        "Action=SetDesiredCapacity&AutoScalingGroupName=a&DesiredCapacity=x",
    )

    assert status == 400
    assert "<Code>ValidationError</Code>" in body


def test_a_request_without_signature_is_told_what_is_missing(door: WireDoor) -> None:
    status, body = posted(door.url, "ec2", "Action=DescribeVpcs", Authorization="")

    assert status == 400
    assert "set dummy credentials" in body


def test_modelled_errors_arrive_as_their_classes(clients: Clients) -> None:
    ssm = clients("ssm")

    with pytest.raises(ssm.exceptions.ParameterNotFound) as refusal:
        ssm.get_parameter(Name="/none")

    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_fault_of_the_emulation_is_an_internal_failure(world: World, clients: Clients) -> None:
    def stumble(_: Call) -> None:
        raise RuntimeError("stumbled")

    world.faults.before_effect(stumble)

    with pytest.raises(ClientError) as refusal:
        clients("ec2").describe_snapshots()

    assert refusal.value.response["Error"]["Code"] == "InternalFailure"
    assert "stumbled" in refusal.value.response["Error"]["Message"]


def test_networks_and_identities_are_there_to_be_looked_at(clients: Clients) -> None:
    ec2 = clients("ec2")

    zones = {subnet["AvailabilityZone"] for subnet in ec2.describe_subnets()["Subnets"]}
    account = clients("sts").get_caller_identity()["Account"]

    assert {"us-east-1a", "us-east-1b"} <= zones
    assert account == "111122223333"


def test_buckets_keep_what_is_put_into_them(clients: Clients) -> None:
    s3 = clients("s3")
    s3.create_bucket(Bucket="artifacts")

    s3.put_object(Bucket="artifacts", Key="some/key", Body=b"\x00\xff")

    assert s3.get_object(Bucket="artifacts", Key="some/key")["Body"].read() == b"\x00\xff"


def test_ids_made_up_for_networks_are_the_same_in_every_run() -> None:
    made = []
    for _ in range(2):
        with WireDoor(World(), speed=0) as door:
            ec2 = client_of(door.url, "ec2")
            made.append(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])

    assert made[0] == made[1]


def test_callers_at_the_same_time_take_turns(world: World, door: WireDoor) -> None:
    ssm = client_of(door.url, "ssm")

    def publish(number: int) -> str:
        reply = ssm.put_parameter(Name=f"/p/{number}", Value="v", Type="String")
        return str(reply["Version"])

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(publish, range(24)))

    assert versions == ["1"] * 24
    stored = world.call("ssm", "GetParametersByPath", {"Path": "/p"})["Parameters"]
    assert len(stored) == 10


def test_a_port_that_is_taken_is_an_error_with_its_number(door: WireDoor) -> None:
    port = int(door.url.rpartition(":")[2])

    with pytest.raises(PortTakenError, match=str(port)):
        WireDoor(World(), port=port)
