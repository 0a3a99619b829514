"""A sample of the disturbances of every call; ``make faults`` tries them all."""

from __future__ import annotations

from functools import cache

import pytest

from tests.faults.cases import Case, Recording, cases, record, try_case
from tests.simulation.play import play
from tests.simulation.report import timeline

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


def test_every_function_is_run_in_a_play() -> None:
    called = {point.function for point in recording().points}
    run = {function for _, function, _ in recording().invocations}

    assert called == recording().functions
    assert run == recording().functions


@pytest.mark.parametrize("name", ENDINGS)
def test_a_play_ends_as_it_should(name: str) -> None:
    assert recording().outcomes[name] == ENDINGS[name]


@pytest.mark.parametrize("number", range(SAMPLE))
def test_whatever_call_goes_wrong_the_invariants_hold(number: int) -> None:
    case = sample()[number]

    violation = try_case(case)

    assert violation is None, f"{case}\n{timeline(play(case.schedule))}"
