"""JSON values together with their text: what moves between states, and what it weighs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from jsonata.utils import Utils

DATA_LIMIT_BYTES: Final = 262_144
"""Of UTF-8 text, for a state's input, its output and a task's payload (developer guide, quotas)."""
_WIDEST_CHARACTER_BYTES: Final = 4
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


class Document:
    """A JSON value that nobody changes any more, with its text."""

    __slots__ = ("_bytes", "_marked", "text", "value")

    def __init__(self, value: Any, text: str | None = None) -> None:
        self.value = value
        self.text = dump(value) if text is None else text
        self._marked: Any = None
        self._bytes: int | None = None

    @property
    def marked(self) -> Any:
        """The value as JSONata needs it: every null marked, as None means undefined there."""
        if self._marked is None:
            self._marked = mark_nulls(self.value) if "null" in self.text else self.value
        return self._marked

    @property
    def bytes(self) -> int:
        """What the text weighs in UTF-8."""
        if self._bytes is None:
            self._bytes = len(self.text.encode("utf-8", "surrogatepass"))
        return self._bytes

    @property
    def fits(self) -> bool:
        """Whether it is small enough to move between states."""
        return within(self.text, DATA_LIMIT_BYTES)


def dump(value: Any) -> str:
    """Write a value as JSON, as short as possible."""
    return _ENCODER.encode(value)


def dump_members(value: dict[str, Any]) -> dict[str, str]:
    """Write each member of an object as JSON."""
    return {name: dump(member) for name, member in value.items()}


def joined(members: dict[str, str]) -> str:
    """Write an object whose members are written already."""
    return "{" + ",".join(f"{dump(name)}:{text}" for name, text in members.items()) + "}"


def mark_nulls(value: Any) -> Any:
    """Put the JSONata package's own null in the place of every None.

    The package tells some nulls from undefined by itself, but not those that a function, a
    predicate or a comparison meets inside an array or an object.
    """
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {name: mark_nulls(member) for name, member in value.items()}
    if isinstance(value, list):
        return [mark_nulls(element) for element in value]
    return value


def within(text: str, limit_bytes: int) -> bool:
    """Tell whether a text is at most ``limit_bytes`` of UTF-8, without encoding short ones."""
    return (
        len(text) * _WIDEST_CHARACTER_BYTES <= limit_bytes
        or len(text.encode("utf-8", "surrogatepass")) <= limit_bytes
    )


def timestamp(when: datetime) -> str:
    """Write an instant as the context object does: ISO 8601, UTC, milliseconds."""
    utc = when if when.tzinfo is UTC else when.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def epoch_milliseconds(when: datetime | None) -> int | None:
    """Write an instant as the status change event does."""
    return None if when is None else round(when.timestamp() * 1000)
