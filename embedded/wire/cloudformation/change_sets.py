"""Change sets: what ``aws cloudformation deploy`` and ``sam deploy`` go through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from embedded.deploy.intrinsics import references
from embedded.deploy.kinds import KINDS
from embedded.wire.cloudformation.records import (
    UPDATABLE,
    StackRecord,
    Wanted,
    parameter_shapes,
)
from embedded.wire.cloudformation.requests import (
    OF_EVERY_STACK,
    declared_changes,
    invalid,
    template_text,
    wanted,
)
from embedded.wire.cloudformation.stacks import Registry
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

CREATION_SECONDS: Final = 2.0
NO_CHANGES: Final = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
REVIEW: Final = "REVIEW_IN_PROGRESS"


@dataclass
class ChangeSet:
    """What a stack might become."""

    name: str
    id: str
    stack: StackRecord
    wanted: Wanted
    created_at: datetime
    description: str | None
    changes: list[dict[str, Any]]
    status: str = "CREATE_PENDING"
    reason: str | None = None
    execution: str = "UNAVAILABLE"


class ChangeSets(Service):
    """The operations on change sets."""

    name = "cloudformation"

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world)
        self._registry = registry
        self._sets: list[ChangeSet] = []

    @operation(
        "CreateChangeSet",
        unmodelled=(
            *OF_EVERY_STACK,
            "DeploymentMode",
            "ImportExistingResources",
            "IncludeNestedStacks",
            "OnStackFailure",
            "ResourcesToImport",
        ),
    )
    def create_change_set(self, params: Params) -> Reply:
        """Work out what a template would change; a new stack waits for its review."""
        record, before = self._stack_of(params)
        name = params["ChangeSetName"]
        if any(one.stack is record and one.name == name for one in self._sets):
            raise AwsError("AlreadyExistsException", f"ChangeSet {name} already exists")
        site = self._registry.site_of(record)
        text = template_text(self.world, params, before)
        try:
            asked = wanted(site, params, text, before, expanded=True)
        except AwsError:
            if before is None and record.status == REVIEW and not record.events:
                self._registry.records.remove(record)
            raise
        if not record.events:
            record.tell(self.world.clock.now(), REVIEW, "User Initiated")
        made = ChangeSet(
            name=name,
            id=self.world.arn("cloudformation", f"changeSet/{name}/{self.world.new_uuid()}"),
            stack=record,
            wanted=asked,
            created_at=self.world.clock.now(),
            description=params.get("Description"),
            changes=list(_changes(record, before, asked)),
        )
        self._sets.append(made)
        self.world.clock.after(
            CREATION_SECONDS, f"the change set {name} is ready", lambda: _ready(made, before)
        )
        return {"Id": made.id, "StackId": record.id}

    def _stack_of(self, params: Params) -> tuple[StackRecord, Wanted | None]:
        name, kind = params["StackName"], params.get("ChangeSetType", "UPDATE")
        if kind == "UPDATE":
            return self._registry.updatable(name)
        if kind != "CREATE":
            raise NotEmulatedError(f"change sets of type {kind}")
        record = self._registry.present(name)
        if record is None:
            return self._registry.add(name), None
        if record.status != REVIEW:
            raise invalid(f"Stack [{name}] already exists and cannot be created again")
        return record, None

    @operation("DescribeChangeSet", unmodelled=("IncludePropertyValues", "NextToken"))
    def describe_change_set(self, params: Params) -> Reply:
        """What a change set would do, and whether it can."""
        one = self._find(params)
        shape = self._shape(one) | {
            "Parameters": parameter_shapes(one.wanted),
            "Capabilities": list(one.wanted.capabilities),
            "Changes": one.changes,
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Tags": [],
        }
        return dict(shape)

    @operation("ListChangeSets", unmodelled=("NextToken",))
    def list_change_sets(self, params: Params) -> Reply:
        """The change sets of a stack."""
        record = self._registry.find(params["StackName"])
        return {"Summaries": [self._shape(one) for one in self._sets if one.stack is record]}

    @operation("ExecuteChangeSet", unmodelled=("RetainExceptOnCreate",))
    def execute_change_set(self, params: Params) -> Reply:
        """Do what a change set says; the stack's other change sets are void then."""
        one = self._find(params)
        if one.execution != "AVAILABLE":
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{one.id}] cannot be executed in its current status of [{one.status}]",
            )
        record = one.stack
        record.keep_failed = params.get("DisableRollback", False)
        record.change_set_id = one.id
        if record.status == REVIEW:
            self._registry.runs.create(record, one.wanted)
        elif record.status in UPDATABLE:
            self._registry.runs.update(record, one.wanted)
        else:
            raise invalid(f"Stack:{record.id} is in {record.status} state and can not be updated.")
        # AWS deletes what can no longer be executed.
        self._sets = [other for other in self._sets if other is one or other.stack is not record]
        one.execution = "EXECUTE_COMPLETE"
        return {}

    @operation("DeleteChangeSet")
    def delete_change_set(self, params: Params) -> Reply:
        """Forget a change set."""
        one = self._find(params)
        self._sets.remove(one)
        return {}

    def _find(self, params: Params) -> ChangeSet:
        name = params["ChangeSetName"]
        for one in self._sets:
            in_stack = params.get("StackName") in {None, one.stack.name, one.stack.id}
            if name == one.id or (name == one.name and in_stack and "StackName" in params):
                return one
        raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", http_status=404)

    def _shape(self, one: ChangeSet) -> dict[str, Any]:
        shape = {
            "ChangeSetName": one.name,
            "ChangeSetId": one.id,
            "StackId": one.stack.id,
            "StackName": one.stack.name,
            "CreationTime": one.created_at,
            "Description": one.description,
            "ExecutionStatus": one.execution,
            "Status": one.status,
            "StatusReason": one.reason,
        }
        return {name: value for name, value in shape.items() if value is not None}


def _ready(made: ChangeSet, before: Wanted | None) -> None:
    if before is not None and made.wanted.same_as(before):
        made.status, made.reason = "FAILED", NO_CHANGES
    else:
        made.status, made.execution = "CREATE_COMPLETE", "AVAILABLE"


def _changes(record: StackRecord, before: Wanted | None, after: Wanted) -> Iterator[dict[str, Any]]:
    """Compare two templates; what follows from changed parameters is only known to be possible."""
    old = before.plan.resources if before else {}
    values = before.values if before else {}
    moved = {name for name, value in after.values.items() if values.get(name) != value}
    for logical_id, declared in after.plan.resources.items():
        if logical_id not in record.built.resources:
            yield _change("Add", logical_id, declared["Type"], {})
        elif changed := declared_changes(old.get(logical_id, {}), declared):
            kind = KINDS[declared["Type"]]
            anew = kind.update is None or bool(changed & kind.replacing)
            replacement = {"Replacement": "True" if anew else "False", "Scope": ["Properties"]}
            yield _change("Modify", logical_id, declared["Type"], replacement)
        elif moved & set(references(declared.get("Properties", {}))):
            replacement = {"Replacement": "Conditional", "Scope": ["Properties"]}
            yield _change("Modify", logical_id, declared["Type"], replacement)
    for logical_id, built in record.built.resources.items():
        if logical_id not in after.plan.resources:
            yield _change("Remove", logical_id, built.type, {})


def _change(action: str, logical_id: str, kind: str, more: dict[str, Any]) -> dict[str, Any]:
    change = {"Action": action, "LogicalResourceId": logical_id, "ResourceType": kind, **more}
    return {"Type": "Resource", "ResourceChange": change}
