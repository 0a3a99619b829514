"""The depth of queues as CloudWatch sees it.

Source: SQS developer guide, "Available CloudWatch metrics for Amazon SQS" and "Monitoring Amazon
SQS queues": every minute, for a queue that is active; one is for up to six hours after it was last
used.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedded.world.world import World

NAMESPACE = "AWS/SQS"
VISIBLE = "ApproximateNumberOfMessagesVisible"
_EVERY = timedelta(minutes=1)
_ACTIVE_FOR = timedelta(hours=6)


class DepthMeter:
    """Measures every active queue once a minute; a queue that nobody uses costs nothing."""

    def __init__(self, world: World, depth_of: Callable[[str], int | None]) -> None:
        """``depth_of`` gives a queue's visible messages by name, None when there is no such one."""
        self._world = world
        self._depth_of = depth_of
        self._used_at: dict[str, datetime] = {}
        self._measured: set[str] = set()

    def used(self, name: str) -> None:
        """Tell that somebody called an action on a queue."""
        self._used_at[name] = self._world.clock.now()
        if name not in self._measured:
            self._measured.add(name)
            self._plan(name)

    def _plan(self, name: str) -> None:
        self._world.clock.after(
            _EVERY.total_seconds(), f"the depth of {name} is measured", lambda: self._measure(name)
        )

    def _measure(self, name: str) -> None:
        depth = self._depth_of(name)
        if depth is None or self._world.clock.now() - self._used_at[name] > _ACTIVE_FOR:
            self._measured.discard(name)
            return
        self._world.cloudwatch.record(NAMESPACE, VISIBLE, {"QueueName": name}, depth)
        self._plan(name)
