"""What the process with a planted bug in it tells the one that planted it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Heard(BaseModel):
    """One line: how the plain story ended, or what came of a seed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    story: str = ""
    """The outcome of the plain story."""
    seed: int = -1
    invariant: str = ""
    """What the seed violated, if it violated anything."""
    sentence: str = ""
    blunt: str = ""
    """Why the violation is no find."""
