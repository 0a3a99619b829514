"""What a running rollout is found by when a signal comes."""

from __future__ import annotations

from snaproll.domain.ledger import SCHEMA
from snaproll.model import StrictValue


class Watch(StrictValue):
    """The group and the alarms of a fleet that is being rolled, or whose release is staged."""

    schema_version: int = SCHEMA
    group: str
    alarms: list[str]
    staged: bool = False
    """Whether an instance that the group launches would be the first of a staged release."""
