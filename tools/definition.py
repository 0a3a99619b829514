"""A state machine definition as a graph: what leads where, why, and with which variables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parents[1] / "statemachines"
ROLLOUT: Final = FOLDER / "rollout.asl.yaml"

States = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Transition:
    """One way on from a state.

    ``on`` is empty for the ordinary way, a condition in JSONata for a choice and the names of the
    errors for a catcher; ``assigned`` names the variables that going this way assigns.
    """

    source: str
    target: str
    on: str = ""
    caught: bool = False
    assigned: frozenset[str] = frozenset()


def read(path: Path = ROLLOUT) -> dict[str, Any]:
    """Read a definition in YAML."""
    definition: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return definition


def machines() -> dict[str, Path]:
    """Every state machine's definition, by the machine's name."""
    suffix = ".asl.yaml"
    return {path.name.removesuffix(suffix): path for path in sorted(FOLDER.glob(f"*{suffix}"))}


def expression(text: str) -> str:
    """Take JSONata out of the marks that set it apart in a definition."""
    return text.removeprefix("{%").removesuffix("%}").strip()


def transitions(states: States) -> list[Transition]:
    """Every way on, in the order of the definition."""
    return [way for name, state in states.items() for way in ways_on(name, state)]


def ways_on(name: str, state: dict[str, Any]) -> list[Transition]:
    """The ways on from one state."""
    always = frozenset(state.get("Assign", {}))
    choices = [
        Transition(
            name,
            rule["Next"],
            on=expression(rule["Condition"]),
            assigned=frozenset(rule.get("Assign", {})),
        )
        for rule in state.get("Choices", [])
    ]
    ordinary = [
        Transition(name, state[field], assigned=always)
        for field in ("Next", "Default")
        if field in state
    ]
    catchers = [
        Transition(
            name,
            rule["Next"],
            on=", ".join(rule["ErrorEquals"]),
            caught=True,
            assigned=frozenset(rule.get("Assign", {})),
        )
        for rule in state.get("Catch", [])
    ]
    return [*choices, *ordinary, *catchers]


def reached(start: str, ways: list[Transition]) -> set[str]:
    """Every state that an execution standing at ``start`` may come to, itself among them."""
    found = {start}
    while new := {way.target for way in ways if way.source in found} - found:
        found |= new
    return found
