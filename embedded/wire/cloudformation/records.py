"""What CloudFormation knows of a stack, and the shapes in which it tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from embedded.deploy.blueprint import Blueprint
from embedded.deploy.stack import Stack

STACK_TYPE: Final = "AWS::CloudFormation::Stack"
UPDATABLE: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"})


@dataclass(frozen=True)
class Wanted:
    """What a stack is asked to be: a template with the values of its parameters."""

    text: str
    given: Mapping[str, str]
    """Parameters as they were given, by name; the others have their defaults."""
    values: Mapping[str, Any]
    """All parameters, resolved."""
    plan: Blueprint
    capabilities: tuple[str, ...]

    def same_as(self, other: Wanted) -> bool:
        """Whether there is no difference that CloudFormation would see."""
        return self.plan.template == other.plan.template and self.values == other.values


@dataclass(frozen=True)
class Event:
    """One line of a stack's history."""

    number: int
    at: datetime
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str | None


@dataclass
class StackRecord:
    """One stack, deleted ones included."""

    name: str
    id: str
    created_at: datetime
    built: Stack
    wanted: Wanted | None = None
    """What it is, or is on the way to; None while it waits for its first change set."""
    role_arn: str | None = None
    status: str = "REVIEW_IN_PROGRESS"
    reason: str | None = None
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    protected: bool = False
    keep_failed: bool = False
    """Nothing is rolled back when it fails (DisableRollback, or OnFailure DO_NOTHING)."""
    delete_failed: bool = False
    """It is deleted after a failed creation (OnFailure DELETE)."""
    change_set_id: str | None = None
    events: list[Event] = field(default_factory=list)
    stop: Callable[[], None] | None = None
    """Ends what is being done to it."""

    def tell(self, now: datetime, status: str, reason: str | None = None) -> None:
        """Put the stack into a state, and write that down."""
        self.status = status
        self.reason = reason
        self.note(now, self.name, self.id, STACK_TYPE, status, reason)

    def note(
        self,
        now: datetime,
        logical_id: str,
        physical_id: str,
        type_name: str,
        status: str,
        reason: str | None = None,
    ) -> None:
        """Write a line of the history."""
        event = Event(len(self.events), now, logical_id, physical_id, type_name, status, reason)
        self.events.append(event)

    # -- shapes -----------------------------------------------------------------------------------

    def stack(self) -> dict[str, Any]:
        """Give the shape ``Stack``."""
        return self._filled({
            "StackId": self.id,
            "StackName": self.name,
            "ChangeSetId": self.change_set_id,
            "Description": self._description(),
            "Parameters": self._parameters(),
            "CreationTime": self.created_at,
            "DeletionTime": self.deleted_at,
            "LastUpdatedTime": self.updated_at,
            "RollbackConfiguration": {},
            "StackStatus": self.status,
            "StackStatusReason": self.reason,
            "DisableRollback": self.keep_failed,
            "NotificationARNs": [],
            "Capabilities": list(self.wanted.capabilities) if self.wanted else None,
            "Outputs": self._outputs(),
            "RoleARN": self.role_arn,
            "Tags": [],
            "EnableTerminationProtection": self.protected,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        })  # fmt: skip

    def summary(self) -> dict[str, Any]:
        """Give the shape ``StackSummary``."""
        return self._filled({
            "StackId": self.id,
            "StackName": self.name,
            "TemplateDescription": self._description(),
            "CreationTime": self.created_at,
            "LastUpdatedTime": self.updated_at,
            "DeletionTime": self.deleted_at,
            "StackStatus": self.status,
            "StackStatusReason": self.reason,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        })  # fmt: skip

    def history(self) -> list[dict[str, Any]]:
        """Give the shapes ``StackEvent``, the newest first."""
        return [
            self._filled({
                "StackId": self.id,
                "EventId": f"{event.logical_id}-{event.number}",
                "StackName": self.name,
                "LogicalResourceId": event.logical_id,
                "PhysicalResourceId": event.physical_id,
                "ResourceType": event.type,
                "Timestamp": event.at,
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
            })
            for event in reversed(self.events)
        ]  # fmt: skip

    def resources(self) -> list[dict[str, Any]]:
        """Give the members that the shapes of a stack's resources share: the latest of each."""
        latest: dict[str, Event] = {}
        for event in self.events:
            if event.type != STACK_TYPE:
                latest[event.logical_id] = event
        return [
            self._filled({
                "LogicalResourceId": event.logical_id,
                "PhysicalResourceId": event.physical_id,
                "ResourceType": event.type,
                "Timestamp": event.at,
                "ResourceStatus": event.status,
                "ResourceStatusReason": event.reason,
                "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
            })
            for _, event in sorted(latest.items())
        ]  # fmt: skip

    def _description(self) -> str | None:
        return self.wanted.plan.template.get("Description") if self.wanted else None

    def _parameters(self) -> list[dict[str, str]]:
        return parameter_shapes(self.wanted) if self.wanted else []

    def _outputs(self) -> list[dict[str, Any]]:
        declared = self.wanted.plan.template.get("Outputs", {}) if self.wanted else {}
        return [
            self._filled({
                "OutputKey": name,
                "OutputValue": value,
                "Description": declared.get(name, {}).get("Description"),
            })
            for name, value in self.built.outputs.items()
        ]  # fmt: skip

    @staticmethod
    def _filled(shape: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in shape.items() if value is not None}


def parameter_shapes(wanted: Wanted) -> list[dict[str, str]]:
    """Give the shapes ``Parameter`` of a stack or change set."""
    shapes = []
    for name, declared in wanted.plan.parameters.items():
        value = str(wanted.given.get(name, declared.get("Default", "")))
        hidden = str(declared.get("NoEcho", "")).lower() == "true"
        shapes.append({"ParameterKey": name, "ParameterValue": "****" if hidden else value})
    return shapes


def declarations(plan: Blueprint) -> list[dict[str, Any]]:
    """Give what a template says of its parameters, as far as both summaries tell it."""
    return [
        {
            "ParameterKey": name,
            "NoEcho": str(rules.get("NoEcho", "")).lower() == "true",
            **({"DefaultValue": str(rules["Default"])} if "Default" in rules else {}),
            **({"Description": rules["Description"]} if "Description" in rules else {}),
        }
        for name, rules in plan.parameters.items()
    ]
