"""What a running rollout is found by when a signal comes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from snaproll.domain.ledger import SCHEMA


class Watch(BaseModel):
    """The group and the alarms of a fleet that is being rolled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA
    group: str
    alarms: list[str]
