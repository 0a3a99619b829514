"""What the expressions of a state see: variables, ``$states``, and the context object in it.

Source: developer guide, "Accessing execution data from the Context object".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embedded.states.documents import timestamp
from embedded.states.execution import Execution
from embedded.states.functions import world_frame
from embedded.states.jsonata import Scope, Visible

if TYPE_CHECKING:
    from embedded.states.documents import Document
    from embedded.world.world import World


class Scopes:
    """Makes the scopes of a world's executions."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._functions = world_frame(world)

    def of(
        self,
        execution: Execution,
        *,
        result: Document | None = None,
        error_output: Document | None = None,
        token: str | None = None,
    ) -> Scope:
        """Make the scope of the state in which an execution is."""
        states: dict[str, Visible] = {
            "input": execution.position.input,
            "context": self._context(execution, token),
        }
        if result is not None:
            states["result"] = result
        if error_output is not None:
            states["errorOutput"] = error_output
        return Scope(self._functions, execution.variables, states)

    def _context(self, execution: Execution, token: str | None) -> _Context:
        position, machine = execution.position, execution.machine
        history: dict[str, Any] = {
            "Id": execution.arn,
            "Input": execution.input.value,
            "Name": execution.name,
            "RoleArn": machine.role_arn,
            "StartTime": timestamp(execution.started_at),
            "RedriveCount": execution.redrive_count,
        }
        if execution.redriven_at is not None:
            history["RedriveTime"] = timestamp(execution.redriven_at)
        context: dict[str, Any] = {
            "Execution": history,
            "State": {
                "EnteredTime": timestamp(position.entered_at or self._world.clock.now()),
                "Name": position.state,
                "RetryCount": position.retry_count,
            },
            "StateMachine": {"Id": machine.arn, "Name": machine.name},
        }
        if token is not None:
            context["Task"] = {"Token": token}
        return _Context(context, execution.input)


class _Context:
    def __init__(self, value: dict[str, Any], execution_input: Document) -> None:
        self.value = value
        self._input = execution_input

    @property
    def marked(self) -> dict[str, Any]:
        # The execution's input is the only part of it that can hold a null.
        execution = self.value["Execution"] | {"Input": self._input.marked}
        return self.value | {"Execution": execution}
