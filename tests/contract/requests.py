"""Requests for any operation, made up from its model: complete, and about nothing that exists."""

from __future__ import annotations

from typing import Any

DEPTH = 4
"""How deep required members are filled in; shapes may contain themselves."""


def complete(shape: Any) -> dict[str, Any]:
    """Give an input with every required member."""
    if shape is None:
        return {}
    value: dict[str, Any] = _structure(shape, 0)
    return value


def _value(shape: Any, depth: int) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, depth)
    if kind == "list":
        least = max(1, int(shape.metadata.get("min", 1)))
        return [_value(shape.member, depth + 1)] * least
    if kind == "map":
        return {_value(shape.key, depth + 1): _value(shape.value, depth + 1)}
    scalars: dict[str, Any] = {
        "boolean": False,
        "blob": b"{}",
        "timestamp": 0,
        "float": 1.0,
        "double": 1.0,
    }
    if kind in scalars:
        return scalars[kind]
    if kind in {"integer", "long"}:
        return int(shape.metadata.get("min", 1))
    return _text(shape)


def _structure(shape: Any, depth: int) -> dict[str, Any]:
    members = list(shape.required_members)
    if not members and depth and shape.members:
        # A union, or an element of which every member is optional: one is given.
        members = [next(iter(shape.members))]
    if depth > DEPTH:
        return {}
    return {name: _value(shape.members[name], depth + 1) for name in members}


def _text(shape: Any) -> str:
    if getattr(shape, "enum", None):
        return str(shape.enum[0])
    least = int(shape.metadata.get("min", 1))
    return "none".ljust(least, "x")
