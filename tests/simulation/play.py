"""Plays a schedule to its end and checks the invariants after every step."""

from __future__ import annotations

import hashlib
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.world import World
from tests.simulation.injections import Injections
from tests.simulation.invariants import Invariants, Violation, ViolationError
from tests.simulation.observer import Observer
from tests.simulation.quiescence import check_quiescence
from tests.simulation.scene import Scene
from tests.simulation.schedule import (
    LATEST,
    AlarmIsHeld,
    CallsFail,
    CapacityChanges,
    Entry,
    EnvironmentStops,
    EventTravels,
    FleetSetup,
    OperatorAborts,
    OperatorAsks,
    OperatorRedrives,
    OperatorStarts,
    Schedule,
    SnapshotCompletes,
)

FLEET = "sim"
SOURCE_OF_COPIES = "snap-0fedcba9876543210"
CHECKED_SEEDS = 8
"""In one of so many seeds every request and reply is held against botocore's shapes, which takes
almost as long as everything else."""
QUIET = timedelta(minutes=65)
"""No rollout must run for so long before the story is over: longer than any event is late."""
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
    happenings: list[Happening]
    violation: Violation | None
    digest: str
    """The same for the same history: every call, event and state."""
    steps: int
    labels: dict[str, str] = field(default_factory=dict)
    """Snapshot id by label."""

    def outcomes(self) -> Counter[str]:
        """How the executions ended."""
        return Counter(outcome_of(one) for one in self.executions)


def outcome_of(execution: Execution) -> str:
    """The name of an execution's end."""
    if execution.output is not None:
        value: dict[str, Any] = execution.output.value
        return str(value.get("outcome", execution.status))
    return execution.error or execution.status


def play(schedule: Schedule) -> Played:
    """Play a schedule; the same one has the same history every time."""
    return _Player(schedule).play()


