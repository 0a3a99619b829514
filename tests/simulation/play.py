"""Plays a schedule to its end and checks the invariants after every step."""

from __future__ import annotations

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from embedded.scenarios.stage import Stage
from embedded.states.execution import Execution
from embedded.world.world import World
from tests.simulation.injections import Injections
from tests.simulation.invariants import Invariants
from tests.simulation.observer import Observer
from tests.simulation.probing import Probe
from tests.simulation.publish_properties import check_publishes
from tests.simulation.quiescence import check_quiescence
from tests.simulation.scene import Scene
from tests.simulation.schedule import Entry, Schedule
from tests.simulation.stagehand import Stagehand, build
from tests.simulation.violation import Violation, ViolationError

FLEET = "sim"
CHECKED_SEEDS = 8
"""In one of so many seeds every request and reply is held against botocore's shapes, and functions
log as they do by default: that takes a fifth longer."""
_QUIET_LOGS = {"LogLevel": "WARNING"}
QUIET = timedelta(minutes=35)
"""No rollout must run for so long before the story is over: longer than two comparisons take, and
than any event of the story is late."""
LONGEST = timedelta(days=3)
"""How long after its last entry a schedule may keep rollouts busy."""


@dataclass(frozen=True)
class Happening:
    """Something that the schedule did to the world."""

    at: datetime
    what: str


@dataclass
class Played:
    """What became of a schedule."""

    schedule: Schedule
    began: datetime
    ended: datetime
    executions: list[Execution]
    """The rollouts."""
    publishes: list[Execution]
    happenings: list[Happening]
    violation: Violation | None
    world: World
    functions: dict[str, str]
    """The name of each function of the control plane, by its logical id."""
    steps: int
    labels: dict[str, str] = field(default_factory=dict)
    """Snapshot id by label."""

    def outcomes(self) -> Counter[str]:
        """How the executions ended."""
        return Counter(outcome_of(one) for one in self.executions)

    @property
    def digest(self) -> str:
        """The same for the same history: every call, event and state."""
        return _digest(self.world, [*self.executions, *self.publishes])


def outcome_of(execution: Execution) -> str:
    """The name of an execution's end."""
    if execution.output is not None:
        value: dict[str, Any] = execution.output.value
        return str(value.get("outcome", execution.status))
    return execution.error or execution.status


def fleet_name(index: int) -> str:
    """What the fleet at an index of a schedule is called."""
    return FLEET if index == 0 else f"{FLEET}-{index + 1}"


def play(schedule: Schedule, prepare: Callable[[World], None] | None = None) -> Played:
    """Play a schedule; the same one has the same history every time.

    ``prepare`` is given the world once the fleets stand in it.
    """
    player = _Player(schedule)
    if prepare is not None:
        prepare(player.world)
    return player.play()


class _Player:
    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self.world = World(seed=schedule.world_seed)
        checked = schedule.seed % CHECKED_SEEDS == 0
        self._stage = Stage(
            self.world,
            check_replies=checked,
            check_requests=checked,
            parameters={} if checked else _QUIET_LOGS,
        )
        fleets = [
            (build(self._stage, fleet_name(index), setup), setup)
            for index, setup in enumerate(schedule.fleets)
        ]
        self._happenings: list[Happening] = []
        injections = Injections(self.world, self._note)
        self._observers = [Observer(Scene(self._stage, fleet), setup) for fleet, setup in fleets]
        for one in self._observers:
            one.disturbed = schedule.disturbed
            one.notes.lags, one.notes.signals_arrive = schedule.lags, schedule.signals_arrive
            if one.setup.probe is not None:
                Probe(self.world, one, one.setup.probe)
        self._hand = Stagehand(self._stage, self._observers, injections, self._note)
        self._pending = len(schedule.entries)
        self._busy_at = self._began = self.world.clock.now()
        self._quiet_for = QUIET + timedelta(seconds=schedule.latest)
        self._steps = 0

    def play(self) -> Played:
        for entry in self._schedule.entries:
            self.world.clock.at(
                self._began + timedelta(seconds=entry.at),
                f"the schedule's {entry.kind}",
                lambda entry=entry: self._do(entry),  # type: ignore[misc]
            )
        violation = None
        try:
            self._run()
        except ViolationError as error:
            violation = error.violation
        except Exception as error:  # noqa: BLE001 - told with the seed, like any other finding
            told = "".join(traceback.format_exception(error))
            violation = Violation("crash", f"the world stopped: {error!r}", {"traceback": told})
        return Played(
            schedule=self._schedule,
            began=self._began,
            ended=self.world.clock.now(),
            executions=self._stage.rollouts(),
            publishes=self._hand.publishers.executions,
            happenings=self._happenings,
            violation=violation,
            world=self.world,
            functions=self._stage.stack.functions,
            steps=self._steps,
            labels=self._hand.labels,
        )

    def _run(self) -> None:
        world = self.world
        invariants = [Invariants(one) for one in self._observers]
        last = self._schedule.entries[-1].at if self._schedule.entries else 0.0
        deadline = self._began + timedelta(seconds=last) + LONGEST
        while not self._quiet():
            due = world.clock.next_at()
            if due is None:
                break
            if due > deadline:
                running = [run.name for one in self._observers for run in one.running.values()]
                what = f"rollouts still run {LONGEST} after the last thing that happened"
                raise ViolationError(Violation("I6", what, {"running": running}))
            world.step()
            self._steps += 1
            for one in invariants:
                one.check()
            self._hand.seize_moments()
        check_publishes(self._hand.publishers, self._schedule, world)
        check_quiescence(self._observers, self._schedule)

    def _quiet(self) -> bool:
        now = self.world.clock.now()
        busy = any(one.busy for one in self._observers) or self._hand.publishers.busy
        if self._pending or self._hand.pending or busy:
            self._busy_at = now
            return False
        return now - self._busy_at >= self._quiet_for

    def _note(self, what: str) -> None:
        self._happenings.append(Happening(self.world.clock.now(), what))

    def _do(self, entry: Entry) -> None:
        self._pending -= 1
        self._hand.do(entry)


def _digest(world: World, executions: list[Execution]) -> str:
    digest = hashlib.sha256()
    for call in world.calls:
        digest.update(f"{call.at}{call.caller}{call.operation}{call.params}".encode())
    for event in world.events.seen:
        digest.update(f"{event.at}{event.id}{event.detail_type}".encode())
    for execution in executions:
        for step in execution.history:
            digest.update(f"{step.at}{step.type}".encode())
    return digest.hexdigest()[:16]
