"""What a broken invariant is, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, and what shows it."""

    invariant: str
    sentence: str
    evidence: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.invariant}: {self.sentence}"


class ViolationError(Exception):
    """An invariant does not hold."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation
