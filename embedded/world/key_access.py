"""Key policies: whether a role may use a key for encrypted volumes.

Only the key policy and grants are looked at, because that is where Auto Scaling's service-linked
role gets its access (its own IAM policy gives none): Auto Scaling user guide, "Required KMS key
policy for use with encrypted volumes".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from embedded.world.access.conditions import hold, listed, matches_any
from embedded.world.errors import AwsError, NotEmulatedError

VOLUME_ACTIONS = (
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
    "kms:CreateGrant",
)
"""What the guide's two statements give: without any one of them launches fail."""
GRANT_FLAG = "kms:grantisforawsresource"
"""Exists in requests for CreateGrant alone, and is true in those that EBS makes."""


def default_policy(root: str) -> str:
    """The policy of a key made without one: it hands the key over to the account's IAM.

    The service-linked role's IAM policy does not name KMS, so this alone gives it no access.
    """
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": root},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )


def parse_policy(text: str) -> dict[str, Any]:
    """A key policy as an object.

    Raises
    ------
    AwsError
        ``MalformedPolicyDocumentException``.
    """
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict) or not policy.get("Statement"):
        raise AwsError(
            "MalformedPolicyDocumentException", "The new key policy is not a policy document."
        )
    for statement in listed(policy["Statement"]):
        if not {"Effect", "Principal", "Action"} <= statement.keys():
            raise AwsError(
                "MalformedPolicyDocumentException",
                "Each statement needs an Effect, a Principal and an Action.",
            )
    return policy


@lru_cache(maxsize=1024)
def policy_admits(text: str, role_arn: str, key_arn: str) -> bool:
    """Whether a key policy in JSON lets a role do everything that encrypted volumes need.

    Asked at every launch, of few policies.

    Raises
    ------
    NotEmulatedError
        For parts of the policy language that are not understood here.
    """
    return admits(json.loads(text), role_arn, key_arn)


def admits(policy: Mapping[str, Any], role_arn: str, key_arn: str) -> bool:
    """Whether a key policy lets a role do everything that encrypted volumes need.

    Raises
    ------
    NotEmulatedError
        For parts of the policy language that are not understood here.
    """
    statements = [
        statement
        for statement in listed(policy["Statement"])
        if _names(statement, role_arn)
        and matches_any(listed(statement.get("Resource", "*")), key_arn)
    ]
    return all(_allowed(statements, action, role_arn, key_arn) for action in VOLUME_ACTIONS)


def _allowed(
    statements: Iterable[Mapping[str, Any]], action: str, role_arn: str, key_arn: str
) -> bool:
    effects = {
        statement["Effect"]
        for statement in statements
        if matches_any((one.lower() for one in listed(statement["Action"])), action.lower())
        and _holds(statement, action, role_arn, key_arn)
    }
    return "Allow" in effects and "Deny" not in effects


def _names(statement: Mapping[str, Any], role_arn: str) -> bool:
    for member in ("NotPrincipal", "NotAction", "NotResource"):
        if member in statement:
            raise NotEmulatedError(f"key policies with {member}")
    principal = statement["Principal"]
    if principal == "*":
        return True
    # The account's root as an allowed principal only hands the decision to IAM; as a denied one
    # it covers every principal of the account.
    arns = listed(principal.get("AWS", []))
    account = role_arn.split(":")[4]
    everybody = {f"arn:aws:iam::{account}:root", account}
    if statement["Effect"] == "Deny" and everybody.intersection(arns):
        return True
    return "*" in arns or role_arn in arns


def _holds(statement: Mapping[str, Any], action: str, role_arn: str, key_arn: str) -> bool:
    """Whether the conditions hold for a request that EC2 makes on the role's behalf."""
    region, account = key_arn.split(":")[3], role_arn.split(":")[4]
    context = {
        "kms:viaservice": f"ec2.{region}.amazonaws.com",
        "kms:calleraccount": account,
        "aws:principalaccount": account,
        "aws:principalarn": role_arn,
    }
    if action == "kms:CreateGrant":
        context[GRANT_FLAG] = "true"
    conditions = statement.get("Condition", {})
    for operator, keys in conditions.items():
        for key in keys:
            if key.lower() not in {*context, GRANT_FLAG}:
                raise NotEmulatedError(f"the condition {operator} {key} in key policies")
    return hold(conditions, context)
