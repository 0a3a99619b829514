"""What a check is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tools.conformance.place import Place

NOTHING_SPENT = "nothing"


class Need(StrEnum):
    """What a check needs of the account."""

    NOTHING = "reads"
    """It only reads, and asks about things that are not there."""
    OWN = "makes"
    """It makes things of its own, and takes them away again."""
    FLEET = "a fleet"
    """It only reads, about a group of replicas that is there."""


@dataclass(frozen=True)
class Check:
    """One contract.

    ``about`` are the calls that it is about, as ``service:Operation``; ``source`` is where AWS
    documents what it says; ``cost`` is what it costs in a real account.
    """

    run: Callable[[Place], None]
    about: tuple[str, ...]
    source: str
    need: Need
    cost: str = NOTHING_SPENT

    @property
    def name(self) -> str:
        """Its name, which is a sentence."""
        return self.run.__name__

    def __str__(self) -> str:
        return self.name


def check(
    *about: str, source: str, need: Need = Need.NOTHING, cost: str = NOTHING_SPENT
) -> Callable[[Callable[[Place], None]], Check]:
    """Make a function a check."""

    def made(run: Callable[[Place], None]) -> Check:
        return Check(run, about, source, need, cost)

    return made
