"""Small pieces of sentences."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 instance``, ``4 instances``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
