"""Rules of the graph: what leads where, and what every way passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.infrastructure.rules.machine import ENDS, Machine
from tools.definition import reached

PLAIN_STATE = 2
"""A state that runs nothing enters and exits (developer guide, "History events")."""


def every_target_exists(machine: Machine) -> Iterator[str]:
    """Each way, and the start, leads to a state."""
    if machine.definition["StartAt"] not in machine.states:
        yield f"StartAt names {machine.definition['StartAt']}, which is no state"
    for way in machine.ways:
        if way.target not in machine.states:
            yield f"{way.source} leads to {way.target}, which is no state"


def every_state_is_reached(machine: Machine) -> Iterator[str]:
    """Each state can be come to."""
    found = reached(machine.definition["StartAt"], machine.ways)
    for name in machine.states.keys() - found:
        yield f"nothing leads to {name}"


def no_state_is_a_dead_end(machine: Machine) -> Iterator[str]:
    """From each state an end can be come to, and each end says that it is one."""
    for name, state in machine.states.items():
        if not reached(name, machine.ways) & machine.ends:
            yield f"from {name} no end can be come to"
        onward = "Choices" if state["Type"] == "Choice" else "Next"
        if state["Type"] not in ENDS and (onward not in state or "End" in state):
            yield f"{name} ends an execution and is neither Succeed nor Fail"
        if state["Type"] in ENDS and machine.ways_from(name):
            yield f"{name} is an end and leads on"


def every_claim_is_given_back(machine: Machine) -> Iterator[str]:
    """Every way from a claim to an end passes its release, or goes where there is none to give."""
    claims = machine.claims
    over = {claims.released_by, *claims.left_by}
    otherwise = [way for way in machine.ways if way.target not in over]
    for end in sorted(reached(claims.held_from, otherwise) & machine.ends):
        yield f"{end} can be come to from {claims.held_from} without {claims.released_by}"


def a_claim_is_left_for_one_reason_each(machine: Machine) -> Iterator[str]:
    """What is excused from giving the claim back is come to in the one way that excuses it."""
    for name, only in machine.claims.left_by.items():
        if name not in machine.states:
            yield f"{name} is no state, and is excused from giving the claim back"
        for way in machine.ways:
            why = way.on if way.caught else way.source
            if way.target == name and why != only:
                yield f"{way.source} leads to {name} for {why}; only {only} may"


def nothing_is_done_after_the_release(machine: Machine) -> Iterator[str]:
    """Once the claim is given back, nothing but an end is named."""
    release = machine.states[machine.claims.released_by]
    for name in sorted(reached(release["Next"], machine.ways)):
        if machine.states[name]["Type"] == "Task":
            yield f"{name} runs after {machine.claims.released_by}"


# -- history --------------------------------------------------------------------------------------


def events_of(state: Mapping[str, Any]) -> int:
    """History events of one visit in which nothing fails.

    Source: Step Functions API model ``HistoryEventType``. A task enters, is scheduled, is started,
    succeeds and exits; one that waits for a token is submitted as well; a Fail state has no exit.
    """
    if state["Type"] == "Task":
        return 6 if state["Resource"].endswith(".waitForTaskToken") else 5
    return 1 if state["Type"] == "Fail" else PLAIN_STATE


def every_loop_is_counted(machine: Machine) -> Iterator[str]:
    """An execution can come back to a state only past one whose visits are counted."""
    uncounted = [way for way in machine.ways if way.target not in machine.visits]
    for way in uncounted:
        if way.source in reached(way.target, uncounted):
            yield f"{way.source} and {way.target} are on a loop, and nothing says how often it runs"


def longest_history(machine: Machine) -> int:
    """History events of the longest execution in which nothing fails.

    Every visit of a counted state is taken to be followed by the longest way to the next counted
    one; only once does a way lead from there to an end.
    """
    start = machine.definition["StartAt"]
    rounds = sum(
        most * _longest_way(machine, name, to_end=False) for name, most in machine.visits.items()
    )
    last = max(_longest_way(machine, name, to_end=True) for name in (start, *machine.visits))
    begun_and_ended = 2
    return begun_and_ended + _longest_way(machine, start, to_end=False) + rounds + last


def _longest_way(machine: Machine, source: str, *, to_end: bool) -> int:
    """Events from a state, itself included, up to before the next counted one, or to an end."""
    none = -1_000_000

    def after(name: str) -> int:
        if name in machine.visits:
            return none if to_end else 0
        own = events_of(machine.states[name])
        if name in machine.ends:
            return own if to_end else none
        return own + max(after(way.target) for way in machine.ways_from(name))

    longest = max((after(way.target) for way in machine.ways_from(source)), default=0)
    return max(0, events_of(machine.states[source]) + longest)
