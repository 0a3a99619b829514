"""Conditions of policy statements.

Source: IAM user guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple
context keys or values", "Set operators for multivalued context keys".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from embedded.world.errors import NotEmulatedError

Context = Mapping[str, str | frozenset[str]]
"""Condition keys in lower case; a key with several values has a set. An absent key is not there."""

_ALL: Final = "ForAllValues:"
_ANY: Final = "ForAnyValue:"
_IF_EXISTS: Final = "IfExists"


def _same(pattern: str, value: str) -> bool:
    return pattern == value


def _same_in_any_case(pattern: str, value: str) -> bool:
    return pattern.lower() == value.lower()


def like(pattern: str, value: str) -> bool:
    """Whether a text is of a pattern in which ``*`` and ``?`` stand for others."""
    compiled = _compiled(pattern)
    return pattern == value if compiled is None else compiled.fullmatch(value) is not None


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """A pattern as an expression; None for one in which nothing stands for others."""
    if "${" in pattern:
        raise NotEmulatedError(f"the policy variable in {pattern}")
    if "*" not in pattern and "?" not in pattern:
        return None
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)


_OPERATORS: Final[Mapping[str, tuple[Callable[[str, str], bool], bool]]] = {
    "StringEquals": (_same, True),
    "StringNotEquals": (_same, False),
    "StringEqualsIgnoreCase": (_same_in_any_case, True),
    "StringLike": (like, True),
    "StringNotLike": (like, False),
    # The two behave alike.
    "ArnEquals": (like, True),
    "ArnLike": (like, True),
    "ArnNotEquals": (like, False),
    "ArnNotLike": (like, False),
    "Bool": (_same_in_any_case, True),
}
"""How one value is compared, and whether a match is what the operator wants."""


def hold(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether all conditions of a statement hold.

    Raises
    ------
    NotEmulatedError
        For an operator that is not understood here.
    """
    return all(
        _holds(operator, [str_of(each) for each in listed(wanted)], context.get(key.lower()))
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, wanted: list[str], value: str | frozenset[str] | None) -> bool:
    if operator == "Null":
        return wanted == ["true" if value is None else "false"]
    quantifier = next((one for one in (_ALL, _ANY) if operator.startswith(one)), "")
    name = operator.removeprefix(quantifier)
    if name.endswith(_IF_EXISTS) and value is None:
        return True
    known = _OPERATORS.get(name.removesuffix(_IF_EXISTS))
    if known is None:
        raise NotEmulatedError(f"the condition operator {operator}")
    compare, positive = known
    values = [value] if isinstance(value, str) else sorted(value or ())
    if quantifier == "" and not isinstance(value, str | None):
        raise NotEmulatedError(f"{operator} without ForAllValues or ForAnyValue on several values")
    verdicts = [any(compare(pattern, one) for pattern in wanted) is positive for one in values]
    if quantifier == _ALL:
        # True as well when the request has no such key: a statement has to ask for it with Null.
        return all(verdicts)
    if quantifier == _ANY:
        return any(verdicts)
    # A negated operator holds for a key that is absent.
    return verdicts[0] if verdicts else not positive


def listed(value: Any) -> list[Any]:
    """A policy element that may be one value or a list of them."""
    return value if isinstance(value, list) else [value]


def str_of(value: Any) -> str:
    """A condition's value as text: JSON policies write Booleans and numbers either way."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@functools.lru_cache(maxsize=8192)
def matches_one_of(patterns: tuple[str, ...], value: str) -> bool:
    """Whether a text is of one of several patterns; every world asks the same again."""
    return matches_any(patterns, value)


def matches_any(patterns: Iterable[str], value: str) -> bool:
    """Whether a text is of one of several patterns."""
    return any(like(pattern, value) for pattern in patterns)
