"""What starts a publish."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from snaproll.contracts.publish.events import DataMaterialized
from snaproll.contracts.values import Text
from snaproll.domain.publishes import PublishMode, PublishTrigger, Wish
from snaproll.domain.writer import WriterName
from snaproll.model import Instant, StrictValue


class PublishRequest(StrictValue):
    """What starts a publish: typed by a person, or written by snaproll itself."""

    writer: WriterName
    mode: PublishMode = PublishMode.PUBLISH
    data_time: Instant | None = None
    """When the data was true; absent: as of the snapshot."""
    reason: Text | None = None
    trigger: PublishTrigger = PublishTrigger.PERSON
    asked_at: Instant | None = None
    """When it was asked for first; only snaproll itself says so."""
    takes_over: Annotated[int, Field(ge=1)] | None = None
    """Fence of a dead publish's claim; only snaproll itself asks for this."""


def request_of(event: DataMaterialized) -> PublishRequest:
    """What the event of a writer asks for."""
    detail = event.detail
    return PublishRequest(
        writer=detail.writer,
        mode=detail.mode,
        data_time=detail.data_time or event.time,
        reason=detail.reason,
        trigger=PublishTrigger.DATA,
    )


def input_of(writer: str, wish: Wish, takes_over: int | None) -> dict[str, object]:
    """The input of an execution that snaproll itself starts."""
    request = PublishRequest(
        writer=writer,
        mode=wish.mode,
        data_time=wish.data_time,
        reason=wish.reason,
        trigger=wish.trigger,
        asked_at=wish.asked_at,
        takes_over=takes_over,
    )
    return request.model_dump(mode="json", exclude_none=True)
