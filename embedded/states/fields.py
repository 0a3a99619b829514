"""Fields of a state whose value must be of a certain type, and the weighing of variables."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from embedded.states.compiler import instant
from embedded.states.documents import DATA_LIMIT_BYTES, Document, dump
from embedded.states.execution import Execution
from embedded.states.failures import StateFailedError, data_limit_exceeded, evaluation_failed
from embedded.states.jsonata import Scope
from embedded.states.templates import Template

_LONGEST_WAIT_SECONDS: Final = 99_999_999
_VARIABLES_LIMIT_BYTES: Final = 10_485_760
"""All variables of an execution together (developer guide, "Passing data with variables")."""
_TYPE_NAMES: Final[dict[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def boolean(template: Template, scope: Scope) -> bool:
    """Evaluate a condition. Unlike JSONata's own conditions it takes nothing but true and false."""
    value = template.fill(scope)
    if not isinstance(value, bool):
        raise _unexpected(template, "boolean", value)
    return value


def text(template: Template | None, scope: Scope) -> str | None:
    """Evaluate a string that may be missing."""
    if template is None:
        return None
    value = template.fill(scope)
    if not isinstance(value, str):
        raise _unexpected(template, "string", value)
    return value


def moment(template: Template, scope: Scope) -> datetime:
    """Evaluate an RFC 3339 timestamp."""
    value = template.fill(scope)
    when = instant(value)
    if when is None:
        raise _unexpected(template, "timestamp", value)
    return when


def timeout_seconds(template: Template | None, scope: Scope) -> int | None:
    """Evaluate a timeout that may be missing: at least one second."""
    return None if template is None else whole_seconds(template, scope, least=1)


def whole_seconds(template: Template, scope: Scope, *, least: int = 0) -> int:
    """Evaluate a number of seconds; that a fraction is refused is the harsher reading."""
    value = template.fill(scope)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _unexpected(template, "integer", value)
    if not least <= value <= _LONGEST_WAIT_SECONDS:
        source, field = _origin(template)
        raise evaluation_failed(
            source, field, f"returned a value outside the acceptable range: {value}"
        )
    return value


def assigned(
    execution: Execution, state: str, template: Template | None, scope: Scope
) -> dict[str, Document]:
    """Evaluate an Assign, and weigh the values.

    Raises
    ------
    StateFailedError
        ``States.DataLimitExceeded`` when one Assign holds more than 256 KiB, or all variables of
        the execution would hold more than 10 MiB.
    """
    if template is None:
        return {}
    new = {name: Document(value) for name, value in template.fill(scope).items()}
    together = _bytes(new), _bytes(execution.variables | new)
    if together[0] > DATA_LIMIT_BYTES or together[1] > _VARIABLES_LIMIT_BYTES:
        raise data_limit_exceeded(state)
    return new


def _bytes(values: dict[str, Document]) -> int:
    return sum([value.bytes for value in values.values()])


def _origin(template: Template) -> tuple[str, str]:
    formula = next(template.formulas(), None)
    if formula is None:
        raise TypeError("a constant of the wrong type got past the definition's checks")
    return formula.expression.source, formula.field


def _unexpected(template: Template, expected: str, value: Any) -> StateFailedError:
    source, field = _origin(template)
    return evaluation_failed(
        source,
        field,
        f"returned an unexpected result type. Expected '{expected}', but was "
        f"'{_TYPE_NAMES[type(value)]}' for value: {dump(value)}",
    )
