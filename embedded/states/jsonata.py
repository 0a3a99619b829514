"""JSONata as Step Functions speaks it, on the jsonata-python package.

What is added to the package: null told from undefined, the six functions of Step Functions, a clock
and dice that belong to the world, and a look at what an expression refers to before it ever runs.
Sources: Step Functions developer guide, "Transforming data with JSONata".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from embedded.states.failures import ExpressionError
from embedded.states.functions import BUILT_IN, REFUSED

UNDEFINED: Final = object()
"""What an expression returns when it returns nothing; JSON's null is Python's None."""

_FAILURES: Final = (
    JException,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What the package raises: its own error, or what Python says when a type does not fit."""

_PLAIN_PATH: Final = re.compile(r"\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)")
_WORDS: Final = frozenset({"and", "or", "in", "true", "false", "null"})
_CONTEXT_STEPS: Final = {"wildcard": "*", "descendant": "**", "parent": "%"}
_OF_AN_ITEM: Final = frozenset({"predicate", "stages", "group", "pattern", "update", "delete"})
"""Parts of a node that are evaluated against an item, not against the expression's own context."""
_NOT_CHILDREN: Final = frozenset({"_outer_instance", "seeking_parent", "slot", "procedure_ast"})


class Visible(Protocol):
    """A value that expressions may see: a ``Document``, or the context object."""

    @property
    def value(self) -> Any:
        """As JSON."""
        ...

    @property
    def marked(self) -> Any:
        """With every null marked, as the JSONata package needs it."""
        ...


class Scope:
    """The variables that one state's expressions see: the world's functions, and its values.

    Parameters
    ----------
    functions
        A frame made by ``embedded.states.functions.world_frame``.
    variables
        The execution's variables at state entry.
    states
        The members of ``$states``.
    """

    def __init__(
        self,
        functions: Any,
        variables: Mapping[str, Visible],
        states: Mapping[str, Visible],
    ) -> None:
        self._functions, self._variables, self._states = functions, variables, states
        self.values: dict[str, Any] = {name: value.value for name, value in variables.items()}
        self.values["states"] = {name: value.value for name, value in states.items()}

    @functools.cached_property
    def frame(self) -> Any:
        """The same for the JSONata package; many states have nothing but plain paths."""
        frame = Jsonata.Frame(self._functions)
        frame.bindings = {name: value.marked for name, value in self._variables.items()}
        frame.bindings["states"] = {name: value.marked for name, value in self._states.items()}
        # Every node looks these two hooks up through all frames; found here, the search is short.
        frame.bindings["__evaluate_entry"] = frame.bindings["__evaluate_exit"] = None
        return frame


@dataclass(frozen=True)
class References:
    """What an expression refers to, found without evaluating it."""

    variables: frozenset[str]
    """Names that it takes from outside: workflow variables, ``states`` aside."""
    states: frozenset[str]
    """Members of ``$states``, as ``input``, ``result`` or ``context.Task``; ``*`` for a whole."""
    unsupported: tuple[str, ...]
    """What Step Functions refuses when a state machine is created, in its own words."""


class Expression:
    """One parsed JSONata expression; it holds no state and can be evaluated for any execution."""

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            self._jsonata = Jsonata(source)
        except _FAILURES as error:
            raise ExpressionError(str(error)) from error
        self._path = _plain_path(source)

    @functools.cached_property
    def references(self) -> References:
        """What the expression refers to."""
        return _References().of(self._jsonata.ast)

    def evaluate(self, scope: Scope) -> Any:
        """Evaluate against a scope.

        Returns
        -------
        Any
            A JSON value, or ``UNDEFINED`` when the expression returns nothing.

        Raises
        ------
        ExpressionError
            When the evaluation fails, or the result is no JSON value.
        """
        if self._path is not None:
            found = _walk(scope.values, self._path)
            if found is not _UNSURE:
                return found
        try:
            result = self._jsonata.eval(self._jsonata.ast, None, scope.frame)
        except _FAILURES as error:
            raise ExpressionError(str(error)) from error
        return UNDEFINED if result is None else _plain(result)


@functools.lru_cache(maxsize=4096)
def parse(source: str) -> Expression:
    """Parse an expression, once per text.

    Raises
    ------
    ExpressionError
        When it does not parse.
    """
    return Expression(source)


# -- values ----------------------------------------------------------------------------------------

_UNSURE: Final = object()


