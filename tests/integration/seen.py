"""What can be seen of a fleet from outside: in its group, its template, the ledger, the mail."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from embedded.scenarios.chronicle import ending
from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.eventbridge.service import Event
from embedded.world.faults import Call
from snaproll.aws.ledger import Ledger
from snaproll.domain.ledger import FleetState, Record

READING = ("BatchGet", "Describe", "Get", "List", "Query")
OWN_BOOKS = frozenset({"dynamodb", "events", "stepfunctions"})
"""Services in which a rollout keeps its own records; a change there touches nobody's fleet."""


def outcome(execution: Execution) -> str:
    """The name of the outcome with which an execution ended."""
    end = ending(execution)
    assert end is not None, f"{execution.name} still runs in {execution.position.state}"
    return end.outcome


def reason(execution: Execution) -> str:
    """The sentence with which an execution ended."""
    end = ending(execution)
    assert end is not None, f"{execution.name} still runs in {execution.position.state}"
    return end.reason


def fault_of(execution: Execution) -> str:
    """What the function said whose error ended an execution."""
    message: str = json.loads(execution.cause or "")["errorMessage"]
    return message


def states_of(execution: Execution) -> list[str]:
    """The names of the states that an execution entered, in their order."""
    return [
        str(event.details["name"])
        for event in execution.history
        if event.type.endswith("StateEntered")
    ]


def results_of(execution: Execution, state: str) -> list[dict[str, Any]]:
    """What a state's function answered each time it was run."""
    return [
        json.loads(event.details["output"].text)
        for event in execution.history
        if event.type == "TaskStateExited" and event.details["name"] == state
    ]


def result_of(execution: Execution, state: str) -> dict[str, Any]:
    """What a state's function answered the last time it was run."""
    return results_of(execution, state)[-1]


class Seen:
    """One fleet, as people and tools see it."""

    def __init__(self, stage: Stage, fleet: StagedFleet) -> None:
        self.stage = stage
        self.fleet = fleet
        self._begin = len(stage.world.calls)
        self._events = len(stage.world.events.seen)
        self._mails = len(stage.world.sns.sent)

    # -- what was done ----------------------------------------------------------------------------

    def calls(self, *operations: str) -> list[Call]:
        """The calls that snaproll's functions made, all or those of some operations."""
        return [
            call
            for call in self.stage.world.calls[self._begin :]
            if call.caller.endswith("Function") and (not operations or call.operation in operations)
        ]

    def changes(self) -> list[str]:
        """What snaproll changed outside of its own books, as ``service:Operation``."""
        return [
            f"{call.service}:{call.operation}"
            for call in self.calls()
            if call.service not in OWN_BOOKS and not call.operation.startswith(READING)
        ]

    # -- the fleet --------------------------------------------------------------------------------

    def serves(self, snapshot: str) -> bool:
        """Whether every instance in service was launched from a snapshot, and all are there."""
        return self.stage.served(self.fleet) == {
            snapshot: self.stage.describe(self.fleet)["DesiredCapacity"]
        }

    @property
    def saved(self) -> int:
        """The launch template version that is saved on the group."""
        return int(self.stage.describe(self.fleet)["LaunchTemplate"]["Version"])

    @property
    def default(self) -> int:
        """The launch template's default version."""
        number: int = self._template["DefaultVersionNumber"]
        return number

    @property
    def latest(self) -> int:
        """The number of the launch template's newest version."""
        number: int = self._template["LatestVersionNumber"]
        return number

    @property
    def _template(self) -> dict[str, Any]:
        reply = self.stage.session.client("ec2").describe_launch_templates(
            LaunchTemplateIds=[self.fleet.template_id]
        )
        return dict(reply["LaunchTemplates"][0])

    @property
    def versions(self) -> dict[int, dict[str, Any]]:
        """The launch template's versions by number: the data of each."""
        reply = self.stage.session.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.fleet.template_id
        )
        return {
            one["VersionNumber"]: dict(one["LaunchTemplateData"])
            for one in reply["LaunchTemplateVersions"]
        }

    @property
    def refreshes(self) -> list[dict[str, Any]]:
        """The group's instance refreshes, oldest first."""
        reply = self.stage.session.client("autoscaling").describe_instance_refreshes(
            AutoScalingGroupName=self.fleet.group
        )
        return [dict(one) for one in reversed(reply["InstanceRefreshes"])]

    def role(self, snapshot: str) -> str | None:
        """What a snapshot's tag says that it is to the fleet."""
        reply = self.stage.session.client("ec2").describe_snapshots(SnapshotIds=[snapshot])
        tags = {tag["Key"]: tag["Value"] for tag in reply["Snapshots"][0].get("Tags", [])}
        return tags.get(f"snaproll:role:{ENVIRONMENT}:{self.fleet.name}")

    # -- snaproll's own books ---------------------------------------------------------------------

    @property
    def ledger(self) -> Ledger:
        """The ledger, read by the adapter that the functions read it with."""
        table = self.stage.stack.outputs["LedgerTableName"]
        return Ledger(self.stage.session.client("dynamodb"), table)

    @property
    def state(self) -> FleetState:
        """The fleet's state in the ledger."""
        return self.ledger.state(self.fleet.name)

    @property
    def records(self) -> list[Record]:
        """The records of the fleet's rollouts, oldest first."""
        return list(reversed(self.ledger.records(self.fleet.name)))

    # -- what was told ----------------------------------------------------------------------------

    def told(self, detail_type: str | None = None) -> list[Event]:
        """Domain events, all or those of one type."""
        return [
            event
            for event in self.stage.world.events.seen[self._events :]
            if event.source == "snaproll" and detail_type in (None, event.detail_type)
        ]

    def mails(self) -> list[str]:
        """The texts that were mailed; a little time passes, so that the last one arrives."""
        self.stage.world.run_for(10)
        sent = self.stage.world.sns.sent[self._mails :]
        return [message.message for message in sent if message.mailed_to]


def texts(stage: Stage, executions: Iterable[Execution]) -> list[str]:
    """Everything that a person with access to histories and logs can read."""
    client = stage.session.client("stepfunctions")
    histories = [
        json.dumps(page, default=str)
        for execution in executions
        for page in client.get_paginator("get_execution_history").paginate(
            executionArn=execution.arn, includeExecutionData=True
        )
    ]
    logs = [record.line for records in stage.world.awslambda.logs.values() for record in records]
    return [*histories, *logs]
