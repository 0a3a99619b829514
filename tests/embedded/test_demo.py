"""The demo: it ends as its story says at any speed, and says so when it does not."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from embedded.scenarios import demo
from embedded.scenarios.demo import Account, Demo, main
from embedded.scenarios.display import PlainDisplay, RichDisplay
from embedded.scenarios.scene import FLEET


def played(speed: float) -> list[Account]:
    """The accounts of a whole story, shown to nobody."""
    return Demo(PlainDisplay(Console(file=io.StringIO())), speed).play()


@pytest.fixture(scope="module")
def accounts() -> list[Account]:
    return played(speed=0)


def test_every_act_ends_as_the_story_expects(accounts: list[Account]) -> None:
    assert [account.outcome for account in accounts] == [account.expected for account in accounts]
    assert [account.outcome for account in accounts] == [
        "Live",
        "SnapshotRejected",
        "RolledBack",
        "RolledBack",
        "Live",
        "Ignored",
    ]


def test_it_begins_with_the_writers_data_whose_snapshot_is_rolled_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = io.StringIO()
    console = Console(file=shown, width=160)

    monkeypatch.setattr(demo, "STORY", demo.STORY[:1])
    Demo(PlainDisplay(console), speed=0).play()

    lines = shown.getvalue().splitlines()
    said = [line.split()[1] for line in lines if re.match(r"  \d\d:", line)]
    assert said[0] == "ClaimWriter"
    assert said.index("FinishPublish") < said.index("PlanRollout") < said.index("ReleaseFleet")


def test_it_ends_alike_at_another_speed(accounts: list[Account]) -> None:
    assert played(speed=50_000) == accounts


def test_every_rollout_is_accounted_for(accounts: list[Account]) -> None:
    for account in accounts:
        assert account.fleet == FLEET
        assert account.reason
        started = account.outcome != "Ignored"
        assert (account.transitions > 0, account.history_events > 0) == (started, started)
        # An event that starts nothing still costs its short Lambda call.
        assert account.cost_usd > (0.0001 if started else 0)
        assert all(number > 0 for number in account.aws_calls.values())
    assert accounts[0].aws_calls["autoscaling:StartInstanceRefresh"] == 1
    assert "autoscaling:StartInstanceRefresh" not in accounts[1].aws_calls


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_outcome_that_differs_is_told_and_makes_it_fail(
    in_a_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = replace(demo.STORY[1], expected="Live")
    monkeypatch.setattr(demo, "STORY", (wrong,))

    code = main([])

    assert code == 1
    assert "expected Live, was SnapshotRejected" in capsys.readouterr().err
    (written,) = json.loads((in_a_folder / "build/demo.json").read_text())
    assert written["outcome"] == "SnapshotRejected"


def test_a_terminal_shows_instances_and_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(demo, "STORY", demo.STORY[:1])
    with RichDisplay(Console(file=screen, force_terminal=True, width=120)) as display:
        display.table(Demo(display, speed=0).play())

    shown = screen.getvalue()
    assert "Data is ready at the writer" in shown
    assert "TakeSnapshot" in shown
    assert "healthy" in shown
    assert "WatchHealth" in shown
    assert "Live" in shown


def test_a_speed_below_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--speed", "-1"])

    assert "--speed -1.0 must be 0 or more" in capsys.readouterr().err
