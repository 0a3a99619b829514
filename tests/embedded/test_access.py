"""Roles: what their policies allow, and that the world lets nobody do more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.world.access.conditions import Context, hold
from embedded.world.access.policy import Demand, allowing, statements_of
from embedded.world.errors import NotEmulatedError
from embedded.world.world import World

ROLE = "arn:aws:iam::111122223333:role/reader"
TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/ledger"


def policy(*statements: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One policy document of these statements."""
    return [{"Version": "2012-10-17", "Statement": list(statements)}]


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def allowed(
    statements: list[Mapping[str, Any]], action: str, resource: str, **context: str
) -> bool:
    """Whether policies allow an action on a resource."""
    return bool(allowing(statements_of(statements), Demand(action, resource, context)))


def test_what_nothing_allows_is_denied() -> None:
    assert not allowed(policy(allow("dynamodb:GetItem", TABLE)), "dynamodb:PutItem", TABLE)


def test_actions_are_compared_without_case_and_with_wildcards() -> None:
    given = policy(allow("DynamoDB:get*", TABLE))

    assert allowed(given, "dynamodb:GetItem", TABLE)
    assert not allowed(given, "dynamodb:BatchGetItem", TABLE)


def test_resources_are_compared_with_case() -> None:
    given = policy(allow("dynamodb:GetItem", TABLE))

    assert not allowed(given, "dynamodb:GetItem", TABLE.replace("ledger", "Ledger"))


def test_an_action_without_resource_is_not_covered_by_a_statement_about_one() -> None:
    given = policy(allow("ec2:DescribeSnapshots", "arn:aws:ec2:*:*:snapshot/*"))

    assert not allowed(given, "ec2:DescribeSnapshots", "*")


def test_a_deny_wins_over_every_allow() -> None:
    denial = {"Effect": "Deny", "Action": "dynamodb:*", "Resource": TABLE}

    assert not allowed(policy(allow("*"), denial), "dynamodb:GetItem", TABLE)


@pytest.mark.parametrize("element", ["NotAction", "NotResource", "Principal"])
def test_elements_that_are_not_understood_are_refused(element: str) -> None:
    with pytest.raises(NotEmulatedError, match=element):
        statements_of(policy(allow("ec2:*", **{element: "x"})))


HOLDING: list[tuple[str, Mapping[str, Mapping[str, Any]], Context]] = [
    ("an equal text", {"StringEquals": {"aws:K": ["a", "b"]}}, {"aws:k": "b"}),
    ("a pattern", {"StringLike": {"k": "snaproll:*"}}, {"k": "snaproll:role"}),
    ("another text", {"StringNotEquals": {"k": "a"}}, {"k": "b"}),
    ("no value at all, where one is forbidden", {"StringNotEquals": {"k": "a"}}, {}),
    ("a Boolean however written", {"Bool": {"k": True}}, {"k": "true"}),
    ("a key that is there", {"Null": {"k": "false"}}, {"k": ""}),
    ("a key that is not there", {"Null": {"k": "true"}}, {}),
    ("a key that may be absent", {"StringEqualsIfExists": {"k": "a"}}, {}),
    ("every value", {"ForAllValues:StringLike": {"k": "a*"}}, {"k": frozenset({"a1", "a2"})}),
    ("every value of none", {"ForAllValues:StringLike": {"k": "a*"}}, {}),
    ("some value", {"ForAnyValue:StringEquals": {"k": "a"}}, {"k": frozenset({"a", "b"})}),
]
FAILING: list[tuple[str, Mapping[str, Mapping[str, Any]], Context]] = [
    ("another text", {"StringEquals": {"k": "a"}}, {"k": "b"}),
    ("a wildcard where texts are equal or not", {"StringEquals": {"k": "a*"}}, {"k": "ab"}),
    ("no value at all", {"StringLike": {"k": "*"}}, {}),
    ("one of two conditions", {"StringEquals": {"k": "a", "l": "b"}}, {"k": "a", "l": "c"}),
    ("a key that should not be there", {"Null": {"k": "true"}}, {"k": "a"}),
    ("one of the values", {"ForAllValues:StringLike": {"k": "a*"}}, {"k": frozenset({"a", "b"})}),
    ("some value of none", {"ForAnyValue:StringEquals": {"k": "a"}}, {}),
]


@pytest.mark.parametrize(("_", "condition", "context"), HOLDING, ids=[row[0] for row in HOLDING])
def test_a_condition_holds(_: str, condition: Any, context: Context) -> None:
    assert hold(condition, context)


@pytest.mark.parametrize(("_", "condition", "context"), FAILING, ids=[row[0] for row in FAILING])
def test_a_condition_fails(_: str, condition: Any, context: Context) -> None:
    assert not hold(condition, context)


def test_an_operator_that_is_not_understood_is_refused() -> None:
    with pytest.raises(NotEmulatedError, match="DateGreaterThan"):
        hold({"DateGreaterThan": {"aws:CurrentTime": "2030-01-01"}}, {})


def client(world: World, service: Any) -> Any:
    """A client that calls under the role."""
    session = direct.DirectSession(world, "Reader", 1, check_replies=True, role=ROLE)
    return session.client(service)


def test_a_call_that_the_role_does_not_allow_is_refused_and_has_no_effect() -> None:
    world = World()
    world.access.put_role(ROLE, policy(allow("ssm:GetParameter")))

    with pytest.raises(ClientError) as refused:
        client(world, "ssm").put_parameter(Name="/a", Value="b", Type="String")

    error = refused.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "not authorized to perform: ssm:PutParameter" in error["Message"]
    with pytest.raises(ClientError, match="ParameterNotFound"):
        client(world, "ssm").get_parameter(Name="/a")


def test_each_service_refuses_with_its_own_code() -> None:
    world = World()
    world.access.put_role(ROLE, [])

    codes = {}
    for service, operation in (
        ("ec2", "describe_snapshots"),
        ("autoscaling", "describe_auto_scaling_groups"),
        ("elbv2", "describe_target_groups"),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(client(world, service), operation)()
        codes[service] = refused.value.response["Error"]["Code"]

    assert codes == {
        "ec2": "UnauthorizedOperation",
        "autoscaling": "AccessDenied",
        "elbv2": "AccessDenied",
    }


def test_a_transaction_takes_the_right_to_each_of_its_writes() -> None:
    world = World()
    world.access.put_role(ROLE, policy(allow("dynamodb:PutItem")))
    key = {"pk": {"S": "a"}}

    with pytest.raises(ClientError, match="dynamodb:DeleteItem"):
        client(world, "dynamodb").transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "ledger", "Item": key}},
                {"Delete": {"TableName": "ledger", "Key": key}},
            ]
        )


def test_a_call_that_nobody_has_looked_at_is_refused_loudly() -> None:
    world = World()
    world.access.put_role(ROLE, policy(allow("*")))

    with pytest.raises(NotEmulatedError, match="what IAM judges ec2:RunInstances by"):
        client(world, "ec2").run_instances(MinCount=1, MaxCount=1, DryRun=True)


def test_a_role_that_was_taken_away_may_do_nothing_more() -> None:
    world = World()
    world.access.put_role(ROLE, policy(allow("*")))
    client(world, "autoscaling").describe_auto_scaling_groups()

    world.access.remove_role(ROLE)

    with pytest.raises(ClientError, match="AccessDenied"):
        client(world, "autoscaling").describe_auto_scaling_groups()
