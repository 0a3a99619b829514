"""Durations as people write them: ``"90s"``, ``"10m"``, ``"1h30m"``, ``"7d"``."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
# [0-9] and not \d, which would take the digits of every script.
_PATTERN = r"^(?=[0-9])(?:[0-9]{1,5}d)?(?:[0-9]{1,6}h)?(?:[0-9]{1,7}m)?(?:[0-9]{1,9}s)?$"
_ALLOWED = 'a duration such as "90s", "10m", "1h30m" or "7d"'


def parse_duration(value: Any) -> timedelta:
    """Read a duration; a ``timedelta`` is taken as it is.

    Raises
    ------
    ValueError
        When the value is not a duration as described above.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(f"must be {_ALLOWED}")  # noqa: TRY004 - pydantic tells ValueErrors
    return _read(value)


@lru_cache(maxsize=256)
def _read(text: str) -> timedelta:
    # Remembered, because every step reads the same policy again.
    if not re.fullmatch(_PATTERN, text):
        raise ValueError(f"must be {_ALLOWED}")
    seconds = 0
    for amount, unit in re.findall(r"(\d+)([dhms])", text):
        seconds += int(amount) * dict(_UNITS)[unit]
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration as ``parse_duration`` reads it: ``timedelta(minutes=90)`` is ``1h30m``."""
    rest = round(duration.total_seconds())
    if rest <= 0:
        return "0s"
    parts = []
    for unit, size in _UNITS:
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["90s", "10m", "7d"]}),
]
"""A ``timedelta`` that is written and read as a readable string."""
