"""Rules of data: what each expression can refer to, and how large what moves can become."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from embedded.states.failures import ExpressionError
from embedded.states.jsonata import parse
from tests.infrastructure.rules.kinds import (
    NULL,
    NUMERIC,
    TRUTH,
    Anything,
    Items,
    Kind,
    Limits,
    Members,
    Model,
    Null,
    One,
    Text,
    UnboundedError,
    Words,
    either,
    fields_of,
    members,
    required_of,
    text,
)
from tests.infrastructure.rules.machine import Machine, step_of, strings
from tools.definition import expression

LIMIT: Final = 256 * 1024
"""Bytes of an input, an output, and what one Assign assigns (developer guide, "Service quotas" and
"Passing data with variables")."""
NAME: Final = 300
"""Bytes of an ARN or a name in the context object, more than any is."""
CAUSE: Final = 32_768
"""Characters of an error's cause (API model ``SensitiveCause``)."""
ROUNDS: Final = 100
"""Rounds after which what is assigned must have settled."""
CONTEXT: Final = members(
    {
        "Execution": members(
            {
                **dict.fromkeys(("Id", "Name", "RoleArn", "StartTime"), text(NAME)),
                # A larger one ends its execution in the first state, which changes nothing.
                "Input": frozenset({Anything(LIMIT - 1024)}),
                "RedriveCount": NUMERIC,
            }
        ),
        "State": members(
            {**dict.fromkeys(("Name", "EnteredTime"), text(NAME)), "RetryCount": NUMERIC}
        ),
        "StateMachine": members(dict.fromkeys(("Id", "Name"), text(NAME))),
        "Task": members({"Token": text(1024)}),
    }
)
"""The context object (developer guide, "Accessing execution data from the Context object")."""
ERROR: Final = members({"Error": text(NAME), "Cause": text(CAUSE)})

Known = Mapping[str, Kind]
"""What the variables may be that every path to a place has assigned."""


