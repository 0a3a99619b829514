"""Plays random schedules and checks the invariants after every step of the world.

``python -m tests.simulation --seeds 200`` plays many; ``--seed 17`` plays one and tells its story;
``--schedule file.json`` plays one that was written down.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.simulation.dice import MOST_ROLLOUTS, schedule_of
from tests.simulation.play import Played, play
from tests.simulation.report import failure, summary, timeline
from tests.simulation.run import Tally, run
from tests.simulation.schedule import Schedule

_MOST_TOLD = 3
"""Failing seeds whose stories are told; more of them are rarely read."""


def main(arguments: list[str]) -> int:
    """Run the program; 1 when an invariant was violated."""
    options = _options().parse_args(arguments)
    if options.schedule is not None:
        written = options.schedule.read_text(encoding="utf-8")
        return _one(Schedule.model_validate_json(written), options.rollouts)
    if options.seed is not None:
        return _one(schedule_of(options.seed, options.rollouts), options.rollouts)
    return _many(options)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many to play (200)")
    parser.add_argument("--start", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="play this one and tell its story")
    parser.add_argument("--schedule", type=Path, help="play a schedule from a JSON file")
    parser.add_argument(
        "--rollouts",
        type=int,
        choices=range(1, MOST_ROLLOUTS + 1),
        default=MOST_ROLLOUTS,
        help=f"rollouts in a seed at most ({MOST_ROLLOUTS})",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)"
    )
    return parser


def _one(schedule: Schedule, most_rollouts: int) -> int:
    played = play(schedule)
    if played.violation is not None:
        print(failure(played, most_rollouts))
        return 1
    print(timeline(played))
    print(f"\nno violation; {played.steps} steps; history {played.digest}")
    return 0


def _many(options: argparse.Namespace) -> int:
    seeds = range(options.start, options.start + options.seeds)
    began = time.perf_counter()
    tally = run(seeds, jobs=options.jobs, most_rollouts=options.rollouts, done=_progress)
    seconds = time.perf_counter() - began
    for seed in tally.failed[:_MOST_TOLD]:
        print(f"\n{'=' * 100}")
        print(failure(_again(seed, options.rollouts), options.rollouts))
    if tally.failed:
        print(f"\n{'=' * 100}")
    print(summary(tally, seconds, options.jobs))
    return 1 if tally.failed else 0


def _again(seed: int, most_rollouts: int) -> Played:
    return play(schedule_of(seed, most_rollouts))


def _progress(tally: Tally) -> None:
    if sys.stderr.isatty():
        print(f"\r{tally.seeds} seeds", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
