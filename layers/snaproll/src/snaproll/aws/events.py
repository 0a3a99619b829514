"""Domain events on the account's default event bus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from snaproll.aws.refusals import named_errors
from snaproll.errors import AwsUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "snaproll"


class Announcements:
    """What snaproll tells everybody who listens."""

    def __init__(self, events: EventBridgeClient) -> None:
        self._events = events

    def publish(self, detail_type: str, detail: BaseModel) -> None:
        """Put one event on the bus; a repeated step may put it there twice.

        Raises
        ------
        AwsUnavailableError
            When the bus did not take it.
        """
        with named_errors(f'publish the event "{detail_type}"'):
            reply = self._events.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": detail_type,
                        "Detail": detail.model_dump_json(),
                    }
                ]
            )
        # PutEvents answers 200 even when it took nothing.
        if reply["FailedEntryCount"]:
            refused = reply["Entries"][0]
            raise AwsUnavailableError(
                f'The event "{detail_type}" was not taken: {refused.get("ErrorCode")}: '
                f"{refused.get('ErrorMessage')}"
            )