@dataclass
class Reader:
    """Tells what expressions at one place give, and notes what is wrong with them."""

    known: Known
    states: Known
    place: str
    limits: Limits
    wrong: list[str] = field(default_factory=list)

    def of(self, value: Any) -> Kind:
        """What a part of a definition becomes when it is evaluated."""
        if isinstance(value, dict):
            return members({name: self.of(member) for name, member in value.items()})
        if isinstance(value, list):
            return frozenset({Items(either(*map(self.of, value)), len(value))})
        if isinstance(value, str):
            if not value.startswith("{%"):
                return frozenset({Words(frozenset({value}))})
            try:
                parsed = parse(expression(value))
            except ExpressionError as error:
                self._note(f"{value} does not parse: {error}")
                return frozenset()
            self.wrong += [f"{self.place}: {it}" for it in parsed.references.unsupported]
            return self._node(parsed._jsonata.ast)  # noqa: SLF001 - no public way to a syntax tree
        return NULL if value is None else TRUTH if isinstance(value, bool) else NUMERIC

    def _note(self, what: str) -> None:
        self.wrong.append(f"{self.place}: {what}")

    def _node(self, node: Any) -> Kind:
        kinds: dict[str, Callable[[Any], Kind]] = {
            "path": self._path,
            "variable": self._variable,
            "string": lambda it: frozenset({Words(frozenset({it.value}))}),
            "number": lambda _: NUMERIC,
            "value": lambda it: TRUTH if isinstance(it.value, bool) else NULL,
            "binary": self._binary,
            "condition": self._condition,
            "function": self._function,
            "unary": self._object,
        }
        if node.type not in kinds:
            self._note(f"a {node.type} is nothing that the rules understand")
            return frozenset()
        return kinds[node.type](node)

    def _variable(self, node: Any) -> Kind:
        if node.value == "states":
            return members(self.states)
        if node.value not in self.known:
            self._note(f"${node.value} is not assigned on every path to here")
            return frozenset()
        return self.known[node.value]

    def _path(self, node: Any) -> Kind:
        first, *rest = node.steps
        kind, told = self._node(first), [_written(first)]
        for step in rest:
            if step.type != "name":
                self._note(f"a {step.type} in a path is nothing that the rules understand")
                return frozenset()
            kind = self._member(kind, step.value, ".".join(told))
            told.append(step.value)
        return kind

    def _member(self, kind: Kind, name: str, of: str) -> Kind:
        """A member; every alternative but null must have it."""
        found: list[Kind] = []
        for one in kind - NULL:
            if isinstance(one, Anything):
                found.append(frozenset({one}))
                continue
            has = _members_of(one)
            if name not in has:
                self._note(f"{of} has no {name}")
            found.append(has.get(name, frozenset()))
        return either(*found)

    def _binary(self, node: Any) -> Kind:
        left, right = self._node(node.lhs), self._node(node.rhs)
        if node.value == "&":
            return text(self._size(left) + self._size(right))
        if node.value in ("=", "!="):
            self._compare(left, right)
            self._compare(right, left)
        return NUMERIC if node.value in "+-*/%" else TRUTH

    def _compare(self, known: Kind, constant: Kind) -> None:
        """A choice of words is compared with one of them; another would never be equal."""
        words = [one.words for one in known if isinstance(one, Words)]
        others = [one for one in known if not isinstance(one, Words | Null)]
        allowed = frozenset[str]().union(*words)
        asked = frozenset[str]().union(*(it.words for it in constant if isinstance(it, Words)))
        if words and not others and not asked & allowed and constant - NULL:
            self._note(f"{sorted(asked)} is none of {sorted(allowed)}")

    def _condition(self, node: Any) -> Kind:
        self._node(node.condition)
        return either(self._node(node.then), self._node(node._else))  # noqa: SLF001 - JSONata's

    def _object(self, node: Any) -> Kind:
        if node.value != "{":
            self._note(f"{node.value} is nothing that the rules understand")
            return frozenset()
        return members({key.value: self._node(value) for key, value in node.lhs_object})

    def _function(self, node: Any) -> Kind:
        given = [self._node(one) for one in node.arguments]
        match node.procedure.value:
            case "boolean" | "not" | "exists":
                return TRUTH
            case "string":
                # Every quote and backslash of it is escaped once more.
                return text(2 * self._size(given[0]))
            case "substring":
                return text(min(self._size(given[0]), 6 * node.arguments[2].value + 2))
            case "parse":
                return frozenset({Anything(self._size(given[0]))})
            case "append":
                return frozenset({self._appended(given)})
            case other:
                self._note(f"${other} is nothing that the rules understand")
                return frozenset()

    def _appended(self, given: list[Kind]) -> One:
        lists = [one for kind in given for one in kind if isinstance(one, Items)]
        return Anything(sum(self._size(frozenset({one})) for one in lists))

    def _size(self, kind: Kind) -> int:
        try:
            return self.limits.of(kind)
        except UnboundedError as error:
            self._note(str(error))
            return 0


def _written(node: Any) -> str:
    return f"${node.value}" if node.type == "variable" else "the result"


def _members_of(one: One) -> Known:
    match one:
        case Members(of):
            return dict(of)
        case Model(model):
            return fields_of(model)
        case _:
            return {}


# -- along the ways -------------------------------------------------------------------------------


