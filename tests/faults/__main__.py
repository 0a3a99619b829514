"""Makes every AWS call of every function go wrong in every way, on all cores.

``python -m tests.faults`` plays them all; ``--every 20`` each twentieth; ``--match StartRefresh``
those whose name has that in it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.faults.cases import Case, cases, record, try_case
from tests.simulation.play import play
from tests.simulation.report import timeline
from tests.simulation.run import prepare_process
from tests.simulation.violation import Violation

_BATCH = 8
_MOST_TOLD = 3


def main(arguments: list[str]) -> int:
    """Run the program; 1 when something did not end as it must."""
    options = _options().parse_args(arguments)
    began = time.perf_counter()
    recording = record()
    chosen = [one for one in cases(recording) if options.match in str(one)][:: options.every]
    print(
        f"{len(recording.points)} calls of {len(recording.functions)} functions, "
        f"{len(chosen)} disturbances"
    )
    failed = [(case, found) for case, found in _try_all(chosen, options.jobs) if found]
    for case, found in failed:
        print(f"VIOLATED {found} -- {case}")
    for case, _ in failed[:_MOST_TOLD]:
        print(f"\n{'=' * 100}\n{case}\n{timeline(play(case.schedule))}")
        print(f"\nschedule:\n{case.schedule.model_dump_json()}")
    seconds = time.perf_counter() - began
    print(f"{len(chosen)} disturbances in {seconds:.0f} s: {len(failed) or 'no'} violations")
    return 1 if failed else 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="play only each n-th (1)")
    parser.add_argument("--match", default="", help="play only those with this in their name")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)"
    )
    return parser


def _try_all(chosen: list[Case], jobs: int) -> list[tuple[Case, Violation | None]]:
    with ProcessPoolExecutor(jobs, initializer=prepare_process) as pool:
        found = pool.map(try_case, chosen, chunksize=_BATCH)
        return list(zip(chosen, found, strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
