"""Plays many seeds, on several cores."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from tests.simulation.claim_properties import REQUEST_ERRORS, SKIPS
from tests.simulation.dice import schedule_of
from tests.simulation.play import Played, play

_BATCH = 10
"""Seeds that a process is given at a time."""


@dataclass
class Tally:
    """What came of some seeds."""

    seeds: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    happenings: int = 0
    emulated: timedelta = timedelta(0)
    failed: list[int] = field(default_factory=list)

    @property
    def executions(self) -> int:
        """Executions of the state machine."""
        return self.outcomes.total()

    @property
    def claimed(self) -> int:
        """Rollouts that held the fleet's claim."""
        without = SKIPS | REQUEST_ERRORS
        return sum(count for name, count in self.outcomes.items() if name not in without)

    @property
    def hours(self) -> float:
        """Emulated time."""
        return self.emulated / timedelta(hours=1)

    def count(self, played: Played) -> None:
        """Add one seed."""
        self.seeds += 1
        self.outcomes += played.outcomes()
        self.happenings += len(played.happenings)
        self.emulated += played.ended - played.began
        if played.violation is not None:
            self.failed.append(played.schedule.seed)

    def add(self, other: Tally) -> None:
        """Add what another process counted."""
        self.seeds += other.seeds
        self.outcomes += other.outcomes
        self.happenings += other.happenings
        self.emulated += other.emulated
        self.failed = sorted([*self.failed, *other.failed])


def run(
    seeds: range,
    *,
    jobs: int,
    most_rollouts: int,
    done: Callable[[Tally], None],
    before: Tally | None = None,
) -> Tally:
    """Play seeds and count what came of them; ``done`` is told of every finished batch.

    Batches finish in the order of their seeds. ``before`` is what was counted earlier.
    """
    total = before or Tally()
    batches = [
        (range(first, min(first + _BATCH, seeds.stop)), most_rollouts)
        for first in range(seeds.start, seeds.stop, _BATCH)
    ]
    for batch in _everywhere(batches, jobs):
        total.add(batch)
        done(total)
    return total


def _everywhere(batches: Iterable[tuple[range, int]], jobs: int) -> Iterator[Tally]:
    if jobs == 1:
        usual = gc.get_threshold()
        prepare_process()
        try:
            yield from map(_play_batch, batches)
        finally:  # Whoever called goes on in this process.
            gc.set_threshold(*usual)
            gc.unfreeze()
        return
    with ProcessPoolExecutor(jobs, initializer=prepare_process) as pool:
        yield from pool.map(_play_batch, batches)


def prepare_process() -> None:
    """Let Python look for garbage seldom: what one seed leaves is small, and it leaves little else.

    Looking after every few hundred objects takes a tenth of the time.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def _play_batch(batch: tuple[range, int]) -> Tally:
    seeds, most_rollouts = batch
    tally = Tally()
    for seed in seeds:
        tally.count(play(schedule_of(seed, most_rollouts)))
    return tally
