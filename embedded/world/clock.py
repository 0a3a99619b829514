"""One clock and one queue of timers: the whole order of events in the world."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""Where emulated time begins unless a world is told otherwise: a Monday morning."""


@dataclass(slots=True, eq=False)
class Timer:
    """Something that will happen at an instant; ``cancel`` makes it not happen."""

    at: datetime
    number: int
    what: str
    run: Callable[[], None] = field(repr=False)
    cancelled: bool = False

    def cancel(self) -> None:
        """Forget this timer. Cancelling twice, or after it ran, does nothing."""
        self.cancelled = True


class Clock:
    """Emulated time. It moves only when the next timer is taken."""

    def __init__(self, start: datetime = EPOCH) -> None:
        if start.tzinfo is None:
            raise ValueError("the world's clock needs a start with a time zone")
        self._now = start
        # With what a timer is ordered by in front of it: comparing tuples takes no Python code.
        self._queue: list[tuple[datetime, int, Timer]] = []
        self._count = 0

    def now(self) -> datetime:
        """The emulated instant, with time zone UTC."""
        return self._now

    def at(self, when: datetime, what: str, run: Callable[[], None]) -> Timer:
        """Run something at ``when`` (now, if that has passed); equal instants keep their order."""
        self._count += 1
        timer = Timer(max(when, self._now), self._count, what, run)
        heapq.heappush(self._queue, (timer.at, timer.number, timer))
        return timer

    def after(self, seconds: float, what: str, run: Callable[[], None]) -> Timer:
        """Run something ``seconds`` of emulated time from now."""
        return self.at(self._now + timedelta(seconds=seconds), what, run)

    def next_at(self) -> datetime | None:
        """When the next timer is due, or None when nothing is left to happen."""
        queue = self._queue
        while queue and queue[0][2].cancelled:
            heapq.heappop(queue)
        return queue[0][0] if queue else None

    def step(self) -> Timer | None:
        """Move to the next timer and run it; None when nothing is left to happen."""
        if self.next_at() is None:
            return None
        timer = heapq.heappop(self._queue)[2]
        self._now = timer.at
        timer.run()
        return timer

    def advance_to(self, when: datetime) -> None:
        """Move time forward to ``when`` without running anything later than that."""
        while (due := self.next_at()) is not None and due <= when:
            self.step()
        self._now = max(self._now, when)
