"""The functions of Step Functions' JSONata: the world's clock and dice, and AWS's six additions.

Sources: developer guide, "JSONata functions provided by Step Functions" and "Intrinsic functions"
(whose behaviour the six replace).
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from jsonata.functions import Functions
from jsonata.jsonata import Jsonata

from embedded.states.documents import mark_nulls
from embedded.states.failures import ExpressionError

if TYPE_CHECKING:
    from embedded.world.world import World

_HASHES: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}
_LONGEST_RANGE: Final = 360_145
"""Elements; a range of one more runs out of the memory that Step Functions allows an expression."""

REFUSED: Final = frozenset({"eval"})
"""Functions of JSONata that Step Functions does not have."""
BUILT_IN: Final = frozenset(Jsonata.static_frame.bindings) - REFUSED | {
    "hash",
    "parse",
    "partition",
    "range",
    "uuid",
}
"""Every function that an expression may call by name."""


def world_frame(world: World) -> Any:
    """Make the outermost frame of every expression evaluated in a world."""
    dice = world.random
    frame = Jsonata.Frame(None)
    frame.bindings = dict(Jsonata.static_frame.bindings)

    def now(picture: str | None = None, zone: str | None = None) -> Any:
        return Functions.datetime_from_millis(_millis(world.clock.now()), picture, zone)

    def draw(seed: float | None = None) -> float:
        return dice.random() if seed is None else random.Random(_integer(seed)).random()

    def shuffle(items: list[Any] | None = None) -> list[Any] | None:
        return None if items is None else dice.sample(items, len(items))

    implementations: dict[str, Callable[..., Any]] = {
        "now": now,
        "millis": lambda: _millis(world.clock.now()),
        "random": draw,
        "shuffle": shuffle,
        "uuid": world.new_uuid,
        "partition": _partition,
        "range": _range,
        "hash": _hash,
        "parse": _parse,
        "eval": _refuse_eval,
    }
    for name, implementation in implementations.items():
        frame.bind(name, Jsonata.JLambda(implementation))
    return frame


def _millis(when: datetime) -> int:
    return int(when.timestamp() * 1000)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ExpressionError(f"Expected an integer, but was {json.dumps(value, default=str)}")
    return int(value)  # fractions are dropped, towards zero


def _partition(items: Any = None, size: Any = None) -> Any:
    """Cut an array into chunks; an empty array or a size of zero gives nothing."""
    if items is None or size is None:
        return None
    if not isinstance(items, list):
        raise ExpressionError("$partition expects an array")
    step = _integer(size)
    if step < 0:
        raise ExpressionError("$partition expects a positive chunk size")
    if step == 0 or not items:
        return None
    return [list(items[start : start + step]) for start in range(0, len(items), step)]


def _range(first: Any = None, last: Any = None, delta: Any = None) -> Any:
    """Count from first to last, which is included when a step lands on it.

    As in AWS, a single element comes back bare, and a missing or contrary step gives nothing.
    """
    if first is None or last is None or delta is None:
        return None
    start, end, step = _integer(first), _integer(last), _integer(delta)
    if step == 0 or (end - start) * step < 0:
        return None
    numbers = range(start, end + (1 if step > 0 else -1), step)
    if len(numbers) > _LONGEST_RANGE:
        raise ExpressionError("Expression evaluation memory limit exceeded")
    return numbers[0] if len(numbers) == 1 else list(numbers)


def _hash(text: Any = None, algorithm: Any = None) -> Any:
    if text is None or algorithm is None:
        return None
    if not isinstance(text, str):
        raise ExpressionError("$hash expects a string")
    if algorithm not in _HASHES:
        raise ExpressionError(f"$hash knows {', '.join(_HASHES)}, not {algorithm!r}")
    return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _parse(text: Any = None) -> Any:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ExpressionError("$parse expects a string")
    return mark_nulls(json.loads(text))


def _refuse_eval(*_: Any) -> Any:
    # Definitions that name it are refused; this is for a name that was put together at run time.
    raise ExpressionError("Attempted to invoke a non-function")
