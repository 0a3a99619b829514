"""What a running rollout is found by when a signal comes."""

from __future__ import annotations

from snaproll.domain.ledger import LedgerItem


class Watch(LedgerItem):
    """The group and the alarms of a fleet that is being rolled, or whose release is staged."""

    group: str
    alarms: list[str]
    staged: bool = False
    """Whether an instance that the group launches would be the first of a staged release."""
