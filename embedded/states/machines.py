"""State machines: their names, their revisions, and what is refused of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from embedded.states.definition import compile_definition
from embedded.states.execution import Revision
from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.service import Params
    from embedded.world.world import World

_BAD_IN_NAMES: Final = re.compile(
    r"""[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]"""
)
_LONGEST_NAME: Final = 80
_NOT_EMULATED: Final = ("publish", "versionDescription", "encryptionConfiguration")


@dataclass
class StateMachine:
    """A state machine: its newest revision, and whether it is going away."""

    latest: Revision
    created_at: datetime
    tags: dict[str, str] = field(default_factory=dict)
    deleting: bool = False


class StateMachines:
    """The state machines of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._machines: dict[str, StateMachine] = {}

    def all(self) -> list[StateMachine]:
        """Give every state machine, by name."""
        return [self._machines[arn] for arn in sorted(self._machines)]

    def find(self, arn: str) -> StateMachine:
        """Find a state machine.

        Raises
        ------
        AwsError
            ``InvalidArn`` or ``StateMachineDoesNotExist``.
        """
        self._check_arn(arn)
        machine = self._machines.get(arn)
        if machine is None:
            raise AwsError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return machine

    def deleting(self, arn: str) -> bool:
        """Tell whether a state machine is being deleted."""
        machine = self._machines.get(arn)
        return machine is None or machine.deleting

    def create(self, params: Params) -> StateMachine:
        """Create a state machine, or find the one that an equal request created before.

        Raises
        ------
        AwsError
            ``InvalidName``, ``InvalidDefinition``, ``StateMachineAlreadyExists``,
            ``StateMachineDeleting``.
        """
        check_name(params["name"])
        _refuse_unmodelled(params)
        if params.get("type", "STANDARD") != "STANDARD":
            raise NotEmulatedError("Express state machines")
        arn = self._world.arn("states", f"stateMachine:{params['name']}")
        now = self._world.clock.now()
        revision = Revision(
            arn=arn,
            name=params["name"],
            role_arn=params["roleArn"],
            definition=params["definition"],
            program=compile_definition(params["definition"]),
            revision_id=None,
            updated_at=now,
            logging=dict(params.get("loggingConfiguration", {"level": "OFF"})),
            tracing=dict(params.get("tracingConfiguration", {"enabled": False})),
        )
        existing = self._machines.get(arn)
        if existing is None:
            tags = {tag["key"]: tag["value"] for tag in params.get("tags", [])}
            self._machines[arn] = StateMachine(revision, now, tags)
            return self._machines[arn]
        if existing.deleting:
            raise AwsError("StateMachineDeleting", f"State Machine is deleting: '{arn}'")
        # Role and tags do not count, and are not taken over (botocore, CreateStateMachine).
        old = existing.latest
        if (old.definition, old.logging, old.tracing) != (
            revision.definition,
            revision.logging,
            revision.tracing,
        ):
            raise AwsError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        return existing

    def update(self, params: Params) -> Revision:
        """Make a new revision. Running executions, and redriven ones, keep the old one.

        AWS may use the old revision for executions started within a few seconds; here the new one
        holds at once, which differs from AWS for those seconds only.
        """
        machine = self.find(params["stateMachineArn"])
        _refuse_unmodelled(params)
        if machine.deleting:
            raise AwsError(
                "StateMachineDeleting", f"State Machine is deleting: '{machine.latest.arn}'"
            )
        if "definition" not in params and "roleArn" not in params:
            raise AwsError(
                "MissingRequiredParameter", "Either the definition or the roleArn must be specified"
            )
        old = machine.latest
        definition = params.get("definition", old.definition)
        machine.latest = replace(
            old,
            role_arn=params.get("roleArn", old.role_arn),
            definition=definition,
            program=compile_definition(definition),
            revision_id=self._world.new_uuid(),
            updated_at=self._world.clock.now(),
            logging=dict(params.get("loggingConfiguration", old.logging)),
            tracing=dict(params.get("tracingConfiguration", old.tracing)),
        )
        return machine.latest

    def delete(self, arn: str) -> None:
        """Begin to delete a state machine; one that does not exist is deleted already."""
        self._check_arn(arn)
        if (machine := self._machines.get(arn)) is not None:
            machine.deleting = True

    def forget(self, arn: str) -> None:
        """Finish deleting a state machine."""
        self._machines.pop(arn, None)

    def _check_arn(self, arn: str) -> None:
        prefix = self._world.arn("states", "stateMachine:")
        name, _, qualifier = arn.removeprefix(prefix).partition(":")
        if not arn.startswith(prefix) or not name:
            raise AwsError("InvalidArn", f"Invalid Arn: 'Invalid ARN: {arn}'")
        if qualifier:
            raise NotEmulatedError("versions and aliases of state machines")


def check_name(name: str) -> None:
    """Check the name of a state machine or an execution.

    Raises
    ------
    AwsError
        ``InvalidName``.
    """
    if not name or len(name) > _LONGEST_NAME or _BAD_IN_NAMES.search(name):
        raise AwsError("InvalidName", f"Invalid Name: '{name}'")


def _refuse_unmodelled(params: dict[str, Any]) -> None:
    for member in _NOT_EMULATED:
        if params.get(member):
            raise NotEmulatedError(f"{member} of a state machine")
