"""Planted bugs: that each can be planted and was found, and that a blunt one is no find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation.progress import ROOT
from tests.simulation.teeth.__main__ import SEEDS
from tests.simulation.teeth.bugs import Bug, PlantingError, Replacement, read_bugs
from tests.simulation.teeth.hunt import BluntError, Find, hunt
from tests.simulation.teeth.record import Notebook, read_finds, write_finds
from tests.simulation.teeth.table import PAGE, page

GATE = "layers/snaproll/src/snaproll/domain/gate.py"
PLAN = "layers/snaproll/src/snaproll/steps/plan.py"


def a_bug(file: str, before: str, after: str) -> Bug:
    change = Replacement(file=file, before=before, after=after)
    return Bug(name="a-bug", story="Somebody erred.", change=(change,))


@pytest.mark.parametrize("bug", read_bugs(), ids=lambda bug: bug.name)
def test_a_bug_can_be_planted_in_the_present_code(bug: Bug, tmp_path: Path) -> None:
    for file in bug.files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())

    bug.plant(tmp_path)

    assert all((tmp_path / one).read_text() != (ROOT / one).read_text() for one in bug.files)


def test_every_bug_was_found_within_the_seeds_of_one_run() -> None:
    finds = read_finds()

    assert {one.name for one in read_bugs()} == finds.keys()
    assert all(find.seed < SEEDS for find in finds.values())


def test_the_page_says_what_was_found() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(read_bugs(), read_finds())


@pytest.mark.parametrize("times", [0, 2])
def test_a_bug_whose_place_is_gone_names_file_and_text(tmp_path: Path, times: int) -> None:
    (tmp_path / "code.py").write_text("encrypted = True\n" * times)

    with pytest.raises(PlantingError, match=rf"code\.py .* {times} times(.|\n)*encrypted = True"):
        a_bug("code.py", "encrypted = True", "").plant(tmp_path)


def test_a_bug_that_is_badly_written_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_text('story = "No change is in it."\n')

    with pytest.raises(PlantingError, match=r"odd\.toml(.|\n)*change"):
        read_bugs(tmp_path)


def test_a_planted_bug_is_found_and_told_by_its_invariant() -> None:
    bug = next(one for one in read_bugs() if one.name == "encryption-check-dropped")
    seed = read_finds()[bug.name].seed

    find = hunt(bug, range(seed, seed + 1))

    assert find is not None
    assert find.invariant == "I1"


def test_code_that_does_not_run_is_no_find() -> None:
    bug = a_bug(GATE, "from __future__ import annotations", "from __past__ import annotations")

    with pytest.raises(BluntError, match="__past__"):
        hunt(bug, range(1))


def test_code_that_breaks_in_the_plain_story_is_no_find() -> None:
    bug = a_bug(PLAN, "    snapshot_id, snapshot = _snapshot(", "    snapshot_id = _snapshot(")

    with pytest.raises(BluntError, match="the plain story ends as"):
        hunt(bug, range(1))


def test_a_hunt_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    bug, other = a_bug("a.py", "a", "b"), a_bug("a.py", "a", "c")
    notebook = Notebook(tmp_path / "teeth.json")
    notebook.played(bug, 40)

    again = Notebook(tmp_path / "teeth.json")

    assert again.of(bug).next_seed == 41
    assert again.of(other).next_seed == 0


def test_finds_are_read_as_they_were_written(tmp_path: Path) -> None:
    find = Find(seed=7, invariant="I1", sentence='a "quoted" \\ sentence\nof two lines')

    write_finds({"a-bug": find}, tmp_path / "found.toml")

    assert read_finds(tmp_path / "found.toml") == {"a-bug": find}
