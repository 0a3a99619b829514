"""Resource policies: whether a topic, queue or function lets a service in.

Policy evaluation after the IAM user guide, "Policy evaluation logic": a matching Deny wins, else a
matching Allow, else no. Only what resource policies for service principals use is modelled;
anything else raises, so that a policy is never understood half.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from embedded.world.access.conditions import like, matches_any
from embedded.world.errors import NotEmulatedError

WILD: Final = frozenset({"ArnLike", "ArnEquals", "StringLike"})
"""Conditions with wildcards. ``ArnEquals`` behaves as ``ArnLike`` does."""
EXACT: Final = frozenset({"StringEquals"})


@dataclass(frozen=True)
class Request:
    """What a service asks of a resource."""

    service: str
    """The principal, for example ``events.amazonaws.com``."""
    action: str
    """For example ``sqs:SendMessage``."""
    resource: str
    source_arn: str | None
    source_account: str | None
    """None when the service does not tell; then no condition on it holds."""


def admits(policy: Mapping[str, Any] | None, request: Request) -> bool:
    """Tell whether a resource policy lets a service's request through."""
    if policy is None:
        return False
    effects = {
        statement["Effect"]
        for statement in _listed(policy["Statement"])
        if _concerns(statement, request)
    }
    return "Allow" in effects and "Deny" not in effects


def _concerns(statement: Mapping[str, Any], request: Request) -> bool:
    for member in ("NotAction", "NotPrincipal", "NotResource"):
        if member in statement:
            raise NotEmulatedError(f"resource policies with {member}")
    return (
        _names_principal(statement["Principal"], request.service)
        and matches_any(map(str.lower, _listed(statement["Action"])), request.action.lower())
        and matches_any(_listed(statement["Resource"]), request.resource)
        and _conditions_hold(statement.get("Condition", {}), request)
    )


def _names_principal(principal: Any, service: str) -> bool:
    if principal == "*":
        return True
    return service in _listed(principal.get("Service", [])) or "*" in _listed(
        principal.get("AWS", [])
    )


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], request: Request) -> bool:
    known = {
        "aws:sourcearn": request.source_arn,
        "aws:sourceaccount": request.source_account,
        # Services reach queues, topics and keys over TLS.
        "aws:securetransport": "true",
    }
    for kind, keys in conditions.items():
        if kind not in WILD | EXACT | {"Bool"}:
            raise NotEmulatedError(f"the condition {kind} in resource policies")
        for key, wanted in keys.items():
            if key.lower() not in known:
                raise NotEmulatedError(f"the condition key {key} in resource policies")
            value = known[key.lower()]
            if value is None:
                return False
            listed = [str(each) for each in _listed(wanted)]
            if kind == "Bool":
                listed = [each.lower() for each in listed]
            if not any(like(each, value) if kind in WILD else value == each for each in listed):
                return False
    return True


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
