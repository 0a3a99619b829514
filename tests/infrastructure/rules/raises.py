"""Which of the package's errors a function can raise, read from its code and all that it calls.

What counts is that an error is made, not that a docstring tells of it. A call is followed where it
can be told what is called: a function by its name, a method by the annotation of what it is called
on. An error that is handled on the way and not raised again is not counted.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from snaproll import errors

Place = tuple[str, str]
"""A module, and the name of something in it; methods as ``Class.method``."""

ERRORS: Final = "snaproll.errors"
Errors = frozenset[str]
Source = Callable[[str], str]
NONE: Final[Errors] = frozenset()


@cache
def source_of(module: str) -> str:
    """The source of a module."""
    return inspect.getsource(importlib.import_module(module))


@cache
def errors_raised_by(step: Callable[..., Any], source: Source = source_of) -> Errors:
    """The names of the errors that a step can raise, as the modules' sources are."""
    place = (step.__module__, step.__qualname__)
    known: dict[Place, Errors] = {place: NONE}
    while True:
        before = dict(known)
        for one in before:
            known[one] = _Reader(one[0], known, source).of(one)
        if known == before:
            return known[place]


@cache
def _defined(source: str) -> Mapping[str, ast.AST]:
    """What a module defines by name: functions, classes, methods and values."""
    found: dict[str, ast.AST] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef):
            found[node.name] = node
            found |= {
                f"{node.name}.{one.name}": one
                for one in node.body
                if isinstance(one, ast.FunctionDef)
            }
            found |= {
                f"{node.name}.{one.target.id}": one
                for one in node.body
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
            }
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = node.value
        elif isinstance(node, ast.Assign):
            found |= {one.id: node.value for one in node.targets if isinstance(one, ast.Name)}
    return found


@cache
def _imported(source: str) -> Mapping[str, Place]:
    """What a module imports from the package, by the name that it has there."""
    return {
        one.asname or one.name: (str(node.module), one.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("snaproll")
        for one in node.names
    }


def _below(name: str) -> Errors:
    """An error and everything below it."""
    found = getattr(errors, name)
    return frozenset({name}).union(*(_below(one.__name__) for one in found.__subclasses__()))


class _Reader:
    """Reads one function; what it calls is taken from ``known``, and put there to be read."""

    def __init__(self, module: str, known: dict[Place, Errors], source: Source) -> None:
        self._module = module
        self._known = known
        self._source = source
        self._types: dict[str, Place] = {}

    def of(self, place: Place) -> Errors:
        if "." in place[1]:
            self._types["self"] = (place[0], place[1].split(".")[0])
        return self._read(self._definition(place))

    def _definition(self, place: Place) -> ast.AST:
        return _defined(self._source(place[0]))[place[1]]

    def _at(self, place: Place) -> Place | None:
        return place if place[1] in _defined(self._source(place[0])) else None

    def _read(self, node: ast.AST) -> Errors:
        if isinstance(node, ast.FunctionDef):
            self._learn(node)
            return self._all(node.body)
        if isinstance(node, ast.Try):
            return self._try(node)
        if isinstance(node, ast.Attribute):
            return self._called(self._member(node)) | self._read(node.value)
        if isinstance(node, ast.Name):
            return self._called(self._resolve(node.id))
        if isinstance(node, ast.Call):
            return self._call(node)
        return self._all(ast.iter_child_nodes(node))

    def _all(self, nodes: Iterable[ast.AST]) -> Errors:
        return NONE.union(*(self._read(one) for one in nodes))

    def _learn(self, function: ast.FunctionDef) -> None:
        arguments = function.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            kind = self.class_in(one.annotation)
            if kind is not None:
                self._types[one.arg] = kind

    def _try(self, node: ast.Try) -> Errors:
        rest = [*node.orelse, *node.finalbody, *(one for it in node.handlers for one in it.body)]
        return (self._all(node.body) - self._handled(node)) | self._all(rest)

    def _handled(self, node: ast.Try) -> Errors:
        """What is handled, and not raised again."""
        handled = NONE
        for handler in node.handlers:
            again = any(isinstance(one, ast.Raise) and one.exc is None for one in _inside(handler))
            if not again and handler.type is not None:
                handled |= self._caught(handler.type)
        return handled

    def _caught(self, node: ast.AST) -> Errors:
        names = [self._resolve(one.id) for one in ast.walk(node) if isinstance(one, ast.Name)]
        return NONE.union(*(_below(it[1]) for it in names if it and it[0] == ERRORS))

    def _call(self, node: ast.Call) -> Errors:
        if isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            return NONE
        given = [*node.args, *(one.value for one in node.keywords)]
        late = [one for one in given if isinstance(one, ast.Lambda)]
        rest = self._all([node.func, *(one for one in given if one not in late)])
        if not late:
            return rest
        return rest | (self._all([one.body for one in late]) - self._handled_for_callers(node.func))

    def _handled_for_callers(self, callee: ast.AST) -> Errors:
        """What a function handles of the errors of a function that it is given."""
        place = self._resolve(callee.id) if isinstance(callee, ast.Name) else None
        found = self._definition(place) if place is not None else None
        if place is None or not isinstance(found, ast.FunctionDef):
            return NONE
        parameters = {one.arg for one in found.args.args}
        reader = _Reader(place[0], self._known, self._source)
        tries = [one for one in ast.walk(found) if isinstance(one, ast.Try)]
        around = [one for one in tries if parameters & _names_called(one.body)]
        return NONE.union(*(reader._handled(one) for one in around))

    def _called(self, place: Place | None) -> Errors:
        if place is None:
            return NONE
        if place[0] == ERRORS:
            return frozenset({place[1]})
        if isinstance(self._definition(place), ast.ClassDef | ast.AnnAssign):
            return NONE
        return self._known.setdefault(place, NONE)

    # -- names ------------------------------------------------------------------------------------

    def _resolve(self, name: str) -> Place | None:
        here = _imported(self._source(self._module))
        return self._at(here.get(name, (self._module, name)))

    def _member(self, node: ast.Attribute) -> Place | None:
        """What ``x.name`` is, when the class of ``x`` is known."""
        owner = self._type_of(node.value)
        if owner is None:
            return None
        return self._at((owner[0], f"{owner[1]}.{node.attr}"))

    def _type_of(self, node: ast.AST) -> Place | None:
        if isinstance(node, ast.Name):
            return self._types.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        place = self._member(node)
        if place is None:
            return None
        found = self._definition(place)
        annotation = found.returns if isinstance(found, ast.FunctionDef) else None
        if isinstance(found, ast.AnnAssign):
            annotation = found.annotation
        return _Reader(place[0], self._known, self._source).class_in(annotation)

    def class_in(self, annotation: ast.AST | None) -> Place | None:
        """The package's class that an annotation names; of ``X | None`` it is ``X``."""
        for node in ast.walk(annotation) if annotation else ():
            if isinstance(node, ast.Name):
                place = self._resolve(node.id)
                if place is not None and isinstance(self._definition(place), ast.ClassDef):
                    return place
        return None


def _inside(handler: ast.ExceptHandler) -> Iterator[ast.AST]:
    for statement in handler.body:
        yield from ast.walk(statement)


def _names_called(body: list[ast.stmt]) -> set[str]:
    calls = [one for it in body for one in ast.walk(it) if isinstance(one, ast.Call)]
    return {one.func.id for one in calls if isinstance(one.func, ast.Name)}
