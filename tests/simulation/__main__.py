"""Plays random schedules and checks the invariants after every step of the world.

``python -m tests.simulation --seeds 200`` plays many; ``--resume`` lets that be broken off and
taken up again; ``--seed 17`` plays one and tells its story; ``--schedule file.json`` plays one that
was written down. What fails is cut down; ``--keep name`` makes a regression test of what is left.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from tests.simulation.dice import MOST_ROLLOUTS, schedule_of
from tests.simulation.play import play
from tests.simulation.progress import begin, keep
from tests.simulation.report import failure, summary, timeline
from tests.simulation.run import Tally, run
from tests.simulation.schedule import Schedule
from tests.simulation.shrink import shrink

_MOST_TOLD = 3
"""Failing seeds whose stories are told; more of them are rarely read."""
_FOUND = Path(__file__).parent / "found"
_PROGRESS = Path("build/simulation.json")


def main(arguments: list[str]) -> int:
    """Run the program; 1 when an invariant was violated."""
    options = _options().parse_args(arguments)
    if options.schedule is not None:
        written = options.schedule.read_text(encoding="utf-8")
        return _one(Schedule.model_validate_json(written), options)
    if options.seed is not None:
        return _one(schedule_of(options.seed, options.rollouts), options)
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
    parser.add_argument("--resume", action="store_true", help="go on with what was broken off")
    parser.add_argument("--keep", help="keep what is cut down as found/KEEP.json")
    parser.add_argument("--whole", action="store_true", help="cut nothing down")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)"
    )
    return parser


def _one(schedule: Schedule, options: argparse.Namespace) -> int:
    played = play(schedule)
    if played.violation is not None:
        if not options.whole:
            played = play(shrink(schedule))
        print(failure(played, options.rollouts))
        if options.keep:
            kept = _FOUND / f"{options.keep}.json"
            kept.write_text(played.schedule.model_dump_json(indent=1) + "\n", encoding="utf-8")
            print(f"kept as {kept}: what was it? Write that into docs/simulation.md")
        return 1
    print(timeline(played))
    print(f"\nno violation; {played.steps} steps; history {played.digest}")
    return 0


def _many(options: argparse.Namespace) -> int:
    progress = begin(
        _PROGRESS if options.resume else None,
        start=options.start,
        seeds=options.seeds,
        rollouts=options.rollouts,
    )
    if progress.tally.seeds:
        print(f"goes on with seed {progress.next_seed}")
    began, claimed = time.perf_counter(), progress.tally.claimed

    def done(tally: Tally) -> None:
        _show(tally)
        if options.resume:
            keep(_PROGRESS, progress.model_copy(update={"tally": tally}))

    tally = run(
        range(progress.next_seed, options.start + options.seeds),
        jobs=options.jobs,
        most_rollouts=options.rollouts,
        done=done,
        before=progress.tally,
    )
    if options.resume:
        _PROGRESS.unlink(missing_ok=True)
    seconds = time.perf_counter() - began
    for number, seed in enumerate(tally.failed[:_MOST_TOLD]):
        schedule = schedule_of(seed, options.rollouts)
        # One is cut down at once, because that takes its time.
        print(f"\n{'=' * 100}")
        small = schedule if number or options.whole else shrink(schedule)
        print(failure(play(small), options.rollouts))
    if tally.failed:
        print(f"\n{'=' * 100}")
    print(summary(tally, tally.claimed - claimed, seconds, options.jobs))
    return 1 if tally.failed else 0


def _show(tally: Tally) -> None:
    if sys.stderr.isatty():
        print(f"\r{tally.seeds} seeds", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
