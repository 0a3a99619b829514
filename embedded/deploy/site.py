"""Where a stack is built: the world, its clients, and the names that CloudFormation makes up."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name

from embedded.deploy.errors import DeploymentError
from embedded.deploy.shapes import api_params

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.deploy.stack import Stack
    from embedded.direct import DirectSession
    from embedded.world.world import World

SUFFIX_LENGTH: Final = 12
SUFFIX_LETTERS: Final = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Made:
    """What came of one resource: what ``Ref`` and ``Fn::GetAtt`` give."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """Everything that making a resource needs."""

    world: World
    stack: Stack
    root: Path
    """The folder of the template, which local addresses start from."""
    session: DirectSession

    def name(self, logical_id: str, *, longest: int = 64) -> str:
        """Make up a physical name, as CloudFormation does when the template gives none."""
        letters = self.world.random.choices(SUFFIX_LETTERS, k=SUFFIX_LENGTH)
        kept = f"{self.stack.name}-{logical_id}"[: longest - SUFFIX_LENGTH - 1]
        return f"{kept}-{''.join(letters)}"

    def call(
        self, service: str, operation: str, properties: Mapping[str, Any], where: str
    ) -> dict[str, Any]:
        """Call an API with properties that have the API's own names.

        Raises
        ------
        DeploymentError
            For a property that the operation does not take.
        botocore.exceptions.ClientError
            When the service refuses.
        """
        client = self.session.client(service)
        params = api_params(client, operation, properties, where)
        method: Callable[..., dict[str, Any]] = getattr(client, xform_name(operation))
        return method(**params)


Maker = Callable[[Site, str, dict[str, Any]], Made]
"""Makes a resource from its logical id and its resolved properties."""


@dataclass(frozen=True)
class Kind:
    """One type of resource: how it is made, and what of it is left out on purpose."""

    make: Maker
    properties: frozenset[str]
    """The properties that the maker uses."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """Properties that may be dropped, each with the reason."""

    def check(self, logical_id: str, type_name: str, properties: Mapping[str, Any]) -> None:
        """Refuse properties that would be dropped in silence."""
        for name in properties:
            if name not in self.properties and name not in self.dropped:
                raise DeploymentError(
                    f"Resources.{logical_id}.Properties.{name}",
                    f"{type_name} is deployed without this property; it would be dropped",
                )


def renamed(properties: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Give properties the names that the API has for them."""
    return {names.get(name, name): value for name, value in properties.items()}


def without(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Leave properties out."""
    return {name: value for name, value in properties.items() if name not in names}


def place(logical_id: str) -> str:
    """Say where a resource's properties stand in the template."""
    return f"Resources.{logical_id}.Properties"


def listed(value: Any) -> list[Any]:
    """Give a list for what may be a list or one entry."""
    return value if isinstance(value, list) else [value]
