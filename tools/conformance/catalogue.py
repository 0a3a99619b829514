"""All checks."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Final

from tools.conformance.cases import (
    fleets,
    groups,
    launches,
    ledger,
    machines,
    others,
    readings,
    templates,
    volumes,
)
from tools.conformance.checks import Check, Need

MODULES: Final[tuple[ModuleType, ...]] = (
    readings,
    fleets,
    others,
    templates,
    ledger,
    machines,
    volumes,
    groups,
    launches,
)
"""Where the checks are, in the order in which they are run: the cheapest first."""


def checks() -> list[Check]:
    """Every check."""
    return [one for module in MODULES for one in vars(module).values() if isinstance(one, Check)]


def chosen(needs: Iterable[Need], words: str = "") -> list[Check]:
    """The checks that need no more than that, and have these words in their name."""
    allowed = set(needs)
    wanted = words.replace(" ", "_")
    return [one for one in checks() if one.need in allowed and wanted in one.name]
