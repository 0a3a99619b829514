"""Quiesce hooks of a team's own, as a function and as a command document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embedded.scenarios.stage import Stage
from embedded.world.awslambda import FunctionSpec
from embedded.world.run_command import CommandRun

HOOK = "snaproll-quiesce-demo-sec"
WITH_FUNCTION: dict[str, Any] = {"quiesce": {"function": HOOK, "limit": "5m"}}
WITH_DOCUMENT: dict[str, Any] = {"quiesce": {"document": HOOK, "limit": "5m"}}

Behaviour = Callable[[str, int], Any]
"""What a hook answers to an action that it is asked for the n-th time; it may raise."""


def done(_: str, __: int) -> dict[str, str]:
    """A hook that does at once what it is asked."""
    return {"state": "done"}


class Hook:
    """A hook, and everything that it was asked."""

    def __init__(self, stage: Stage, behaviour: Behaviour = done) -> None:
        self.asked: list[dict[str, Any]] = []
        self.quiet = False
        self._behaviour = behaviour
        self._stage = stage

    def as_function(self) -> Hook:
        """Deploy it as a Lambda function."""
        self._stage.world.awslambda.install(
            FunctionSpec(
                name=HOOK,
                handler=lambda event, _: self._answer(event),
                logical_id="QuiesceHook",
                role_arn=f"arn:aws:iam::{self._stage.world.account}:role/hook",
            )
        )
        return self

    def as_document(self) -> Hook:
        """Make it a command document."""
        self._stage.world.ssm.commands.documents[HOOK] = self._run
        return self

    @property
    def actions(self) -> list[str]:
        """What it was asked for, in order."""
        return [one["action"] for one in self.asked]

    def _answer(self, event: dict[str, Any]) -> Any:
        self.asked.append(event)
        answer = self._behaviour(event["action"], self.actions.count(event["action"]))
        if answer == {"state": "done"}:
            self.quiet = event["action"] == "quiesce"
        return answer

    def _run(self, parameters: Mapping[str, Sequence[str]], instance: str) -> CommandRun:
        event = {name.lower(): values[0] for name, values in parameters.items()}
        try:
            self._answer({**event, "instance": instance})
        except RuntimeError as error:
            return CommandRun(error=str(error))
        return CommandRun(seconds=3.0)
