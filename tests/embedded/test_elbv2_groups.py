"""Load balancers, target groups, listeners and their settings."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.errors import NotEmulatedError
from tests.embedded.replicas import Replicas


@pytest.fixture
def replicas() -> Replicas:
    return Replicas()


def group(replicas: Replicas, **params: Any) -> dict[str, Any]:
    request = {"Name": "other", "Protocol": "HTTP", "Port": 80, **params}
    made = replicas.call("elbv2", "CreateTargetGroup", **request)["TargetGroups"]
    shape: dict[str, Any] = made[0]
    return shape


def attributes(replicas: Replicas) -> dict[str, str]:
    answer = replicas.call(
        "elbv2", "DescribeTargetGroupAttributes", TargetGroupArn=replicas.target_group_arn
    )
    return {item["Key"]: item["Value"] for item in answer["Attributes"]}


def refuse_attribute(replicas: Replicas, *pairs: tuple[str, str]) -> str:
    return replicas.refusal(
        "elbv2",
        "ModifyTargetGroupAttributes",
        TargetGroupArn=replicas.target_group_arn,
        Attributes=[{"Key": key, "Value": value} for key, value in pairs],
    ).code


def test_a_target_group_has_the_documented_defaults(replicas: Replicas) -> None:
    shape = group(replicas)
    assert {name: shape[name] for name in shape if name.startswith("Health")} == {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckTimeoutSeconds": 5,
        "HealthCheckPath": "/",
        "HealthyThresholdCount": 5,
    }
    assert shape["UnhealthyThresholdCount"] == 2
    assert attributes(replicas)["deregistration_delay.timeout_seconds"] == "300"
    assert attributes(replicas)["slow_start.duration_seconds"] == "0"


@pytest.mark.parametrize(
    "setting",
    [
        {"HealthCheckIntervalSeconds": 4},
        {"HealthCheckIntervalSeconds": 301},
        {"HealthCheckTimeoutSeconds": 1},
        {"HealthyThresholdCount": 11},
        {"UnhealthyThresholdCount": 1},
        {"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 10},
        {"Port": 70_000},
        {"Name": "-wrong"},
        {"Name": "x" * 33},
    ],
)
def test_a_setting_out_of_range_is_refused(replicas: Replicas, setting: dict[str, Any]) -> None:
    request = {"Name": "other", "Protocol": "HTTP", "Port": 80, **setting}
    assert replicas.refusal("elbv2", "CreateTargetGroup", **request).code == "ValidationError"


def test_an_equal_group_is_made_once_and_another_by_its_name_is_refused(
    replicas: Replicas,
) -> None:
    assert group(replicas) == group(replicas)
    refusal = replicas.refusal("elbv2", "CreateTargetGroup", Name="other", Protocol="HTTP", Port=81)
    assert refusal.code == "DuplicateTargetGroupName"


@pytest.mark.parametrize("kind", ["ip", "lambda", "alb"])
def test_other_types_of_target_are_refused_loudly(replicas: Replicas, kind: str) -> None:
    with pytest.raises(NotEmulatedError):
        group(replicas, TargetType=kind)


def test_attributes_are_changed_all_or_none(replicas: Replicas) -> None:
    delay = ("deregistration_delay.timeout_seconds", "60")
    assert refuse_attribute(replicas, delay, ("no.such.key", "1")) == "ValidationError"
    assert attributes(replicas)[delay[0]] == "300"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("deregistration_delay.timeout_seconds", "3601"),
        ("slow_start.duration_seconds", "20"),
        ("load_balancing.algorithm.type", "random"),
    ],
)
def test_an_attribute_out_of_range_is_refused(replicas: Replicas, key: str, value: str) -> None:
    assert refuse_attribute(replicas, (key, value)) == "ValidationError"


def test_slow_start_excludes_other_algorithms(replicas: Replicas) -> None:
    pairs = [
        ("slow_start.duration_seconds", "60"),
        ("load_balancing.algorithm.type", "least_outstanding_requests"),
    ]
    assert refuse_attribute(replicas, *pairs) == "InvalidConfigurationRequest"


def test_groups_are_found_by_arn_name_and_load_balancer(replicas: Replicas) -> None:
    group(replicas)

    def names(**params: Any) -> list[str]:
        found = replicas.call("elbv2", "DescribeTargetGroups", **params)["TargetGroups"]
        return [shape["TargetGroupName"] for shape in found]

    assert names() == ["replicas", "other"]
    assert names(Names=["other"]) == ["other"]
    assert names(TargetGroupArns=[replicas.target_group_arn]) == ["replicas"]
    assert names(LoadBalancerArn=replicas.load_balancer_arn) == ["replicas"]
    assert (
        replicas.refusal("elbv2", "DescribeTargetGroups", Names=["nobody"]).code
        == "TargetGroupNotFound"
    )


def test_groups_come_in_pages(replicas: Replicas) -> None:
    group(replicas)
    first = replicas.call("elbv2", "DescribeTargetGroups", PageSize=1)
    rest = replicas.call("elbv2", "DescribeTargetGroups", Marker=first["NextMarker"])
    assert len(first["TargetGroups"]) == len(rest["TargetGroups"]) == 1
    assert "NextMarker" not in rest


def test_a_group_in_use_cannot_be_deleted(replicas: Replicas) -> None:
    arn = replicas.target_group_arn
    assert replicas.refusal("elbv2", "DeleteTargetGroup", TargetGroupArn=arn).code == (
        "ResourceInUse"
    )
    replicas.call("elbv2", "DeleteLoadBalancer", LoadBalancerArn=replicas.load_balancer_arn)
    replicas.call("elbv2", "DeleteTargetGroup", TargetGroupArn=arn)
    assert (
        replicas.refusal("elbv2", "DescribeTargetHealth", TargetGroupArn=arn).code
        == "TargetGroupNotFound"
    )


def test_a_group_belongs_to_one_load_balancer(replicas: Replicas) -> None:
    other = replicas.call(
        "elbv2", "CreateLoadBalancer", Name="second", Subnets=["subnet-1", "subnet-2"]
    )["LoadBalancers"][0]["LoadBalancerArn"]
    refusal = replicas.refusal(
        "elbv2",
        "CreateListener",
        LoadBalancerArn=other,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": replicas.target_group_arn}],
    )
    assert refusal.code == "TargetGroupAssociationLimit"


def test_a_port_has_one_listener(replicas: Replicas) -> None:
    refusal = replicas.refusal(
        "elbv2",
        "CreateListener",
        LoadBalancerArn=replicas.load_balancer_arn,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": replicas.target_group_arn}],
    )
    assert refusal.code == "DuplicateListener"


def test_load_balancers_and_listeners_are_described(replicas: Replicas) -> None:
    arn = replicas.load_balancer_arn
    [balancer] = replicas.call("elbv2", "DescribeLoadBalancers", Names=["replicas"])[
        "LoadBalancers"
    ]
    assert balancer["LoadBalancerArn"] == arn
    assert balancer["State"] == {"Code": "active"}
    [listener] = replicas.call("elbv2", "DescribeListeners", LoadBalancerArn=arn)["Listeners"]
    assert listener["DefaultActions"][0]["TargetGroupArn"] == replicas.target_group_arn
    assert (
        replicas.refusal("elbv2", "DescribeLoadBalancers", Names=["nobody"]).code
        == "LoadBalancerNotFound"
    )


def test_deletion_protection_keeps_a_load_balancer(replicas: Replicas) -> None:
    arn = replicas.load_balancer_arn
    protect = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    replicas.call("elbv2", "ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=protect)
    assert replicas.refusal("elbv2", "DeleteLoadBalancer", LoadBalancerArn=arn).code == (
        "OperationNotPermitted"
    )


def test_tags_are_added_removed_and_described(replicas: Replicas) -> None:
    arn = replicas.target_group_arn
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    replicas.call("elbv2", "AddTags", ResourceArns=[arn], Tags=tags)
    replicas.call("elbv2", "RemoveTags", ResourceArns=[arn], TagKeys=["a"])
    [shape] = replicas.call("elbv2", "DescribeTags", ResourceArns=[arn])["TagDescriptions"]
    assert shape["Tags"] == [{"Key": "b", "Value": "2"}]
