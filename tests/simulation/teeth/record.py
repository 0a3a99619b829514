"""What is kept of hunts: the seeds that show each bug, and how far one came that was broken off."""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.simulation.progress import digest_of_code
from tests.simulation.teeth.bugs import Bug
from tests.simulation.teeth.hunt import Find

FOUND = Path(__file__).parent / "found.toml"
PROGRESS = Path("build/teeth.json")
_EVERY = 10
"""Seeds between two writes."""
_Finds = TypeAdapter(dict[str, Find])


def read_finds(path: Path = FOUND) -> dict[str, Find]:
    """The recorded find of each bug."""
    if not path.exists():
        return {}
    return _Finds.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))


def write_finds(finds: dict[str, Find], path: Path = FOUND) -> None:
    """Record the find of each bug."""
    lines = ["# The first seed that shows each planted bug. Written by make teeth."]
    for name, find in sorted(finds.items()):
        lines += ["", f"[{name}]", f"seed = {find.seed}"]
        # JSON's strings are TOML's, as long as there is no DEL in them.
        lines += [f"{key} = {_quoted(getattr(find, key))}" for key in ("invariant", "sentence")]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    return TypeAdapter(str).dump_json(text).decode()


class Hunted(BaseModel):
    """How far the hunt for one bug came."""

    model_config = ConfigDict(extra="forbid")

    bug: str
    """Digest of the bug."""
    next_seed: int = 0
    find: Find | None = None


class Progress(BaseModel):
    """How far all hunts came, with which code."""

    model_config = ConfigDict(extra="forbid")

    code: str
    hunts: dict[str, Hunted] = Field(default_factory=dict)

    def of(self, bug: Bug) -> Hunted:
        """How far the hunt for a bug came; at the beginning if the bug is another by now."""
        known = self.hunts.get(bug.name)
        if known is None or known.bug != bug.digest:
            known = self.hunts[bug.name] = Hunted(bug=bug.digest)
        return known


class Notebook:
    """Keeps the progress of hunts that run at the same time."""

    def __init__(self, path: Path = PROGRESS) -> None:
        self._path = path
        self._lock = threading.Lock()
        code = digest_of_code()
        self._progress = Progress(code=code)
        if path.exists():
            kept = Progress.model_validate_json(path.read_text(encoding="utf-8"))
            self._progress = kept if kept.code == code else self._progress

    def of(self, bug: Bug) -> Hunted:
        """How far the hunt for a bug came."""
        with self._lock:
            return self._progress.of(bug).model_copy()

    def played(self, bug: Bug, seed: int) -> None:
        """Note that a seed did not show a bug."""
        with self._lock:
            self._progress.of(bug).next_seed = seed + 1
            if seed % _EVERY == 0:
                self._write()

    def ended(self, bug: Bug, find: Find | None) -> None:
        """Note what the hunt for a bug came to."""
        with self._lock:
            self._progress.of(bug).find = find
            self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        written = self._path.with_suffix(".new")
        written.write_text(self._progress.model_dump_json(), encoding="utf-8")
        written.replace(self._path)
