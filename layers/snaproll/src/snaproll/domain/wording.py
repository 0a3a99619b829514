"""Small pieces of sentences."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 5
"""How many of a list a sentence names."""


def listed(names: Sequence[str]) -> str:
    """Names for a sentence, the first few of many: ``a, b, c, d, e and 995 more``."""
    rest = len(names) - _SHOWN
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {rest} more" if rest > 0 else shown


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 instance``, ``4 instances``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
