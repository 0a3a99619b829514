"""Copies of JSON-like values, so that what crosses the world's border is never shared."""

from __future__ import annotations

from typing import Any


def copied(value: Any) -> Any:
    """Copy dictionaries and lists all the way down; everything else is immutable and stays.

    Many times faster than ``copy.deepcopy``, which matters because every call copies twice.
    """
    if isinstance(value, dict):
        return {key: copied(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [copied(member) for member in value]
    return value
