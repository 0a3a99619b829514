"""Whether a key admits a role: told only where it can be told."""

from __future__ import annotations

from typing import Any

import pytest

from snaproll.domain.key_access import Access, Grant, access

ACCOUNT = "111122223333"
SERVICE_ROLES = "role/aws-service-role/autoscaling.amazonaws.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:{SERVICE_ROLES}/AWSServiceRoleForAutoScaling"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
VIA_EC2 = {"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}
FOR_AWS = {"Bool": {"kms:GrantIsForAWSResource": True}}


def says(effect: str, principal: Any, action: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **more}


def allows(principal: Any, action: Any, **more: Any) -> dict[str, Any]:
    return says("Allow", principal, action, **more)


GUIDES = [allows({"AWS": ROLE}, USE), allows({"AWS": [ROLE]}, "kms:CreateGrant", Condition=FOR_AWS)]
"""The two statements of the Auto Scaling user guide."""
LEFT_TO_IAM = allows({"AWS": ROOT}, "kms:*")


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([LEFT_TO_IAM, *GUIDES], Access.ADMITTED),
        ([allows("*", "kms:*")], Access.ADMITTED),
        ([LEFT_TO_IAM], Access.REFUSED),
        ([allows({"AWS": ACCOUNT}, "kms:*")], Access.REFUSED),
        ([GUIDES[0]], Access.REFUSED),
        ([GUIDES[1]], Access.REFUSED),
        ([allows({"AWS": ROLE + "_other"}, "kms:*")], Access.REFUSED),
        ([allows({"Service": "ec2.amazonaws.com"}, "kms:*")], Access.REFUSED),
        ([*GUIDES, says("Deny", "*", "kms:Decrypt")], Access.REFUSED),
        ([*GUIDES, says("Deny", {"AWS": ROOT}, "kms:*")], Access.REFUSED),
        ([*GUIDES, says("Deny", {"AWS": ROLE + "_other"}, "kms:*")], Access.ADMITTED),
        ([allows("*", "kms:*", Condition=VIA_EC2)], Access.UNKNOWN),
        ([*GUIDES, says("Deny", "*", "kms:*", Condition=VIA_EC2)], Access.UNKNOWN),
        ([*GUIDES, allows("*", "kms:*", Condition=VIA_EC2)], Access.ADMITTED),
        ([allows("*", "kms:*", Condition=VIA_EC2), *GUIDES], Access.ADMITTED),
        ([LEFT_TO_IAM, says("Deny", "*", "kms:*", Condition=VIA_EC2)], Access.REFUSED),
        ([*GUIDES, says("Deny", {"AWS": ACCOUNT}, "kms:*")], Access.REFUSED),
        ([], Access.REFUSED),
        (["rubbish", *GUIDES], Access.ADMITTED),
        ([{"Effect": "Allow", "Principal": "*"}], Access.REFUSED),
        ([{"Effect": "Allow", "Action": "kms:*"}], Access.REFUSED),
        ([{"Effect": "Allow", "NotPrincipal": {"AWS": "x"}, "Action": "kms:*"}], Access.UNKNOWN),
        ([{"Effect": "Allow", "Principal": "*", "NotAction": "kms:Put*"}], Access.UNKNOWN),
    ],
)
def test_a_key_policy_says_whether_the_role_is_admitted(
    statements: list[dict[str, Any]], expected: Access
) -> None:
    assert access({"Statement": statements}, (), ROLE)[0] is expected


def test_a_policy_of_one_statement_need_not_be_a_list() -> None:
    assert access({"Statement": allows({"AWS": ROLE}, "kms:*")}, (), ROLE)[0] is Access.ADMITTED


@pytest.mark.parametrize("policy", [None, {"Statement": [LEFT_TO_IAM]}])
def test_a_grant_to_the_role_admits_it(policy: dict[str, Any] | None) -> None:
    needed = frozenset({"CreateGrant", "Decrypt"})

    for operations in (needed, needed | {"Encrypt"}):
        assert access(policy, [Grant(operations)], ROLE) == (
            Access.ADMITTED,
            "a grant admits it",
        )


def test_what_nothing_allows_is_named() -> None:
    both = access({}, (), ROLE)[1]
    one = access({"Statement": GUIDES[0]}, (), ROLE)[1]

    assert both.endswith("nor a grant allows kms:CreateGrant and kms:Decrypt")
    assert one.endswith("nor a grant allows kms:CreateGrant")


@pytest.mark.parametrize(
    "grant",
    [
        Grant(frozenset({"Decrypt"})),
        Grant(frozenset({"CreateGrant", "Decrypt"}), constrained=True),
    ],
)
def test_a_grant_that_is_for_less_leaves_it_open(grant: Grant) -> None:
    assert access({"Statement": [LEFT_TO_IAM]}, [grant], ROLE)[0] is Access.UNKNOWN


def test_a_policy_that_may_not_be_read_leaves_it_open() -> None:
    assert access(None, (), ROLE) == (Access.UNKNOWN, "the key's policy may not be read")
