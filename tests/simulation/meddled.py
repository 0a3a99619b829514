"""What others did to a fleet, as far as it explains what an invariant would otherwise forbid."""

from __future__ import annotations

from datetime import datetime


class Meddled:
    """One fleet's foreign versions, lost snapshots, and times without launches."""

    def __init__(self) -> None:
        self.made: set[int] = set()
        """Launch template versions that others made."""
        self.saved: set[int] = set()
        """Versions that others saved on the group: the one that it saves still; and as long as
        something is rolled or staged every one, since that goes back to what it found."""
        self.lost: dict[str, datetime] = {}
        """When each snapshot was deleted, or could not be launched from any more."""
        self._short: list[tuple[datetime, datetime]] = []

    def follow(self, saved: int, *, returns: bool) -> None:
        """Forget what others saved once something else is there, and nobody would go back."""
        if not returns:
            self.saved &= {saved}

    def run_short(self, since: datetime, until: datetime) -> None:
        """Note that instances cannot be launched for some time, for capacity or for a key."""
        self._short.append((since, until))

    def short_since(self, since: datetime, now: datetime) -> bool:
        """Whether instances could not be launched at some time from ``since`` to ``now``."""
        return any(begin <= now and end >= since for begin, end in self._short)
