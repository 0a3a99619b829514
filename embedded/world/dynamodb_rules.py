"""What DynamoDB refuses before it looks at a table, and how moto's own refusals are told."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from moto.core.exceptions import JsonRESTError

from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.world.service import Params

LEGACY: Final = (
    "AttributesToGet", "AttributeUpdates", "ConditionalOperator", "Expected", "KeyConditions",
    "QueryFilter", "ScanFilter",
)  # fmt: skip
"""Parameters from before expressions: not modelled."""
EXPRESSIONS: Final = (
    "ConditionExpression", "FilterExpression", "KeyConditionExpression", "ProjectionExpression",
    "UpdateExpression",
)  # fmt: skip
_SPEAKING: Final = frozenset(
    {*EXPRESSIONS, "ExpressionAttributeNames", "ExpressionAttributeValues"}
)

_PLACEHOLDER = re.compile(r"[#:][A-Za-z0-9_]+")
_NUMBER = re.compile(r"(?<![\w#:\[])\d+")


def invalid(message: str) -> AwsError:
    """Make the error for a request that is not valid."""
    return AwsError("ValidationException", message)


def check_expressions(params: Params) -> None:
    """Refuse placeholders that are used but not defined, or defined but not used.

    DynamoDB refuses both for every operation ("Expression attribute names", "... values" in the
    developer guide); moto looks at some operations only.
    """
    if _SPEAKING.isdisjoint(params):
        return
    _check_expressions(
        tuple((one, params[one]) for one in EXPRESSIONS if one in params),
        frozenset(params.get("ExpressionAttributeNames", ())),
        frozenset(params.get("ExpressionAttributeValues", ())),
    )


# A program has few expressions; what is refused is not remembered, and is refused again.
@lru_cache(maxsize=1024)
def _check_expressions(
    given: tuple[tuple[str, str], ...], names: frozenset[str], values: frozenset[str]
) -> None:
    for expression, text in given:
        _check_syntax(expression, text)
    for kind, sign, defined in (("Names", "#", names), ("Values", ":", values)):
        used: set[str] = set()
        for expression, text in given:
            found = {p for p in _placeholders(text) if p[0] == sign}
            if missing := sorted(found - defined):
                what = "name" if sign == "#" else "value"
                raise invalid(
                    f"Invalid {expression}: An expression attribute {what} used in the document"
                    f" path is not defined; attribute {what}: {missing[0]}"
                )
            used |= found
        if unused := sorted(defined - used):
            raise invalid(
                f"Value provided in ExpressionAttribute{kind} unused in expressions:"
                f" keys: {{{', '.join(unused)}}}"
            )


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(text))


def _check_syntax(expression: str, text: str | None) -> None:
    """Refuse what moto reads as something that it is not: nothing at all, and literal numbers."""
    if text is None:
        return
    if not text.strip():
        raise invalid(f"Invalid {expression}: The expression can not be empty;")
    if number := _NUMBER.search(text):
        raise invalid(f'Invalid {expression}: Syntax error; token: "{number[0]}"')


@contextmanager
def moto_errors() -> Iterator[None]:
    """Turn moto's errors into the world's: the same codes, messages and further members.

    Where moto itself breaks (an ordering of a number and a text, the size of what is not there)
    DynamoDB would have answered something; not knowing what is said aloud.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NotEmulatedError(f"this use of a DynamoDB expression ({error!r})") from error
    except JsonRESTError as error:
        body: dict[str, Any] = json.loads(error.description)
        code = body.pop("__type").split("#")[-1]
        body.pop("message", None)
        body.pop("Message", None)
        raise AwsError(code, error.message, extra=body) from None


def refuse_legacy(params: Params) -> None:
    """Refuse the parameters from before expressions."""
    for member in LEGACY:
        if member in params:
            raise NotEmulatedError(f"DynamoDB's legacy parameter {member}")
