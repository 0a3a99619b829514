"""Conditions of plain requests, read once and then evaluated on items as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

Item = dict[str, Any]
Condition = Callable[[Item, Mapping[str, Any]], bool]
"""Of an item (empty when there is none) and the expression's values."""

_TOKEN: Final = re.compile(r"\s*(?:(?P<word>[A-Za-z_][\w.]*)|(?P<value>:\w+)|(?P<sign><>|[=()]))")
_EXISTENCE: Final = {"attribute_exists": True, "attribute_not_exists": False}


class DoubtfulError(Exception):
    """The request is not one of the plain ones: moto has to answer it."""


@lru_cache(maxsize=256)
def read_condition(text: str) -> Condition:
    """Read a condition made of existence, equality, AND, OR, NOT and brackets."""
    tokens = list(_tokens(text))
    condition, rest = _either(tokens)
    if rest:
        raise DoubtfulError
    return condition


def _tokens(text: str) -> Iterator[str]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise DoubtfulError
        yield found[0].strip()
        at = found.end()


def _either(tokens: Sequence[str]) -> tuple[Condition, Sequence[str]]:
    left, rest = _both(tokens)
    while rest and rest[0] == "OR":
        right, rest = _both(rest[1:])
        left = _joined(left, right, any)
    return left, rest


def _both(tokens: Sequence[str]) -> tuple[Condition, Sequence[str]]:
    left, rest = _one(tokens)
    while rest and rest[0] == "AND":
        right, rest = _one(rest[1:])
        left = _joined(left, right, all)
    return left, rest


def _joined(left: Condition, right: Condition, how: Callable[[Iterator[bool]], bool]) -> Condition:
    return lambda item, values: how(one(item, values) for one in (left, right))


def _one(tokens: Sequence[str]) -> tuple[Condition, Sequence[str]]:
    first = tokens[0] if tokens else ""
    if first == "NOT":
        inner, rest = _one(tokens[1:])
        return (lambda item, values: not inner(item, values)), rest
    if first == "(":
        inner, rest = _either(tokens[1:])
        if rest[:1] != [")"]:
            raise DoubtfulError
        return inner, rest[1:]
    if first in _EXISTENCE:
        return _existence(tokens), tokens[4:]
    return _equality(tokens), tokens[3:]


def _existence(tokens: Sequence[str]) -> Condition:
    name, path, wanted = tokens[0], "".join(tokens[2:3]), _EXISTENCE[tokens[0]]
    if list(tokens[:4]) != [name, "(", path, ")"] or path.startswith(":"):
        raise DoubtfulError
    return lambda item, _: (_at(item, path) is not None) is wanted


def _equality(tokens: Sequence[str]) -> Condition:
    if len(tokens) < 3 or tokens[1] not in ("=", "<>"):  # noqa: PLR2004 - path, sign, value
        raise DoubtfulError
    path, name, equal = tokens[0], tokens[2], tokens[1] == "="
    if path.startswith(":") or not name.startswith(":"):
        raise DoubtfulError
    return lambda item, values: _same(_at(item, path), values[name]) is equal


def _at(item: Item, path: str) -> Mapping[str, Any] | None:
    """The value at a path, or None."""
    value: Mapping[str, Any] | None = {"M": item}
    for name in path.split("."):
        value = None if value is None else value.get("M", {}).get(name)
    return value


def _same(left: Mapping[str, Any] | None, right: Mapping[str, Any]) -> bool:
    if left is None or left.keys() != right.keys():
        return False
    kind = next(iter(right))
    if kind == "N":
        return Decimal(left["N"]) == Decimal(right["N"])
    if kind in ("S", "BOOL", "NULL"):
        return bool(left[kind] == right[kind])
    raise DoubtfulError
