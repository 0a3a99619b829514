"""Event patterns: checked once when a rule is put, then matched against every event.

Rules: EventBridge user guide, "Comparison operators for use in event patterns", "Arrays in event
patterns" and "Event patterns". moto's matcher is not used: it accepts operators that do not exist,
takes ``true`` for ``1``, and cannot look into an array of objects, which is how the multi-volume
snapshot event carries its snapshots.
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from embedded.world.errors import AwsError

LARGEST_PATTERN: Final = 4096
"""Characters in a pattern (botocore model ``events``, EventPattern)."""
NUMERIC_BOUND: Final = 5.0e9
SMALLEST_OR: Final = 2
"""Patterns that ``$or`` needs."""
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge, ">": operator.gt,
}  # fmt: skip
BUT_OPERATORS: Final = frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"})
"""What may stand inside ``anything-but``."""

_ABSENT: Final = object()
_Test = Callable[[Any], bool]


class EventPattern:
    """A valid event pattern.

    Raises
    ------
    AwsError
        ``InvalidEventPatternException`` for everything that EventBridge would not accept.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LARGEST_PATTERN:
            raise _invalid(f"longer than {LARGEST_PATTERN} characters")
        try:
            pattern = json.loads(text)
        except json.JSONDecodeError as error:
            raise _invalid(f"Filter is not valid JSON ({error})") from error
        if not isinstance(pattern, dict):
            raise _invalid("Filter is not an object")
        self._fields = _compiled(pattern, "")

    def matches(self, event: dict[str, Any]) -> bool:
        """Tell whether an event has what the pattern asks for."""
        return self._fields(event)


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def _compiled(pattern: dict[str, Any], at: str) -> _Test:
    """Make one test of an object of a pattern: every field of it must match."""
    if not pattern:
        raise _invalid(f"Empty objects are not allowed ({at or 'the pattern'})")
    tests: list[_Test] = []
    for name, wanted in pattern.items():
        where = f"{at}.{name}" if at else name
        if name == "$or":
            tests.append(_either(wanted, where))
        elif isinstance(wanted, dict):
            tests.append(_inside(name, _compiled(wanted, where)))
        elif isinstance(wanted, list):
            tests.append(_leaf(name, wanted, where))
        else:
            raise _invalid(f'"{where}" must be an object or an array')

    def every(found: dict[str, Any]) -> bool:
        # A loop, because every event is held against every rule.
        for test in tests:  # noqa: SIM110
            if not test(found):
                return False
        return True

    return lambda value: _any_object(value, every)


def _any_object(value: Any, test: _Test) -> bool:
    """Test an object, or the objects of an array: one of them has to satisfy it by itself."""
    if isinstance(value, list):
        return any(_any_object(element, test) for element in value)
    return isinstance(value, dict) and test(value)


def _either(patterns: Any, at: str) -> _Test:
    if not isinstance(patterns, list) or len(patterns) < SMALLEST_OR:
        raise _invalid(f'"{at}" must be an array of two patterns or more')
    if not all(isinstance(pattern, dict) for pattern in patterns):
        raise _invalid(f'"{at}" must hold objects')
    tests = [_compiled(pattern, at) for pattern in patterns]
    return lambda value: any(test(value) for test in tests)


def _inside(name: str, test: _Test) -> _Test:
    # A missing object is an empty one here, because ``exists: false`` may stand inside it.
    return lambda value: test(value.get(name, {}))


def _leaf(name: str, filters: list[Any], at: str) -> _Test:
    if not filters:
        raise _invalid(f'Empty arrays are not allowed ("{at}")')
    tests = [_filter(wanted, at) for wanted in filters]
    texts = frozenset(wanted for wanted in filters if isinstance(wanted, str))
    if all(isinstance(wanted, str) for wanted in filters):
        # The commonest leaf, and the first to tell most events apart.
        return lambda value: _is_one_of(texts, value.get(name, _ABSENT))

    def matches(value: dict[str, Any]) -> bool:
        found = _leaves(value.get(name, _ABSENT))
        return any(test(found) for test in tests)

    return matches


def _is_one_of(texts: frozenset[str], value: Any) -> bool:
    if isinstance(value, str):
        return value in texts
    return any(isinstance(leaf, str) and leaf in texts for leaf in _leaves(value))


def _leaves(value: Any) -> list[Any]:
    """Give the values at a leaf; an object, an empty array or nothing at all is no leaf."""
    if value is _ABSENT or isinstance(value, dict):
        return []
    if isinstance(value, list):
        return [leaf for element in value for leaf in _leaves(element)]
    return [value]


