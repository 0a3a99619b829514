"""The details of snaproll's own events on the bus."""

from __future__ import annotations

from pydantic import Field

from snaproll.domain.checks import Check
from snaproll.domain.ledger import Outcome
from snaproll.domain.release import Release, RollbackTarget
from snaproll.model import StrictValue


class DomainEvent(StrictValue):
    """What every detail tells; ``message`` is a sentence for people."""

    version: int = 1
    environment: str
    message: str


class ConfigurationEvent(DomainEvent):
    """Detail of ``Fleet Configuration Invalid``."""

    fleet: str


class ComparisonEvent(DomainEvent):
    """Detail of ``Drift Detected``, and of ``Needs Attention`` when the comparison asks for it.

    ``snapshot`` is what is live according to the ledger; ``cause`` is the likely one.
    """

    fleet: str
    snapshot: str
    cause: str | None = None


class FleetEvent(DomainEvent):
    """Detail of a domain event about a fleet that no rollout tells of.

    ``link`` opens the execution in the console.
    """

    fleet: str
    execution: str
    link: str


class RolloutEvent(FleetEvent):
    """Detail of every domain event about a rollout."""

    snapshot: str
    outcome: Outcome | None = None
    checks: list[Check] = Field(default_factory=list)
    candidate: Release | None = None
    target: RollbackTarget | None = None
    refresh_id: str | None = None
    repeated: bool = False
    """The same snapshot ended the same way for the same reason the last time."""


def console_link(execution: str) -> str:
    """The console's page of an execution, from its ARN."""
    region = execution.split(":")[3]
    return (
        f"https://{region}.console.aws.amazon.com/states/home?region={region}"
        f"#/v2/executions/details/{execution}"
    )
