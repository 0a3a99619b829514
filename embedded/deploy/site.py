"""Where a stack is built: the world, its clients, and the names that CloudFormation makes up."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore import xform_name
from botocore.exceptions import ClientError

from embedded.deploy.errors import DeploymentError
from embedded.deploy.shapes import api_params
from embedded.deploy.stack import Resource, Stack

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.direct import DirectSession
    from embedded.world.world import World

PUBLIC: Final = "/aws/service/"
"""Where AWS publishes the ids of its AMIs: they differ by Region and change every week."""
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
    on_view: bool = False
    """Whether roles and log groups are made in IAM and CloudWatch Logs too, to be looked at."""

    def name(self, logical_id: str, *, longest: int = 64) -> str:
        """Make up a physical name, as CloudFormation does when the template gives none."""
        letters = self.world.random.choices(SUFFIX_LETTERS, k=SUFFIX_LENGTH)
        kept = f"{self.stack.name}-{logical_id}"[: longest - SUFFIX_LENGTH - 1]
        return f"{kept}-{''.join(letters)}"

    def parameter(self, name: str) -> str:
        """Look a name up in Parameter Store.

        What AWS publishes there is not modelled; each name stands for one made-up AMI, which the
        world takes for an existing one.

        Raises
        ------
        DeploymentError
            When there is no such parameter.
        """
        if name.startswith(PUBLIC):
            return f"ami-0{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        try:
            found = self.call("ssm", "GetParameter", {"Name": name}, "Parameters")
        except ClientError as error:
            raise DeploymentError("Parameters", f"{name}: {error}") from error
        value: str = found["Parameter"]["Value"]
        return value

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
class Change:
    """A resource whose template has changed: what it is, and what it shall be."""

    before: Resource
    properties: dict[str, Any]
    """All of its properties as they shall be, those left out on purpose excepted."""
    changed: frozenset[str]
    """The names of those that differ."""
    policy: Mapping[str, Any]
    """Its UpdatePolicy."""

    @property
    def logical_id(self) -> str:
        """The resource's logical id."""
        return self.before.logical_id


Updater = Callable[[Site, Change], Made]
"""Changes a resource where it is."""
Remover = Callable[[Site, Resource], bool]
"""Takes a resource away; False when that takes time, and it has to be asked again."""
Reader = Callable[[Site, Resource], Mapping[str, Any]]
"""Looks up attributes that may have become others since the resource was made."""


def vanishes(_site: Site, _resource: Resource) -> bool:
    """Remove what is only a record of the stack, or goes with the resource that it belongs to."""
    return True


@dataclass(frozen=True)
class Kind:
    """One type of resource: how it is made, changed and removed, and what is left out of it."""

    make: Maker
    properties: frozenset[str]
    """The properties that the maker uses."""
    dropped: Mapping[str, str] = field(default_factory=dict)
    """Properties that may be dropped, each with the reason."""
    remove: Remover = vanishes
    update: Updater | None = None
    """None: every change makes a new resource in place of the old one."""
    replacing: frozenset[str] = frozenset()
    """Properties whose change makes a new resource, though others can be changed in place."""
    name_property: str | None = None
    """The property with which a template names the resource itself; two cannot have one name."""
    read: Reader | None = None

    def check(self, logical_id: str, type_name: str, properties: Mapping[str, Any]) -> None:
        """Refuse properties that would be dropped in silence."""
        for name in properties:
            if name not in self.properties and name not in self.dropped:
                raise DeploymentError(
                    f"Resources.{logical_id}.Properties.{name}",
                    f"{type_name} is deployed without this property; it would be dropped",
                )

    def kept(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Give the properties that are not left out on purpose."""
        return {name: value for name, value in properties.items() if name not in self.dropped}


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
