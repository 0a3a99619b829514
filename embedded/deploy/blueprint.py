"""A translated template, with everything worked out that does not depend on a world."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import yaml

from embedded.deploy.errors import DeploymentError
from embedded.deploy.intrinsics import references
from embedded.deploy.kinds import KINDS
from embedded.deploy.site import listed
from embedded.translate import TranslationError, translated_text

SECTIONS: Final = frozenset({
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs",
    "Parameters", "Resources", "Rules",
})  # fmt: skip
RESOURCE_MEMBERS: Final = frozenset({
    "Condition", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdatePolicy",
    "UpdateReplacePolicy",
    # It waits for signals that instances send when ready, and here they boot by themselves.
    "CreationPolicy",
})  # fmt: skip
POLICIES: Final = {
    "DeletionPolicy": frozenset({"Delete", "Retain", "RetainExceptOnCreate"}),
    "UpdateReplacePolicy": frozenset({"Delete", "Retain"}),
}
DYNAMIC: Final = "{{resolve:"


@dataclass(frozen=True)
class Blueprint:
    """What a template declares, translated from SAM where it was SAM."""

    template: Mapping[str, Any]
    order: tuple[str, ...]
    """Logical ids, each after those that it refers to."""

    @property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The template's section of that name."""
        section: Mapping[str, Mapping[str, Any]] = self.template["Resources"]
        return section

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The template's section of that name."""
        section: Mapping[str, Mapping[str, Any]] = self.template.get("Parameters", {})
        return section


def blueprint(text: str, parameters: Mapping[str, str]) -> Blueprint:
    """Read a template; the same text is read once in a process.

    Raises
    ------
    DeploymentError
        For what is no template, and for types, sections and functions that are not supported.
    """
    return _blueprint(text, json.dumps(dict(parameters), sort_keys=True))


@cache
def _blueprint(text: str, parameters: str) -> Blueprint:
    try:
        template: Any = translated_text(text, parameters)
    except (TranslationError, yaml.YAMLError) as error:
        raise DeploymentError("the template", str(error)) from error
    if not isinstance(template, dict) or not template.get("Resources"):
        raise DeploymentError("Resources", "at least one resource must be defined")
    if unknown := sorted(template.keys() - SECTIONS):
        raise DeploymentError(unknown[0], "this section is not supported")
    for logical_id, resource in template["Resources"].items():
        _check(logical_id, resource)
    _refuse_dynamic_references(template["Resources"], "Resources")
    return Blueprint(template, _order(template["Resources"]))


def _check(logical_id: str, resource: Mapping[str, Any]) -> None:
    where = f"Resources.{logical_id}"
    if unknown := sorted(resource.keys() - RESOURCE_MEMBERS):
        raise DeploymentError(f"{where}.{unknown[0]}", "this is not supported")
    if resource.get("Type") not in KINDS:
        raise DeploymentError(where, f"the type {resource.get('Type')} is not supported")
    for name, known in POLICIES.items():
        if resource.get(name, "Delete") not in known:
            raise DeploymentError(f"{where}.{name}", f"{resource[name]} is not supported")


def _refuse_dynamic_references(value: Any, where: str) -> None:
    if isinstance(value, str) and DYNAMIC in value:
        raise DeploymentError(where, "dynamic references are not supported")
    for name, entry in _entries(value):
        _refuse_dynamic_references(entry, f"{where}{name}")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from ((f".{name}", entry) for name, entry in value.items())
    elif isinstance(value, list):
        yield from ((f"[{number}]", entry) for number, entry in enumerate(value))


def _order(resources: Mapping[str, Any]) -> tuple[str, ...]:
    """Sort resources so that each comes after those that it refers to."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for logical_id, resource in resources.items():
        needed = set(references(resource.get("Properties", {})))
        needed |= set(listed(resource.get("DependsOn", [])))
        sorter.add(logical_id, *sorted(needed & resources.keys() - {logical_id}))
    try:
        return tuple(sorter.static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise DeploymentError("Resources", f"they need each other in a circle: {circle}") from error
