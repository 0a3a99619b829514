"""What starts an execution: a rollout, or what a person asks of a fleet besides one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from snaproll.contracts.values import Execution, SnapshotId, Text
from snaproll.domain.fleet import FleetName
from snaproll.domain.ledger import Trigger
from snaproll.model import Instant, StrictValue

LIVE = "live"
"""As a snapshot: what is live already, to be rolled out again."""


class RolloutRequest(StrictValue):
    """What starts a rollout: typed by a person, or written by dispatch."""

    fleet: FleetName
    snapshot: SnapshotId | Literal["latest", "previous", "live"] = "latest"
    trigger: Trigger = Trigger.PERSON
    dry_run: bool = False
    reason: Text | None = None
    allow_no_rollback: bool = False
    """Go on although nothing could be rolled back to; needs a reason."""
    takes_over: Annotated[int, Field(ge=1)] | None = None
    """Fence of a dead rollout's claim; only snaproll itself asks for this."""

    @model_validator(mode="after")
    def _answered_for(self) -> Self:
        if self.allow_no_rollback and self.reason is None:
            raise ValueError("allow_no_rollback needs a reason")
        return self


class Running(StrEnum):
    """What becomes of a rollout that runs when a person sets a hold."""

    FINISH = "finish"
    ROLL_BACK = "roll_back"


class OperatorRequest(StrictValue):
    """What a person asks of a fleet besides a rollout: exactly one of hold, resume and lift.

    ``hold`` and ``resume`` are the reason, in words; ``lift_quarantine`` is a snapshot.
    """

    fleet: FleetName
    by: Text
    hold: Text | None = None
    until: Instant | None = None
    running: Running = Running.FINISH
    resume: Text | None = None
    lift_quarantine: SnapshotId | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        asked = [
            name
            for name in ("hold", "resume", "lift_quarantine")
            if getattr(self, name) is not None
        ]
        if len(asked) != 1:
            raise ValueError("exactly one of hold, resume and lift_quarantine must be given")
        if self.lift_quarantine is not None and self.reason is None:
            raise ValueError("lift_quarantine needs a reason")
        return self


class OperateRequest(StrictValue):
    """``OperateFleet``."""

    operation: OperatorRequest
    execution: Execution
