"""Reads a definition, checks it as CreateStateMachine would, and compiles it.

Whatever is wrong is collected and told in one ``InvalidDefinition``, each with its place:
``SCHEMA_VALIDATION_FAILED: … at /States/Wait/Seconds``. Where AWS lets something pass that can only
be a mistake (an undefined variable, a loop without a way out), this is harsher and says so here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final

import yaml
from pydantic import ValidationError

from embedded.states import syntax
from embedded.states.compiler import StateCompiler
from embedded.states.documents import dump
from embedded.states.program import Program
from embedded.world.errors import AwsError

_DEFINITION_LIMIT_BYTES: Final = 1_048_576
_SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"


class Problems:
    """What is wrong with a definition, in the order in which it was found."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, place: str, what: str) -> None:
        """Note a problem at a place such as ``/States/Wait/Seconds``."""
        self.found.append(f"{what} at {place}")

    def raise_if_any(self) -> None:
        """Refuse the definition when anything was found.

        Raises
        ------
        AwsError
            ``InvalidDefinition``.
        """
        if self.found:
            raise AwsError(
                "InvalidDefinition",
                f"Invalid State Machine Definition: '{', '.join(self.found)}'",
            )


def read_definition(text: str) -> str:
    """Turn a definition file, YAML or JSON, into the JSON text that CreateStateMachine takes.

    Raises
    ------
    AwsError
        ``InvalidDefinition`` when it is neither, or a key occurs twice.
    """
    try:
        # The loader is a SafeLoader that is stricter still.
        value = yaml.load(text, Loader=_StrictLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise AwsError(
            "InvalidDefinition", f"Invalid State Machine Definition: 'INVALID_YAML: {error}'"
        ) from error
    return dump(value)


@functools.lru_cache(maxsize=64)
def compile_definition(text: str) -> Program:
    """Check a definition in JSON and compile it, once per text.

    Raises
    ------
    AwsError
        ``InvalidDefinition``, naming every state and field that is wrong.
    """
    problems = Problems()
    machine = _parse_machine(text, problems)
    problems.raise_if_any()
    states = {
        name: state
        for name, value in machine.states.items()
        if (state := _parse_state(name, value, problems)) is not None
    }
    problems.raise_if_any()  # transitions can only be followed between states that were understood
    _check_transitions(machine.start_at, states, problems)
    compiler = StateCompiler(states, problems.add)
    programs = {name: compiler.compile(name, state) for name, state in states.items()}
    problems.raise_if_any()
    return Program(machine.start_at, programs, machine.timeout_seconds, compiler.variables())


# -- reading ---------------------------------------------------------------------------------------


class _StrictLoader(yaml.SafeLoader):
    """YAML as JSON would be: no dates, and no key twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base class makes it an instance's
        first: [
            (tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's own
    ) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} occurs twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return members


def _parse_machine(text: str, problems: Problems) -> syntax.Machine:
    if len(text.encode()) > _DEFINITION_LIMIT_BYTES:
        problems.add("/", f"{_SCHEMA}: the definition is larger than 1 MB")
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        problems.add("/", f"INVALID_JSON_DESCRIPTION: {error}")
        problems.raise_if_any()
    if not isinstance(value, dict):
        problems.add("/", f"{_SCHEMA}: the definition is not an object")
        problems.raise_if_any()
    if value.get("QueryLanguage", "JSONPath") == "JSONPath":
        # Legal on AWS, where JSONPath is the default.
        problems.add("/QueryLanguage", f"{_SCHEMA}: only 'JSONata' is emulated; it must be named")
        problems.raise_if_any()
    try:
        return syntax.Machine.model_validate(value)
    except ValidationError as error:
        _tell("", error, problems)
        problems.raise_if_any()
        raise


def _parse_state(name: str, value: Any, problems: Problems) -> syntax.State | None:
    place = f"/States/{name}"
    kind = value.get("Type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in syntax.STATE_TYPES:
        known = ", ".join(syntax.STATE_TYPES)
        why = (
            "exists on AWS and is not emulated" if kind in syntax.NOT_IN_USE else "is no state type"
        )
        problems.add(f"{place}/Type", f"{_SCHEMA}: {kind!r} {why}; here are {known}")
        return None
    try:
        state = syntax.STATE_TYPES[kind].model_validate(value)
    except ValidationError as error:
        _tell(place, error, problems)
        return None
    if isinstance(state, syntax.MovingState) and (state.next is None) == (state.end is None):
        problems.add(place, f"{_SCHEMA}: exactly one of 'Next' and 'End' is required")
        return None
    return state


def _tell(place: str, error: ValidationError, problems: Problems) -> None:
    for problem in error.errors(include_url=False):
        # A union's branches are told apart by names that are not part of the definition.
        path = [str(part) for part in problem["loc"] if not _is_branch(part)]
        where = "/".join([place, *path])
        name = path[-1] if path else ""
        if problem["type"] == "extra_forbidden" and name in syntax.JSONPATH_FIELDS:
            why = f"the field '{name}' is only supported for the 'JSONPath' QueryLanguage"
        elif problem["type"] == "extra_forbidden":
            why = f"Field '{name}' is not supported"
        elif problem["type"] == "missing":
            why = f"the field '{name}' is required but was missing"
        else:
            why = str(problem["msg"])
        problems.add(where or "/", f"{_SCHEMA}: {why}")


def _is_branch(part: str | int) -> bool:
    return isinstance(part, str) and (
        part in {"str", "int", "bool"} or part.startswith(("constrained-", "dict[", "function-"))
    )


# -- transitions -----------------------------------------------------------------------------------


def _targets(state: syntax.State) -> list[tuple[str, str]]:
    """Give each transition of a state: the field, and the state that it names."""
    found: list[tuple[str, str]] = []
    if isinstance(state, syntax.MovingState) and state.next is not None:
        found.append(("Next", state.next))
    if isinstance(state, syntax.Task):
        found += [(f"Catch[{index}]/Next", rule.next) for index, rule in enumerate(state.catch)]
    if isinstance(state, syntax.Choice):
        found += [(f"Choices[{index}]/Next", rule.next) for index, rule in enumerate(state.choices)]
        if state.default is not None:
            found.append(("Default", state.default))
    return found


def _check_transitions(start: str, states: dict[str, syntax.State], problems: Problems) -> None:
    if start not in states:
        problems.add("/StartAt", f"MISSING_TRANSITION_TARGET: there is no state {start!r}")
        return
    reached_from: dict[str, set[str]] = {name: set() for name in states}
    leads_to: dict[str, set[str]] = {name: set() for name in states}
    for name, state in states.items():
        for field, target in _targets(state):
            if target not in states:
                problems.add(
                    f"/States/{name}/{field}",
                    f"MISSING_TRANSITION_TARGET: there is no state {target!r}",
                )
                continue
            leads_to[name].add(target)
            reached_from[target].add(name)
    ends = {name for name, state in states.items() if _ends(state)}
    if not ends:
        problems.add("/States", "MISSING_END_STATE: no state ends the execution")
    _check_reach(states, _closure({start}, leads_to.__getitem__), "is not reachable", problems)
    # AWS is content with one end state; a state from which none can be reached is a trap.
    _check_reach(states, _closure(ends, reached_from.__getitem__), "never ends", problems)


def _check_reach(states: Iterable[str], reached: set[str], what: str, problems: Problems) -> None:
    code = "MISSING_END_STATE" if what == "never ends" else "MISSING_TRANSITION_TARGET"
    for name in states:
        if name not in reached:
            problems.add(f"/States/{name}", f"{code}: the state {name!r} {what}")


def _ends(state: syntax.State) -> bool:
    return isinstance(state, syntax.Succeed | syntax.Fail) or (
        isinstance(state, syntax.MovingState) and state.end is not None
    )


def _closure(found: set[str], step: Callable[[str], set[str]]) -> set[str]:
    open_ends = list(found)
    reached = set(found)
    while open_ends:
        for name in step(open_ends.pop()) - reached:
            reached.add(name)
            open_ends.append(name)
    return reached
