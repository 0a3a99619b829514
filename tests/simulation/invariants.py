"""What must always hold, checked after every step of the world.

The numbers are those of docs/architecture.md. Each check is told what a step did and looks at the
world itself; the product's word is taken only for what it claims, never for whether that is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from embedded.scenarios.stage import DATA_DEVICE
from embedded.world.autoscaling.refresh import SUCCESSFUL, InstanceRefresh
from embedded.world.behaviour import Scenario
from tests.simulation.observer import Live, Observer, Rollout, Step

SKIPS = frozenset({"AlreadyLive", "Held", "Superseded", "Queued", "Stopped", "NoFleet"})
"""Outcomes of an execution that never held the claim, or lost it."""
REQUEST_ERRORS = frozenset({"NoEligibleSnapshotError"})
_KILLED = frozenset({"ABORTED"})
"""Statuses of an execution that a person ended: recovery speaks for it."""
"""Errors that tell a person what is wrong with what they asked for, before anything is claimed."""
RECORDED_FAILURES = frozenset(
    {"SnapshotRejected", "FleetNotReady", "RolledBack", "Stopped", "NeedsAttention"}
)


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, and what shows it."""

    invariant: str
    sentence: str
    evidence: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.invariant}: {self.sentence}"


class ViolationError(Exception):
    """An invariant does not hold."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(str(violation))
        self.violation = violation


Check = Callable[[Observer, Step], Iterator[Violation]]


class Invariants:
    """All checks of one fleet."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._changers: list[Rollout] = []

    def check(self) -> None:
        """Check what may have been broken since the last time.

        Raises
        ------
        ViolationError
            For the first invariant that does not hold.
        """
        step = self._observer.observe()
        if step is None:
            return
        checks: tuple[Check, ...] = (
            self._one_at_a_time,
            _passed_the_gate,
            _refreshed_to_is_fit,
            _nothing_twice,
            _live_is_proven,
            _default_is_proven,
            _saved_is_live,
            _claims_end,
            _outcomes_are_named,
            _nothing_bad_is_left,
            _quarantine_has_evidence,
        )
        for one in checks:
            for violation in one(self._observer, step):
                raise ViolationError(violation)

    def _one_at_a_time(self, seen: Observer, step: Step) -> Iterator[Violation]:
        """I2: at most one rollout changes the fleet; who lost its claim changes nothing."""
        if not step.changes:
            return
        calls = [f"{one.caller} called {one.service}:{one.operation}" for one in step.changes]
        actor = step.actor
        if actor is None:
            yield Violation("I2", "a fleet was changed for no rollout", {"calls": calls})
            return
        if seen.claimant is not actor:
            holder = seen.claimant
            yield Violation(
                "I2",
                f"{actor.name} changed the fleet without holding its claim",
                {"calls": calls, "claim": holder.name if holder else "nobody's"},
            )
        if actor in self._changers[:-1]:
            yield Violation(
                "I2",
                f"{actor.name} changed the fleet after {self._changers[-1].name} had begun to",
                {"calls": calls},
            )
        if actor not in self._changers:
            self._changers.append(actor)


def _passed_the_gate(seen: Observer, step: Step) -> Iterator[Violation]:
    """I1: every instance runs a snapshot that passed the gate; unencrypted never does."""
    for launch in step.launches:
        snapshot_id = launch.snapshots.get(DATA_DEVICE, "")
        snapshot = seen.scene.world.ec2.snapshot(snapshot_id)
        evidence = {"instance": launch.instance_id, "version": launch.template_version}
        if snapshot is None or not snapshot.encrypted:
            what = f"an instance was launched from the unencrypted snapshot {snapshot_id}"
            yield Violation("I1", what, evidence)
        if snapshot_id == seen.scene.fleet.first_snapshot:
            continue
        judged = [
            one.unfit
            for one in seen.rollouts.values()
            if one.snapshot == snapshot_id and one.unfit is not None
        ]
        if not judged or judged[-1]:
            why = "; ".join(judged[-1]) if judged else "no gate ever judged it"
            what = f"an instance was launched from {snapshot_id}, which is unfit: {why}"
            yield Violation("I1", what, evidence)


