"""The simulation itself: that it runs, repeats exactly, and finds what is broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.world.access import Access
from embedded.world.behaviour import Scenario
from snaproll.aws.launch_templates import LaunchTemplates
from snaproll.domain import forward, gate, probing
from snaproll.domain.checks import Check
from snaproll.domain.fleet import Fleet
from snaproll.domain.ledger import FleetState
from snaproll.domain.probe import Probing, due, hear
from snaproll.domain.probe_contract import Moment, Occasion
from snaproll.domain.release import Release, TemplateVersion
from snaproll.domain.staging import stage
from snaproll.steps import probe as probe_step
from snaproll.steps import stage as stage_step
from snaproll.steps import staged as staged_step
from tests.simulation.dice import schedule_of
from tests.simulation.play import play
from tests.simulation.report import timeline
from tests.simulation.schedule import (
    CapacityChanges,
    FleetSetup,
    Schedule,
    SnapshotCompletes,
)
from tests.simulation.violation import Violation

SEEDS = range(8)
FOUND = Path(__file__).parent / "found"
"""Schedules that once violated something, cut down to what it takes."""


def test_some_seeds_hold_every_invariant() -> None:
    outcomes: Counter[str] = Counter()

    for seed in SEEDS:
        played = play(schedule_of(seed))
        outcomes += played.outcomes()
        assert played.violation is None, f"seed {seed}: {played.violation}"

    assert {"Live", "RolledBack", "SnapshotRejected"} <= outcomes.keys()


def test_a_schedule_read_back_from_json_has_the_same_history() -> None:
    schedule = schedule_of(3)

    read = Schedule.model_validate_json(schedule.model_dump_json())

    assert read == schedule
    assert play(read).digest == play(schedule).digest


def test_another_process_plays_the_same_history() -> None:
    # Python orders sets of strings differently in every process; nothing here may follow it.
    told = {
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "5"],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hashes in ("1", "2")
    }

    assert len(told) == 1
    assert "no violation" in told.pop()


@pytest.mark.parametrize("found", sorted(FOUND.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_found_once_does_not_come_back(found: Path) -> None:
    played = play(Schedule.model_validate_json(found.read_text(encoding="utf-8")))

    assert played.violation is None, timeline(played)


def test_a_gate_that_forgets_encryption_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gate._checks  # noqa: SLF001 - a bug is planted

    def without_encryption(fleet: Fleet, evidence: gate.GateEvidence) -> list[Check]:
        return [one for one in whole(fleet, evidence) if one.name != "encrypted"]

    monkeypatch.setattr(gate, "_checks", without_encryption)

    assert next(violations()).invariant == "I1"


def test_a_default_that_moves_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    make = LaunchTemplates.version_for

    def make_and_move(templates: LaunchTemplates, *args: Any, **named: Any) -> TemplateVersion:
        version = make(templates, *args, **named)
        templates.set_default(version)
        return version

    monkeypatch.setattr(LaunchTemplates, "version_for", make_and_move)
    # The role of that function does not allow it either, and that would be found first.
    monkeypatch.setattr(Access, "check", lambda *_: None)

    assert next(violations()).invariant == "I5"


def test_a_probe_that_condemns_what_it_cannot_tell_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def condemn(probing: Probing, *heard: Any) -> Probing:
        found = hear(probing, *heard)
        return found.model_copy(update={"failed": found.failed or found.tries > 0})

    monkeypatch.setattr(probe_step, "hear", condemn)

    assert next(violations(probed=True)).invariant == "I9"


def test_a_release_that_is_promoted_without_its_probes_last_word_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def before_the_end(*asked: Any, baked: bool) -> Moment | None:
        moment = due(*asked, baked=baked)
        return moment if moment and moment.occasion is Occasion.CHECKPOINT else None

    monkeypatch.setattr(probing, "due", before_the_end)

    assert next(violations(probed=True)).invariant == "I3"


def of_a_fleet_at_zero(scenario: Scenario) -> Schedule:
    """A fleet without instances gets a snapshot, and is scaled out half an hour later."""
    return Schedule(
        seed=1,
        world_seed=1,
        fleets=(FleetSetup(capacity=3),),
        entries=(
            CapacityChanges(at=0.0, desired=0),
            SnapshotCompletes(at=900.0, label="snapshot 1", scenario=scenario),
            CapacityChanges(at=2700.0, desired=3),
        ),
    )


@pytest.mark.parametrize(
    ("scenario", "last"), [(Scenario.HEALTHY, "Live"), (Scenario.CORRUPT, "RolledBack")]
)
def test_a_fleet_at_zero_is_staged_and_then_watched(scenario: Scenario, last: str) -> None:
    played = play(of_a_fleet_at_zero(scenario))

    assert played.violation is None, timeline(played)
    assert played.outcomes() == {"Staged": 1, last: 1}


def test_first_instances_that_nobody_lets_bake_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "unproven", lambda *_: None)

    violation = play(of_a_fleet_at_zero(Scenario.HEALTHY)).violation

    assert violation is not None
    assert violation.invariant == "I3"


def test_a_staged_release_that_is_called_live_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def stage_and_boast(state: FleetState, release: Release, **details: Any) -> FleetState:
        return stage(state, release, **details).model_copy(update={"live": release})

    monkeypatch.setattr(stage_step, "stage", stage_and_boast)

    violation = play(of_a_fleet_at_zero(Scenario.HEALTHY)).violation

    assert violation is not None
    assert violation.invariant == "I3"


def test_first_instances_that_nobody_watches_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_step, "name_watch", lambda *asked: asked[-1])

    violation = play(of_a_fleet_at_zero(Scenario.HEALTHY)).violation

    assert violation is not None
    assert "nobody watches them" in violation.sentence


def violations(*, probed: bool = False) -> Iterator[Violation]:
    """What the first seeds violate, seed by seed; ``probed``: those with a probe in them."""
    schedules = (schedule_of(seed) for seed in range(40))
    told = (one for one in schedules if not probed or any(it.probe for it in one.fleets))
    played = (play(one).violation for one in told)
    return (violation for violation in played if violation is not None)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_seed_has_three_rollouts_at_most(seed: int) -> None:
    kinds = Counter(entry.kind for entry in schedule_of(seed).entries)

    assert 1 <= kinds["snapshot"] + kinds["start"] <= 3
