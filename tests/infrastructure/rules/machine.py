"""A state machine as the rules look at it: its definition, its graph, and the functions it runs."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from pydantic import BaseModel

from tools.definition import States, Transition, transitions

ENDS = frozenset({"Succeed", "Fail"})


@dataclass(frozen=True)
class Claims:
    """Where a machine holds what only one execution may have.

    ``held_from`` is the first state that holds it and ``released_by`` the one that gives it back;
    ``left_by`` are other ways out, each with the only state or error that may lead there.
    """

    held_from: str
    released_by: str
    left_by: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Machine:
    """A definition and what the rules have to be told of it.

    ``visits`` says how often an execution may come to a state, where it can come back to one;
    the reasons stand where it is filled in.
    """

    definition: Mapping[str, Any]
    claims: Claims
    visits: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def states(self) -> States:
        """The states by name."""
        states: States = self.definition["States"]
        return states

    @cached_property
    def ways(self) -> list[Transition]:
        """Every way from one state to another."""
        return transitions(self.states)

    @cached_property
    def tasks(self) -> list[str]:
        """The names of the tasks."""
        return [name for name, state in self.states.items() if state["Type"] == "Task"]

    @property
    def ends(self) -> set[str]:
        """The names of the states in which an execution ends."""
        return {name for name, state in self.states.items() if state["Type"] in ENDS}

    def ways_from(self, name: str) -> list[Transition]:
        """The ways on from a state."""
        return [way for way in self.ways if way.source == name]


@dataclass(frozen=True)
class Step:
    """What a task's Lambda runs: a function of the package, what it takes and what it answers."""

    function: Callable[..., Any]
    request: type[BaseModel]
    answer: type[BaseModel]


def step_of(state: Mapping[str, Any]) -> Step | None:
    """The step of a task that invokes one of our functions; None for somebody else's.

    Raises
    ------
    ModuleNotFoundError
        There is no folder of that function.
    """
    named = re.fullmatch(r"\$\{(\w+)Function\}", str(state["Arguments"].get("FunctionName", "")))
    if named is None:
        return None
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", named[1]).lower()
    app = importlib.import_module(f"functions.{folder}.app")
    (call,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(app.handler)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    request, function = (getattr(app, ast.unparse(argument)) for argument in call.args[2:4])
    return Step(function, request, get_type_hints(function)["return"])


def strings(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every string inside a part of a definition, with its place."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from strings(member, f"{place}/{name}")
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from strings(member, f"{place}[{number}]")