class _Player:
    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._world = World(seed=schedule.world_seed)
        checked = schedule.seed % CHECKED_SEEDS == 0
        self._stage = Stage(self._world, check_replies=checked, check_requests=checked)
        self._fleet = _build(self._stage, schedule.fleet)
        self._happenings: list[Happening] = []
        self._injections = Injections(self._world, self._note)
        self._observer = Observer(Scene(self._stage, self._fleet), schedule.fleet)
        self._labels: dict[str, str] = {}
        self._pending = len(schedule.entries)
        self._busy_at = self._began = self._world.clock.now()
        self._steps = 0

    def play(self) -> Played:
        for entry in self._schedule.entries:
            self._world.clock.at(
                self._began + timedelta(seconds=entry.at),
                f"the schedule's {entry.kind}",
                lambda entry=entry: self._inject(entry),  # type: ignore[misc]
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
            ended=self._world.clock.now(),
            executions=self._stage.rollouts(),
            happenings=self._happenings,
            violation=violation,
            digest=_digest(self._world, self._stage.rollouts()),
            steps=self._steps,
            labels=self._labels,
        )

    def _run(self) -> None:
        world, invariants = self._world, Invariants(self._observer)
        last = self._schedule.entries[-1].at if self._schedule.entries else 0.0
        deadline = self._began + timedelta(seconds=last) + LONGEST
        while not self._quiet():
            due = world.clock.next_at()
            if due is None:
                break
            if due > deadline:
                running = [one.name for one in self._observer.running.values()]
                what = f"rollouts still run {LONGEST} after the last thing that happened"
                raise ViolationError(Violation("I6", what, {"running": running}))
            world.step()
            self._steps += 1
            invariants.check()
        check_quiescence(self._observer, self._schedule, self._labels.values())

    def _quiet(self) -> bool:
        now = self._world.clock.now()
        waits = "claim" in self._observer.ledger
        if self._pending or self._observer.running or waits:
            self._busy_at = now
            return False
        return now - self._busy_at >= QUIET

    # -- entries ----------------------------------------------------------------------------------

    def _note(self, what: str) -> None:
        self._happenings.append(Happening(self._world.clock.now(), what))

    def _inject(self, entry: Entry) -> None:
        self._pending -= 1
        match entry:
            case SnapshotCompletes():
                self._complete(entry)
            case OperatorStarts():
                self._start(entry)
            case CapacityChanges():
                self._note(f"the desired capacity becomes {entry.desired}")
                self._stage.session.client("autoscaling").set_desired_capacity(
                    AutoScalingGroupName=self._fleet.group, DesiredCapacity=entry.desired
                )
            case AlarmIsHeld():
                self._hold_alarm(entry)
            case CallsFail():
                self._injections.arm_fault(entry)
            case EventTravels():
                self._injections.arm_travel(entry)
            case OperatorAborts() | OperatorRedrives() | OperatorAsks() | EnvironmentStops():
                self._interfere(entry)

    def _complete(self, entry: SnapshotCompletes) -> None:
        now = self._world.clock.now()
        tags = {}
        if entry.data_before is not None:
            tags["snaproll:data-time"] = (now - timedelta(seconds=entry.data_before)).isoformat()
        copied: dict[str, Any] = {"source_id": SOURCE_OF_COPIES} if entry.copied else {}
        self._injections.next_arrives(entry.arrivals)
        made = self._stage.complete_snapshot(
            self._fleet,
            entry.scenario.value,
            tags=tags,
            encrypted=entry.encrypted,
            size_gib=entry.size_gib,
            start_time=now - timedelta(seconds=entry.taken_before),
            **copied,
        )
        self._labels[entry.label] = made
        kind = f"{'' if entry.encrypted else 'unencrypted '}{entry.scenario.value}"
        arrives = ", ".join(f"{delay:.0f} s" for delay in entry.arrivals)
        self._note(f"{entry.label} completes as {made} ({kind}); its event arrives after {arrives}")

    def _start(self, entry: OperatorStarts) -> None:
        content: dict[str, str] = {"fleet": self._fleet.name}
        if entry.snapshot != LATEST:
            content["snapshot"] = self._labels[entry.snapshot]
        execution = self._stage.start(content)
        self._note(f"a person starts {execution.name} with {content}")

    def _interfere(
        self, entry: OperatorAborts | OperatorRedrives | OperatorAsks | EnvironmentStops
    ) -> None:
        match entry:
            case OperatorAborts():
                self._abort()
            case OperatorRedrives():
                self._redrive()
            case OperatorAsks():
                self._ask(entry)
            case EnvironmentStops():
                self._stop(entry)

    def _abort(self) -> None:
        running = [one for one in self._stage.rollouts() if one.running]
        if running:
            self._note(f"a person aborts {running[-1].name}")
            self._stage.session.client("stepfunctions").stop_execution(executionArn=running[-1].arn)

    def _redrive(self) -> None:
        dead = [one for one in self._stage.rollouts() if one.status == "ABORTED"]
        if dead:
            self._note(f"a person redrives {dead[-1].name}")
            self._stage.session.client("stepfunctions").redrive_execution(executionArn=dead[-1].arn)

    def _ask(self, entry: OperatorAsks) -> None:
        asked = {
            "hold": {"hold": "a look at it", "by": "ann"},
            "hold and roll back": {"hold": "wrong data", "by": "ann", "running": "roll_back"},
            "resume": {"resume": "it is over", "by": "ann"},
            "previous": {"snapshot": "previous", "reason": "the numbers are wrong"},
            "repair": {"snapshot": LATEST, "reason": "the live numbers are wrong"},
            "stay": {"snapshot": self._observer.live.snapshot, "reason": "the new ones are wrong"},
        }[entry.what]
        execution = self._stage.start({"fleet": self._fleet.name, **asked})
        self._note(f"a person starts {execution.name} with {asked}")

    def _stop(self, entry: EnvironmentStops) -> None:
        self._note(f"the environment is stopped for {entry.seconds:.0f} s")
        ssm, name = self._stage.session.client("ssm"), f"/snaproll/{ENVIRONMENT}/stop"
        ssm.put_parameter(Name=name, Value="an audit", Type="String", Overwrite=True)
        self._pending += 1
        self._world.clock.after(entry.seconds, "the stop ends", self._go_on)

    def _go_on(self) -> None:
        self._pending -= 1
        self._note("the environment is stopped no more")
        name = f"/snaproll/{ENVIRONMENT}/stop"
        self._stage.session.client("ssm").delete_parameter(Name=name)

    def _hold_alarm(self, entry: AlarmIsHeld) -> None:
        self._note(f"the alarm {self._fleet.alarm} is held in {entry.state}")
        self._world.cloudwatch.hold(self._fleet.alarm, entry.state)
        self._world.clock.after(entry.seconds, "the alarm is let go", self._release_alarm)

    def _release_alarm(self) -> None:
        self._note(f"the alarm {self._fleet.alarm} follows its metric again")
        self._world.cloudwatch.release(self._fleet.alarm)


def _build(stage: Stage, setup: FleetSetup) -> StagedFleet:
    snapshots: dict[str, Any] = {"tags": {"GraphId": FLEET, "Environment": "demo"}}
    if setup.max_age is not None:
        snapshots["max_age"] = f"{setup.max_age}s"
    fleet_alarm = [f"{FLEET}-unhealthy"] if setup.watches_alarm else []
    policy = {
        "snapshots": snapshots,
        "refresh": {
            "min_healthy": setup.min_healthy,
            "max_healthy": setup.max_healthy,
            "warmup": f"{setup.warmup}s",
            "checkpoints": list(setup.checkpoints),
            "checkpoint_wait": f"{setup.checkpoint_wait}s",
            "bake": f"{setup.bake}s",
        },
        "health": {"alarms": fleet_alarm, "unhealthy_grace": f"{setup.unhealthy_grace}s"},
    }
    return stage.add_fleet(FLEET, capacity=setup.capacity, policy=policy)


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
