"""Values of a definition that may hold JSONata, compiled once and filled in for every state.

A string is an expression when it starts with ``{%`` and ends with ``%}``, however deep in objects
and arrays it stands; everything else is itself (developer guide, "Transforming data with JSONata").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from embedded.states.failures import ExpressionError, evaluation_failed
from embedded.states.jsonata import UNDEFINED, Expression, Scope, parse

Report = Callable[[str, str], None]
"""Takes the field and what is wrong with it."""


class Template(Protocol):
    """A value to be filled in."""

    def fill(self, scope: Scope) -> Any:
        """Give the value, every expression evaluated.

        Raises
        ------
        StateFailedError
            ``States.QueryEvaluationError`` when an expression fails or returns nothing.
        """
        ...

    def formulas(self) -> Iterator[Formula]:
        """Give every expression in it."""
        ...


@dataclass(frozen=True)
class Constant:
    """A value without expressions."""

    value: Any

    def fill(self, scope: Scope) -> Any:  # noqa: ARG002 - a constant needs no scope
        """Give the value itself; nobody may change it."""
        return self.value

    def formulas(self) -> Iterator[Formula]:
        """Give nothing."""
        return iter(())


@dataclass(frozen=True)
class Formula:
    """One expression, and the field in which it stands."""

    expression: Expression
    field: str

    def fill(self, scope: Scope) -> Any:
        """Evaluate it."""
        source = self.expression.source
        try:
            value = self.expression.evaluate(scope)
        except ExpressionError as error:
            raise evaluation_failed(source, self.field, f"threw an error. {error}") from error
        if value is UNDEFINED:
            raise evaluation_failed(source, self.field, "returned nothing (undefined).")
        return value

    def formulas(self) -> Iterator[Formula]:
        """Give itself."""
        yield self


@dataclass(frozen=True)
class ObjectTemplate:
    """An object with expressions somewhere inside."""

    members: tuple[tuple[str, Template], ...]

    def fill(self, scope: Scope) -> Any:
        """Fill every member."""
        return {name: member.fill(scope) for name, member in self.members}

    def formulas(self) -> Iterator[Formula]:
        """Give those of its members."""
        for _, member in self.members:
            yield from member.formulas()


@dataclass(frozen=True)
class ArrayTemplate:
    """An array with expressions somewhere inside."""

    elements: tuple[Template, ...]

    def fill(self, scope: Scope) -> Any:
        """Fill every element."""
        return [element.fill(scope) for element in self.elements]

    def formulas(self) -> Iterator[Formula]:
        """Give those of its elements."""
        for element in self.elements:
            yield from element.formulas()


def compile_template(value: Any, field: str, report: Report) -> Template:
    """Compile a value of a definition.

    Parameters
    ----------
    value
        As read from JSON.
    field
        Where it stands in its state: ``Output``, ``Output/a/b[0]``.
    report
        Told of strings that are no proper expression; a constant then stands in their place.
    """
    if isinstance(value, str):
        return _compile_string(value, field, report)
    if isinstance(value, dict):
        members = tuple(
            (name, compile_template(member, f"{field}/{name}", report))
            for name, member in value.items()
        )
        constant = all(isinstance(member, Constant) for _, member in members)
        return Constant(value) if constant else ObjectTemplate(members)
    if isinstance(value, list):
        elements = tuple(
            compile_template(element, f"{field}[{index}]", report)
            for index, element in enumerate(value)
        )
        constant = all(isinstance(element, Constant) for element in elements)
        return Constant(value) if constant else ArrayTemplate(elements)
    return Constant(value)


def _compile_string(value: str, field: str, report: Report) -> Template:
    opened, closed = value.startswith("{%"), value.endswith("%}")
    if opened != closed:
        report(
            field, f"INVALID_JSONATA_EXPRESSION: {value!r} must start with '{{%' and end with '%}}'"
        )
    elif opened:
        source = value[2:-2].strip()
        try:
            return Formula(parse(source), field)
        except ExpressionError as error:
            report(field, f"INVALID_JSONATA_EXPRESSION: {error} in {source!r}")
    elif "${" in value:
        # AWS would take it as a string; here it is always a substitution that was forgotten.
        report(field, f"SCHEMA_VALIDATION_FAILED: {value!r} still holds a '${{…}}' substitution")
    return Constant(value)
