"""Lets emulated time run at a pace: SPEED emulated seconds for each real one.

Timers run in their order and at their own emulated instants, however late the machine gets to
them, so a world that nobody calls from outside has the same history at every speed. One lock is
held around each step and each call from outside; time stands still meanwhile.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from embedded.world.world import World

PATIENCE_SECONDS = 0.05
"""Real time that a call waits at most for a clock that is behind; then it happens earlier."""


class Pacemaker:
    """Drives a world's clock from the real one.

    As a context manager it is the moment in which a call from outside happens.

    Parameters
    ----------
    world
        Whose clock it is.
    speed
        Emulated seconds that pass in a real second.
    """

    def __init__(self, world: World, speed: float) -> None:
        self._world = world
        self._speed = speed
        self._turn = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._run, name="pacemaker", daemon=True)
        self._began: tuple[datetime, float] | None = None
        self._stopped = False
        self.failure: BaseException | None = None
        """What a timer raised, which stops the clock for good."""
        self.failed = threading.Event()

    def start(self) -> None:
        """Let time run from now on; until then it stands still."""
        with self._turn:
            self._began = (self._world.clock.now(), time.monotonic())
        self._thread.start()

    def stop(self) -> None:
        """Let time stand still."""
        with self._turn:
            self._stopped = True
            self._turn.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        """Wait for one's turn, and let everything happen that is due."""
        self._turn.acquire()
        until = time.monotonic() + PATIENCE_SECONDS
        try:
            while not self._idle() and self._step() and time.monotonic() < until:
                pass
        except BaseException:
            self._turn.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the next one have its turn; the call may have made something due sooner."""
        self._turn.notify_all()
        self._turn.release()

    def _idle(self) -> bool:
        return self._began is None or self._stopped or self.failure is not None

    def _due(self) -> datetime:
        """Give the emulated instant that the real clock stands at."""
        began, at = self._began or (self._world.clock.now(), time.monotonic())
        return began + timedelta(seconds=(time.monotonic() - at) * self._speed)

    def _step(self) -> bool:
        """Run the next timer if it is due; otherwise just let time pass, and say so."""
        clock = self._world.clock
        now = self._due()
        following = clock.next_at()
        if following is None or following > now:
            clock.advance_to(now)
            return False
        try:
            clock.step()
        except BaseException as failure:  # noqa: BLE001 - whoever waits on the server is told
            self.failure = failure
            self.failed.set()
            return False
        return True

    def _run(self) -> None:
        with self._turn:
            while not self._idle():
                if self._step():
                    # Let a waiting call in between two timers.
                    self._turn.wait(0)
                else:
                    self._turn.wait(self._pause())

    def _pause(self) -> float | None:
        following = self._world.clock.next_at()
        if following is None:
            return None
        return max(0.0, (following - self._due()).total_seconds() / self._speed)
