"""A sample of the disturbances of every call; ``make faults`` tries them all."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.faults.cases import Case, Recording, cases, record, try_case
from tests.simulation.play import play
from tests.simulation.report import timeline

ROOT = Path(__file__).parents[2]
SAMPLE = 40
"""How many disturbances the everyday run tries, spread over them all."""
ENDINGS = {
    "good": ("Live", "Live", "Live", "SUCCEEDED", "Live"),
    "corrupt": ("RolledBack", "SUCCEEDED", "RolledBack"),
    "unencrypted": ("SnapshotRejected",),
    "not ready": ("FleetNotReady", "Live"),
    "lost event": ("Live",),
    "queued": ("Live", "Queued", "SUCCEEDED", "Live"),
    "by hand": ("Live",),
    "held": ("SUCCEEDED", "Held", "SUCCEEDED", "Live"),
    "stopped": ("RolledBack", "SUCCEEDED", "SUCCEEDED", "Live"),
    "cancelled": ("RolledBack",),
    "taken over": ("ABORTED", "RolledBack"),
}
"""How the executions of a play end, for those plays whose endings say what they are for."""


@cache
def recording() -> Recording:
    """What was recorded, once in a process."""
    return record()


def sample() -> list[Case]:
    """Disturbances from all over the table."""
    every = cases(recording())
    return every[:: max(1, len(every) // SAMPLE)]


ELSEWHERE = {
    # It takes a thousand looks to get there.
    "HandOverFunction": (
        "test_handover.py::test_who_handed_over_and_died_at_it_is_followed_all_the_same"
    ),
}
"""Functions that no play runs, and where their calls go wrong instead."""


def test_every_function_is_run_in_a_play() -> None:
    called = {point.function for point in recording().points}
    run = {function for _, function, _ in recording().invocations}

    wanted = recording().functions - ELSEWHERE.keys()
    assert called - ELSEWHERE.keys() == wanted
    assert run - ELSEWHERE.keys() == wanted


@pytest.mark.parametrize(("function", "place"), ELSEWHERE.items())
def test_a_function_without_a_play_is_disturbed_elsewhere(function: str, place: str) -> None:
    module, _, test = place.partition("::")
    text = (ROOT / "tests" / "integration" / module).read_text(encoding="utf-8")

    assert function in recording().functions
    assert f"def {test}(" in text


@pytest.mark.parametrize("name", ENDINGS)
def test_a_play_ends_as_it_should(name: str) -> None:
    assert recording().outcomes[name] == ENDINGS[name]


@pytest.mark.parametrize("number", range(SAMPLE))
def test_whatever_call_goes_wrong_the_invariants_hold(number: int) -> None:
    case = sample()[number]

    violation = try_case(case)

    assert violation is None, f"{case}\n{timeline(play(case.schedule))}"
