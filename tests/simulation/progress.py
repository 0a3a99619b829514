"""Keeps how far a long run has come, so that it can be broken off and taken up again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tests.simulation.run import Tally

ROOT = Path(__file__).parents[2]
_SOURCES = ("layers/snaproll/src", "functions", "statemachines", "embedded", "tests/simulation")


class Progress(BaseModel):
    """What a run was asked, by which code, and what came of it so far."""

    model_config = ConfigDict(extra="forbid")

    code: str
    start: int
    seeds: int
    rollouts: int
    tally: Tally

    @property
    def next_seed(self) -> int:
        """The first seed that is not counted yet."""
        return self.start + self.tally.seeds


def begin(path: Path | None, *, start: int, seeds: int, rollouts: int) -> Progress:
    """Take a run up where it was broken off; anew if it was another one, or other code."""
    fresh = Progress(
        code=digest_of_code(), start=start, seeds=seeds, rollouts=rollouts, tally=Tally()
    )
    if path is None or not path.exists():
        return fresh
    kept = Progress.model_validate_json(path.read_text(encoding="utf-8"))
    asked = {"code", "start", "seeds", "rollouts"}
    return kept if kept.model_dump(include=asked) == fresh.model_dump(include=asked) else fresh


def keep(path: Path, progress: Progress) -> None:
    """Write the progress down; an interruption leaves either the old state or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(".new")
    written.write_text(progress.model_dump_json(), encoding="utf-8")
    written.replace(path)


def digest_of_code() -> str:
    """The same as long as nothing changes that a seed's history could depend on."""
    digest = hashlib.sha256()
    files = [ROOT / "template.yaml"]
    for folder in _SOURCES:
        files += sorted(
            one for one in (ROOT / folder).rglob("*") if one.suffix in (".py", ".yaml", ".json")
        )
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
