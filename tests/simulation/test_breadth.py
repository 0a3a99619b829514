"""Stack updates, other people's changes and writers in the simulation: rolled, played, judged."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from embedded.world.behaviour import Scenario
from snaproll.domain import publishing
from snaproll.domain.publishes import Published, WriterState
from snaproll.steps import drift as drift_step
from snaproll.steps import watch as watch_step
from snaproll.steps.publish import claim as publish_claim
from snaproll.steps.publish import hook as publish_hook
from tests.simulation.dice import schedule_of
from tests.simulation.foreign import (
    Foreign,
    GroupIsSet,
    KeyIsDisabled,
    LaunchesRunShort,
    MaximumChanges,
    SnapshotIsLost,
    StackUpdates,
)
from tests.simulation.parts import Timed
from tests.simulation.play import Played, play
from tests.simulation.publications import (
    DataIsReady,
    HookSays,
    Publication,
    PublishIsAborted,
    WriterSetup,
)
from tests.simulation.report import timeline
from tests.simulation.schedule import (
    Entry,
    EventsAreLate,
    FleetSetup,
    InTheMiddle,
    OperatorAsks,
    RefreshesBegin,
    Schedule,
    SnapshotCompletes,
)
from tests.simulation.shrink import shrink
from tests.simulation.violation import Violation

MINUTE, HOUR = 60.0, 3600.0
BRISK = FleetSetup(capacity=2, checkpoints=(), warmup=60, bake=300, unhealthy_grace=300)
GOOD = SnapshotCompletes(at=10 * MINUTE, label="good", taken_before=300.0)
WRITER = WriterSetup(hook=(HookSays.DONE,))


def story(*entries: Timed, **fleet: object) -> Schedule:
    """A schedule of one fleet."""
    fleets = (BRISK.model_copy(update=fleet),)
    written = {"seed": 1, "world_seed": 1, "fleets": fleets, "entries": entries}
    return Schedule.model_validate(written)


def played(*entries: Timed, **fleet: object) -> Played:
    """Play a story that has to hold every invariant."""
    found = play(story(*entries, **fleet))
    assert found.violation is None, timeline(found)
    return found


def violation_of(*entries: Timed, **fleet: object) -> Violation:
    """What a story violates."""
    found = play(story(*entries, **fleet)).violation
    assert found is not None
    return found


def test_everything_that_there_is_gets_rolled() -> None:
    rolled = {entry.kind for seed in range(1000) for entry in schedule_of(seed).entries}

    met = (EventsAreLate, InTheMiddle, RefreshesBegin)
    everything = (*get_args(Foreign), *get_args(Publication), *met)
    assert {one.model_fields["kind"].default for one in everything} <= rolled


def test_most_seeds_know_nothing_of_others() -> None:
    meddled = [
        seed
        for seed in range(200)
        if any(isinstance(one, Foreign | Publication) for one in schedule_of(seed).entries)
    ]

    assert 20 <= len(meddled) <= 100


@pytest.mark.parametrize(
    "entry",
    [
        StackUpdates(at=HOUR, data="first", new_image=True),
        StackUpdates(at=12 * MINUTE, data="first"),
        GroupIsSet(at=HOUR, to="first"),
        MaximumChanges(at=11 * MINUTE, above_desired=0),
        SnapshotIsLost(at=11 * MINUTE, which="live", how="archived"),
        SnapshotIsLost(at=11 * MINUTE, which="rolling", how="deleted"),
        KeyIsDisabled(at=11 * MINUTE, seconds=20 * MINUTE),
        LaunchesRunShort(at=11 * MINUTE, left=1, seconds=20 * MINUTE),
        OperatorAsks(at=HOUR, what="again"),
    ],
    ids=lambda entry: f"{entry.kind} at {entry.at:.0f}",
)
@pytest.mark.parametrize("owned", [{"heals": True}, {"mixed": True}], ids=["heals", "mixed"])
def test_what_others_do_leaves_the_invariants_whole(entry: Entry, owned: dict[str, bool]) -> None:
    played(GOOD, entry, **owned)


def test_drift_that_nobody_tells_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_step, "_tell", lambda *_: None)

    assert violation_of(GOOD, GroupIsSet(at=HOUR)).invariant == "end"


def test_drift_that_nobody_heals_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_step, "may_retry", lambda *_: False)

    assert violation_of(GOOD, GroupIsSet(at=HOUR), heals=True).invariant == "end"


def test_a_person_called_for_instances_that_serve_what_is_live_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_step, "_same_data", lambda *_: frozenset())
    bad = GOOD.model_copy(update={"scenario": Scenario.CORRUPT})

    assert violation_of(StackUpdates(at=5 * MINUTE), bad).invariant == "I6"


# -- writers --------------------------------------------------------------------------------------

TWICE = (
    DataIsReady(at=10 * MINUTE),
    DataIsReady(at=15 * MINUTE, by="person"),
)


def test_what_a_writer_publishes_is_rolled_out() -> None:
    found = played(DataIsReady(at=10 * MINUTE), writer=WRITER)

    assert [one.name for one in found.publishes]
    assert found.outcomes() == {"Live": 1}


def test_a_request_that_waits_and_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(writer: str, state: WriterState, published: Published | None) -> WriterState:
        after = publishing.end(writer, state, published)
        return after.model_copy(update={"successor": None})

    monkeypatch.setattr(publish_claim, "end", forget)

    assert violation_of(*TWICE, writer=WRITER).invariant == "I7"


def test_a_writer_that_is_never_let_go_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    call: Any = publish_hook._call  # noqa: SLF001 - a bug is planted

    def only_quiesce(*asked: Any) -> Any:
        return call(*asked[:3], "quiesce", *asked[4:])

    monkeypatch.setattr(publish_hook, "_call", only_quiesce)

    assert violation_of(DataIsReady(at=10 * MINUTE), writer=WRITER).invariant == "hook"


def test_a_merged_request_that_is_told_to_nobody_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    tell = publish_claim._tell  # noqa: SLF001 - a bug is planted
    monkeypatch.setattr(
        publish_claim, "_tell", lambda kind, *rest: kind == "Publish Merged" or tell(kind, *rest)
    )

    found = violation_of(*TWICE, writer=WRITER)

    assert found.invariant == "I6"
    assert "told to nobody" in found.sentence


# -- cut down -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "plain"),
    [
        (
            StackUpdates(at=61.0, data="first", new_image=True),
            StackUpdates(at=60.0),
        ),
        (
            SnapshotIsLost(at=60.0, which="previous", how="archived"),
            SnapshotIsLost(at=60.0, which="previous"),
        ),
        (KeyIsDisabled(at=60.0, seconds=7431.5), KeyIsDisabled(at=60.0, seconds=600.0)),
        (
            LaunchesRunShort(at=60.0, left=3, seconds=9.5),
            LaunchesRunShort(at=60.0, left=3, seconds=600.0),
        ),
        (
            MaximumChanges(at=60.0, above_desired=3),
            MaximumChanges(at=60.0, above_desired=0),
        ),
        (
            DataIsReady(at=60.0, by="person", data_before=5.0, snapshot_only=True),
            DataIsReady(at=60.0),
        ),
    ],
    ids=lambda entry: entry.kind,
)
def test_entries_of_every_kind_become_plainer(entry: Entry, plain: Entry) -> None:
    def still(schedule: Schedule) -> bool:
        return [one.kind for one in schedule.entries] == [entry.kind]

    assert shrink(story(entry, PublishIsAborted(at=70.0)), fails=still).entries == (plain,)


def test_a_writer_that_does_not_matter_is_left_out() -> None:
    small = shrink(story(GOOD, writer=WRITER, heals=True, mixed=True), fails=lambda _: True)

    (fleet,) = small.fleets
    assert (fleet.writer, fleet.heals, fleet.mixed) == (None, False, False)
