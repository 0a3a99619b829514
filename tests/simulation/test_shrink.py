"""Cutting failing schedules down, and taking long runs up again."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from embedded.world.behaviour import Scenario
from snaproll.domain import gate
from snaproll.domain.checks import Check
from snaproll.domain.fleet import Fleet
from tests.simulation import __main__ as program
from tests.simulation.dice import schedule_of
from tests.simulation.play import play
from tests.simulation.progress import begin, keep
from tests.simulation.run import Tally
from tests.simulation.schedule import Schedule, SnapshotCompletes
from tests.simulation.shrink import shrink

BUSY = 2
"""A seed with several fleets, and several things that happen to them."""


def test_what_does_not_matter_to_a_failure_is_dropped() -> None:
    # Given a failure that takes a corrupt snapshot, and no more
    schedule = _with_a_corrupt_one(schedule_of(BUSY))

    small = shrink(schedule, fails=_has_a_corrupt_one)

    assert len(small.entries) == len(small.fleets) == 1
    assert small.fleets[0].capacity == 1
    (entry,) = small.entries
    assert isinstance(entry, SnapshotCompletes)
    assert entry.scenario is Scenario.CORRUPT
    assert entry.fleet == 0
    assert entry.encrypted
    assert entry.size_gib == 100


def _has_a_corrupt_one(schedule: Schedule) -> bool:
    return any(
        isinstance(one, SnapshotCompletes) and one.scenario is Scenario.CORRUPT
        for one in schedule.entries
    )


def _with_a_corrupt_one(schedule: Schedule) -> Schedule:
    last = SnapshotCompletes(
        at=9999.5,
        label="bad",
        scenario=Scenario.CORRUPT,
        fleet=len(schedule.fleets) - 1,
        encrypted=False,
        size_gib=50,
    )
    assert len(schedule.fleets) > 1
    return schedule.model_copy(update={"entries": (*schedule.entries, last)})


def test_a_real_failure_stays_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a gate that forgets encryption, and a schedule in which that matters
    whole = gate._checks  # noqa: SLF001 - a bug is planted

    def without_encryption(fleet: Fleet, evidence: gate.GateEvidence) -> list[Check]:
        return [one for one in whole(fleet, evidence) if one.name != "encrypted"]

    monkeypatch.setattr(gate, "_checks", without_encryption)
    schedule = next(one for one in map(schedule_of, range(200)) if play(one).violation is not None)

    small = shrink(schedule)

    violation = play(small).violation
    assert violation is not None
    assert violation.invariant == "I1"
    assert [one.kind for one in small.entries] == ["snapshot"]


def test_a_run_goes_on_where_it_was_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    fresh = begin(path, start=10, seeds=100, rollouts=3)
    assert fresh.next_seed == 10

    keep(path, fresh.model_copy(update={"tally": Tally(seeds=30, failed=[12])}))

    again = begin(path, start=10, seeds=100, rollouts=3)
    assert (again.next_seed, again.tally.failed) == (40, [12])
    assert begin(path, start=10, seeds=200, rollouts=3).next_seed == 10


def test_a_broken_off_run_counts_what_it_had_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a run of two seeds of which one was counted before
    path = tmp_path / "progress.json"
    monkeypatch.setattr(program, "_PROGRESS", path)
    fresh = begin(path, start=0, seeds=2, rollouts=1)
    keep(path, fresh.model_copy(update={"tally": Tally(seeds=1)}))
    collecting = gc.get_threshold()

    ended = program.main(["--seeds", "2", "--rollouts", "1", "--jobs", "1", "--resume"])

    told = capsys.readouterr().out
    assert ended == 0, told
    assert "goes on with seed 1" in told
    assert "2 seeds:" in told
    assert not path.exists()
    assert gc.get_threshold() == collecting, "the next test's garbage is collected seldom as well"
