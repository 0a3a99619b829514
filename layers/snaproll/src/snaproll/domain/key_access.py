"""Whether a role may use a KMS key for encrypted volumes, as far as anybody but KMS can tell.

Auto Scaling launches by a service-linked role, whose own policy says nothing of customer keys and
cannot be changed: only the key's policy, or a grant, admits it (Auto Scaling user guide, "Required
KMS key policy for use with encrypted volumes"). What a condition comes to is known to KMS alone; so
the answer may be that it cannot be told.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

NEEDED = ("kms:CreateGrant", "kms:Decrypt")
"""Without these no volume of an encrypted snapshot is made: EBS grants itself the key, and decrypts
the data key (KMS developer guide, "How Amazon EBS uses KMS"). The guide above asks for more, of
which nothing proves that each launch needs it."""
_HELD_IN_LAUNCHES = ("Bool", "kms:GrantIsForAWSResource", "true")
"""A condition that each grant which EBS makes for itself meets."""


class Access(StrEnum):
    """What a key's policy and grants say of a role."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Grant:
    """A grant to the role: its operations, and whether only some uses are covered by it."""

    operations: frozenset[str]
    constrained: bool = False


def access(
    policy: Mapping[str, Any] | None, grants: Collection[Grant], role_arn: str
) -> tuple[Access, str]:
    """What a key policy and the grants to a role say of it, and why.

    Parameters
    ----------
    policy
        The key's policy document; None when it may not be read.
    grants
        Those of the key's grants whose grantee is the role.
    role_arn
        The role.
    """
    if any({"CreateGrant", "Decrypt"} <= one.operations and not one.constrained for one in grants):
        return Access.ADMITTED, "a grant admits it"
    if policy is None:
        return Access.UNKNOWN, "the key's policy may not be read"
    statements = [one for one in _listed(policy.get("Statement", [])) if isinstance(one, Mapping)]
    found = {action: _of_action(statements, action, role_arn) for action in NEEDED}
    refused = [action for action, said in found.items() if said is Access.REFUSED]
    if refused and not grants:
        return Access.REFUSED, f"neither its policy nor a grant allows {' and '.join(refused)}"
    if all(said is Access.ADMITTED for said in found.values()):
        return Access.ADMITTED, "its policy admits it"
    return Access.UNKNOWN, "its policy or grants admit it under conditions that only KMS can judge"


def _of_action(statements: Iterable[Mapping[str, Any]], action: str, role_arn: str) -> Access:
    """Allowed, denied or not mentioned, certainly or perhaps."""
    said = {
        (statement.get("Effect") == "Deny", _conditional(statement))
        for statement in statements
        if _covers_action(statement, action) and _covers_role(statement, role_arn)
    }
    allowed, perhaps_allowed = (False, False) in said, (False, True) in said
    denied, perhaps_denied = (True, False) in said, (True, True) in said
    if denied or not (allowed or perhaps_allowed):
        return Access.REFUSED
    return Access.ADMITTED if allowed and not perhaps_denied else Access.UNKNOWN


def _covers_action(statement: Mapping[str, Any], action: str) -> bool:
    if "NotAction" in statement:
        return True
    return any(
        fnmatch.fnmatchcase(action.lower(), str(one).lower())
        for one in _listed(statement.get("Action", []))
    )


def _covers_role(statement: Mapping[str, Any], role_arn: str) -> bool:
    if "NotPrincipal" in statement:
        return True
    principal = statement.get("Principal", {})
    named = ["*"] if principal == "*" else _listed(dict(principal).get("AWS", []))
    account = role_arn.split(":")[4]
    whole_account = (account, f"arn:{role_arn.split(':')[1]}:iam::{account}:root")
    if statement.get("Effect") == "Deny" and any(one in whole_account for one in named):
        return True
    # An allowed account only leaves it to the policies of its roles, and this role's is silent.
    return "*" in named or role_arn in named


def _conditional(statement: Mapping[str, Any]) -> bool:
    """Whether the statement counts only under conditions that cannot be judged here."""
    if "NotAction" in statement or "NotPrincipal" in statement:
        return True
    for operator, wanted in statement.get("Condition", {}).items():
        for key, value in wanted.items():
            if (operator, key, str(value).lower()) != _HELD_IN_LAUNCHES:
                return True
    return False


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
