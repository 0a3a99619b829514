"""What several boundaries share: ids, words, and the execution that a step runs for."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from snaproll.domain.snapshot import SNAPSHOT_ID
from snaproll.model import Instant, StrictValue, Value

PAYLOAD_VERSION = 2
"""Version of the payloads of steps; handlers accept the version before as well."""


def _known_version(version: int) -> int:
    if version > PAYLOAD_VERSION:
        raise ValueError(
            f"this version of snaproll reads up to {PAYLOAD_VERSION}; deploy the one that wrote it"
        )
    return version


PayloadVersion = Annotated[int, AfterValidator(_known_version)]
SnapshotId = Annotated[str, StringConstraints(pattern=SNAPSHOT_ID)]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")]
ExecutionArn = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:aws[a-z-]*:states:[a-z0-9-]+:[0-9]{12}:execution:[^:\s]+:[^:\s]+$"
    ),
]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class FromAws(Value):
    """Events of AWS may grow members at any time."""


class Execution(StrictValue):
    """The execution that a step runs for, from the state machine's context object."""

    id: ExecutionArn
    started_at: Instant


class Recorded(StrictValue):
    """The answer of steps whose effect is all that matters."""

    message: str
