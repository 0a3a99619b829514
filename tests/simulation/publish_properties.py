"""What must hold of publishes, asked when all is at rest: of everything that they did.

- One at a time: a writer has one snapshot under way, each publish takes one, none keeps the claim.
- Every execution ends in a named outcome, and every publish in a record.
- Nothing is lost: what was asked for is in a snapshot that began later, or a record says why not.
- A writer that was asked to stand still is let go, and never asked to stand still for longer than
  its limit; its snapshots begin while it stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Any

from embedded.states.execution import Execution
from embedded.world.ec2.snapshot_store import Snapshot
from embedded.world.world import World
from tests.simulation.claim_properties import INFRASTRUCTURE
from tests.simulation.publications import HookSays
from tests.simulation.publishers import Asked, Publishers, Writer
from tests.simulation.scene import Item
from tests.simulation.schedule import Schedule
from tests.simulation.violation import Violation, ViolationError

_GOOD = {"Published", "SnapshotTaken"}
_JOINED = {"Merged", "Skipped", "Superseded"}
_BAD = {"VolumeNotFound", "WriterNotReady", "WriterNotQuiesced", "SnapshotFailed", "Stopped"}
_DIED = INFRASTRUCTURE | {"Interrupted", "ClaimLostError"}
"""How an execution may end whose work another one goes on with."""
_PUBLISH, _DATA_TIME = "snaproll:publish", "snaproll:data-time"


def check_publishes(publishers: Publishers, schedule: Schedule, world: World) -> None:
    """Check every writer, and let its fleet's observer know of its snapshots.

    Raises
    ------
    ViolationError
        When a writer, or a publish, is not what it should be.
    """
    executions = publishers.executions
    told = {
        event.detail["execution"]
        for event in world.events.seen
        if event.source == "snaproll" and event.detail_type == "Publish Merged"
    }
    checks = [_ends_are_named(executions, told, disturbed=schedule.disturbed)]
    for writer in publishers.writers.values():
        history = _History(writer, world)
        writer.seen.snapshots += history.for_fleets
        checks += [
            _one_at_a_time(history),
            _is_free(history),
            _stood_still(history),
            _nothing_is_lost(history, executions, world),
        ]
    for violation in chain.from_iterable(checks):
        raise ViolationError(violation)


class _History:
    """What became of one writer."""

    def __init__(self, writer: Writer, world: World) -> None:
        self.writer = writer
        self._world = world
        scene = writer.seen.scene
        items = scene.of_writer(writer.name)
        self.state: Item = items.pop("STATE", {})
        self.records = list(items.values())
        volume = scene.fleet.volume
        self.lost = writer.seen.meddled.lost
        """Snapshots that others deleted or archived."""
        found = world.ec2.snapshots_of_volume(volume)
        self.snapshots = sorted(found, key=lambda one: one.start_time)

    @property
    def for_fleets(self) -> list[str]:
        """The snapshots that are whole and carry what the fleet selects by."""
        tags = self.writer.seen.scene.fleet.tags
        return [
            one.id
            for one in self.snapshots
            if one.state == "completed" and tags.items() <= one.tags.items()
        ]

    def call_for(self, snapshot: Snapshot) -> int:
        """The place, among all calls of AWS, of the one that made a snapshot."""
        publish = snapshot.tags.get(_PUBLISH, "")
        return max(
            place
            for place, call in enumerate(self._world.calls)
            if call.operation == "CreateSnapshot"
            and call.at == snapshot.start_time
            and publish in str(call.params)
        )

    def record_of(self, publish: str) -> Item | None:
        """What the ledger keeps of a publish that ended."""
        return next((one for one in self.records if one["publish"] == publish), None)


def _ends_are_named(
    executions: list[Execution], told: set[str], *, disturbed: bool
) -> Iterator[Violation]:
    for one in executions:
        outcome = _outcome(one)
        died = one.status == "ABORTED" or (one.error or "").startswith("Lambda.")
        if outcome is None and not died and not (disturbed and one.error in _DIED):
            what = f"the publish {one.name} ended as {one.status} without a named outcome"
            yield Violation("I6", what, {"error": one.error, "cause": one.cause})
        if outcome == "Merged" and one.arn not in told:
            yield Violation("I6", f"that {one.name} was merged was told to nobody")


def _outcome(execution: Execution) -> str | None:
    if execution.status == "SUCCEEDED":
        output: Any = execution.output.value if execution.output else {}
        outcome: str | None = output.get("outcome")
        return outcome if outcome in _GOOD | _JOINED else None
    return execution.error if execution.error in _BAD else None


def _one_at_a_time(history: _History) -> Iterator[Violation]:
    """I2 and I10 of writers."""
    name = history.writer.name
    for before, after in pairwise(history.snapshots):
        evidence = {one.id: dict(one.tags) for one in (before, after)}
        if before.tags.get(_PUBLISH) == after.tags.get(_PUBLISH):
            yield Violation("I10", f"one publish of {name} took two snapshots", evidence)
        # One that somebody aborted is left to EC2, and the writer is free for the next.
        record = history.record_of(before.tags.get(_PUBLISH, ""))
        stopped = record is not None and record["outcome"] == "Stopped"
        done = before.completion_time
        if not stopped and done is not None and done > after.start_time:
            yield Violation("I2", f"two snapshots of {name} were made at a time", evidence)


def _is_free(history: _History) -> Iterator[Violation]:
    """I10 and I6: no claim outlives its publishes, and each of them left a record."""
    name, state = history.writer.name, history.state
    for waiting in ("claim", "pending", "successor"):
        if state.get(waiting) is not None:
            what = f"nothing is published and writer {name} still has a {waiting}"
            yield Violation("I10", what, dict(state[waiting]))
    numbers = {f"{name}-{number}" for number in range(1, int(state.get("publishes", 0)) + 1)}
    unrecorded = numbers - {one["publish"] for one in history.records}
    if unrecorded:
        yield Violation("I6", f"no record tells how {sorted(unrecorded)} ended")
    for one in history.records:
        snapshot = next((it for it in history.snapshots if it.id == one.get("snapshot")), None)
        good = one["outcome"] in _GOOD and one.get("snapshot") not in history.lost
        if good and (snapshot is None or snapshot.state != "completed"):
            what = f"{one['publish']} ended as {one['outcome']} and its snapshot is not whole"
            yield Violation("I6", what, dict(one))


def _stood_still(history: _History) -> Iterator[Violation]:
    """A hook is asked to let go after every standstill, and its snapshots begin in one."""
    writer = history.writer
    limit = timedelta(seconds=writer.setup.limit)
    began: dict[str, datetime] = {}
    standing: dict[str, Asked] = {}
    for asked in writer.asked:
        if asked.action == "quiesce":
            began.setdefault(asked.publish, asked.at)
            standing[asked.publish] = asked
            if asked.deadline - began[asked.publish] > limit:
                what = f"{asked.publish} may keep {writer.name} for longer than its limit"
                yield Violation("hook", what, {"deadline": asked.deadline})
        else:
            standing.pop(asked.publish, None)
            began.pop(asked.publish, None)
    if standing:
        yield Violation("hook", f"{sorted(standing)} never let {writer.name} go", {})
    if writer.setup.hook:
        for snapshot in history.snapshots:
            yield from _began_in_a_standstill(history, snapshot)


def _began_in_a_standstill(history: _History, snapshot: Snapshot) -> Iterator[Violation]:
    writer = history.writer
    publish, at = snapshot.tags.get(_PUBLISH, ""), snapshot.start_time
    made = history.call_for(snapshot)
    before = [one for one in writer.asked if one.publish == publish and one.number < made]
    last = before[-1] if before else None
    stands = last is not None and last.action == "quiesce" and last.said is HookSays.DONE
    if last is None or not stands or at > last.deadline:
        what = f"{snapshot.id} of {writer.name} began while the writer did not stand still"
        yield Violation("hook", what, {"asked": [f"{one.action} {one.said}" for one in before]})


def _nothing_is_lost(
    history: _History, executions: list[Execution], world: World
) -> Iterator[Violation]:
    """I7 of writers: what was asked for is in a snapshot, or somebody was told why not."""
    if any(_died_before_its_claim(one, history) for one in executions) or world.awslambda.dropped:
        return  # the request itself is gone, which the self-watch and the dead letters tell
    for wanted in history.writer.wanted:
        good = [
            one
            for one in history.snapshots
            if one.state == "completed" and (wanted.snapshot_only or one.id in history.for_fleets)
        ]
        held = any(
            one.start_time >= wanted.at
            or (wanted.true_at is not None and _true_at(one) >= wanted.true_at)
            for one in good
        )
        # What others deleted afterwards was there.
        told = any(
            datetime.fromisoformat(one["ended_at"]) >= wanted.at
            and (one["outcome"] in _BAD or one.get("snapshot") in history.lost)
            for one in history.records
        )
        if not held and not told:
            what = f"what {history.writer.name} had at {wanted.at} is in no snapshot"
            yield Violation("I7", what, {"snapshots": [one.id for one in history.snapshots]})


def _died_before_its_claim(execution: Execution, history: _History) -> bool:
    """Whether an execution ended for want of AWS, or of a person's patience, with no claim yet."""
    if _outcome(execution) is not None:
        return False
    states = {
        str(event.details["name"])
        for event in execution.history
        if event.type.endswith("StateEntered")
    }
    return states <= {"ClaimWriter"} and bool(history.writer.wanted)


def _true_at(snapshot: Snapshot) -> datetime:
    told: Mapping[str, str] = snapshot.tags
    return datetime.fromisoformat(told[_DATA_TIME]) if _DATA_TIME in told else snapshot.start_time
