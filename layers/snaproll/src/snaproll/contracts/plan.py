"""The plan of a rollout: what the execution was started with, and what it is to do."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from snaproll.contracts.requests import OperatorRequest
from snaproll.contracts.rollout import Rollout
from snaproll.contracts.values import Execution
from snaproll.domain.assessment import Memory
from snaproll.domain.checks import Check
from snaproll.domain.plan import SkipReason
from snaproll.model import StrictValue


class PlanRequest(StrictValue):
    """``PlanRollout``: the raw execution input, whatever it is, and the execution."""

    input: Any
    execution: Execution


class Plan(StrictValue):
    """The plan: go on with ``rollout``, only say what it would do, or end with ``skip``."""

    skip: SkipReason | None
    dry_run: bool = False
    message: str
    rollout: Rollout | None
    operation: OperatorRequest | None = None
    quiet_seconds: int = 0
    """How long to wait before a dead rollout's claim is taken over."""
    memory: Memory | None = None
    """What the execution before knew, when it handed over; nothing is begun again then."""
    checks: list[Check] = Field(default_factory=list)
