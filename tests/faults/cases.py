"""Every AWS call of every function, each made to go wrong in every way.

The calls are recorded by running the plays, so the table is never older than the code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from embedded.world.world import World
from tests.faults.plays import PLAYS
from tests.simulation.play import Played, outcome_of, play
from tests.simulation.schedule import (
    SDK_TRIES,
    CallsFail,
    Entry,
    Failure,
    InvocationsFail,
    Schedule,
    Unrun,
)
from tests.simulation.violation import Violation

FIRST_CALLS = 2
"""Of a call that a function makes again and again, so many are disturbed."""
_READING = ("Describe", "Get", "List", "Query")
_WAYS_OF_READING = (
    (Failure.THROTTLED, SDK_TRIES),
    (Failure.TIMES_OUT_BEFORE, SDK_TRIES),
    (Failure.DIES_BEFORE, 1),
    (Failure.DENIED, 1),
)
"""How a call that changes nothing goes wrong, and how many tries of the SDK: a failure before its
effect and one after it are the same."""
_WAYS_OF_CHANGING = (
    *_WAYS_OF_READING,
    (Failure.UNAVAILABLE_BEFORE, SDK_TRIES),
    (Failure.UNAVAILABLE_AFTER, 1),
    (Failure.UNAVAILABLE_AFTER, SDK_TRIES),
    (Failure.TIMES_OUT_AFTER, 1),
    (Failure.TIMES_OUT_AFTER, SDK_TRIES),
    (Failure.DIES_AFTER, 1),
    (Failure.TIME_IS_UP, 1),
)


@dataclass(frozen=True, order=True)
class Point:
    """One call of a function in a play: the n-th of its kind, counted from 1."""

    play: str
    function: str
    service: str
    operation: str
    nth: int

    def __str__(self) -> str:
        return f"{self.play}: {self.function} {self.service}:{self.operation} {self.nth}"


@dataclass(frozen=True)
class Case:
    """One disturbance of a play."""

    play: str
    fault: CallsFail | InvocationsFail
    service: str = ""

    def __str__(self) -> str:
        fault = self.fault
        if isinstance(fault, InvocationsFail):
            return f"{self.play}: invocation {fault.nth} of {fault.function} {fault.failure}"
        what = f"{self.service}:{fault.operation} {fault.nth}"
        return f"{self.play}: {fault.function} {fault.failure}, {what}, {fault.times} times"

    @property
    def schedule(self) -> Schedule:
        """The play with its disturbance."""
        undisturbed = PLAYS[self.play]
        entries: tuple[Entry, ...] = (self.fault, *undisturbed.entries)
        return undisturbed.model_copy(update={"entries": entries})


@dataclass(frozen=True)
class Recording:
    """What was seen in the undisturbed plays."""

    points: tuple[Point, ...]
    invocations: tuple[tuple[str, str, int], ...]
    """Play, function and number of an invocation."""
    functions: frozenset[str]
    """Every function of the template."""
    outcomes: dict[str, tuple[str, ...]]
    """How each play's executions ended, in the order of their start."""


def record() -> Recording:
    """Run every play undisturbed, and list the calls that its functions made."""
    points: list[Point] = []
    invocations: list[tuple[str, str, int]] = []
    functions: frozenset[str] = frozenset()
    outcomes = {}
    known: set[tuple[str, str, str, int]] = set()
    for name, schedule in PLAYS.items():
        began = _Begin()
        played = play(schedule, prepare=began)
        if played.violation is not None:
            raise AssertionError(f"{name}, undisturbed: {played.violation}")
        functions = frozenset(played.functions)
        outcomes[name] = tuple(map(outcome_of, played.executions))
        for kind in _calls(played, began.calls):
            if kind not in known:
                known.add(kind)
                points.append(Point(name, *kind))
        invocations += _runs(played, name, began.runs, invocations)
    return Recording(tuple(points), tuple(invocations), functions, outcomes)


class _Begin:
    """Remembers where in a world's records a play begins."""

    def __init__(self) -> None:
        self.calls = self.runs = 0

    def __call__(self, world: World) -> None:
        self.calls, self.runs = len(world.calls), len(world.awslambda.runs)


def _calls(played: Played, begin: int) -> Iterator[tuple[str, str, str, int]]:
    counts: Counter[tuple[str, str]] = Counter()
    for call in played.world.calls[begin:]:
        if call.caller not in played.functions:
            continue
        counts[call.caller, call.operation] += 1
        nth = counts[call.caller, call.operation]
        if nth <= FIRST_CALLS:
            yield call.caller, call.service, call.operation, nth


def _runs(
    played: Played, name: str, begin: int, known: list[tuple[str, str, int]]
) -> Iterator[tuple[str, str, int]]:
    seen = {function for _, function, _ in known}
    logical = {physical: function for function, physical in played.functions.items()}
    for run in played.world.awslambda.runs[begin:]:
        function = logical.get(run.function)
        if function is not None and function not in seen:
            seen.add(function)
            yield name, function, 1


def cases(recording: Recording) -> list[Case]:
    """Every disturbance of everything that was recorded."""
    found = []
    for point in recording.points:
        reading = point.operation.startswith(_READING)
        for failure, times in _WAYS_OF_READING if reading else _WAYS_OF_CHANGING:
            fault = CallsFail(
                at=0.0,
                function=point.function,
                operation=point.operation,
                nth=point.nth,
                failure=failure,
                times=times,
            )
            found.append(Case(point.play, fault, point.service))
    for name, function, nth in recording.invocations:
        found += [
            Case(name, InvocationsFail(at=0.0, function=function, nth=nth, failure=failure))
            for failure in Unrun
        ]
    return found


def try_case(case: Case) -> Violation | None:
    """Play a case; what it violates, None when everything holds."""
    played = play(case.schedule)
    if played.violation is not None:
        return played.violation
    if not any(case.fault.function in one.what for one in played.happenings):
        return Violation("fault", "the call that was to go wrong was never made")
    return None
