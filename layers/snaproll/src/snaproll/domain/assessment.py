"""The verdict that one look at a rollout yields, and what one look leaves for the next.

Two phases share the loop. Going *forward*, the question is whether the candidate may become live;
going *back*, whether every instance runs the rollback target again.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from snaproll.domain.probe import Probing
from snaproll.domain.probe_contract import Moment
from snaproll.model import Instant, Value


class Verdict(StrEnum):
    """What an assessment asks for."""

    WAIT = "wait"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    ROLLED_BACK = "rolled_back"
    """Going back only: the fleet is whole again on its rollback target."""
    STAGE = "stage"
    """Forward only: the group saves the candidate and has no instances that could prove it."""
    ESCALATE = "escalate"
    PROBE = "probe"
    """Ask the fleet's probe, then look again."""


MOST_TRIED = 20
"""Instances that are remembered although they never served: one that failed is evidence enough."""


class Memory(Value):
    """What one look leaves for the next; it travels in the execution's variables."""

    healthy_new: int = 0
    """Most instances of the candidate ever seen healthy at once."""
    serving: list[str] = Field(default_factory=list)
    """Ids of the new instances that are there and were healthy at one look or another."""
    tried: list[str] = Field(default_factory=list, max_length=MOST_TRIED)
    """Ids of new instances that no look found healthy, there or gone; the newest ones only."""
    lost: int = 0
    """How many of those that served were since taken out for failed health checks."""
    new_failed: bool = False
    """Whether a new instance was ever seen to fail its health checks."""
    progress_at: Instant | None = None
    """Since when new instances in service have not been healthy, or when that number last grew in
    the meantime; None after a look that found all of them healthy."""
    below_floor_since: Instant | None = None
    ended_since: Instant | None = None
    """When the refresh was first seen to have ended."""
    baking_since: Instant | None = None
    no_data_since: Instant | None = None
    """Since when at least one alarm has had no data."""
    served_since: Instant | None = None
    """Since when each look found a new instance healthy that an earlier one had found healthy."""
    unserved_since: Instant | None = None
    """Since when no look found a new instance healthy."""
    alarms_before: list[str] = Field(default_factory=list)
    """Without a refresh: alarms that have fired since before a new instance was healthy."""
    looked_at: Instant | None = None
    """When the last look was."""
    target_lost: str | None = None
    """Why there was nothing to go back to at the last look."""
    quiet_looks: int = 0
    """Looks since the last one that saw something wrong."""
    probing: Probing = Field(default_factory=Probing)


class Assessment(Value):
    """A verdict with its reason.

    ``against_data`` tells that instances which run the candidate gave evidence against its data:
    only then is a snapshot quarantined. ``by_person`` tells that somebody stopped the refresh.
    ``wait_seconds`` is how long to sleep if nothing signals. ``moment`` and ``attempt`` say what a
    probe is to be asked.
    """

    verdict: Verdict
    reason: str
    against_data: bool = False
    by_person: bool = False
    wait_seconds: int
    memory: Memory
    moment: Moment | None = None
    attempt: int = 0


def conclude(
    verdict: Verdict, reason: str, memory: Memory, *, against_data: bool = False
) -> Assessment:
    """A verdict that ends the waiting."""
    return Assessment(
        verdict=verdict, reason=reason, against_data=against_data, wait_seconds=0, memory=memory
    )
