"""Validation errors as sentences: the place, the value, and what is allowed."""

from __future__ import annotations

from pydantic import ValidationError

_LONGEST_VALUE = 80


def explain(place: str, error: ValidationError) -> str:
    """Say what is wrong at a place, every fault in one line.

    ``place`` names where the value came from, for example ``The parameter /snaproll/…``.
    """
    faults = []
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"]) or "the whole value"
        text = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            faults.append(f"{where} is not a known key")
        elif fault["type"] == "missing":
            faults.append(f"{where} is missing")
        elif fault["type"] in ("model_type", "model_attributes_type"):
            faults.append(f"{where} = {_shown(fault['input'])}: must be a JSON object")
        else:
            faults.append(f"{where} = {_shown(fault['input'])}: {text}")
    return f"{place} is not valid: {'; '.join(faults)}."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
