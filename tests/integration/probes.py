"""Probes that a world runs: functions that answer as a test says, and keep what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.world.awslambda import FunctionSpec

NAME = "snaproll-probe-demo-sec"
PASS: dict[str, Any] = {"verdict": "pass", "reason": "all rows are there"}
FAIL: dict[str, Any] = {"verdict": "fail", "reason": "3 of 40 tables are empty"}
UNSURE: dict[str, Any] = {"verdict": "inconclusive", "reason": "the reference is being rebuilt"}

Question = dict[str, Any]


class Probe:
    """A fleet's probe. ``answer`` gives the answer to a question, or raises."""

    def __init__(
        self,
        stage: Stage,
        answer: Callable[[Question], Any],
        *,
        takes_seconds: float = 0,
        timeout_seconds: int = 900,
    ) -> None:
        self.questions: list[Question] = []
        self.asked_at: list[datetime] = []
        self._stage = stage
        self._answer = answer
        stage.world.awslambda.install(
            FunctionSpec(
                name=NAME,
                handler=self._handle,
                logical_id=NAME,
                role_arn=f"arn:aws:iam::{stage.world.account}:role/probe",
                timeout_seconds=timeout_seconds,
                takes_seconds=takes_seconds,
            )
        )

    def _handle(self, event: Question, _: object) -> Any:
        self.questions.append(event)
        self.asked_at.append(self._stage.world.clock.now())
        return self._answer(event)

    @property
    def moments(self) -> list[tuple[str, int]]:
        """What it was asked about: the occasion and the percentage of each question."""
        return [(one["moment"]["occasion"], one["moment"]["percentage"]) for one in self.questions]

    def delete(self) -> None:
        """Take the function away."""
        self._stage.session.client("lambda").delete_function(FunctionName=NAME)


def is_probed(stage: Stage, fleet: StagedFleet, **options: Any) -> None:
    """Let a fleet's parameter name the probe."""
    probe = {"function": NAME, "timeout": "30s", "tries": 3, **options}
    stage.configure(
        fleet,
        {
            "refresh": {"checkpoints": [25, 100], "checkpoint_wait": "10m", "bake": "15m"},
            "health": {"alarms": [fleet.alarm], "probe": probe},
        },
    )