def _refreshed_to_is_fit(_: Observer, step: Step) -> Iterator[Violation]:
    """I1: no refresh is started for a snapshot that did not pass the gate."""
    actor = step.actor
    if step.refreshes and actor is not None and (actor.unfit is None or actor.unfit):
        why = "; ".join(actor.unfit) if actor.unfit else "no gate ever judged it"
        what = f"{actor.name} started a refresh to {actor.snapshot}, which is unfit: {why}"
        yield Violation("I1", what)


def _nothing_twice(seen: Observer, step: Step) -> Iterator[Violation]:
    """I10: a rollout makes one template version, one refresh forward and at most one back."""
    actor = step.actor
    if (step.versions or step.refreshes) and actor is None:
        yield Violation("I10", "a version or a refresh was made for no rollout")
    if actor is None:
        return
    actor.versions += step.versions
    actor.refreshes += step.refreshes
    if step.refreshes:
        actor.capacity = seen.scene.group.desired
    if len(actor.versions) > 1:
        yield Violation(
            "I10",
            f"{actor.name} made {len(actor.versions)} launch template versions",
            {"versions": actor.versions},
        )
    wanted = [_snapshot_wanted(seen, one) for one in actor.refreshes]
    if len(set(wanted)) < len(actor.refreshes):
        yield Violation(
            "I10",
            f"{actor.name} started {len(actor.refreshes)} refreshes, some of them alike",
            {"refreshes": [one.id for one in actor.refreshes], "snapshots": wanted},
        )


def _live_is_proven(seen: Observer, step: Step) -> Iterator[Violation]:
    """I3: the ledger calls a release live only after the last assessment was good."""
    told = seen.ledger.get("live")
    if not step.ledger_written or told is None:
        return
    live = Live(told["snapshot"], int(told["template"]["version"]))
    if live == seen.live:
        return
    for doubt in _doubts(seen, step.actor, live):
        yield Violation(
            "I3",
            f"{live.snapshot} was called live unproven: {doubt}",
            {"look": step.actor.look if step.actor else None},
        )
    seen.live = live


def _doubts(seen: Observer, actor: Rollout | None, live: Live) -> Iterator[str]:
    """What speaks against a release that was just called live."""
    if actor is None or actor is not seen.claimant or actor.snapshot != live.snapshot:
        yield "it is not the release of the rollout that holds the claim"
        return
    refresh = next((one for one in actor.refreshes), None)
    if refresh is None or refresh.status != SUCCESSFUL:
        yield f"its refresh is {refresh.status if refresh else 'missing'}"
    elif seen.baked_for(refresh) < timedelta(seconds=seen.setup.bake):
        yield f"it baked for {seen.baked_for(refresh)}"
    if seen.scene.saved_version != live.version:
        yield f"the group saves version {seen.scene.saved_version}"
    look = actor.look
    if look is None:
        yield "nobody looked at the fleet"
        return
    if set(look.serving) != {live.snapshot}:
        yield f"the fleet served {look.serving} at the last look"
    if look.healthy < max(look.floor, 1):
        yield f"{look.healthy} instances were healthy at the last look, {look.floor} are the floor"
    if look.alarm == "ALARM":
        yield "the fleet's alarm was firing at the last look"


def _default_is_proven(seen: Observer, _: Step) -> Iterator[Violation]:
    """I5: ``$Default`` moves only on promotion, which may be under way."""
    version = seen.scene.default_version
    if version == seen.live.version:
        return
    claimant = seen.claimant
    refresh = next(iter(claimant.refreshes), None) if claimant else None
    if claimant and refresh and refresh.status == SUCCESSFUL and version in claimant.versions:
        return
    yield Violation(
        "I5",
        f"$Default is version {version}, and version {seen.live.version} is live",
        {"snapshot": seen.scene.snapshot_of(version)},
    )


def _saved_is_live(seen: Observer, _: Step) -> Iterator[Violation]:
    """I3: during a refresh the group's saved version is the last live release."""
    scene = seen.scene
    refresh = scene.group.refresh
    if refresh is not None and scene.saved_version != seen.live.version:
        yield Violation(
            "I3",
            f"the group saves version {scene.saved_version} while a refresh is {refresh.status}",
            {"refresh": refresh.id, "live version": seen.live.version},
        )


def _claims_end(seen: Observer, step: Step) -> Iterator[Violation]:
    """I10: a claim belongs to a rollout that runs, or to an aborted one, to be taken over."""
    claim = seen.ledger.get("claim")
    holder = seen.claimant
    if holder and holder.execution.status in _KILLED:
        return
    if claim and (step.ledger_written or step.ended) and claim["execution"] not in seen.running:
        what = "the fleet is claimed by an execution that does not run"
        yield Violation("I10", what, {"execution": claim["execution"]})