def _plain_path(source: str) -> tuple[str, ...] | None:
    """Give the names of ``$variable.name.name``, the commonest expression; None for any other."""
    match = _PLAIN_PATH.fullmatch(source)
    if match is None:
        return None
    names = (match[1], *match[2].split(".")[1:])
    return None if _WORDS & set(names) else names


def _walk(values: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """Follow names through objects; ``_UNSURE`` where JSONata's rules for arrays begin."""
    if names[0] not in values:
        return _UNSURE  # perhaps a function
    found: Any = values
    for name in names:
        if not isinstance(found, dict):
            return _UNSURE if isinstance(found, list) else UNDEFINED
        if name not in found:
            return UNDEFINED
        found = found[name]
    return found


def _plain(value: Any) -> Any:
    """Make a JSON value of a result: the package's lists, nulls and numbers are its own."""
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return _plain_number(value)
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    raise ExpressionError("The result is not a JSON value")


def _plain_number(value: float) -> float | int | str:
    # JSON has no word for these; Step Functions writes JavaScript's.
    if value != value:  # noqa: PLR0124 - the one number that differs from itself
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() and abs(value) < 1e21 else value  # noqa: PLR2004


# -- references ------------------------------------------------------------------------------------


class _References:
    """Walks a syntax tree once."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._used: set[str] = set()
        self._bound: set[str] = set()
        self._states: set[str] = set()
        self._unsupported: list[str] = []

    def of(self, tree: Any) -> References:
        self._visit(tree, at_top=True)
        outside = self._used - self._bound
        for name in sorted(outside & REFUSED):
            self._unsupported.append(f"Function '${name}' is not supported.")
        return References(
            frozenset(outside - BUILT_IN - REFUSED - {"states"}),
            frozenset(self._states),
            tuple(self._unsupported),
        )

    def _visit(self, node: Any, *, at_top: bool) -> None:
        if isinstance(node, list | tuple):
            for member in node:
                self._visit(member, at_top=at_top)
            return
        if not hasattr(node, "__dict__") or id(node) in self._seen:
            return
        self._seen.add(id(node))
        kind = getattr(node, "type", None)
        self._bound.update(_bound_by(node, kind))
        if kind == "path":
            self._path(node, at_top=at_top)
        elif kind == "variable":
            self._variable(node.value, at_top=at_top)
        elif kind in _CONTEXT_STEPS and at_top:
            self._from_nowhere(_CONTEXT_STEPS[kind])
        for attribute, child in _children(node):
            self._visit(child, at_top=at_top and attribute not in _OF_AN_ITEM)

    def _path(self, path: Any, *, at_top: bool) -> None:
        first, *rest = path.steps
        if at_top and first.type == "name":
            self._from_nowhere(first.value)
        if first.type == "variable" and first.value == "states":
            self._states_member(first, rest)
        self._visit(first, at_top=at_top)
        for step in rest:
            self._visit(step, at_top=False)

    def _from_nowhere(self, what: str) -> None:
        self._unsupported.append(f"Reference to '{what}' at the top level is not supported.")

    def _states_member(self, first: Any, rest: list[Any]) -> None:
        names = [step.value for step in rest if step.type == "name"][:2]
        if not names or getattr(first, "predicate", None):
            self._states.add("*")
        elif names[0] == "context" and len(names) > 1:
            self._states.add(f"context.{names[1]}")
        else:
            self._states.add(names[0])
        self._seen.add(id(first))  # it has been told more precisely than as a variable

    def _variable(self, name: str, *, at_top: bool) -> None:
        if name == "$" or (name == "" and at_top):
            self._unsupported.append(f"Reference to '${name}' is not supported.")
        elif name == "states":
            self._states.add("*")
        elif name:
            self._used.add(name)


def _bound_by(node: Any, kind: str | None) -> set[str]:
    """Give the names that a node binds: ``$x := …``, ``function($x)``, ``…@$x``, ``…#$x``."""
    marks = (vars(node).get("focus"), vars(node).get("index"))
    names = {name for name in marks if isinstance(name, str)}
    if kind == "bind":
        names.add(node.lhs.value)
    elif kind == "lambda":
        names.update(argument.value for argument in node.arguments)
    return names


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    for attribute, child in vars(node).items():
        if attribute not in _NOT_CHILDREN and not isinstance(child, str | int | float | None):
            yield attribute, child
