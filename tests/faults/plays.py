"""The plays that the table of calls is recorded from: between them every function is run.

Each is a schedule of the simulation without any fault in it. A function or a call that no play
reaches fails ``test_faults``: then a play is missing here.
"""

from __future__ import annotations

from embedded.world.behaviour import Scenario
from tests.simulation.publications import DataIsReady, HookSays, PublishIsAborted, WriterSetup
from tests.simulation.schedule import (
    AlarmIsHeld,
    CapacityChanges,
    Entry,
    EventTravels,
    FleetSetup,
    OperatorAborts,
    OperatorAsks,
    OperatorCancels,
    OperatorStarts,
    PolicyIsWritten,
    ProbeSetup,
    Said,
    Schedule,
    SnapshotCompletes,
)

MINUTE, HOUR = 60.0, 3600.0
FIRST = 10 * MINUTE
"""When the first thing happens: a snapshot begun a little before is newer than what is live."""

BRISK = FleetSetup(
    capacity=2,
    warmup=60,
    checkpoints=(50, 100),
    checkpoint_wait=120,
    bake=300,
    unhealthy_grace=300,
)
"""A fleet under whose policy nothing takes long."""

WRITTEN = BRISK.model_copy(
    update={"writer": WriterSetup(hook=(HookSays.PENDING, HookSays.DONE), limit=60)}
)
"""One with a writer whose hook takes a moment."""


def _play(*entries: Entry, fleet: FleetSetup = BRISK) -> Schedule:
    return Schedule(
        seed=1, world_seed=1, fleets=(fleet,), entries=tuple(sorted(entries, key=lambda e: e.at))
    )


def _snapshot(at: float, label: str = "first", **attributes: object) -> SnapshotCompletes:
    return SnapshotCompletes.model_validate(
        {"at": at, "label": label, "taken_before": 300.0, **attributes}
    )


PLAYS: dict[str, Schedule] = {
    # The second retires the first, so that there is a previous one to go back to.
    "good": _play(
        _snapshot(FIRST),
        _snapshot(FIRST + HOUR, "second"),
        OperatorAsks(at=FIRST + 2 * HOUR, what="previous"),
        OperatorAsks(at=FIRST + 3 * HOUR, what="resume"),
        fleet=BRISK.model_copy(update={"probe": ProbeSetup(answers=(Said.PASS,))}),
    ),
    "corrupt": _play(
        _snapshot(FIRST, scenario=Scenario.CORRUPT),
        OperatorAsks(at=FIRST + HOUR, what="lift"),
    ),
    "without instances": _play(
        CapacityChanges(at=FIRST - MINUTE, desired=0),
        PolicyIsWritten(at=FIRST - MINUTE),
        _snapshot(FIRST),
        CapacityChanges(at=FIRST + 20 * MINUTE, desired=2),
    ),
    "unencrypted": _play(_snapshot(FIRST, encrypted=False)),
    "not ready": _play(
        AlarmIsHeld(at=FIRST - MINUTE, seconds=HOUR),
        _snapshot(FIRST),
    ),
    "lost event": _play(_snapshot(FIRST, arrivals=())),
    "queued": _play(
        _snapshot(FIRST),
        _snapshot(FIRST + 5 * MINUTE, "second"),
        OperatorAsks(at=FIRST + 10 * MINUTE, what="preview"),
    ),
    "by hand": _play(
        _snapshot(FIRST, arrivals=()),
        OperatorStarts(at=FIRST + MINUTE, snapshot="first"),
    ),
    "held": _play(
        OperatorAsks(at=FIRST - MINUTE, what="hold"),
        _snapshot(FIRST),
        OperatorAsks(at=FIRST + 20 * MINUTE, what="resume"),
    ),
    "stopped": _play(
        _snapshot(FIRST),
        OperatorAsks(at=FIRST + 6 * MINUTE, what="hold and roll back"),
        OperatorAsks(at=FIRST + HOUR, what="resume"),
    ),
    "pre-empted": _play(
        _snapshot(FIRST),
        OperatorAsks(at=FIRST + 6 * MINUTE, what="stay"),
    ),
    # The refresh ends as Cancelled, so that going back takes another.
    "cancelled": _play(
        _snapshot(FIRST),
        OperatorCancels(at=FIRST + 6 * MINUTE),
    ),
    "taken over": _play(
        _snapshot(FIRST),
        OperatorAborts(at=FIRST, state="WatchHealth"),
    ),
    # The second request comes when the first one's snapshot has begun, so that another follows.
    "published": _play(
        DataIsReady(at=FIRST),
        DataIsReady(at=FIRST + 2 * MINUTE, by="person"),
        fleet=WRITTEN,
    ),
    "publish given up": _play(
        DataIsReady(at=FIRST),
        PublishIsAborted(at=FIRST + 2 * MINUTE),
        fleet=WRITTEN,
    ),
    "taken over by the comparison": _play(
        _snapshot(FIRST),
        OperatorAborts(at=FIRST, state="AwaitSignal"),
        *(EventTravels(at=0.0, source="aws.states", nth=nth, arrivals=()) for nth in range(1, 9)),
    ),
}
