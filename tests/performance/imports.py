"""How long a function takes to import, next to what no function can do without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
RUNS = 7
_CLOCK = "import time; began = time.process_time(); {work}; print(time.process_time() - began)"


@dataclass(frozen=True)
class ImportTime:
    """Seconds of processor time, medians: the SDK and a function's clients, without and with it."""

    function: str
    bare: float
    whole: float

    @property
    def ratio(self) -> float:
        """How much longer the function takes than what it cannot do without."""
        return self.whole / self.bare


def measure(function: str, clients: Collection[str]) -> ImportTime:
    """Time one function's import and the clients that it uses, in fresh processes."""
    make = "; ".join(f"boto3.client('{name}', region_name='us-east-1')" for name in clients)
    bare = f"import boto3; {make or 'pass'}"
    whole = f"import functions.{function}.app; {bare}"
    return ImportTime(function, _time(bare), _time(whole))


def _time(work: str) -> float:
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/snaproll/src'}"}
    times = [
        float(
            subprocess.run(  # noqa: S603 - our own interpreter on our own words
                [sys.executable, "-c", _CLOCK.format(work=work)],
                check=True,
                capture_output=True,
                text=True,
                env=environment,
                cwd=ROOT,
            ).stdout
        )
        for _ in range(RUNS)
    ]
    return median(times)
