"""What is wrong with a fleet that no rollout tells of, remembered so that it is told once."""

from __future__ import annotations

from enum import StrEnum

from snaproll.domain.ledger import LedgerItem
from snaproll.model import Instant


class ProblemKind(StrEnum):
    """Problems of different kinds are remembered beside each other."""

    DRIFT = "drift"
    """The fleet is not what the ledger says."""
    LIVE = "live"
    """What is live could not be launched again."""
    REFRESH = "refresh"
    """An instance refresh runs that nobody watches."""


class Problem(LedgerItem):
    """One problem: ``key`` stays the same as long as it does, ``message`` is for people."""

    key: str
    message: str
    since: Instant