@dataclass
class Flow:
    """What is known at the entry of each state, and what is wrong on the way."""

    machine: Machine
    limits: Limits
    known: dict[str, Known] = field(default_factory=dict)
    wrong: dict[str, None] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    unbounded: dict[str, None] = field(default_factory=dict)

    def follow(self) -> Flow:
        """Follow every way from the start, until nothing more is learnt."""
        self.known[self.machine.definition["StartAt"]] = {}
        for _ in range(ROUNDS):
            before = dict(self.known)
            for found in (self.wrong, self.unbounded, self.sizes):
                found.clear()
            for name in list(self.known):
                self._pass(name)
            if self.known == before:
                return self
        self.wrong["what is assigned grows with every round of a loop"] = None
        return self

    def _pass(self, name: str) -> None:
        state, known = self.machine.states[name], self.known[name]
        context: Known = {"context": CONTEXT, "input": frozenset({Anything(LIMIT)})}
        for part in ("Arguments", "TimeoutSeconds", "Seconds", "Error", "Cause"):
            if part in state:
                self._read(name, part, state[part], known, context)
        after = {**context, **({"result": self._result(state)} if state["Type"] == "Task" else {})}
        self._leave(name, "", state, known, after)
        for rule in state.get("Choices", []):
            self._read(name, "Condition", rule["Condition"], known, context)
            self._leave(name, f"Choices to {rule['Next']}", rule, known, context)
        for rule in state.get("Catch", []):
            caught = {**context, "errorOutput": ERROR}
            self._leave(name, f"Catch of {rule['ErrorEquals'][0]}", rule, known, caught)

    def _leave(self, name: str, where: str, part: Any, known: Known, states: Known) -> None:
        place = f"{where} " if where else ""
        assigned = {
            variable: self._read(name, f"{place}Assign {variable}", value, known, states)
            for variable, value in part.get("Assign", {}).items()
        }
        if assigned:
            self._weigh(f"{name}: {place}Assign", members(assigned))
        if "Output" in part:
            self._read(name, f"{place}Output", part["Output"], known, states)
        for target in (part.get("Next"), part.get("Default")):
            if target in self.machine.states:
                self._arrive(target, {**known, **assigned})

    def _arrive(self, target: str, now: Known) -> None:
        before = self.known.get(target)
        if before is not None:
            now = {name: either(before[name], now[name]) for name in before.keys() & now.keys()}
        self.known[target] = now

    def _read(self, name: str, part: str, value: Any, known: Known, states: Known) -> Kind:
        reader = Reader(known, states, f"{name}: {part}", self.limits)
        kind = reader.of(value)
        self.wrong |= dict.fromkeys(reader.wrong)
        if not part.startswith("Condition"):
            self._weigh(reader.place, kind)
        return kind

    def _weigh(self, place: str, kind: Kind) -> None:
        try:
            self.sizes[place] = self.limits.of(kind)
        except UnboundedError as error:
            self.unbounded[f"{place}: {error}"] = None

    def _result(self, state: Mapping[str, Any]) -> Kind:
        step = step_of(state)
        waits = state["Resource"].endswith(".waitForTaskToken")
        if step is None or waits:
            return members({"Payload": frozenset({Anything(LIMIT)})})
        return members({"Payload": frozenset({Model(step.answer)})})


@cache
def followed(machine: Machine, limits: Limits) -> Flow:
    """What is known in a machine."""
    return Flow(machine, limits).follow()


def every_expression_parses(machine: Machine, _: Limits) -> Iterator[str]:
    """Each expression is JSONata, and marked as one from its beginning to its end."""
    for place, value in strings(dict(machine.definition)):
        marked = value.startswith("{%"), value.endswith("%}")
        if any(marked) and not all(marked):
            yield f"{place} begins or ends as an expression, and not both"
        elif all(marked):
            try:
                parse(expression(value))
            except ExpressionError as error:
                yield f"{place} does not parse: {error}"


def every_reference_is_known(machine: Machine, limits: Limits) -> Iterator[str]:
    """What an expression refers to is assigned on every path, and has the members asked for."""
    yield from followed(machine, limits).wrong


def everything_that_moves_is_small(machine: Machine, limits: Limits) -> Iterator[str]:
    """Arguments, answers and assignments stay below the limit, however large the fleet."""
    flow = followed(machine, limits)
    yield from flow.unbounded
    for place, size in flow.sizes.items():
        if size >= LIMIT:
            yield f"{place} may take {size} bytes"


