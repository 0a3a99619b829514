"""Whether a fleet's probe can be asked, before the rollout that will ask it begins."""

from __future__ import annotations

import pytest

from snaproll.domain.checks import Check, CheckResult
from snaproll.domain.probe_checks import ProbeFacts, probe_checks
from tests.unit.builders import fleet

NAME = "snaproll-probe-prod-sec"
FLEET = fleet(health={"probe": {"function": NAME}})
PREFIX = "snaproll-probe-prod-"


def checked(facts: ProbeFacts | None) -> Check:
    (found,) = probe_checks(FLEET, facts)
    assert found.name == "probe-exists"
    return found


@pytest.mark.parametrize("state", ["Active", "Pending", "Inactive", ""])
def test_a_probe_that_can_be_invoked_now_or_soon_is_fine(state: str) -> None:
    found = checked(ProbeFacts(PREFIX, allowed=True, state=state))

    assert found.result is CheckResult.PASSED
    assert found.reason == f"the probe {NAME} exists, and snaproll may invoke it"


@pytest.mark.parametrize("state", [None, "Active"])
def test_a_probe_with_another_prefix_is_refused_whether_it_exists_or_not(
    state: str | None,
) -> None:
    found = checked(ProbeFacts(PREFIX, allowed=False, state=state))

    assert found.result is CheckResult.FAILED
    assert f"may not invoke the probe {NAME}: its name must begin with {PREFIX}" in found.reason


def test_a_probe_that_does_not_exist_is_refused() -> None:
    found = checked(ProbeFacts(PREFIX, allowed=True))

    assert found.result is CheckResult.FAILED
    assert f"there is no function {NAME} " in found.reason


def test_a_probe_that_never_runs_is_refused() -> None:
    found = checked(ProbeFacts(PREFIX, allowed=True, state="Failed"))

    assert found.result is CheckResult.FAILED
    assert found.reason.endswith("its state is Failed")


def test_a_fleet_without_a_probe_needs_none() -> None:
    facts = ProbeFacts(PREFIX, allowed=False)

    assert [one.result for one in probe_checks(fleet(), facts)] == [CheckResult.PASSED]
    assert checked(None).result is CheckResult.PASSED
