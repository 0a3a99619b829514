"""Carries out what happens to writers, and keeps what their hooks were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from typing import Any

from embedded.scenarios.stage import ENVIRONMENT, Stage
from embedded.scenarios.writers import Publishing
from embedded.states.execution import Execution
from embedded.world.awslambda import FunctionSpec
from tests.simulation.injections import Injections
from tests.simulation.observer import Observer
from tests.simulation.publications import (
    DataIsReady,
    HookSays,
    Publication,
    PublishIsAborted,
    SnapshotBreaks,
    WriterSetup,
)


@dataclass(frozen=True)
class Asked:
    """Something that a hook was asked, and until when it may hold the writer."""

    at: datetime
    number: int
    """How many calls AWS had been asked before."""
    action: str
    publish: str
    deadline: datetime
    said: HookSays


@dataclass(frozen=True)
class Wanted:
    """A snapshot that was asked for."""

    at: datetime
    true_at: datetime | None
    """When the data was true, if anybody said."""
    snapshot_only: bool


class Writer:
    """One fleet's writer: a volume, a parameter, and its hook if it has one."""

    def __init__(self, stage: Stage, seen: Observer, setup: WriterSetup) -> None:
        self.seen = seen
        self.setup = setup
        self.asked: list[Asked] = []
        """Everything that its hook was asked."""
        self.wanted: list[Wanted] = []
        """Everything that was asked for."""
        self._stage = stage
        self._answers = cycle(setup.hook or (HookSays.DONE,))
        name = f"snaproll-quiesce-{ENVIRONMENT}-{self.name}"
        policy: dict[str, Any] = {}
        if setup.hook:
            policy["quiesce"] = {"function": name, "limit": f"{setup.limit}s"}
            stage.world.awslambda.install(
                FunctionSpec(
                    name=name,
                    handler=lambda event, _: self._answer(event),
                    logical_id=name,
                    role_arn=f"arn:aws:iam::{stage.world.account}:role/hook",
                )
            )
        Publishing(stage).add_writer(seen.scene.fleet, policy)

    @property
    def name(self) -> str:
        """The writer is called as its fleet."""
        return self.seen.scene.fleet.name

    def _answer(self, event: dict[str, Any]) -> Any:
        said = next(self._answers)
        self.asked.append(
            Asked(
                at=self._stage.world.clock.now(),
                number=len(self._stage.world.calls),
                action=event["action"],
                publish=event["publish"],
                deadline=datetime.fromisoformat(event["deadline"]),
                said=said,
            )
        )
        if said is HookSays.RAISES:
            raise RuntimeError("the hook has a bug")
        return {"state": said.value} if said is not HookSays.NONSENSE else {"state": "perhaps"}


class Publishers:
    """The writers of a stage. ``note`` is told of everything."""

    def __init__(
        self,
        stage: Stage,
        observers: Sequence[Observer],
        injections: Injections,
        note: Callable[[str], None],
    ) -> None:
        self._stage = stage
        self._publishing = Publishing(stage)
        self._injections = injections
        self._note = note
        self._ticks: set[datetime] = set()
        self.writers = {
            index: Writer(stage, seen, seen.setup.writer)
            for index, seen in enumerate(observers)
            if seen.setup.writer is not None
        }
        """By the index of their fleet."""

    @property
    def executions(self) -> list[Execution]:
        """Every publish so far."""
        return self._publishing.publishes() if self.writers else []

    @property
    def busy(self) -> bool:
        """Whether a publish runs."""
        return any(one.running for one in self.executions)

    def do(self, entry: Publication) -> None:
        """Carry one entry out."""
        match entry:
            case DataIsReady():
                writer = self.writers.get(entry.fleet)
                if writer is not None:
                    self._ask(entry, writer)
            case PublishIsAborted():
                self._abort(entry)
            case SnapshotBreaks():
                self._note("EC2 will not complete the next snapshot")
                self._stage.world.ec2.fail_next_snapshot("an internal error")

    def _ask(self, entry: DataIsReady, writer: Writer) -> None:
        world = self._stage.world
        now = world.clock.now()
        world.ec2.write_to_volume(writer.seen.scene.fleet.volume, entry.scenario.value)
        what: dict[str, Any] = {}
        true_at = None
        if entry.data_before is not None:
            true_at = now - timedelta(seconds=entry.data_before)
            what["data_time"] = true_at.isoformat()
        if entry.snapshot_only:
            what["mode"] = "snapshot_only"
        if entry.by == "schedule":
            minute = now.replace(second=0, microsecond=0)
            if minute in self._ticks:
                return  # a schedule ticks once a minute at most
            self._ticks.add(minute)
            self._note("the publishing schedule ticks")
            for one in self.writers.values():
                one.wanted.append(Wanted(now, None, snapshot_only=False))
            tick = {
                "source": "aws.events",
                "detail-type": "Scheduled Event",
                "detail": {},
                "resources": [],
                "time": now.isoformat(),
            }
            function = self._stage.stack.functions["RequestPublishFunction"]
            world.awslambda.invoke_async(function, tick, caller="schedule")
            return
        writer.wanted.append(Wanted(now, true_at, entry.snapshot_only))
        if entry.by == "person":
            execution = self._publishing.start({"writer": writer.name, **what})
            self._note(f"a person starts the publish {execution.name} with {what}")
            return
        self._injections.next_arrives(entry.arrivals)
        self._publishing.materialize(writer.name, **what)
        arrives = ", ".join(f"{delay:.0f} s" for delay in entry.arrivals)
        self._note(
            f"the data of {writer.name} ({entry.scenario.value}) is ready, {what}; its event "
            f"arrives after {arrives}"
        )

    def _abort(self, entry: PublishIsAborted) -> None:
        writer = self.writers.get(entry.fleet)
        running = [
            one
            for one in self.executions
            if one.running and writer is not None and _writer_of(one) == writer.name
        ]
        if running:
            self._note(f"a person aborts the publish {running[-1].name}")
            self._stage.session.client("stepfunctions").stop_execution(executionArn=running[-1].arn)


def _writer_of(execution: Execution) -> str:
    given: dict[str, Any] = execution.input.value
    return str(given.get("writer") or given.get("detail", {}).get("writer"))
