"""The printed history of a rollout tells its story to somebody who has not read the code."""

from __future__ import annotations

import re

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.history import story
from tests.integration.seen import reason


@pytest.fixture(scope="module")
def told() -> str:
    """The story of a rollout that was rolled back."""
    stage = Stage()
    return story(stage.roll(stage.add_fleet("sec-prod"), "corrupt"))


def test_it_begins_with_what_was_asked_and_how_it_ended(told: str) -> None:
    first, second, *_ = told.splitlines()

    assert re.match(r"snaproll-demo-rollout / sec-prod-snap-\w+-1: FAILED after 1\dm \d\ds", first)
    assert '"fleet": "sec-prod"' in second


@pytest.mark.parametrize(
    "what",
    [
        r"PlanRollout +snap-\w+ is to be rolled out to fleet sec-prod",
        r"ClaimFleet +The rollout of snap-\w+ to fleet sec-prod began",
        r"ValidateSnapshot +snap-\w+ passed all 15 checks of sec-prod's gate",
        r"InspectFleet +Fleet sec-prod is ready: all \d+ checks passed",
        r"UpdateLaunchTemplate +lt-\w+ version 2 is lt-\w+ version 1 with snap-\w+ at /dev/xvdf",
        r"StartRefresh +The instance refresh \S+ replaces 4 instances of sec-prod-replicas",
        r"AwaitSignal +waits for 1m 00s",
        r"AwaitSignal +woken: .*Instance Refresh Started",
        r"AwaitSignal +nobody answered for",
        r"WatchHealth +refresh InProgress; 0 of 1 new and 4 of 5 instances healthy",
        r"WatchHealth +1 of 1 new instances did not become healthy within 10m",
        r"ActOnVerdict +chose RollBack",
        r"RollBack +Rolling sec-prod-replicas back to lt-\w+ version 1",
        r"QuarantineSnapshot +snap-\w+ is quarantined for fleet sec-prod",
        r"WatchHealth +4 of 4 instances are healthy on lt-\w+ version 1 again",
        r"DeleteTemplateVersion +lt-\w+ version 2 was deleted",
        r"ReleaseFleet +snap-\w+ on fleet sec-prod was rolled back",
        r"error: RolledBack",
        r"cause: snap-\w+ on fleet sec-prod was rolled back: 1 of 1 new instances",
    ],
)
def test_it_tells(told: str, what: str) -> None:
    assert re.search(what, told), told


def test_every_step_has_its_time_and_times_only_grow(told: str) -> None:
    stamps = re.findall(r"^ +\+(?:(\d+)h )?(?:(\d+)m )?([\d.]+)s ", told, re.MULTILINE)

    seconds = [int(h or 0) * 3600 + int(m or 0) * 60 + float(s) for h, m, s in stamps]
    assert len(seconds) > 30
    assert seconds == sorted(seconds)


def test_it_ends_with_the_sentence_that_the_mail_has(stage: Stage, fleet: StagedFleet) -> None:
    rollout = stage.roll(fleet, "corrupt")

    assert story(rollout).splitlines()[-1] == f"cause: {reason(rollout)}"


def test_it_is_short_enough_to_be_read(told: str) -> None:
    assert len(told.splitlines()) < 100


def test_it_holds_no_raw_json_but_the_input(told: str) -> None:
    lines = [line for line in told.splitlines() if "{" in line]

    assert all(line.startswith("input:") or "woken_by" in line for line in lines)
