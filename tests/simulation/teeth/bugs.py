"""Planted bugs: mistakes that somebody could commit, each as texts that replace others exactly."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

PLANTED = Path(__file__).parents[1] / "planted"


class PlantingError(Exception):
    """A bug cannot be planted: the code that it changes has moved on, or it is badly written."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Replacement(_Part):
    """One place that a bug changes. ``before`` stands exactly once in ``file``."""

    file: str
    """Path from the root of the repository."""
    before: str = Field(min_length=1)
    after: str


class Bug(_Part):
    """One planted bug, as its file in ``planted/`` tells it."""

    name: str
    story: str
    """What somebody got wrong, in a sentence."""
    change: tuple[Replacement, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """The same as long as the bug is."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def files(self) -> list[str]:
        """The files that it changes."""
        return sorted({one.file for one in self.change})

    def plant(self, root: Path) -> None:
        """Change a copy of the repository.

        Raises
        ------
        PlantingError
            A text that it replaces is not there, or more than once.
        """
        for one in self.change:
            path = root / one.file
            if not path.is_file():
                raise PlantingError(f"{self.name}: there is no file {one.file} any more")
            text = path.read_text(encoding="utf-8")
            times = text.count(one.before)
            if times != 1:
                raise PlantingError(
                    f"{self.name}: in {one.file} this stands {times} times and not once; bring "
                    f"planted/{self.name}.toml up to date:\n{one.before}"
                )
            path.write_text(text.replace(one.before, one.after), encoding="utf-8")


def read_bugs(folder: Path = PLANTED) -> list[Bug]:
    """Read every bug of a folder, by name.

    Raises
    ------
    PlantingError
        A file is not TOML, or does not describe a bug.
    """
    return [_read(path) for path in sorted(folder.glob("*.toml"))]


def _read(path: Path) -> Bug:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return Bug.model_validate({"name": path.stem, **content})
    except ValueError as error:
        raise PlantingError(f"{path}: {error}") from error