def _outcomes_are_named(seen: Observer, step: Step) -> Iterator[Violation]:
    """I6: every execution that ended has an outcome, and a record unless it had no claim."""
    for rollout in step.ended:
        if rollout.execution.status in _KILLED or _operates(rollout):
            continue
        yield from _leaves_nothing_running(seen, rollout)
        execution = rollout.execution
        output = execution.output.value if execution.output else {}
        succeeded = execution.status == "SUCCEEDED"
        outcome = output.get("outcome") if succeeded else execution.error
        if (succeeded and outcome in SKIPS) or outcome in REQUEST_ERRORS:
            continue
        if outcome != "Live" and (succeeded or outcome not in RECORDED_FAILURES):
            yield Violation(
                "I6",
                f"{rollout.name} ended as {execution.status} without a named outcome",
                {"error": execution.error, "cause": execution.cause, "output": output},
            )
            continue
        records = [one for one in seen.scene.records() if one["execution"] == execution.arn]
        if [one["outcome"] for one in records] != [outcome] or not records[0]["message"]:
            yield Violation(
                "I6",
                f"{rollout.name} ended as {outcome} and its record says otherwise",
                {"records": records},
            )
        elif outcome == "SnapshotRejected" and not rollout.unfit:
            what = f"{rollout.name} rejected a snapshot that nothing speaks against"
            yield Violation("I6", what, {"message": records[0]["message"]})


def _operates(rollout: Rollout) -> bool:
    """Whether an execution carried out an operation and no rollout."""
    asked = rollout.execution.input.value
    return "hold" in asked or "resume" in asked


def _leaves_nothing_running(seen: Observer, rollout: Rollout) -> Iterator[Violation]:
    """I6: a rollout's end is the end of its refreshes."""
    claimant = seen.claimant
    taken_over = claimant.refreshes if claimant and claimant is not rollout else []
    for refresh in rollout.refreshes:
        if refresh.active and refresh not in taken_over:
            what = f"{rollout.name} ended and its refresh {refresh.id} is {refresh.status}"
            yield Violation("I6", what, {"error": rollout.execution.error})
    live = seen.scene.world.ec2.snapshot(seen.live.snapshot)
    sound = live is not None and live.scenario is Scenario.HEALTHY
    if rollout.execution.error == "NeedsAttention" and sound:
        what = f"{rollout.name} called a person although its fleet could be left whole"
        yield Violation("I6", what, {"cause": rollout.execution.cause})


def _nothing_bad_is_left(seen: Observer, _: Step) -> Iterator[Violation]:
    """I5: when no rollout runs, newest, default and saved version carry what is live."""
    if seen.running or "claim" in seen.ledger:
        return
    scene = seen.scene
    names = {
        "the newest version": scene.newest_version,
        "$Default": scene.default_version,
        "the version saved on the group": scene.saved_version,
    }
    used = _used_in_a_persons_hands(seen)
    left = {
        name: version
        for name, version in names.items()
        if scene.snapshot_of(version) != seen.live.snapshot and version not in used
    }
    if left:
        yield Violation(
            "I5",
            f"no rollout runs, {seen.live.snapshot} is live, and {' and '.join(left)} "
            f"would bring something else",
            {name: f"{version}: {scene.snapshot_of(version)}" for name, version in left.items()},
        )


def _used_in_a_persons_hands(seen: Observer) -> set[int]:
    """The versions in use on a fleet whose rollout gave up and called a person."""
    if "hold" not in seen.ledger:
        return set()
    members = seen.scene.group.instances.values()
    return {seen.scene.saved_version, *(one.instance.template_version for one in members)}


def _quarantine_has_evidence(seen: Observer, step: Step) -> Iterator[Violation]:
    """I9: only instances that ran a snapshot can condemn it."""
    for quarantine in step.quarantined:
        if not seen.evidence_against(quarantine):
            what = f"{quarantine} was quarantined and no instance that ran it was ever bad"
            yield Violation("I9", what)


def _snapshot_wanted(seen: Observer, refresh: InstanceRefresh) -> str | None:
    if refresh.desired is None:
        return None
    return seen.scene.snapshot_of(int(refresh.desired.sources[0].version))
