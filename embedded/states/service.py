"""Step Functions: the service's operations on state machines, executions and task tokens.

Sources: botocore, stepfunctions 2016-11-23; developer guide, "Quotas" and "Redriving executions".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from embedded.states import records
from embedded.states.callbacks import Callback
from embedded.states.documents import DATA_LIMIT_BYTES, Document, dump, within
from embedded.states.execution import Execution, Position, Revision
from embedded.states.failures import StateFailedError
from embedded.states.interpreter import Interpreter
from embedded.states.machines import StateMachine, StateMachines, check_name
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

_KEPT_FOR: Final = timedelta(days=90)
"""A closed execution, its history and the claim on its name."""
_DEFAULT_PAGE: Final = 100
_TOKENS_KEPT: Final = 10
_TOKENS_KEPT_FOR: Final = timedelta(minutes=15)
_Item = TypeVar("_Item")


_COUNTED: Final = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}
"""The metric that counts executions which ended so (developer guide, "Execution metrics"); starts
and redrives are not counted here."""


class StepFunctions(Service):
    """AWS Step Functions, Standard workflows only."""

    name = "stepfunctions"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.machines = StateMachines(world)
        self._executions: dict[str, Execution] = {}
        self._started = 0
        self._interpreter = Interpreter(world, self._changed, self.machines.deleting)

    # -- for the rest of the world ---------------------------------------------------------------

    def start(self, machine_arn: str, name: str | None, value: Any) -> Execution:
        """Start an execution from inside the world; as StartExecution, with a JSON value.

        Raises
        ------
        AwsError
            As StartExecution.
        """
        return self._start(machine_arn, name, dump(value))

    def execution(self, arn: str) -> Execution:
        """Find an execution.

        Raises
        ------
        AwsError
            ``InvalidArn`` or ``ExecutionDoesNotExist``.
        """
        if not arn.startswith(self.world.arn("states", "execution:")):
            raise AwsError("InvalidArn", f"Invalid Arn: 'Invalid ARN: {arn}'")
        execution = self._executions.get(arn)
        if execution is None or self._expired(execution):
            raise AwsError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
        return execution

    def executions(self, machine_arn: str | None = None) -> list[Execution]:
        """Give the executions, of one state machine or of all, in the order of their start."""
        return [
            execution
            for execution in self._executions.values()
            if machine_arn in {None, execution.machine.arn} and not self._expired(execution)
        ]

    def _expired(self, execution: Execution) -> bool:
        stopped = execution.stopped_at
        return stopped is not None and self.world.clock.now() - stopped > _KEPT_FOR

    def _changed(self, execution: Execution) -> None:
        """Tell EventBridge of a new status, and finish a deletion that waited for an execution."""
        machine = execution.machine.arn
        self.world.events.emit(
            "aws.states",
            "Step Functions Execution Status Change",
            records.status_change(execution, self._reason(execution)),
            [execution.arn],
        )
        counted = _COUNTED.get(execution.status)
        if counted is not None:
            of_machine = {"StateMachineArn": machine}
            self.world.cloudwatch.record("AWS/States", counted, of_machine, 1)
        if not execution.running and self.machines.deleting(machine):
            self._finish_deletion(machine)

    def _reason(self, execution: Execution) -> str | None:
        return records.why_not_redrivable(
            execution,
            self.world.clock.now(),
            deleting=self.machines.deleting(execution.machine.arn),
        )

    # -- state machines --------------------------------------------------------------------------

    @operation("CreateStateMachine")
    def create_state_machine(self, params: Params) -> Reply:
        """Create a state machine, or give the one that an equal request created."""
        machine = self.machines.create(params)
        return {"stateMachineArn": machine.latest.arn, "creationDate": machine.created_at}

    @operation("UpdateStateMachine")
    def update_state_machine(self, params: Params) -> Reply:
        """Give a state machine a new revision."""
        revision = self.machines.update(params)
        return {"updateDate": revision.updated_at, "revisionId": revision.revision_id}

    @operation("DescribeStateMachine")
    def describe_state_machine(self, params: Params) -> Reply:
        """Describe the newest revision of a state machine."""
        machine = self.machines.find(params["stateMachineArn"])
        return {
            **_revision(machine.latest, params),
            "status": "DELETING" if machine.deleting else "ACTIVE",
            "type": "STANDARD",
            "creationDate": machine.created_at,
        }

    @operation("DescribeStateMachineForExecution")
    def describe_state_machine_for_execution(self, params: Params) -> Reply:
        """Describe the revision with which an execution started, and goes on."""
        revision = self.execution(params["executionArn"]).machine
        return {**_revision(revision, params), "updateDate": revision.updated_at}

    @operation("ListStateMachines")
    def list_state_machines(self, params: Params) -> Reply:
        """List the state machines by name, a page at a time."""
        machines = self.machines.all()
        page, reply = _page(list(enumerate(machines, 1)), params)
        reply["stateMachines"] = [_machine_item(machine) for machine in page]
        return reply

    @operation("DeleteStateMachine")
    def delete_state_machine(self, params: Params) -> Reply:
        """Delete a state machine; its executions end at their next transition."""
        arn = params["stateMachineArn"]
        self.machines.delete(arn)
        self._finish_deletion(arn)
        return {}

    def _finish_deletion(self, arn: str) -> None:
        if not any(execution.running for execution in self.executions(arn)):
            self.machines.forget(arn)

    @operation("TagResource")
    def tag_resource(self, params: Params) -> Reply:
        """Tag a state machine."""
        tags = {tag["key"]: tag.get("value", "") for tag in params["tags"]}
        self._tagged(params["resourceArn"]).tags.update(tags)
        return {}

    @operation("UntagResource")
    def untag_resource(self, params: Params) -> Reply:
        """Take tags from a state machine."""
        machine = self._tagged(params["resourceArn"])
        for key in params["tagKeys"]:
            machine.tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, params: Params) -> Reply:
        """List the tags of a state machine."""
        tags = self._tagged(params["resourceArn"]).tags
        return {"tags": [{"key": key, "value": value} for key, value in tags.items()]}

    def _tagged(self, arn: str) -> StateMachine:
        try:
            return self.machines.find(arn)
        except NotEmulatedError:
            raise
        except AwsError as refusal:
            if refusal.code != "StateMachineDoesNotExist":
                raise
            raise AwsError("ResourceNotFound", f"Resource not found: '{arn}'") from refusal

    # -- executions ------------------------------------------------------------------------------

    @operation("StartExecution")
    def start_execution(self, params: Params) -> Reply:
        """Start an execution; starting a running one again, name and input equal, is the same."""
        execution = self._start(
            params["stateMachineArn"], params.get("name"), params.get("input", "{}")
        )
        return {"executionArn": execution.arn, "startDate": execution.started_at}

    def _start(self, machine_arn: str, name: str | None, text: str) -> Execution:
        machine = self.machines.find(machine_arn)
        if machine.deleting:
            raise AwsError("StateMachineDeleting", f"State Machine is deleting: '{machine_arn}'")
        name = self.world.new_uuid() if name is None else name
        check_name(name)
        given = _parsed(text, "InvalidExecutionInput", "Invalid State Machine Execution Input")
        arn = self.world.arn("states", f"execution:{machine.latest.name}:{name}")
        existing = self._executions.get(arn)
        if existing is not None and not self._expired(existing):
            # Whether AWS compares texts or values is undocumented; texts are the harsher reading.
            if existing.running and existing.input.text == text:
                return existing
            raise AwsError("ExecutionAlreadyExists", f"Execution Already Exists: '{arn}'")
        self._executions.pop(arn, None)
        self._started += 1
        execution = Execution(
            arn=arn,
            name=name,
            number=self._started,
            machine=machine.latest,
            input=given,
            started_at=self.world.clock.now(),
            position=Position(machine.latest.program.start, given),
        )
        self._executions[arn] = execution
        self._interpreter.start(execution)
        return execution

    @operation("DescribeExecution")
    def describe_execution(self, params: Params) -> Reply:
        """Describe an execution, as it is; AWS may tell for a moment how it was."""
        execution = self.execution(params["executionArn"])
        return records.description(execution, self._reason(execution))

    @operation("ListExecutions")
    def list_executions(self, params: Params) -> Reply:
        """List the executions of a state machine, newest first, a page at a time."""
        if "mapRunArn" in params or params.get("statusFilter") == "PENDING_REDRIVE":
            raise NotEmulatedError("Map Runs")
        if "redriveFilter" in params:
            raise NotEmulatedError("ListExecutions with redriveFilter")
        if "stateMachineArn" not in params:
            raise AwsError("ValidationException", "Must provide a stateMachineArn or a mapRunArn")
        machine = self.machines.find(params["stateMachineArn"])
        wanted = params.get("statusFilter")
        found = [
            (execution.number, execution)
            for execution in reversed(self.executions(machine.latest.arn))
            if wanted in {None, execution.status}
        ]
        page, reply = _page(found, params, descending=True)
        reply["executions"] = [records.list_item(execution) for execution in page]
        return reply

    @operation("GetExecutionHistory")
    def get_execution_history(self, params: Params) -> Reply:
        """Read an execution's history, oldest or newest event first, a page at a time."""
        execution = self.execution(params["executionArn"])
        backwards = params.get("reverseOrder", False)
        events = [(event.id, event) for event in execution.history]
        if backwards:
            events.reverse()
        page, reply = _page(events, params, descending=backwards)
        with_data = params.get("includeExecutionData", True)
        reply["events"] = [records.history_event(event, with_data=with_data) for event in page]
        return reply

    @operation("StopExecution")
    def stop_execution(self, params: Params) -> Reply:
        """Abort an execution; a closed one stays as it is."""
        execution = self.execution(params["executionArn"])
        if execution.running:
            self._interpreter.stop(execution, params.get("error"), params.get("cause"))
        return {"stopDate": execution.stopped_at}

    @operation("RedriveExecution")
    def redrive_execution(self, params: Params) -> Reply:
        """Go on with a failed, aborted or timed out execution at the state that failed."""
        execution = self.execution(params["executionArn"])
        now = self.world.clock.now()
        token = params.get("clientToken")
        used = execution.redrive_tokens.get(token) if token is not None else None
        if used is not None and now - used <= _TOKENS_KEPT_FOR:
            return {"redriveDate": used}
        reason = self._reason(execution)
        if reason is not None:
            raise AwsError("ExecutionNotRedrivable", f"Execution Not Redrivable: '{reason}'")
        if token is not None:
            execution.redrive_tokens.pop(token, None)
            execution.redrive_tokens[token] = now
            while len(execution.redrive_tokens) > _TOKENS_KEPT:
                del execution.redrive_tokens[next(iter(execution.redrive_tokens))]
        self._interpreter.redrive(execution)
        return {"redriveDate": now}

    # -- task tokens -----------------------------------------------------------------------------

    @operation("SendTaskSuccess")
    def send_task_success(self, params: Params) -> Reply:
        """Answer a task token with a result."""
        callback = self._callback(params)
        output = _parsed(params["output"], "InvalidOutput", "Invalid Output")
        self._interpreter.answer(callback, output)
        return {}

    @operation("SendTaskFailure")
    def send_task_failure(self, params: Params) -> Reply:
        """Answer a task token with an error."""
        failure = StateFailedError(params.get("error", ""), params.get("cause"))
        self._interpreter.answer(self._callback(params), failure)
        return {}

    @operation("SendTaskHeartbeat")
    def send_task_heartbeat(self, params: Params) -> Reply:
        """Say that a task still runs; only its heartbeat's clock starts anew."""
        self._interpreter.beat(self._callback(params))
        return {}

    def machine_of_token(self, token: str) -> str:
        """ARN of the state machine whose task waits for a token.

        Raises
        ------
        AwsError
            ``InvalidToken`` or ``TaskTimedOut`` for a token that nothing waits for.
        """
        return self._interpreter.callbacks.find(token).execution.machine.arn

    def _callback(self, params: Params) -> Callback:
        return self._interpreter.callbacks.find(params["taskToken"])


