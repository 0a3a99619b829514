"""What somebody might send: arbitrary JSON, and real examples with something wrong with them.

``HOSTILE_EXAMPLES`` in the environment sets how many are tried at each boundary; the everyday run
tries few. Every run tries others; a failure is printed with what is needed to try it again.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES: Final = int(os.environ.get("HOSTILE_EXAMPLES", "0"))


def tried(everyday: int) -> settings:
    """Settings of a test: so many examples every day, or as many as the environment says.

    The stage of a test in the world is shared by its examples, which is what happens to functions
    that stay warm.
    """
    return settings(
        max_examples=EXAMPLES or everyday,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


TEXTS: Final = (
    *("", " ", "\0", "\ud800", "a\udfffb", "\u202e", "\x7f\x1b[2J", "\N{GRINNING FACE}" * 300),
    *("x" * 100_000, "null", "NaN", "1e999", "{}", "$Latest", "../../prod", "arn:aws:", ":::::::"),
    *("snap-0123456789abcdef0\n", "SNAP-0123456789ABCDEF0", "9" * 5000, "0s", "99999d", "-1m"),
)
TIMES: Final = (
    # Without a zone, at the ends of what can be told, and that do not exist.
    *("2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z"),
    *("2026-01-01T00:00:00+99:99", "10000-01-01T00:00:00Z", "2026-01-01", "1e20"),
)
NUMBERS: Final = (
    *(0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 10**4200, 1.5, -0.0, 1e308),
    *(float("nan"), float("inf"), float("-inf")),
)
_SCALARS: Final = (
    st.none()
    | st.booleans()
    | st.sampled_from(NUMBERS)
    | st.sampled_from((*TEXTS, *TIMES))
    | st.text()
)
JSON: Final[st.SearchStrategy[Any]] = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=8,
)
DEEP: Final = st.sampled_from([20, 150, 400]).map(nested)
JUNK: Final[st.SearchStrategy[Any]] = _SCALARS | JSON | DEEP


DEEPEST: Final = 12
"""No example goes deeper; what was put into one may."""


def places(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every member inside a value."""
    inside: Any = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, member in inside:
        yield (*above, key)
        if len(above) < DEEPEST:
            yield from places(member, (*above, key))


@st.composite
def spoiled(draw: st.DrawFn, example: Any) -> Any:
    """A real example with one to three things wrong with it."""
    value = copy.deepcopy(example)
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(value))
        if not known:
            return draw(JUNK)
        *way, last = draw(st.sampled_from(known))
        holder = value
        for key in way:
            holder = holder[key]
        _spoil(draw, holder, last)
    return value


def _spoil(draw: st.DrawFn, holder: Any, key: Any) -> None:
    how = draw(st.sampled_from(["replace", "alike", "alike", "drop", "double", "wrap", "add"]))
    if how == "replace":
        holder[key] = draw(JUNK)
    elif how == "alike":
        holder[key] = draw(_like(holder[key]))
    elif how == "drop":
        del holder[key]
    elif how == "wrap":
        holder[key] = draw(st.sampled_from([[holder[key]], {"S": holder[key]}, {}]))
    elif isinstance(holder, list):
        holder.append(holder[key] if how == "double" else draw(JUNK))
    else:
        name = draw(st.text() | st.sampled_from(TEXTS))
        holder[name] = holder.pop(key) if how == "double" else draw(JUNK)


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Something of a value's own type, which may be one that nobody thought of."""
    if isinstance(value, bool):
        return st.just(not value)
    if isinstance(value, int | float | Decimal):
        return st.sampled_from(NUMBERS)
    if isinstance(value, str):
        is_time = value[:2] == "20" and "T" in value
        return st.sampled_from(TIMES) if is_time else st.sampled_from(TEXTS) | st.text()
    return JUNK


def hostile(*examples: Any) -> st.SearchStrategy[Any]:
    """Anything, or one of the examples with something wrong with it."""
    return st.one_of(JUNK, *(spoiled(one) for one in examples), *(spoiled(one) for one in examples))
