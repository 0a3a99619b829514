"""Notices what a step of the world did, at a cost that depends on what happened and not on size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

from embedded.scenarios.stage import DATA_DEVICE
from embedded.world.autoscaling.refresh import BAKING, InstanceRefresh
from embedded.world.autoscaling.upkeep import Launch
from embedded.world.elbv2.targets import TargetState
from embedded.world.faults import Call
from tests.simulation.meddled import Meddled
from tests.simulation.notes import Notes
from tests.simulation.oracle import WAIVED, unfit_because
from tests.simulation.rollout import Live, Look, Rollout, Step
from tests.simulation.scene import Item, Scene
from tests.simulation.schedule import FleetSetup

_READING = ("BatchGet", "Describe", "Get", "List", "Query")
_FLEET_SERVICES = frozenset({"autoscaling", "ec2", "elbv2"})
_CHANGED_NOTHING = frozenset({"SnapshotRejected", "FleetNotReady", "Stopped"})
"""Outcomes that are reached before any instance is replaced."""
_GATE, _PREFLIGHT, _LOOK = (
    "ValidateSnapshotFunction",
    "InspectFleetFunction",
    "WatchHealthFunction",
)


class Observer:
    """Follows a fleet step by step."""

    def __init__(self, scene: Scene, setup: FleetSetup) -> None:
        self.scene = scene
        self.setup = setup
        self.live = Live(scene.fleet.first_snapshot, scene.saved_version)
        self.proven = self.live
        """The release by which instances last proved what is live: the ledger takes over the number
        of another version that others make with the same snapshot."""
        self.meddled = Meddled()
        self.ledger: Item = {}
        self.condemned: set[str] = set()
        """Snapshots that the fleet's probe called bad."""
        self.passed: dict[str, bool] = {}
        """What the probe last said of a snapshot at the end of its bake."""
        self.asked_going_back: list[str] = []
        """Snapshots that the probe was asked about while the fleet went back."""
        self.disturbed = False
        """Whether AWS is made to fail, so that executions may die."""
        self.snapshots: list[str] = []
        """Those that completed since the beginning."""
        self.notes = Notes()
        self.stopped_until: datetime | None = None
        """Until when the environment was, or is, stopped."""
        self.dead_since: datetime | None = None
        """Since when the claim belongs to an execution that does not run."""
        self.queued: Item | None = None
        """What waited for the fleet when that was last looked at."""
        self.changers: list[Rollout] = []
        """The rollouts that changed the fleet, in their order."""
        self.rollouts: dict[str, Rollout] = {}
        """Every execution by its ARN."""
        self.running: dict[str, Rollout] = {}
        self.baking_since: dict[str, datetime] = {}
        """When each refresh began to bake."""
        self._functions = frozenset(scene.stage.stack.functions)
        world = scene.world
        self._calls = len(world.calls)
        self._events = len(world.events.seen)
        self._launches = len(world.autoscaling.launches)
        self.promotion_begun: int | None = None
        """The version of a staged release that ``$Default`` was moved to once it was proven."""
        self._refreshes = 0
        self._seen: object = None
        self._next_version = world.ec2.template(scene.fleet.template_id).next_number
        self._configuration: object = None
        self._quarantined: list[str] = []
        self._alarmed_at: datetime | None = None
        self._serving_since: dict[str, datetime] = {}
        """Since when each snapshot has had instances of which one was ever healthy."""
        self._failed: set[str] = set()
        """Snapshots of which an instance failed its health checks."""
        world.elbv2.watch(scene.fleet.target_group, self._target_changed)
        world.cloudwatch.watch(self._alarm_changed)

    def observe(self) -> Step | None:
        """What happened since the last time; None when nothing that an invariant speaks of."""
        mark = self._mark()
        if mark == self._seen:
            return None
        self._seen = mark
        calls = self._new_calls()
        launches = self._new_launches()
        statuses = self._new_statuses()
        moved = self._configuration_moved()
        if not (calls or launches or statuses or moved):
            return None
        ended = self._follow_executions() if statuses else []
        actor = self._actor(ended) if calls else None
        if actor is not None:
            self._follow_actor(actor, calls)
        before = self.claimant
        written = any(self._is_written(one) for one in calls)
        if written:
            self.ledger = self.scene.state()
            self._inherit(before)
        self._follow_claim()
        # What is rolled, or staged, may go back to what others had saved before.
        returns = "claim" in self.ledger or "staged" in self.ledger
        self.meddled.follow(self.scene.saved_version, returns=returns)
        quarantined = self._new_quarantines(actor) if written else ()
        changes = [one for one in calls if self._is_changed(one, actor)]
        last = next(
            (one for one in reversed(calls) if one in changes or self._is_written(one)), None
        )
        return Step(
            actor=actor,
            calls=calls,
            changes=changes,
            changed_last=last in changes,
            launches=launches,
            refreshes=self._new_refreshes(),
            versions=self._new_versions(),
            ended=ended,
            quarantined=quarantined,
            ledger_written=written,
            before=before,
        )

    @property
    def busy(self) -> bool:
        """Whether something is going on, or will by itself."""
        return bool(self.running) or "claim" in self.ledger

    @property
    def staged(self) -> Live | None:
        """The release that the ledger calls staged."""
        told = self.ledger.get("staged", {}).get("release")
        return Live(told["snapshot"], int(told["template"]["version"])) if told else None

    @property
    def claimant(self) -> Rollout | None:
        """The rollout that holds the claim according to the ledger."""
        claim = self.ledger.get("claim")
        return self.rollouts.get(claim["execution"]) if claim else None

    @property
    def floor(self) -> int:
        """The smallest number of healthy instances that the fleet's policy allows now."""
        return ceil(self.setup.min_healthy * self.scene.group.desired / 100)

    @property
    def in_a_persons_hands(self) -> bool:
        """Whether a person was called because the fleet could not be left whole.

        Any other hold stands on a whole fleet.
        """
        called = bool(self.ledger.get("hold", {}).get("needs_person"))
        return called and self._left_to_a_person()

    @property
    def resumed_unmended(self) -> bool:
        """Whether a person who was called resumed the fleet as it was.

        There may be nothing left to roll out, or the preflight refuses it and says what is to be
        mended: a way back that others took away, a group without room, protected instances.
        """
        return "hold" not in self.ledger and self._left_to_a_person()

    def _left_to_a_person(self) -> bool:
        # A repair that did not begin left the fleet as it was.
        told = (one["outcome"] for one in reversed(self.scene.records()))
        return next((one for one in told if one not in _CHANGED_NOTHING), "") == "NeedsAttention"

    @property
    def drifted(self) -> bool:
        """Whether others made the group save, or an instance run, other data than what is live."""
        saved = self.scene.snapshot_of(self.scene.saved_version)
        return bool({saved, *self.scene.serving()} - {self.live.snapshot})

    def _is_written(self, call: Call) -> bool:
        """Whether a call may have written the fleet's items."""
        if call.service != "dynamodb" or _reads(call):
            return False
        params = call.params
        key = params.get("Item") or params.get("Key")
        return key is None or key["pk"]["S"] == f"FLEET#{self.scene.fleet.name}"

    def _is_changed(self, call: Call, actor: Rollout | None) -> bool:
        """Whether a call changes this fleet, and not another."""
        if call.service not in _FLEET_SERVICES or _reads(call):
            return False
        fleet, params = self.scene.fleet, call.params
        if "AutoScalingGroupName" in params:
            return bool(params["AutoScalingGroupName"] == fleet.group)
        if "LaunchTemplateId" in params:
            return bool(params["LaunchTemplateId"] == fleet.template_id)
        keys = [tag["Key"] for tag in params.get("Tags", ())]
        if keys:
            return any(key.endswith(f":{fleet.name}") for key in keys)
        return actor is not None

    def _follow_claim(self) -> None:
        holder = self.claimant
        if holder is not None and not holder.claimed:
            holder.claimed = True
            holder.found_drifted = self.drifted
        if holder is None or holder.execution.running:
            self.dead_since = None
        elif self.dead_since is None or self._successor_runs():
            self.dead_since = self.scene.now

    def _successor_runs(self) -> bool:
        named = self.ledger.get("successor")
        return named is not None and any(one.name == named["name"] for one in self.running.values())

    def _inherit(self, before: Rollout | None) -> None:
        """Count what a dead rollout did as the doing of the one that took its claim over."""
        now = self.claimant
        if now is None or before is None or now is before:
            return
        if not now.takes_over:
            return
        before.taken_over = True
        now.refreshes, now.versions = list(before.refreshes), list(before.versions)
        now.succeeds, now.went_back = before, before.went_back
        now.unfit, now.capacity, now.look = before.unfit, before.capacity, before.look
        now.fleet_was_healthy = before.fleet_was_healthy
        now.way_back_was_there = before.way_back_was_there

    # -- what is new ------------------------------------------------------------------------------

    def _mark(self) -> object:
        """Something that differs as soon as there can be anything new: most steps change nothing.

        What is compared first is what is cheapest.
        """
        world, group = self.scene.world, self.scene.group
        newest = group.refreshes[-1] if group.refreshes else None
        return (
            len(world.calls),
            len(world.events.seen),
            len(world.autoscaling.launches),
            newest and newest.status,
            group.saved,
        )

    def _new_calls(self) -> list[Call]:
        every = self.scene.world.calls
        if len(every) == self._calls:
            return []
        new, self._calls = every[self._calls :], len(every)
        return [one for one in new if one.caller in self._functions]

    def _new_launches(self) -> Sequence[Launch]:
        every = self.scene.world.autoscaling.launches
        if len(every) == self._launches:
            return ()
        new, self._launches = every[self._launches :], len(every)
        return [one for one in new if one.group == self.scene.fleet.group]

    def _new_statuses(self) -> bool:
        seen = self.scene.world.events.seen
        if len(seen) == self._events:
            return False
        new, self._events = seen[self._events :], len(seen)
        return any(one.source == "aws.states" for one in new)

    def _configuration_moved(self) -> bool:
        """Whether the group saves something else, or its refresh entered another status."""
        group = self.scene.group
        newest = group.refreshes[-1] if group.refreshes else None
        if newest is not None and newest.status == BAKING:
            self.baking_since.setdefault(newest.id, self.scene.now)
        now = (group.saved, newest and newest.status)
        moved, self._configuration = now != self._configuration, now
        return moved

    def _new_refreshes(self) -> list[InstanceRefresh]:
        every = self.scene.group.refreshes
        new, self._refreshes = every[self._refreshes :], len(every)
        return new

    def _new_versions(self) -> list[int]:
        template = self.scene.world.ec2.template(self.scene.fleet.template_id)
        new = range(self._next_version, template.next_number)
        self._next_version = template.next_number
        return [one for one in new if one not in self.meddled.made]

    # -- evidence ---------------------------------------------------------------------------------

    def _target_changed(self, instance_id: str, target: TargetState) -> None:
        instance = self.scene.world.ec2.instance(instance_id)
        snapshot = instance.snapshots.get(DATA_DEVICE, "")
        if target.state == "healthy":
            self._serving_since.setdefault(snapshot, self.scene.now)
        elif not self.scene.serving().get(snapshot):
            self._serving_since.pop(snapshot, None)
        if target.state == "unhealthy":
            self._failed.add(snapshot)

    def _alarm_changed(self, name: str, state: str) -> None:
        if name == self.scene.fleet.alarm:
            self.notes.alarms.append((self.scene.now, state))
        if name == self.scene.fleet.alarm and state == "ALARM":
            self._alarmed_at = self.scene.now

    def _new_quarantines(self, actor: Rollout | None) -> list[str]:
        snapshot = actor.snapshot if actor else None
        # One that was lifted may be quarantined once more.
        self._quarantined = [one for one in self._quarantined if self.scene.quarantined(one)]
        if (
            snapshot is None
            or snapshot in self._quarantined
            or not self.scene.quarantined(snapshot)
        ):
            return []
        self._quarantined.append(snapshot)
        return [snapshot]

    def newest_quarantined(self) -> str | None:
        """The snapshot that was quarantined last, if it still is."""
        known = self._quarantined[-1:]
        return known[0] if known and self.scene.quarantined(known[0]) else None

    def evidence_against(self, snapshot: str) -> bool:
        """Whether instances that ran a snapshot gave a reason to think that it is bad.

        They failed health checks, or were not healthy within the grace of their policy, or the
        fleet's alarm fired while they were rolled out, or the fleet's probe called it bad.
        """
        scene, claimant = self.scene, self.claimant
        if snapshot in self._failed | self.condemned:
            return True
        if self._alarmed_at is not None and claimant is not None and self.setup.watches_alarm:
            return self._alarmed_at >= claimant.began
        patience = scene.now - timedelta(seconds=self.setup.unhealthy_grace)
        return any(
            scene.snapshot_on(one) == snapshot
            and not scene.healthy(one)
            and one.in_service_at is not None
            and one.in_service_at <= patience
            for one in scene.in_service()
        )

    # -- executions -------------------------------------------------------------------------------

    def _follow_executions(self) -> list[Rollout]:
        for execution in self.scene.stage.rollouts():
            if execution.input.value.get("fleet") != self.scene.fleet.name:
                continue
            if execution.arn not in self.rollouts:
                rollout = Rollout(execution)
                self.rollouts[execution.arn] = self.running[execution.arn] = rollout
            elif execution.running:
                rollout = self.running[execution.arn] = self.rollouts[execution.arn]
                rollout.died = False  # it is redriven
        ended = [one for one in self.running.values() if not one.execution.running]
        for one in ended:
            del self.running[one.execution.arn]
        return ended

    def _actor(self, ended: Sequence[Rollout]) -> Rollout | None:
        """The rollout whose history grew: one step of the clock runs states of one at most.

        The step may have started another execution, whose history has begun and whose states have
        not run.
        """
        grown = [
            one for one in (*self.running.values(), *ended) if len(one.execution.history) > one.told
        ]
        now = self.scene.now
        # One that grew in a step without calls was not looked at then: that is over by now.
        found = max(
            reversed(grown),
            key=lambda one: (one.execution.history[-1].at == now, one.told > 0),
            default=None,
        )
        for one in grown:
            one.told = len(one.execution.history)
        return found

    def _follow_actor(self, actor: Rollout, calls: Sequence[Call]) -> None:
        callers = {one.caller for one in calls}
        if _GATE in callers and actor.snapshot is not None:
            head = self.staged or self.live
            found = unfit_because(self.scene, self.setup, actor.snapshot, head.snapshot)
            # What is live and proven is rolled out again however old it is.
            waived = actor.by_hand or (actor.again and actor.snapshot == self.live.snapshot)
            actor.unfit = [one for one in found if not (waived and one in WAIVED)]
        if _PREFLIGHT in callers:
            members = self.scene.in_service()
            healthy = sum(self.scene.healthy(one) for one in members)
            actor.fleet_was_healthy = healthy >= max(1, self.floor)
            actor.way_back_was_there = self.scene.launchable(self.scene.saved_version)
        if _LOOK in callers:
            actor.look = self._look(actor)

    def _look(self, actor: Rollout) -> Look:
        scene, group = self.scene, self.scene.group
        capacity = min(actor.capacity or group.desired, group.desired)
        return Look(
            at=scene.now,
            serving=scene.serving(),
            healthy=sum(scene.healthy(one) for one in scene.in_service()),
            floor=ceil(self.setup.min_healthy * capacity / 100),
            alarm=(
                scene.world.cloudwatch.alarm_state(scene.fleet.alarm)
                if self.setup.watches_alarm
                else None
            ),
        )

    def served_for(self, snapshot: str) -> timedelta:
        """How long a snapshot has had instances in service without a break, the first healthy."""
        since = self._serving_since.get(snapshot)
        return self.scene.now - since if since else timedelta(0)

    def baked_for(self, refresh: InstanceRefresh) -> timedelta:
        """How long a refresh that is over, or bakes, has been baking."""
        since = self.baking_since.get(refresh.id)
        return (refresh.ended or self.scene.now) - since if since else timedelta(0)


def _reads(call: Call) -> bool:
    return call.operation.startswith(_READING)
