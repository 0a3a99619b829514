"""Requests and answers of the steps that change a fleet.

A step's request is what the rollout definition passes as its payload; its answer is what the
definition assigns to variables. None of them ever holds launch template data.
"""

from __future__ import annotations

from pydantic import Field

from snaproll.contracts.rollout import Rollout
from snaproll.domain.checks import Check, Report
from snaproll.domain.ledger import Outcome, Phase, RefreshNote
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.model import StrictValue


class Claimed(StrictValue):
    """``ClaimFleet``'s answer: the rollout with its fence, and what a dead one had noted."""

    message: str
    rollout: Rollout
    phase: Phase
    candidate: Release | None
    target: RollbackTarget | None
    source: TemplateVersion | None = None
    refresh: RefreshNote | None
    why: str | None
    against_data: bool


class RejectionRequest(StrictValue):
    """``RecordRejection``."""

    rollout: Rollout
    report: Report


class FleetReport(Report):
    """``InspectFleet``'s answer: the preflight, and the rollback target it found."""

    target: RollbackTarget | None
    source: TemplateVersion | None = None
    """The version saved on the group; not the target's when a release is staged, or when what is
    live is rolled out again."""
    passes_with_time: bool = False
    """Whether only checks failed that may be fine in some minutes."""


class TemplateRequest(StrictValue):
    """``UpdateLaunchTemplate``; without a ``source`` the version is made from the target's."""

    rollout: Rollout
    target: RollbackTarget
    source: TemplateVersion | None = None


class TemplateUpdated(StrictValue):
    """``UpdateLaunchTemplate``'s answer."""

    message: str
    candidate: Release


class ReleaseRequest(StrictValue):
    """``StartRefresh``, ``StageRelease`` and ``PromoteRelease``."""

    rollout: Rollout
    candidate: Release
    target: RollbackTarget


class ReleaseStaged(StrictValue):
    """``StageRelease``'s answer: what was staged before and has to be discarded, if anything."""

    message: str
    replaced: Release | None


class RefreshStarted(StrictValue):
    """The answer of ``StartRefresh`` and ``RollBack``."""

    message: str
    refresh: RefreshNote


class RollBackRequest(StrictValue):
    """``RollBack``."""

    rollout: Rollout
    candidate: Release
    target: RollbackTarget
    refresh: RefreshNote | None
    reason: str
    against_data: bool
    by_person: bool


class DiscardRequest(StrictValue):
    """``DeleteTemplateVersion``."""

    rollout: Rollout
    candidate: Release
    target: RollbackTarget


class QuarantineRequest(StrictValue):
    """``QuarantineSnapshot``."""

    rollout: Rollout
    reason: str


class ReleaseFleetRequest(StrictValue):
    """``ReleaseFleet``: how the rollout ended, and as much as it got to know."""

    rollout: Rollout
    outcome: Outcome
    reason: str
    quarantined: bool = False
    checks: list[Check] = Field(default_factory=list)
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh: RefreshNote | None = None


class Ended(StrictValue):
    """``ReleaseFleet``'s answer, and the output of a rollout that ends well."""

    fleet: str
    snapshot: str
    outcome: Outcome
    message: str
