"""Identity policies: which statement of them allows a request.

Source: IAM user guide, "Policy evaluation logic": an explicit deny wins, and what nothing allows
is denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from embedded.world.access.conditions import Context, hold, listed, matches_one_of
from embedded.world.errors import NotEmulatedError

_KNOWN = frozenset({"Sid", "Effect", "Action", "Resource", "Condition"})


class Demand(NamedTuple):
    """One thing that a call needs to be allowed: an action on a resource, in a context.

    ``resource`` is an ARN, or ``*`` for an action that takes none.
    """

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, eq=False)
class Statement:
    """One statement of a policy, as it stands there."""

    effect: str
    actions: tuple[str, ...]
    """As they are written; the names of actions are compared without case."""
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, Any]]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Statement:
        """Read a statement.

        Raises
        ------
        NotEmulatedError
            For an element that is not understood here.
        """
        if odd := sorted(raw.keys() - _KNOWN):
            raise NotEmulatedError(f"the policy element {odd[0]}")
        return cls(
            raw["Effect"],
            tuple(listed(raw["Action"])),
            tuple(listed(raw["Resource"])),
            raw.get("Condition", {}),
        )

    @cached_property
    def _lower_actions(self) -> tuple[str, ...]:
        return tuple(pattern.lower() for pattern in self.actions)

    def covers(self, demand: Demand) -> bool:
        """Whether the statement speaks of what is demanded."""
        return (
            matches_one_of(self._lower_actions, demand.action.lower())
            # What takes no resource is covered only by a statement about all of them.
            and matches_one_of(self.resources, demand.resource)
            and hold(self.conditions, demand.context)
        )


def statements_of(policies: Iterable[Mapping[str, Any]]) -> list[Statement]:
    """The statements of policy documents, in their order."""
    return [
        Statement.parse(raw) for policy in policies for raw in listed(policy.get("Statement", []))
    ]


def allowing(statements: Iterable[Statement], demand: Demand) -> list[Statement]:
    """The statements that allow a demand; none when it is denied."""
    covering = [statement for statement in statements if statement.covers(demand)]
    if any(statement.effect == "Deny" for statement in covering):
        return []
    return covering
