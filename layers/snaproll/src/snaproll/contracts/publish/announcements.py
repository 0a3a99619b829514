"""The details of snaproll's own events about writers."""

from __future__ import annotations

from snaproll.contracts.announcements import DomainEvent, console_link
from snaproll.domain.publishes import Learnt, PublishMode, PublishOutcome


class WriterEvent(DomainEvent, Learnt):
    """Detail of every domain event about a writer; ``link`` opens the execution in the console."""

    writer: str
    execution: str
    link: str
    outcome: PublishOutcome | None = None
    mode: PublishMode | None = None


def event_of(environment: str, writer: str, execution: str, message: str) -> WriterEvent:
    """The event that everybody who listens hears."""
    return WriterEvent(
        environment=environment,
        writer=writer,
        message=message,
        execution=execution,
        link=console_link(execution),
    )
