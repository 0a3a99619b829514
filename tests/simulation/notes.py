"""What the properties of starts and ends note of a fleet from one step to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tests.simulation.scene import Item


@dataclass
class Notes:
    """What was seen when the ledger was last looked at."""

    waits: Item | None = None
    """What waited for the fleet."""
    claim: tuple[Item | None, Item | None] = (None, None)
    """The claim, and how its rollout slept."""
    named: Item | None = None
    """Who was named as the next one."""
    stop: str | None = None
    """Why the rollout that had the claim was to go back."""
    successor: str | None = None
    """The execution that was named as the next one, until it begins."""
    named_at: datetime | None = None
    """When it was named."""
    had_waited: set[str] = field(default_factory=set)
    """Executions that were named for what had waited."""
    claimed_at: datetime | None = None
    """When the rollout that has the claim, or had it last, began, under whatever execution."""
    aborted: bool = False
    """Whether a person aborted an execution that had that claim."""
    alarms: list[tuple[datetime, str]] = field(default_factory=list)
    """The states of the fleet's alarm, each with its beginning."""
    stopped_since: datetime | None = None
    """Since when the environment was, or is, stopped."""
    lags: bool = False
    """Whether reads ever lag."""
    signals_arrive: bool = False
    """Whether nothing keeps signals from arriving, nor looks from following them."""
