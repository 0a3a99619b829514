"""Carries out a schedule: what snapshots, people and the environment do to fleets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.states.documents import Document
from embedded.states.execution import Execution
from embedded.world.autoscaling.refresh import CANCELLING
from snaproll.domain.handover import MOST_LOOKS
from tests.simulation.injections import Injections
from tests.simulation.observer import Observer
from tests.simulation.outsiders import TYPES, Outsiders
from tests.simulation.probing import MOST_SECONDS, probe_name
from tests.simulation.publications import DataIsReady, PublishIsAborted, SnapshotBreaks
from tests.simulation.publishers import Publishers
from tests.simulation.schedule import (
    LATEST,
    AlarmIsHeld,
    CallsFail,
    CapacityChanges,
    ComparisonRuns,
    Entry,
    EnvironmentStops,
    EventsAreLate,
    EventTravels,
    FleetSetup,
    HistoryFills,
    InTheMiddle,
    InvocationsFail,
    OperatorAborts,
    OperatorAsks,
    OperatorCancels,
    OperatorRedrives,
    OperatorStarts,
    PolicyIsWritten,
    ReadsLag,
    RefreshesBegin,
    SnapshotCompletes,
    SnapshotFails,
)

_HESITATES = 3.7
"""Seconds until a person redrives what another execution has just taken over."""
SOURCE_OF_COPIES = "snap-0fedcba9876543210"
_STOP = f"/snaproll/{ENVIRONMENT}/stop"
_TICK = {
    "source": "aws.events",
    "detail-type": "Scheduled Event",
    "detail": {},
    "resources": [],
}
"""What a rule with a schedule sends."""


class Stagehand:
    """Does to a stage what a schedule says. ``note`` is told of everything."""

    def __init__(
        self,
        stage: Stage,
        observers: Sequence[Observer],
        injections: Injections,
        note: Callable[[str], None],
    ) -> None:
        self._stage = stage
        self._world = stage.world
        self._observers = observers
        self._injections = injections
        self._note = note
        self._outsiders = Outsiders(stage, observers, note)
        self.publishers = Publishers(stage, observers, injections, note)
        self._stops = 0
        """Stops of the environment that are not over."""
        self.labels: dict[str, str] = {}
        """Snapshot id by label."""
        self._aborts: list[OperatorAborts] = []
        self._redrives: list[OperatorRedrives] = []
        self._middles: list[InTheMiddle] = []
        self._begun = 0
        """Of those, the ones whose moment has come and that have not happened yet."""

    @property
    def pending(self) -> int:
        """What was begun and is not over by itself."""
        return self._stops + self._begun + self._outsiders.pending

    def do(self, entry: Entry) -> None:  # noqa: C901, PLR0912 - one line for each kind of entry
        """Carry one entry out."""
        match entry:
            case SnapshotCompletes():
                self._complete(entry)
            case SnapshotFails():
                made = self._stage.complete_snapshot(self._fleet(entry.fleet), state="error")
                self._note(f"the snapshot {made} ends in an error")
            case OperatorStarts():
                self._start(entry)
            case CapacityChanges():
                self._scale(entry)
            case AlarmIsHeld():
                self._hold_alarm(entry)
            case CallsFail():
                self._injections.arm_fault(entry)
            case InvocationsFail():
                self._injections.arm_invocation(entry)
            case EventTravels():
                self._injections.arm_travel(entry)
            case EventsAreLate():
                self._injections.delay(entry)
            case ReadsLag():
                self._injections.lag(entry)
            case RefreshesBegin():
                self._world.autoscaling.pending_seconds = entry.after
            case ComparisonRuns():
                self._compare()
            case OperatorAborts():
                self._abort(entry)
            case InTheMiddle():
                self._middles.append(entry)
            case OperatorCancels():
                self._cancel(entry)
            case HistoryFills():
                self._fill_history(entry)
            case PolicyIsWritten():
                self._write_policy(entry)
            case OperatorRedrives():
                if entry.once_taken_over:
                    self._redrives.append(entry)
                else:
                    self._redrive(entry)
            case OperatorAsks():
                self._ask(entry)
            case EnvironmentStops():
                self._stop(entry)
            case DataIsReady() | PublishIsAborted() | SnapshotBreaks():
                self.publishers.do(entry)
            case _:
                self._outsiders.do(entry)

    def seize_moments(self) -> None:
        """Do what was to be done once an execution is in a certain state."""
        for entry in list(self._aborts):
            running = self._running(entry.fleet)
            if running and running[-1].position.state == entry.state:
                self._aborts.remove(entry)
                self._end(running[-1])
        for late in list(self._redrives):
            holder = self._observers[late.fleet].claimant
            if holder is not None and holder.takes_over and holder.execution.running:
                self._redrives.remove(late)
                # In a step of its own, and not when the other one takes its first.
                self._world.clock.after(
                    _HESITATES, "a person redrives", partial(self._redrive, late)
                )
        for middle in list(self._middles):
            if middle.state in self._states(middle.fleet):
                self._middles.remove(middle)
                self._begin(middle)

    def _states(self, fleet: int) -> set[str | None]:
        """Where the fleet's rollout and its group's newest refresh are."""
        running = self._running(fleet)
        refreshes = self._observers[fleet].scene.group.refreshes
        return {
            running[-1].position.state if running else None,
            refreshes[-1].status if refreshes else None,
        }

    def _begin(self, middle: InTheMiddle) -> None:
        then = middle.then.model_copy(update={"fleet": middle.fleet})
        self._begun += 1

        def do() -> None:
            self._begun -= 1
            self.do(then)

        self._world.clock.after(middle.later, f"the schedule's {then.kind}", do)

    # -- snapshots --------------------------------------------------------------------------------

    def _fleet(self, index: int) -> StagedFleet:
        return self._observers[index].scene.fleet

    def _complete(self, entry: SnapshotCompletes) -> None:
        now = self._world.clock.now()
        tags = {}
        if entry.data_before is not None:
            tags["snaproll:data-time"] = (now - timedelta(seconds=entry.data_before)).isoformat()
        copied: dict[str, Any] = {"source_id": SOURCE_OF_COPIES} if entry.copied else {}
        self._injections.next_arrives(entry.arrivals)
        made = self._stage.complete_snapshot(
            self._fleet(entry.fleet),
            entry.scenario.value,
            tags=tags,
            encrypted=entry.encrypted,
            size_gib=entry.size_gib,
            start_time=now - timedelta(seconds=entry.taken_before),
            **copied,
        )
        self.labels[entry.label] = made
        self._observers[entry.fleet].snapshots.append(made)
        kind = f"{'' if entry.encrypted else 'unencrypted '}{entry.scenario.value}"
        arrives = ", ".join(f"{delay:.0f} s" for delay in entry.arrivals)
        name = self._fleet(entry.fleet).name
        self._note(
            f"{entry.label} of {name} completes as {made} ({kind}); its event arrives after "
            f"{arrives or 'all: never'}"
        )

    # -- people -----------------------------------------------------------------------------------

    def _start(self, entry: OperatorStarts) -> None:
        content: dict[str, str] = {"fleet": self._fleet(entry.fleet).name}
        if entry.snapshot != LATEST:
            content["snapshot"] = self.labels[entry.snapshot]
        execution = self._stage.start(content)
        self._note(f"a person starts {execution.name} with {content}")

    def _scale(self, entry: CapacityChanges) -> None:
        group = self._fleet(entry.fleet).group
        # The dice do not know which fleet it will be, nor how large that may become.
        most = self._world.autoscaling.groups[group].maximum
        desired = min(entry.desired, most)
        self._note(f"the desired capacity of {group} becomes {desired}")
        self._stage.session.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=group, DesiredCapacity=desired
        )

    def _running(self, fleet: int) -> list[Execution]:
        return [one.execution for one in self._observers[fleet].running.values()]

    def _abort(self, entry: OperatorAborts) -> None:
        if entry.state is not None:
            self._aborts.append(entry)
            return
        running = self._running(entry.fleet)
        if running:
            self._end(running[-1])

    def _end(self, execution: Execution) -> None:
        if execution.running:
            self._note(f"a person aborts {execution.name} in {execution.position.state}")
            self._stage.session.client("stepfunctions").stop_execution(executionArn=execution.arn)

    def _fill_history(self, entry: HistoryFills) -> None:
        running = [one for one in self._running(entry.fleet) if "looks" in one.variables]
        if running:
            self._note(f"{running[-1].name} has looked at its fleet for the last time but one")
            running[-1].variables["looks"] = Document(MOST_LOOKS - 1)

    def _cancel(self, entry: OperatorCancels) -> None:
        group = self._fleet(entry.fleet).group
        refresh = self._world.autoscaling.groups[group].refresh
        if refresh is None or refresh.status == CANCELLING:
            return
        self._note(f"a person cancels the refresh {refresh.id} of {group}")
        self._stage.session.client("autoscaling").cancel_instance_refresh(
            AutoScalingGroupName=group
        )

    def _write_policy(self, entry: PolicyIsWritten) -> None:
        name = f"/snaproll/{ENVIRONMENT}/fleets/{self._fleet(entry.fleet).name}"
        ssm = self._stage.session.client("ssm")
        value = ssm.get_parameter(Name=name)["Parameter"].get("Value", "")
        self._note(f"the parameter {name} is written again")
        ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)

    def _redrive(self, entry: OperatorRedrives) -> None:
        dead = [
            one.execution
            for one in self._observers[entry.fleet].rollouts.values()
            if one.execution.status == "ABORTED" or one.died
        ]
        if dead:
            self._note(f"a person redrives {dead[-1].name}")
            self._stage.session.client("stepfunctions").redrive_execution(executionArn=dead[-1].arn)

    def _ask(self, entry: OperatorAsks) -> None:
        asked = self._request(entry)
        if asked is None:
            return
        execution = self._stage.start({"fleet": self._fleet(entry.fleet).name, **asked})
        self._note(f"a person starts {execution.name} with {asked}")

    def _request(self, entry: OperatorAsks) -> dict[str, object] | None:
        seen = self._observers[entry.fleet]
        if entry.what in ("lift", "quarantined", "insist"):
            bad = seen.newest_quarantined()
            return _of_quarantined(entry.what, bad) if bad is not None else None
        requests: dict[str, dict[str, object]] = {
            "hold": {"hold": "a look at it", "by": "ann"},
            "hold and roll back": {"hold": "wrong data", "by": "ann", "running": "roll_back"},
            "resume": {"resume": "it is over", "by": "ann"},
            "previous": {"snapshot": "previous", "reason": "the numbers are wrong"},
            "repair": {"snapshot": LATEST, "reason": "the live numbers are wrong"},
            "stay": {"snapshot": seen.live.snapshot, "reason": "the new ones are wrong"},
            "again": {"snapshot": "live"},
            "preview": {"dry_run": True},
        }
        return requests[entry.what]

    # -- the environment --------------------------------------------------------------------------

    def _compare(self) -> None:
        function = self._stage.stack.functions["ReconcileFleetsFunction"]
        self._note("the comparison runs besides its schedule")
        self._world.awslambda.invoke_async(function, _TICK, caller="schedule")

    def _stop(self, entry: EnvironmentStops) -> None:
        self._note(f"the environment is stopped for {entry.seconds:.0f} s")
        ssm = self._stage.session.client("ssm")
        ssm.put_parameter(Name=_STOP, Value="an audit", Type="String", Overwrite=True)
        self._stops += 1
        for seen in self._observers:
            now = self._world.clock.now()
            until = now + timedelta(seconds=entry.seconds)
            if seen.stopped_until is None or seen.stopped_until < now:
                seen.notes.stopped_since = now
            seen.stopped_until = max(seen.stopped_until or until, until)
        self._world.clock.after(entry.seconds, "the stop ends", self._go_on)

    def _go_on(self) -> None:
        self._stops -= 1
        if self._stops:
            return
        self._note("the environment is stopped no more")
        self._stage.session.client("ssm").delete_parameter(Name=_STOP)

    def _hold_alarm(self, entry: AlarmIsHeld) -> None:
        alarm = self._fleet(entry.fleet).alarm
        self._note(f"the alarm {alarm} is held in {entry.state}")
        self._world.cloudwatch.hold(alarm, entry.state)
        self._world.clock.after(
            entry.seconds, "the alarm is let go", lambda: self._release_alarm(alarm)
        )

    def _release_alarm(self, alarm: str) -> None:
        self._note(f"the alarm {alarm} follows its metric again")
        self._world.cloudwatch.release(alarm)


def _of_quarantined(what: str, bad: str) -> dict[str, object]:
    """What a person asks of a snapshot that is quarantined."""
    if what == "lift":
        return {"lift_quarantine": bad, "reason": "it was the host", "by": "ann"}
    return {"snapshot": bad, **({"reason": "it is good"} if what == "insist" else {})}


def build(stage: Stage, name: str, setup: FleetSetup) -> StagedFleet:
    """Build a fleet with the policy that its setup asks for."""
    snapshots: dict[str, Any] = {"tags": {"GraphId": name, "Environment": ENVIRONMENT}}
    if setup.max_age is not None:
        snapshots["max_age"] = f"{setup.max_age}s"
    policy: dict[str, Any] = {
        "snapshots": snapshots,
        "refresh": {
            "min_healthy": setup.min_healthy,
            "max_healthy": setup.max_healthy,
            "warmup": f"{setup.warmup}s",
            "checkpoints": list(setup.checkpoints),
            "checkpoint_wait": f"{setup.checkpoint_wait}s",
            "bake": f"{setup.bake}s",
        },
        "health": {
            "alarms": [f"{name}-unhealthy"] if setup.watches_alarm else [],
            "unhealthy_grace": f"{setup.unhealthy_grace}s",
        },
    }
    if setup.probe is not None:
        policy["health"]["probe"] = {
            "function": probe_name(name),
            "timeout": f"{MOST_SECONDS}s",
            "tries": setup.probe.tries,
        }
    if setup.heals:
        policy["on_drift"] = "heal"
    fleet = stage.add_fleet(name, capacity=setup.capacity, policy=policy)
    if setup.mixed:
        _mix(stage, fleet)
    return fleet


def _mix(stage: Stage, fleet: StagedFleet) -> None:
    """Let a group take the second type where there is none of the first."""
    overrides: Any = [{"InstanceType": one} for one in TYPES]
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        MixedInstancesPolicy={
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateId": fleet.template_id,
                    "Version": "1",
                },
                "Overrides": overrides,
            }
        },
    )
