"""Builds the resources of a template in a world, in the order of their dependencies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, ParamValidationError

from embedded.deploy.errors import DeploymentError
from embedded.deploy.intrinsics import Resolver, references
from embedded.deploy.kinds import KINDS
from embedded.deploy.parameters import parameter_values
from embedded.deploy.shapes import as_text
from embedded.deploy.site import Made, Site, listed
from embedded.deploy.stack import Resource, Stack
from embedded.direct import SDK_ATTEMPTS, DirectSession
from embedded.translate import TranslationError, translated_text

if TYPE_CHECKING:
    from embedded.world.world import World

CALLER: Final = "cloudformation"
SECTIONS: Final = frozenset({
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs",
    "Parameters", "Resources", "Rules",
})  # fmt: skip
RESOURCE_MEMBERS: Final = frozenset({
    "Condition", "DependsOn", "Metadata", "Properties", "Type",
    # What these say concerns updates and deletes, and nothing updates or deletes a stack here.
    "CreationPolicy", "DeletionPolicy", "UpdatePolicy", "UpdateReplacePolicy",
})  # fmt: skip


@dataclass(frozen=True)
class _Blueprint:
    """A translated template, with what does not depend on the world worked out."""

    template: Mapping[str, Any]
    order: tuple[str, ...]


def deploy(
    world: World,
    template: Path,
    parameters: Mapping[str, str] | None = None,
    *,
    name: str = "snaproll",
) -> Stack:
    """Deploy a template from the local disk into a world.

    Parameters
    ----------
    world
        Where the resources are made.
    template
        A SAM or CloudFormation template; local addresses in it start from its folder.
    parameters
        Values of its parameters, where they differ from the defaults.
    name
        The stack's name, which the physical names begin with.

    Raises
    ------
    DeploymentError
        With the place in the template: for resources and properties that would be dropped, for
        functions that find nothing, and for what a service refuses.
    """
    given = dict(parameters or {})
    path = template.resolve()
    try:
        blueprint = _blueprint(path.read_text(encoding="utf-8"), json.dumps(given, sort_keys=True))
    except TranslationError as error:
        raise DeploymentError(path.name, str(error)) from error
    stack = Stack(name)
    session = DirectSession(world, CALLER, SDK_ATTEMPTS, check_replies=True)
    site = Site(world, stack, path.parent, session)
    _Builder(site, blueprint, given).build()
    return stack


@cache
def _blueprint(text: str, parameters: str) -> _Blueprint:
    template = translated_text(text, parameters)
    if unknown := sorted(template.keys() - SECTIONS):
        raise DeploymentError(unknown[0], "this section is not supported")
    return _Blueprint(template, _order(template["Resources"]))


def _order(resources: Mapping[str, Any]) -> tuple[str, ...]:
    """Sort resources so that each comes after those that it refers to."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for logical_id, resource in resources.items():
        if unknown := sorted(resource.keys() - RESOURCE_MEMBERS):
            where = f"Resources.{logical_id}.{unknown[0]}"
            raise DeploymentError(where, "this is not supported")
        needed = set(references(resource.get("Properties", {})))
        needed |= set(listed(resource.get("DependsOn", [])))
        sorter.add(logical_id, *sorted(needed & resources.keys() - {logical_id}))
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise DeploymentError("Resources", f"they need each other in a circle: {circle}") from error


class _Builder:
    """Makes the resources of one stack."""

    def __init__(self, site: Site, blueprint: _Blueprint, given: Mapping[str, str]) -> None:
        template = blueprint.template
        self._site = site
        self._template = template
        self._order = blueprint.order
        world = site.world
        self._values: dict[str, Any] = {
            **parameter_values(template.get("Parameters", {}), given),
            "AWS::AccountId": world.account,
            "AWS::Partition": "aws",
            "AWS::Region": world.region,
            "AWS::StackId": world.arn("cloudformation", f"stack/{site.stack.name}/embedded"),
            "AWS::StackName": site.stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._resolver = Resolver(
            self._ref,
            site.stack.attribute,
            mappings=template.get("Mappings", {}),
            conditions=template.get("Conditions", {}),
            region=world.region,
        )

    def build(self) -> None:
        """Make every resource whose condition holds, then the outputs."""
        for logical_id in self._order:
            resource = self._template["Resources"][logical_id]
            if "Condition" not in resource or self._resolver.condition(resource["Condition"]):
                self._make(logical_id, resource)
        for name, output in self._template.get("Outputs", {}).items():
            if "Condition" not in output or self._resolver.condition(output["Condition"]):
                where = f"Outputs.{name}.Value"
                value = self._resolver.resolve(output["Value"], where)
                self._site.stack.outputs[name] = as_text(value, where)

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        return self._site.stack.physical_id(name)

    def _make(self, logical_id: str, resource: Mapping[str, Any]) -> None:
        type_name = resource["Type"]
        kind = KINDS.get(type_name)
        if kind is None:
            raise DeploymentError(
                f"Resources.{logical_id}", f"the type {type_name} is not supported"
            )
        where = f"Resources.{logical_id}.Properties"
        properties = self._resolver.resolve(resource.get("Properties", {}), where)
        kind.check(logical_id, type_name, properties)
        kept = {name: value for name, value in properties.items() if name not in kind.dropped}
        try:
            made: Made = kind.make(self._site, logical_id, kept)
        except (ClientError, ParamValidationError) as error:
            raise DeploymentError(f"Resources.{logical_id}", str(error)) from error
        self._site.stack.resources[logical_id] = Resource(
            logical_id, type_name, made.physical_id, made.attributes, properties
        )
