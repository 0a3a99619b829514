"""Brings a stack to what a blueprint says, one resource at a time, and back when that fails.

It works in steps, so that the one who asks decides how much emulated time lies between them. Each
step tells what happened in CloudFormation's words (API reference, ``StackEvent``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError, ParamValidationError

from embedded.deploy.blueprint import Blueprint
from embedded.deploy.errors import DeploymentError
from embedded.deploy.intrinsics import Resolver
from embedded.deploy.kinds import KINDS
from embedded.deploy.shapes import as_text
from embedded.deploy.site import Change, Kind, Site
from embedded.deploy.stack import Resource
from embedded.world.errors import NotEmulatedError

RETAINED: Final = frozenset({"Retain", "RetainExceptOnCreate"})


@dataclass(frozen=True)
class Happening:
    """What became of one resource."""

    logical_id: str
    type: str
    physical_id: str
    status: str
    reason: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether the resource needs more time before the next step."""
        return self.status == "DELETE_IN_PROGRESS"


@dataclass(frozen=True)
class _Entry:
    """A line of the journal: one resource, before and after."""

    logical_id: str
    before: Resource | None
    after: Resource
    in_place: bool


class Assembly:
    """One create or update of a stack.

    Parameters
    ----------
    site
        Where, and which stack: what it has now is what is changed.
    plan
        What the stack shall be.
    values
        Of the template's parameters.
    stack_id
        What ``AWS::StackId`` gives.
    """

    def __init__(
        self, site: Site, plan: Blueprint, values: Mapping[str, Any], stack_id: str
    ) -> None:
        self._site = site
        self._plan = plan
        self._journal: list[_Entry] = []
        self._superseded: list[Resource] = []
        world = site.world
        self._values: dict[str, Any] = {
            **values,
            "AWS::AccountId": world.account,
            "AWS::Partition": "aws",
            "AWS::Region": world.region,
            "AWS::StackId": stack_id,
            "AWS::StackName": site.stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._resolver = Resolver(
            self._ref,
            site.stack.attribute,
            mappings=plan.template.get("Mappings", {}),
            conditions=plan.template.get("Conditions", {}),
            region=world.region,
        )

    @property
    def touched(self) -> bool:
        """Whether anything has been made or changed so far."""
        return bool(self._journal)

    # -- forward ----------------------------------------------------------------------------------

    def carry_out(self) -> Iterator[Happening]:
        """Make and change every resource whose condition holds, then the outputs.

        Raises
        ------
        DeploymentError
            For what cannot be done; ``undo`` goes back.
        """
        for logical_id in self._wanted():
            yield from self._settle(logical_id, self._plan.resources[logical_id])
        outputs: dict[str, str] = {}
        for name, output in self._plan.template.get("Outputs", {}).items():
            if self._holds(output):
                where = f"Outputs.{name}.Value"
                outputs[name] = as_text(self._resolver.resolve(output["Value"], where), where)
        self._site.stack.outputs.clear()
        self._site.stack.outputs.update(outputs)

    def clean_up(self) -> Iterator[Happening]:
        """Remove what another resource has replaced, and what the template no longer has."""
        stack = self._site.stack
        wanted = set(self._wanted())
        leaving = [one for one in stack.resources.values() if one.logical_id not in wanted]
        for resource in reversed(self._superseded):
            yield from removed(self._site, resource, keep=resource.kept_on_replace)
        for resource in reversed(leaving):
            yield from removed(self._site, resource, keep=resource.kept_on_delete)
            del stack.resources[resource.logical_id]

    def undo(self) -> Iterator[Happening]:
        """Bring everything back to what it was before.

        Raises
        ------
        DeploymentError
            When a service refuses that; the stack stays as it is then.
        """
        stack = self._site.stack
        while self._journal:
            entry = self._journal.pop()
            if entry.in_place and entry.before is not None:
                kind = KINDS[entry.before.type]
                self._changed(kind, entry.after, kind.kept(entry.before.properties), {})
                stack.resources[entry.logical_id] = entry.before
                yield _happening(entry.before, "UPDATE_COMPLETE")
                continue
            yield from removed(self._site, entry.after, keep=entry.after.kept_on_delete)
            del stack.resources[entry.logical_id]
            if entry.before is not None:
                stack.resources[entry.logical_id] = entry.before

    # -- one resource -----------------------------------------------------------------------------

    def _wanted(self) -> list[str]:
        return [one for one in self._plan.order if self._holds(self._plan.resources[one])]

    def _holds(self, declared: Mapping[str, Any]) -> bool:
        return "Condition" not in declared or self._resolver.condition(declared["Condition"])

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        return self._site.stack.physical_id(name)

    def _settle(self, logical_id: str, declared: Mapping[str, Any]) -> Iterator[Happening]:
        kind = KINDS[declared["Type"]]
        before = self._site.stack.resources.get(logical_id)
        if before is None:
            yield from self._create(logical_id, declared, None)
            return
        if before.type != declared["Type"]:
            raise DeploymentError(
                f"Resources.{logical_id}", f"its type cannot change from {before.type}"
            )
        before = self._read(kind, before)
        properties = self._properties(logical_id, kind, declared)
        changed = _differences(before.properties, properties)
        telling = frozenset(kind.kept(dict.fromkeys(changed)))
        if not telling:
            self._keep(replace(before, properties=properties), declared)
        elif kind.update is None or telling & kind.replacing:
            _refuse_second_name(kind, before, properties, telling)
            yield from self._create(logical_id, declared, before)
        else:
            yield from self._change(kind, before, properties, declared)

    def _properties(
        self, logical_id: str, kind: Kind, declared: Mapping[str, Any]
    ) -> dict[str, Any]:
        where = f"Resources.{logical_id}.Properties"
        properties: dict[str, Any] = self._resolver.resolve(declared.get("Properties", {}), where)
        kind.check(logical_id, declared["Type"], properties)
        return properties

    def _create(
        self, logical_id: str, declared: Mapping[str, Any], before: Resource | None
    ) -> Iterator[Happening]:
        kind = KINDS[declared["Type"]]
        # A replacement is an update of the stack's resource, though it is a new one.
        verb = "CREATE" if before is None else "UPDATE"
        yield Happening(logical_id, declared["Type"], "", f"{verb}_IN_PROGRESS")
        properties = self._properties(logical_id, kind, declared)
        with _refusals_of(logical_id):
            made = kind.make(self._site, logical_id, kind.kept(properties))
        after = self._keep(
            Resource(logical_id, declared["Type"], made.physical_id, made.attributes, properties),
            declared,
        )
        self._journal.append(_Entry(logical_id, before, after, in_place=False))
        if before is not None:
            self._superseded.append(before)
        yield _happening(after, f"{verb}_COMPLETE")

    def _change(
        self,
        kind: Kind,
        before: Resource,
        properties: dict[str, Any],
        declared: Mapping[str, Any],
    ) -> Iterator[Happening]:
        yield _happening(before, "UPDATE_IN_PROGRESS")
        policy = self._resolver.resolve(
            declared.get("UpdatePolicy", {}), f"Resources.{before.logical_id}.UpdatePolicy"
        )
        changed = self._changed(kind, before, kind.kept(properties), policy)
        after = self._keep(replace(changed, properties=properties), declared)
        self._journal.append(_Entry(before.logical_id, before, after, in_place=True))
        yield _happening(after, "UPDATE_COMPLETE")

    def _changed(
        self, kind: Kind, before: Resource, properties: dict[str, Any], policy: Mapping[str, Any]
    ) -> Resource:
        if kind.update is None:
            raise DeploymentError(f"Resources.{before.logical_id}", "it cannot be changed")
        names = _differences(kind.kept(before.properties), properties)
        with _refusals_of(before.logical_id):
            made = kind.update(self._site, Change(before, properties, names, policy))
        return replace(before, physical_id=made.physical_id, attributes=made.attributes)

    def _read(self, kind: Kind, resource: Resource) -> Resource:
        if kind.read is None:
            return resource
        with _refusals_of(resource.logical_id):
            attributes = kind.read(self._site, resource)
        fresh = replace(resource, attributes={**resource.attributes, **attributes})
        self._site.stack.resources[resource.logical_id] = fresh
        return fresh

    def _keep(self, resource: Resource, declared: Mapping[str, Any]) -> Resource:
        kept = replace(
            resource,
            kept_on_delete=declared.get("DeletionPolicy") in RETAINED,
            kept_on_replace=declared.get("UpdateReplacePolicy") in RETAINED,
        )
        self._site.stack.resources[resource.logical_id] = kept
        return kept


def removed(site: Site, resource: Resource, *, keep: bool) -> Iterator[Happening]:
    """Remove one resource, or keep it where its template says so.

    Raises
    ------
    DeploymentError
        When a service refuses.
    """
    if keep:
        yield _happening(resource, "DELETE_SKIPPED")
        return
    while True:
        yield _happening(resource, "DELETE_IN_PROGRESS")
        with _refusals_of(resource.logical_id):
            if KINDS[resource.type].remove(site, resource):
                break
    yield _happening(resource, "DELETE_COMPLETE")


def all_removed(site: Site) -> Iterator[Happening]:
    """Remove a whole stack, in the reverse of the order in which it was made."""
    for resource in reversed(list(site.stack.resources.values())):
        yield from removed(site, resource, keep=resource.kept_on_delete)
        del site.stack.resources[resource.logical_id]


@contextmanager
def _refusals_of(logical_id: str) -> Iterator[None]:
    """Turn what a service refuses into a deployment error with its place."""
    try:
        yield
    except (ClientError, ParamValidationError, NotEmulatedError) as error:
        raise DeploymentError(f"Resources.{logical_id}", str(error)) from error


def _happening(resource: Resource, status: str) -> Happening:
    return Happening(resource.logical_id, resource.type, resource.physical_id, status)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    names = before.keys() | after.keys()
    return frozenset(name for name in names if before.get(name) != after.get(name))


def _refuse_second_name(
    kind: Kind, before: Resource, properties: Mapping[str, Any], changed: frozenset[str]
) -> None:
    name = kind.name_property
    if name is not None and name in properties and name not in changed:
        # CloudFormation user guide, "Update behaviors of stack resources".
        raise DeploymentError(
            f"Resources.{before.logical_id}",
            f"CloudFormation cannot update a stack when a custom-named resource requires "
            f"replacing. Rename {properties[name]} and update the stack again. "
            f"(changed: {', '.join(sorted(changed))})",
        )