def _filter(wanted: Any, at: str) -> _Test:
    """Make the test of one entry of a leaf's array; it is given the list of values found."""
    if isinstance(wanted, list):
        raise _invalid(f'An array may not hold an array ("{at}")')
    if not isinstance(wanted, dict):
        return lambda found: any(_same(value, wanted) for value in found)
    if len(wanted) != 1:
        raise _invalid(f'Only one key is allowed in a match expression ("{at}")')
    name, argument = next(iter(wanted.items()))
    if name == "exists":
        if not isinstance(argument, bool):
            raise _invalid(f'"exists" takes true or false ("{at}")')
        return lambda found: bool(found) == argument
    test = _value_test(name, argument, at)
    return lambda found: any(test(value) for value in found)


def _same(value: Any, wanted: Any) -> bool:
    """Compare as JSON does: ``true`` is not ``1``."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _value_test(name: str, argument: Any, at: str) -> _Test:
    makers: dict[str, Callable[[Any, str], _Test]] = {
        "prefix": _prefix,
        "suffix": _suffix,
        "equals-ignore-case": _ignore_case,
        "wildcard": _wildcard,
        "numeric": _numeric,
        "cidr": _cidr,
        "anything-but": _anything_but,
    }
    if name not in makers:
        raise _invalid(f'Unrecognized match type {name} ("{at}")')
    return makers[name](argument, at)


def _text(argument: Any, what: str, at: str) -> str:
    if not isinstance(argument, str):
        raise _invalid(f'{what} match pattern must be a string ("{at}")')
    return argument


def _affix(argument: Any, what: str, at: str) -> tuple[str, bool]:
    """Read what ``prefix`` and ``suffix`` take: a text, or one whose case does not matter."""
    if isinstance(argument, dict) and set(argument) == {"equals-ignore-case"}:
        return _text(argument["equals-ignore-case"], what, at).lower(), True
    return _text(argument, what, at), False


def _prefix(argument: Any, at: str) -> _Test:
    text, ignore_case = _affix(argument, "prefix", at)
    return lambda value: (
        isinstance(value, str) and (value.lower() if ignore_case else value).startswith(text)
    )


def _suffix(argument: Any, at: str) -> _Test:
    text, ignore_case = _affix(argument, "suffix", at)
    return lambda value: (
        isinstance(value, str) and (value.lower() if ignore_case else value).endswith(text)
    )


def _ignore_case(argument: Any, at: str) -> _Test:
    text = _text(argument, "equals-ignore-case", at).lower()
    return lambda value: isinstance(value, str) and value.lower() == text


def _wildcard(argument: Any, at: str) -> _Test:
    text = _text(argument, "wildcard", at)
    if "**" in text:
        raise _invalid(f'Consecutive wildcard characters are not allowed ("{at}")')
    parts = re.findall(r"\\[*\\]|.", text, re.DOTALL)
    expression = re.compile(
        "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts), re.DOTALL
    )
    return lambda value: isinstance(value, str) and expression.fullmatch(value) is not None


def _numeric(argument: Any, at: str) -> _Test:
    if not isinstance(argument, list) or not argument or len(argument) % 2:
        raise _invalid(f'"numeric" takes pairs of a comparison and a number ("{at}")')
    pairs: list[tuple[Callable[[float, float], bool], float]] = []
    for sign, number in zip(argument[::2], argument[1::2], strict=True):
        if sign not in COMPARISONS:
            raise _invalid(f'Unrecognized numeric range operator: {sign} ("{at}")')
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise _invalid(f'Bad value in numeric range ("{at}")')
        if abs(number) > NUMERIC_BOUND:
            raise _invalid(f'Value must be between -5.0E9 and 5.0E9 ("{at}")')
        pairs.append((COMPARISONS[sign], number))

    def within(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return all(compare(value, number) for compare, number in pairs)

    return within


def _cidr(argument: Any, at: str) -> _Test:
    try:
        network = ipaddress.ip_network(_text(argument, "cidr", at), strict=False)
    except ValueError as error:
        raise _invalid(f'Malformed CIDR ("{at}")') from error

    def within(value: Any) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return within


def _anything_but(argument: Any, at: str) -> _Test:
    if isinstance(argument, dict):
        if len(argument) != 1 or not argument.keys() <= BUT_OPERATORS:
            raise _invalid(f'Unsupported anything-but pattern ("{at}")')
        name, value = next(iter(argument.items()))
        tests = [
            _value_test(name, each, at) for each in (value if isinstance(value, list) else [value])
        ]
        return lambda found: not any(test(found) for test in tests)
    unwanted = argument if isinstance(argument, list) else [argument]
    if not unwanted or any(isinstance(value, dict | list) for value in unwanted):
        raise _invalid(f'Bad value in anything-but list ("{at}")')
    return lambda found: not any(_same(found, value) for value in unwanted)
