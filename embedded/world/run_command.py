"""Run Command: documents that are run on instances with an agent, and how that ended.

Rules: Systems Manager user guide, "Run commands on managed nodes" and "Understanding command
statuses"; shapes and error codes from the botocore model ``ssm``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.ssm import Parameter, ParameterStore

if TYPE_CHECKING:
    from embedded.world.world import World

DELIVERY_SECONDS: Final = 2.0
"""Until an agent has a command; before that, GetCommandInvocation knows none.

That a command which was just sent is not known at once is documented only as a cause of
``InvocationDoesNotExist``; how long it lasts is not.
"""
DEFAULT_TIMEOUT: Final = 3600
OF_AWS: Final = frozenset({"AWS-RunShellScript"})
"""Documents that every account has; what one does is still a scenario's to say."""
KEPT: Final = timedelta(days=30)
"""How long Run Command shows what was run."""


@dataclass(frozen=True)
class CommandRun:
    """What running a document on an instance comes to."""

    seconds: float = 1.0
    error: str | None = None
    """What it wrote to standard error before it failed; None when it succeeds."""


Document = Callable[[Mapping[str, Sequence[str]], str], CommandRun]
"""What a document does, given its parameters and the instance."""


@dataclass
class _Command:
    id: str
    document: str
    parameters: Mapping[str, Sequence[str]]
    instances: tuple[str, ...]
    sent_at: datetime
    timeout: int
    comment: str
    status: str = "Pending"
    error: str = ""
    code: int = -1
    """-1 while it has not ended (``GetCommandInvocationResult.ResponseCode``)."""


class RunCommand(Service):
    """Commands to one instance each; documents and agents are put in by scenarios."""

    name: ClassVar[str] = "ssm"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.documents: dict[str, Document] = {}
        self.managed: set[str] = set()
        """Instances whose agent has registered; to others no command can be sent."""
        self._commands: dict[str, _Command] = {}

    @operation(
        "SendCommand",
        unmodelled=(
            "Targets",
            "DocumentVersion",
            "DocumentHash",
            "DocumentHashType",
            "OutputS3Region",
            "OutputS3BucketName",
            "OutputS3KeyPrefix",
            "MaxConcurrency",
            "MaxErrors",
            "ServiceRoleArn",
            "NotificationConfig",
            "CloudWatchOutputConfig",
            "AlarmConfiguration",
        ),
    )
    def send_command(self, params: Params) -> Reply:
        """Send a command to managed instances that run."""
        document, instances = params["DocumentName"], tuple(params.get("InstanceIds", []))
        if document not in self.documents and document not in OF_AWS:
            raise AwsError("InvalidDocument", f"Document with name {document} does not exist.")
        if not instances or not all(self._reachable(one) for one in instances):
            raise AwsError(
                "InvalidInstanceId",
                f"Instances [{', '.join(instances)}] not in a valid state for account "
                f"{self.world.account}",
            )
        if document not in self.documents:
            raise NotEmulatedError(f"what {document} does, unless a scenario says it")
        command = _Command(
            id=self.world.new_uuid(),
            document=document,
            parameters=params.get("Parameters", {}),
            instances=instances,
            sent_at=self.world.clock.now(),
            timeout=params.get("TimeoutSeconds", DEFAULT_TIMEOUT),
            comment=params.get("Comment", ""),
        )
        self._commands[command.id] = command
        self.world.clock.after(DELIVERY_SECONDS, f"{document} starts", lambda: self._begin(command))
        return {
            "Command": {
                "CommandId": command.id,
                "DocumentName": document,
                "Comment": command.comment,
                "Parameters": {name: list(values) for name, values in command.parameters.items()},
                "InstanceIds": list(instances),
                "RequestedDateTime": command.sent_at,
                "Status": "Pending",
                "StatusDetails": "Pending",
                "TimeoutSeconds": command.timeout,
                "TargetCount": len(instances),
            }
        }

    @operation("GetCommandInvocation", unmodelled=("PluginName",))
    def get_command_invocation(self, params: Params) -> Reply:
        """How a command is on one instance."""
        command = self._commands.get(params["CommandId"])
        now = self.world.clock.now()
        if (
            command is None
            or params["InstanceId"] not in command.instances
            or now < command.sent_at + timedelta(seconds=DELIVERY_SECONDS)
            or now > command.sent_at + KEPT
        ):
            raise AwsError("InvocationDoesNotExist", "")
        return {
            "CommandId": command.id,
            "InstanceId": params["InstanceId"],
            "DocumentName": command.document,
            "Comment": command.comment,
            "ResponseCode": command.code,
            "Status": command.status,
            "StatusDetails": command.status,
            "StandardOutputContent": "",
            "StandardErrorContent": command.error,
        }

    def _reachable(self, instance: str) -> bool:
        # A stopped instance counts as valid too (model, InvalidInstanceId) where its agent was
        # heard of; what becomes of its commands is not documented, so here it is refused.
        running = {one.id for one in self.world.ec2.instances() if one.state == "running"}
        return instance in self.managed and instance in running

    def _begin(self, command: _Command) -> None:
        if not all(self._reachable(one) for one in command.instances):
            # "Undeliverable" is a detail of Failed (user guide, "Understanding command statuses").
            command.status, command.error, command.code = "Failed", "Undeliverable", 1
            return
        command.status = "InProgress"
        runs = [self.documents[command.document](command.parameters, i) for i in command.instances]
        failed = next((run.error for run in runs if run.error is not None), None)

        def finish() -> None:
            command.status = "Success" if failed is None else "Failed"
            command.error, command.code = failed or "", 0 if failed is None else 1

        seconds = max(run.seconds for run in runs)
        self.world.clock.after(seconds, f"{command.document} ends", finish)


class SystemsManager(Service):
    """Systems Manager as one service: Parameter Store and Run Command."""

    name: ClassVar[str] = "ssm"
    _PARTS = (ParameterStore, RunCommand)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.store = ParameterStore(world)
        self.commands = RunCommand(world)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters, by name."""
        return self.store.parameters

    def arn_of(self, name: str) -> str:
        """The ARN of a parameter."""
        return self.store.arn_of(name)

    @classmethod
    def operation_names(cls) -> frozenset[str]:
        """The operations of both parts."""
        return frozenset().union(*(part.operation_names() for part in cls._PARTS))

    def perform(self, operation_name: str, params: Params) -> Reply:
        """Let the part that models the operation carry it out."""
        if RunCommand.models(operation_name):
            return self.commands.perform(operation_name, params)
        return self.store.perform(operation_name, params)
