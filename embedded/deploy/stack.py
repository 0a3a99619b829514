"""A deployed stack: what each resource of the template became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Role:
    """An IAM role as the template declares it; the world enforces its policies, not its trust."""

    name: str
    arn: str
    trust: Mapping[str, Any]
    policies: list[Mapping[str, Any]]
    """Policy documents: inline ones and those of policies attached to the role."""
    managed_policies: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resource:
    """One resource that was made."""

    logical_id: str
    type: str
    physical_id: str
    """What ``Ref`` gives."""
    attributes: Mapping[str, Any]
    """What ``Fn::GetAtt`` gives."""
    properties: Mapping[str, Any]
    """The properties with every function resolved."""
    kept_on_delete: bool = False
    """Its DeletionPolicy retains it when it leaves the template, or the stack is deleted."""
    kept_on_replace: bool = False
    """Its UpdateReplacePolicy retains it when another takes its place."""


@dataclass
class Stack:
    """What a template became in one world."""

    name: str
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    """By logical id."""
    functions: dict[str, str] = field(default_factory=dict)
    """The name of each Lambda function, by logical id."""

    def physical_id(self, logical_id: str) -> str:
        """Give what ``Ref`` of a resource gives.

        Raises
        ------
        KeyError
            When the template has no such resource, or its condition was not met.
        """
        return self.resources[logical_id].physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        """Give what ``Fn::GetAtt`` of a resource gives."""
        return self.resources[logical_id].attributes[name]