# -- shapes ----------------------------------------------------------------------------------------


def _revision(revision: Revision, params: Params) -> Reply:
    metadata_only = params.get("includedData") == "METADATA_ONLY"
    reply: Reply = {
        "stateMachineArn": revision.arn,
        "name": revision.name,
        "definition": "{}" if metadata_only else revision.definition,
        "roleArn": revision.role_arn,
        "loggingConfiguration": dict(revision.logging),
        "tracingConfiguration": dict(revision.tracing),
        "variableReferences": {
            state: list(names) for state, names in revision.program.variables.items()
        },
    }
    if revision.revision_id is not None:
        reply["revisionId"] = revision.revision_id
    return reply


def _machine_item(machine: StateMachine) -> dict[str, Any]:
    return {
        "stateMachineArn": machine.latest.arn,
        "name": machine.latest.name,
        "type": "STANDARD",
        "creationDate": machine.created_at,
    }


def _parsed(text: str, code: str, what: str) -> Document:
    """Read JSON that came from outside."""
    if not within(text, DATA_LIMIT_BYTES):
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: the value has more than {DATA_LIMIT_BYTES} bytes",
        )
    try:
        return Document(json.loads(text), text)
    except ValueError as error:
        raise AwsError(code, f"{what}: '{error}'") from error


def _page(
    items: Sequence[tuple[int, _Item]], params: Params, *, descending: bool = False
) -> tuple[list[_Item], Reply]:
    """Cut a page out of numbered items; the token remembers the last number that was given.

    So a page never repeats or skips an item when others are added between two calls.
    """
    size = params.get("maxResults") or _DEFAULT_PAGE
    last = _read_token(params["nextToken"]) if params.get("nextToken") else None
    if last is not None:
        items = [
            (number, item)
            for number, item in items
            if (number < last if descending else number > last)
        ]
    reply: Reply = {}
    if len(items) > size:
        reply["nextToken"] = base64.b64encode(f"after:{items[size - 1][0]}".encode()).decode()
    return [item for _, item in items[:size]], reply


def _read_token(token: str) -> int:
    try:
        word, _, number = base64.b64decode(token, validate=True).decode().partition(":")
        if word == "after":
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise AwsError("InvalidToken", "Invalid Token: 'Invalid token'")
