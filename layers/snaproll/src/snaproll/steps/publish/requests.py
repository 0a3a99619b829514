"""From what asks for snapshots to one execution for each writer."""

from __future__ import annotations

from snaproll.contracts.publish.events import (
    DataMaterialized,
    PublishesRequested,
    PublishEvent,
    PublishTick,
)
from snaproll.contracts.publish.requests import PublishRequest, request_of
from snaproll.domain.publishes import PublishTrigger
from snaproll.domain.publishing import name_for_event, name_for_tick
from snaproll.domain.writer import Writer
from snaproll.errors import InvalidEventError
from snaproll.runtime import Runtime


def request_publish(event: PublishEvent, runtime: Runtime) -> PublishesRequested:
    """Start a publish for the writer of an event, or for all that follow the schedule.

    Raises
    ------
    InvalidEventError
        When the event is for another environment.
    """
    asked = event.root
    wanted = (
        _of_event(asked, runtime)
        if isinstance(asked, DataMaterialized)
        else _of_tick(asked, runtime)
    )
    started: list[str] = []
    known: list[str] = []
    for name, request in wanted.items():
        content = request.model_dump(mode="json", exclude_none=True)
        fresh = runtime.executions.start(runtime.settings.publish_machine, name, content)
        (started if fresh else known).append(name)
    message = f"Started {', '.join(started)}." if started else "Started nothing."
    return PublishesRequested(message=message, started=started, already_known=known)


def _of_event(event: DataMaterialized, runtime: Runtime) -> dict[str, PublishRequest]:
    detail, here = event.detail, runtime.settings.environment
    if detail.environment != here:
        raise InvalidEventError(
            f'The event is for the environment "{detail.environment}", and this is "{here}".'
        )
    return {name_for_event(detail.writer, event.id): request_of(event)}


def _of_tick(tick: PublishTick, runtime: Runtime) -> dict[str, PublishRequest]:
    """A writer whose parameter is broken is started too: its execution says what is wrong."""
    names = [
        writer.name if isinstance(writer, Writer) else writer.writer
        for writer in runtime.writers.all()
        if not isinstance(writer, Writer) or writer.policy.on_schedule
    ]
    return {
        name_for_tick(name, tick.time): PublishRequest(writer=name, trigger=PublishTrigger.SCHEDULE)
        for name in names
    }
