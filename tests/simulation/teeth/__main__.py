"""Plants bugs, one at a time, and lets the simulation find them.

``python -m tests.simulation.teeth`` plays every bug from seed 0 on until a seed shows it, and
writes the table of docs/planted-bugs.md; broken off, the same command goes on. ``--only NAME`` does
one bug. ``--check`` tries the seeds that are recorded first, and changes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.simulation.teeth.bugs import Bug, PlantingError, read_bugs
from tests.simulation.teeth.hunt import BluntError, Find, hunt, violated
from tests.simulation.teeth.record import Notebook, read_finds, write_finds
from tests.simulation.teeth.table import PAGE, page

SEEDS = 1_000
"""What one run of CI plays: a bug that takes more is not found."""

Seek = Callable[[Bug], Find | None]


def main(arguments: list[str]) -> int:
    """Run the program; 1 when a bug is not found, or cannot be planted."""
    options = _options().parse_args(arguments)
    bugs = [one for one in read_bugs() if not options.only or one.name in options.only]
    if not bugs:
        print(f"there is no planted bug named {' or '.join(options.only)}", file=sys.stderr)
        return 1
    began = time.perf_counter()
    seek = _checking(options.seeds) if options.check else _hunting(options.seeds)
    finds, failed = _seek_all(bugs, seek, options.jobs)
    for seed, what in violated(one.seed for one in finds.values()).items():
        names = ", ".join(name for name, find in finds.items() if find.seed == seed)
        failed.append(f"seed {seed}, which is to show {names}, violates without it: {what}")
    if not options.check:
        _keep(finds)
    for one in failed:
        print(f"FAILED {one}")
    seconds = time.perf_counter() - began
    print(f"{len(finds)} of {len(bugs)} planted bugs found in {seconds:.0f} s")
    return 1 if failed else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.teeth", description=__doc__)
    parser.add_argument("--only", action="append", help="this bug only; may be given repeatedly")
    parser.add_argument("--check", action="store_true", help="try the recorded seeds first")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"play so many ({SEEDS})")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="bugs at a time (one for each core)"
    )
    return parser


def _hunting(seeds: int) -> Seek:
    """Hunt from seed 0 on, or from where an earlier run was broken off."""
    notebook = Notebook()

    def seek(bug: Bug) -> Find | None:
        known = notebook.of(bug)
        if known.find is not None:
            return known.find
        rest = range(known.next_seed, seeds)
        find = hunt(bug, rest, lambda seed: notebook.played(bug, seed)) if rest else None
        notebook.ended(bug, find)
        return find

    return seek


def _checking(seeds: int) -> Seek:
    """Try the recorded seed; when the code has moved on and it shows nothing any more, all."""
    recorded = read_finds()

    def seek(bug: Bug) -> Find | None:
        known = recorded.get(bug.name)
        if known is not None:
            find = hunt(bug, range(known.seed, known.seed + 1))
            if find is not None:
                return find
        return hunt(bug, range(seeds))

    return seek


def _seek_all(bugs: list[Bug], seek: Seek, jobs: int) -> tuple[dict[str, Find], list[str]]:
    finds, failed = dict[str, Find](), list[str]()

    def one(bug: Bug) -> None:
        try:
            find = seek(bug)
        except (PlantingError, BluntError) as error:
            failed.append(str(error))
            print(f"{bug.name}: FAILED: {error}", flush=True)
            return
        if find is None:
            failed.append(f"{bug.name}: no seed shows it")
            print(f"{bug.name}: NOT FOUND", flush=True)
            return
        finds[bug.name] = find
        print(f"{bug.name}: seed {find.seed}: {find.invariant}: {find.sentence}", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, bugs))
    return finds, failed


def _keep(finds: dict[str, Find]) -> None:
    """Record what was found, beside what is known of bugs that were not hunted now."""
    bugs = read_bugs()
    names = {one.name for one in bugs}
    kept = {name: find for name, find in {**read_finds(), **finds}.items() if name in names}
    write_finds(kept)
    PAGE.write_text(page(bugs, kept), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
