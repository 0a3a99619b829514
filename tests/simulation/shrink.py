"""Cuts a failing schedule down to what it takes to violate the same invariant."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from embedded.world.behaviour import Scenario
from tests.simulation.foreign import (
    KeyIsDisabled,
    LaunchesRunShort,
    MaximumChanges,
    SnapshotIsLost,
    StackUpdates,
)
from tests.simulation.parts import PROMPT
from tests.simulation.play import play
from tests.simulation.publications import DataIsReady, WriterSetup
from tests.simulation.schedule import (
    CallsFail,
    Entry,
    EventTravels,
    FleetSetup,
    InTheMiddle,
    InvocationsFail,
    OperatorStarts,
    Schedule,
    SnapshotCompletes,
)

MOST_PLAYS = 300
"""Plays that one shrinking may take: what is not minimal then is small enough to read."""

Fails = Callable[[Schedule], bool]
_SIMPLER_FLEETS: tuple[dict[str, object], ...] = (
    {"capacity": 1},
    {"capacity": 2},
    {"min_healthy": 100, "max_healthy": 150},
    {"checkpoints": ()},
    {"probe": None},
    {"max_age": None},
    {"watches_alarm": True},
    {"heals": False},
    {"mixed": False},
    {"writer": None},
)


def shrink(schedule: Schedule, fails: Fails | None = None) -> Schedule:
    """Give the smallest schedule found that still fails.

    Parameters
    ----------
    fails
        Tells whether a schedule fails as the given one does; by default it is played, and has to
        violate the same invariant.
    """
    shrinker = _Shrinker(fails or _same_violation(schedule))
    return shrinker.shrink(schedule)


def _same_violation(schedule: Schedule) -> Fails:
    found = play(schedule).violation
    wanted = found.invariant if found else None

    def fails(candidate: Schedule) -> bool:
        violation = play(candidate).violation
        return violation is not None and violation.invariant == wanted

    return fails


class _Shrinker:
    def __init__(self, fails: Fails) -> None:
        self._fails = fails
        self._plays = 0

    def shrink(self, schedule: Schedule) -> Schedule:
        before = None
        while schedule != before and self._plays < MOST_PLAYS:
            before = schedule
            schedule = self._drop(schedule)
            schedule = self._first_that_fails(schedule, _with_fewer_fleets)
            schedule = self._first_that_fails(schedule, _with_simpler_entries)
            schedule = self._first_that_fails(schedule, _with_simpler_fleets)
        return schedule

    def _still_fails(self, candidate: Schedule) -> bool:
        if self._plays >= MOST_PLAYS:
            return False
        self._plays += 1
        return self._fails(candidate)

    def _drop(self, schedule: Schedule) -> Schedule:
        """Leave out runs of entries, long ones first."""
        length = max(1, len(schedule.entries) // 2)
        while length:
            at = 0
            while at < len(schedule.entries):
                entries = schedule.entries
                fewer = _with(schedule, entries[:at] + entries[at + length :])
                if _makes_sense(fewer) and self._still_fails(fewer):
                    schedule = fewer
                else:
                    at += length
            length //= 2
        return schedule

    def _first_that_fails(
        self, schedule: Schedule, simpler: Callable[[Schedule], Iterator[Schedule]]
    ) -> Schedule:
        """Go to a simpler schedule as long as one of them fails."""
        while True:
            for candidate in simpler(schedule):
                if candidate != schedule and self._still_fails(candidate):
                    schedule = candidate
                    break
            else:
                return schedule


def _with(schedule: Schedule, entries: tuple[Entry, ...]) -> Schedule:
    return schedule.model_copy(update={"entries": entries})


def _makes_sense(schedule: Schedule) -> bool:
    """Whether nobody asks for a snapshot that is not there."""
    labels = {one.label for one in schedule.entries if isinstance(one, SnapshotCompletes)}
    asked = {one.snapshot for one in schedule.entries if isinstance(one, OperatorStarts)}
    return asked <= labels | {"latest"}


def _with_fewer_fleets(schedule: Schedule) -> Iterator[Schedule]:
    for gone in range(len(schedule.fleets)):
        if len(schedule.fleets) == 1 or any(_fleet_of(one) == gone for one in schedule.entries):
            continue
        entries = tuple(
            one.model_copy(update={"fleet": _fleet_of(one) - 1}) if _fleet_of(one) > gone else one
            for one in schedule.entries
        )
        fleets = schedule.fleets[:gone] + schedule.fleets[gone + 1 :]
        yield schedule.model_copy(update={"fleets": fleets, "entries": entries})


def _fleet_of(entry: Entry) -> int:
    return int(getattr(entry, "fleet", -1))


def _with_simpler_entries(schedule: Schedule) -> Iterator[Schedule]:
    for number, entry in enumerate(schedule.entries):
        for changes in _simpler(entry):
            if any(getattr(entry, name) != value for name, value in changes.items()):
                simpler = entry.model_copy(update=changes)
                entries = schedule.entries
                yield _with(schedule, (*entries[:number], simpler, *entries[number + 1 :]))


def _simpler(entry: Entry) -> Iterator[dict[str, object]]:
    """What may be made plainer in an entry, one thing at a time."""
    yield {"at": float(round(entry.at / 60) * 60)}
    match entry:
        case SnapshotCompletes():
            yield {"scenario": Scenario.HEALTHY}
            yield {"encrypted": True}
            yield {"copied": False, "data_before": None}
            yield {"taken_before": 600.0}
            yield {"size_gib": 100}
            yield {"arrivals": (PROMPT,)}
        case EventTravels():
            yield {"arrivals": ()}
        case CallsFail() | InvocationsFail():
            yield {"times": 1}
            yield {"at": 0.0}
        case InTheMiddle():
            yield {"later": 0.0}
        case StackUpdates():
            yield {"new_image": False}
            yield {"data": "live"}
        case DataIsReady():
            yield {"scenario": Scenario.HEALTHY}
            yield {"by": "event", "arrivals": (PROMPT,)}
            yield {"data_before": None}
            yield {"snapshot_only": False}
        case SnapshotIsLost():
            yield {"how": "deleted"}
        case LaunchesRunShort() | KeyIsDisabled():
            yield {"seconds": 600.0}
        case MaximumChanges():
            yield {"above_desired": 0}


def _with_simpler_fleets(schedule: Schedule) -> Iterator[Schedule]:
    for number, fleet in enumerate(schedule.fleets):
        hookless = ({"writer": WriterSetup()},) if fleet.writer else ()
        for changes in (*_SIMPLER_FLEETS, *hookless):
            if fleet.capacity <= int(str(changes.get("capacity", fleet.capacity + 1))) and (
                "capacity" in changes
            ):
                continue
            simpler: FleetSetup = fleet.model_copy(update=changes)
            fleets = (*schedule.fleets[:number], simpler, *schedule.fleets[number + 1 :])
            yield schedule.model_copy(update={"fleets": fleets})
