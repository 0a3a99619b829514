"""What every entry of a schedule has."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

PROMPT = 1.0
"""Seconds that an event takes when nothing is wrong with it."""


class Part(BaseModel):
    """A piece of a schedule: it can be written down, read back and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Timed(Part):
    """Something that happens at a time, in seconds after the fleets stood healthy."""

    at: float


class OfFleet(Timed):
    """Something that happens to one of the schedule's fleets."""

    fleet: int = 0
    """Its place among the schedule's fleets."""
