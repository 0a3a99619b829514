"""Validation errors as sentences: the place, the value, and what is allowed."""

from __future__ import annotations

from pydantic import ValidationError

_LONGEST_VALUE = 80
_LONGEST_PLACE = 200
_LONGEST_TEXT = 400
_MOST_FAULTS = 20
"""How many faults a message tells one by one. What cannot be read may be of any size, and a cause
has a limit."""


def explain(place: str, error: ValidationError) -> str:
    """Say what is wrong at a place, every fault in one line.

    ``place`` names where the value came from, for example ``The parameter /snaproll/…``.
    """
    faults = []
    found = error.errors(include_url=False, include_context=False)
    for fault in found[:_MOST_FAULTS]:
        parts = ".".join(_cut(str(part), _LONGEST_VALUE) for part in fault["loc"])
        where = _cut(parts, _LONGEST_PLACE) or "the whole value"
        text = _cut(fault["msg"].removeprefix("Value error, "), _LONGEST_TEXT)
        if fault["type"] == "extra_forbidden":
            faults.append(f"{where} is not a known key")
        elif fault["type"] == "missing":
            faults.append(f"{where} is missing")
        elif fault["type"] in ("model_type", "model_attributes_type"):
            faults.append(f"{where} = {shown(fault['input'])}: must be a JSON object")
        else:
            faults.append(f"{where} = {shown(fault['input'])}: {text}")
    if len(found) > _MOST_FAULTS:
        faults.append(f"and {len(found) - _MOST_FAULTS} more")
    return f"{place} is not valid: {'; '.join(faults)}."


def shown(value: object) -> str:
    """A value as a message can show it, whatever it is."""
    try:
        return _cut(repr(value), _LONGEST_VALUE)
    except (RecursionError, ValueError):
        # Nested too deeply, or a number of more digits than Python writes.
        return f"a value of type {type(value).__name__} that cannot be shown"


def _cut(text: str, longest: int) -> str:
    """A text as it can be shown: not longer, and without what is no character."""
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return shown if len(shown) <= longest else f"{shown[:longest]}…"
