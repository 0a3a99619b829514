"""Requests and answers of the steps that look at a fleet while it changes."""

from __future__ import annotations

from snaproll.contracts.rollout import Rollout
from snaproll.domain.assessment import Assessment, Memory
from snaproll.domain.checks import Check
from snaproll.domain.ledger import Phase, RefreshNote, Seen
from snaproll.domain.probe_contract import Heard, ProbeRequest
from snaproll.domain.release import Release, RollbackTarget
from snaproll.model import StrictValue


class WatchRequest(StrictValue):
    """``WatchHealth``; ``heard`` is what came of asking the probe right before, if it was."""

    rollout: Rollout
    phase: Phase
    candidate: Release
    target: RollbackTarget
    refresh: RefreshNote
    memory: Memory
    looks: int = 0
    """How often this execution has looked before."""
    heard: Heard | None = None


class ProbeCall(StrictValue):
    """How ``ProbeInstances`` is to ask the fleet's probe."""

    function: str
    timeout_seconds: int
    request: ProbeRequest


class Watched(Assessment):
    """``WatchHealth``'s answer: the assessment, and what it knew of the signals.

    ``probe`` is there when the verdict is to ask.
    """

    seen: Seen
    probe: ProbeCall | None = None
    looks: int
    hand_over: bool
    """Whether another execution is to go on, as this one has looked so often."""


class HandOverRequest(StrictValue):
    """``HandOver``."""

    rollout: Rollout
    memory: Memory
    checks: list[Check]
