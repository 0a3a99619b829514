"""Plants one bug in a copy of the repository and lets another process play seeds in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from pydantic import BaseModel, ConfigDict

from tests.simulation.progress import ROOT
from tests.simulation.teeth.bugs import Bug
from tests.simulation.teeth.heard import Heard

_NEEDED = (
    "embedded",
    "functions",
    "layers/snaproll/src",
    "statemachines",
    "template.yaml",
    "tests/simulation",
)
"""What a seed is played by, and all that a bug may be planted in."""
_PLAIN_OUTCOME = "Live"

Told = Callable[[int], None]


class BluntError(Exception):
    """A bug is none that says anything of the simulation: the code hardly runs with it."""


class Find(BaseModel):
    """The first seed that shows a bug, and what it violates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    invariant: str
    sentence: str


def hunt(bug: Bug, seeds: range, told: Told = lambda _: None) -> Find | None:
    """Play seeds with a bug in the code until one violates something.

    Parameters
    ----------
    told
        Is given each seed that was played and violated nothing.

    Returns
    -------
    Find or None
        The first that did; None when none of them did.

    Raises
    ------
    PlantingError
        The bug cannot be planted in the present code.
    BluntError
        With the bug even the plainest story does not end well, or the code just breaks.
    """
    with _planted(bug) as root:
        for heard in _play(root, [str(seeds.start), str(seeds.stop)]):
            if heard.story and heard.story != _PLAIN_OUTCOME:
                raise BluntError(f"{bug.name}: the plain story ends as {heard.story}")
            if heard.blunt:
                raise BluntError(f"{bug.name}: seed {heard.seed} fails bluntly: {heard.blunt}")
            if heard.invariant:
                return Find(seed=heard.seed, invariant=heard.invariant, sentence=heard.sentence)
            if heard.seed >= 0:
                told(heard.seed)
    return None


def violated(seeds: Iterable[int]) -> dict[int, str]:
    """What seeds violate without any bug: it is not the bug's doing then."""
    listed = sorted(set(seeds))
    if not listed:
        return {}
    heard = _play(ROOT, ["all", *map(str, listed)])
    return {one.seed: f"{one.invariant}: {one.sentence}" for one in heard if one.invariant}


@contextmanager
def _planted(bug: Bug) -> Iterator[Path]:
    with TemporaryDirectory(prefix="planted-") as folder:
        root = Path(folder)
        for name in _NEEDED:
            source, copy = ROOT / name, root / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy)
            else:
                shutil.copy2(source, copy)
        bug.plant(root)
        for file in map(Path, bug.files):
            # What was compiled before is told from what is to be by time and size alone.
            for compiled in (root / file.parent / "__pycache__").glob(f"{file.stem}.*"):
                compiled.unlink()
        yield root


def _play(root: Path, arguments: list[str]) -> Iterator[Heard]:
    """What the player says that runs in a folder.

    Raises
    ------
    BluntError
        It ended with an error of its own, such as an import that fails.
    """
    paths = os.pathsep.join((str(root), str(root / "layers/snaproll/src")))
    with (
        TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(  # noqa: S603 - our own program, by its name
            [sys.executable, "-m", "tests.simulation.teeth.player", *arguments],
            cwd=root,
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                yield Heard.model_validate_json(line)
        finally:
            process.stdout.close()
            process.wait()
        if process.returncode != 0:
            errors.seek(0)
            raise BluntError(f"the player ended as {process.returncode}:\n{errors.read()}")
