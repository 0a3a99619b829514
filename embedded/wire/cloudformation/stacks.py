"""The operations on stacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded.deploy.blueprint import blueprint
from embedded.deploy.deployer import new_site
from embedded.deploy.errors import DeploymentError
from embedded.deploy.site import Site
from embedded.deploy.stack import Stack
from embedded.wire.cloudformation.records import (
    UPDATABLE,
    StackRecord,
    Wanted,
    declarations,
)
from embedded.wire.cloudformation.requests import (
    OF_CHANGES_AT_ONCE,
    check_name,
    has_transform,
    invalid,
    needed_capabilities,
    template_text,
    wanted,
)
from embedded.wire.cloudformation.runs import Runs
from embedded.world.errors import AwsError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World


class Registry:
    """Every stack of the account, deleted ones included."""

    def __init__(self, world: World, root: Path) -> None:
        self._world = world
        self._root = root
        self.records: list[StackRecord] = []
        self.runs = Runs(world, self.site_of)

    def site_of(self, record: StackRecord) -> Site:
        """Give the place where a stack is built."""
        return new_site(self._world, record.built, self._root, on_view=True)

    def add(self, name: str) -> StackRecord:
        """Begin a new stack."""
        check_name(name)
        stack_id = self._world.arn("cloudformation", f"stack/{name}/{self._world.new_uuid()}")
        record = StackRecord(name, stack_id, self._world.clock.now(), Stack(name))
        self.records.append(record)
        return record

    def present(self, name: str) -> StackRecord | None:
        """Give a stack that is not deleted by its name, or any by its id."""
        for record in self.records:
            if record.id == name or (record.name == name and record.deleted_at is None):
                return record
        return None

    def find(self, name: str) -> StackRecord:
        """Give a stack.

        Raises
        ------
        AwsError
            ``ValidationError`` when there is none.
        """
        record = self.present(name)
        if record is None:
            raise invalid(f"Stack with id {name} does not exist")
        return record

    def updatable(self, name: str) -> tuple[StackRecord, Wanted]:
        """Give a stack that can be updated, with what it is.

        Raises
        ------
        AwsError
            ``ValidationError`` when there is none, or it is in a state that forbids it.
        """
        record = self.find(name)
        if record.status not in UPDATABLE or record.wanted is None:
            raise invalid(f"Stack:{record.id} is in {record.status} state and can not be updated.")
        return record, record.wanted


class StackChanging(Service):
    """CreateStack, UpdateStack, DeleteStack."""

    name = "cloudformation"

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world)
        self._registry = registry

    @operation("CreateStack", unmodelled=(*OF_CHANGES_AT_ONCE, "TimeoutInMinutes"))
    def create_stack(self, params: Params) -> Reply:
        """Begin to create a stack; what is wrong with its template is told at once."""
        check_name(params["StackName"])
        if self._registry.present(params["StackName"]) is not None:
            raise AwsError(
                "AlreadyExistsException", f"Stack [{params['StackName']}] already exists"
            )
        on_failure = params.get("OnFailure")
        if on_failure and "DisableRollback" in params:
            raise invalid("You can specify either DisableRollback or OnFailure, but not both.")
        text = template_text(self.world, params)
        scratch = new_site(self.world, Stack(params["StackName"]), Path())
        asked = wanted(scratch, params, text, None, expanded=False)
        record = self._registry.add(params["StackName"])
        record.role_arn = params.get("RoleARN")
        record.protected = params.get("EnableTerminationProtection", False)
        record.keep_failed = params.get("DisableRollback", on_failure == "DO_NOTHING")
        record.delete_failed = on_failure == "DELETE"
        self._registry.runs.create(record, asked)
        return {"StackId": record.id}

    @operation(
        "UpdateStack",
        unmodelled=(
            *OF_CHANGES_AT_ONCE,
            "DisableRollback",
            "StackPolicyDuringUpdateBody",
            "StackPolicyDuringUpdateURL",
        ),
    )
    def update_stack(self, params: Params) -> Reply:
        """Begin to update a stack."""
        record, before = self._registry.updatable(params["StackName"])
        text = template_text(self.world, params, before)
        site = self._registry.site_of(record)
        asked = wanted(site, params, text, before, expanded=False)
        if asked.same_as(before):
            raise invalid("No updates are to be performed.")
        record.role_arn = params.get("RoleARN", record.role_arn)
        self._registry.runs.update(record, asked)
        return {"StackId": record.id}

    @operation("DeleteStack", unmodelled=("DeletionMode", "DeploymentConfig", "RetainResources"))
    def delete_stack(self, params: Params) -> Reply:
        """Begin to delete a stack; deleting none is no error."""
        record = self._registry.present(params["StackName"])
        if record is None or record.deleted_at is not None:
            return {}
        if record.protected:
            raise invalid(
                f"Stack [{record.name}] cannot be deleted while TerminationProtection is enabled"
            )
        if record.status != "DELETE_IN_PROGRESS":
            self._registry.runs.delete(record)
        return {}


class StackReading(Service):
    """What tells about stacks and templates."""

    name = "cloudformation"

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world)
        self._registry = registry

    @operation("DescribeStacks", unmodelled=("NextToken",))
    def describe_stacks(self, params: Params) -> Reply:
        """One stack, or all that are not deleted."""
        return {"Stacks": [record.stack() for record in self._asked(params)]}

    @operation("ListStacks", unmodelled=("NextToken",))
    def list_stacks(self, params: Params) -> Reply:
        """All stacks, deleted ones included, the newest first."""
        states = params.get("StackStatusFilter")
        chosen = [one for one in self._registry.records if not states or one.status in states]
        return {"StackSummaries": [record.summary() for record in reversed(chosen)]}

    def _asked(self, params: Params) -> Iterator[StackRecord]:
        if "StackName" in params:
            yield self._registry.find(params["StackName"])
            return
        yield from (one for one in self._registry.records if one.deleted_at is None)

    @operation("DescribeStackEvents", unmodelled=("NextToken",))
    def describe_stack_events(self, params: Params) -> Reply:
        """A stack's history, the newest first."""
        return {"StackEvents": self._registry.find(params["StackName"]).history()}

    @operation("DescribeStackResources")
    def describe_stack_resources(self, params: Params) -> Reply:
        """The resources of a stack, or the stack of a resource."""
        if "StackName" in params:
            record = self._registry.find(params["StackName"])
        else:
            record = self._owner(params.get("PhysicalResourceId", ""))
        logical_id = params.get("LogicalResourceId")
        whose = {"StackId": record.id, "StackName": record.name}
        return {
            "StackResources": [
                whose | one
                for one in record.resources()
                if logical_id in {None, one["LogicalResourceId"]}
            ]
        }

    def _owner(self, physical_id: str) -> StackRecord:
        for record in self._registry.records:
            if any(one.physical_id == physical_id for one in record.built.resources.values()):
                return record
        raise invalid(f"Stack for {physical_id} does not exist")

    @operation("DescribeStackResource")
    def describe_stack_resource(self, params: Params) -> Reply:
        """One resource of a stack."""
        record = self._registry.find(params["StackName"])
        for one in record.resources():
            if one["LogicalResourceId"] == params["LogicalResourceId"]:
                detail = _last_updated(one) | {"StackId": record.id, "StackName": record.name}
                return {"StackResourceDetail": detail}
        raise invalid(
            f"Resource {params['LogicalResourceId']} does not exist for stack {record.name}"
        )

    @operation("ListStackResources", unmodelled=("NextToken",))
    def list_stack_resources(self, params: Params) -> Reply:
        """The resources of a stack."""
        record = self._registry.find(params["StackName"])
        return {"StackResourceSummaries": [_last_updated(one) for one in record.resources()]}

    @operation("GetTemplate", unmodelled=("ChangeSetName",))
    def get_template(self, params: Params) -> Reply:
        """A stack's template, as it was given or as it was carried out."""
        if "StackName" not in params:
            raise invalid("StackName must be specified.")
        found = self._registry.find(params["StackName"]).wanted
        if found is None:
            raise invalid(f"Stack {params['StackName']} has no template yet")
        processed = params.get("TemplateStage") == "Processed"
        body = json.dumps(found.plan.template) if processed else found.text
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    @operation("GetTemplateSummary", unmodelled=("CallAs", "StackSetName"))
    def get_template_summary(self, params: Params) -> Reply:
        """What a template declares."""
        if "StackName" in params:
            found = self._registry.find(params["StackName"]).wanted
            text = found.text if found else ""
        else:
            text = template_text(self.world, params)
        plan = self._read(text)
        types = sorted({one["Type"] for one in plan.resources.values()})
        parameters = [
            one | {"ParameterType": plan.parameters[one["ParameterKey"]]["Type"]}
            for one in declarations(plan)
        ]
        return self._summary(text) | {"Parameters": parameters, "ResourceTypes": types}

    @operation("ValidateTemplate")
    def validate_template(self, params: Params) -> Reply:
        """Whether a template can be deployed here, so far as can be told without its values."""
        text = template_text(self.world, params)
        return self._summary(text) | {"Parameters": declarations(self._read(text))}

    def _summary(self, text: str) -> dict[str, Any]:
        plan = self._read(text)
        needed = needed_capabilities(plan)
        summary: dict[str, Any] = {
            "Capabilities": needed,
            "DeclaredTransforms": ["AWS::Serverless-2016-10-31"] if has_transform(text) else [],
        }
        if needed:
            summary["CapabilitiesReason"] = (
                "The following resource(s) require capabilities: [AWS::IAM::Role]"
            )
        if description := plan.template.get("Description"):
            summary["Description"] = description
        return summary

    def _read(self, text: str) -> Any:
        try:
            return blueprint(text, {})
        except DeploymentError as error:
            raise invalid(f"Template error: {error}") from error


def _last_updated(one: dict[str, Any]) -> dict[str, Any]:
    """Give a resource with the name that two of its three shapes have for the time."""
    kept = {name: value for name, value in one.items() if name != "Timestamp"}
    return kept | {"LastUpdatedTimestamp": one["Timestamp"]}