def every_request_fits(machine: Machine, limits: Limits) -> Iterator[str]:
    """What a task gives its function is what the function's model takes."""
    flow = followed(machine, limits)
    for name in machine.tasks:
        state = machine.states[name]
        step = step_of(state)
        if step is None or name not in flow.known:
            continue
        context: Known = {"context": CONTEXT, "input": frozenset({Anything(LIMIT)})}
        given = Reader(flow.known[name], context, name, limits).of(state["Arguments"]["Payload"])
        yield from _misfits(given, frozenset({Model(step.request)}), f"{name} gives")


def _misfits(given: Kind, wanted: Kind, place: str) -> Iterator[str]:
    """Null is left out: which of two variables is set at a place only conditions tell."""
    for one in given - NULL:
        if isinstance(one, Anything) or any(isinstance(it, Anything) for it in wanted):
            continue
        models = [it.of for it in wanted if isinstance(it, Model)]
        if isinstance(one, Members) and models:
            yield from _members_misfit(dict(one.of), models[0], place)
        elif isinstance(one, Model) and not any(issubclass(one.of, it) for it in models):
            yield f"{place} a {one.of.__name__} where {_names(wanted)} is wanted"
        elif isinstance(one, Items):
            lists = [it for it in wanted if isinstance(it, Items)]
            if not lists:
                yield f"{place} a list where {_names(wanted)} is wanted"
            elif one.item:
                yield from _misfits(one.item, lists[0].item, f"{place} (items)")
        elif not _plain_fits(one, wanted):
            yield f"{place} {_names(frozenset({one}))} where {_names(wanted)} is wanted"


def _members_misfit(given: Known, model: Any, place: str) -> Iterator[str]:
    fields = fields_of(model)
    for name in sorted(required_of(model) - given.keys()):
        yield f"{place} no {name} to {model.__name__}"
    for name, kind in given.items():
        if name in fields:
            yield from _misfits(kind, fields[name], f"{place} {name},")
        elif model.model_config.get("extra") == "forbid":
            yield f"{place} {name}, which {model.__name__} does not have"


def _plain_fits(one: One, wanted: Kind) -> bool:
    words = frozenset[str]().union(*(it.words for it in wanted if isinstance(it, Words)))
    if any(isinstance(it, Text) for it in wanted) and isinstance(one, Text | Words):
        return True
    if isinstance(one, Words):
        return one.words <= words
    # A text that is given for a word, such as an answer's own outcome, is checked by the model.
    return any(type(it) is type(one) for it in wanted) or isinstance(one, Model | Members)


def _names(kind: Kind) -> str:
    return " or ".join(
        sorted(it.of.__name__ if isinstance(it, Model) else type(it).__name__ for it in kind)
    )


def every_choice_has_a_way(machine: Machine, limits: Limits) -> Iterator[str]:
    """A choice without a default covers everything that its conditions are about."""
    flow = followed(machine, limits)
    for name, state in machine.states.items():
        if state["Type"] != "Choice" or "Default" in state or name not in flow.known:
            continue
        conditions = [expression(rule["Condition"]) for rule in state["Choices"]]
        if any(f"$not({one})" in conditions for one in conditions):
            continue
        if not _all_words_are_named(conditions, flow.known[name], limits):
            yield f"{name} has no Default, and its conditions leave something out"


def _all_words_are_named(conditions: list[str], known: Known, limits: Limits) -> bool:
    named: dict[str, set[str]] = {}
    for path, _, word in (one.partition(" = ") for one in conditions):
        named.setdefault(path, set()).add(word.strip('"'))
    for path, words in named.items():
        kind = Reader(known, {}, "", limits).of(f"{{% {path} %}}")
        if all(isinstance(one, Words) and one.words <= words for one in kind):
            return True
    return False
