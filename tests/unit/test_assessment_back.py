"""Judging a rollback: it ends with a whole fleet, or it calls a person; it never waits for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.assessment import Assessment, Memory, Verdict
from snaproll.domain.back import assess_back
from snaproll.domain.group import Instance, RefreshStatus
from snaproll.domain.look import Look
from tests.unit.builders import FAILING, NEW, NOW, OLD, STARTING, look, members

GRACE = timedelta(minutes=10)
back = members(4, OLD, "i-back")
bad = members(2, NEW, "i-bad")


def going_back(*instances: Instance, **seen: Any) -> Look:
    """A look at a fleet that is being returned to the version it had."""
    return look(
        [one for one in instances if one.version != OLD],
        [one for one in instances if one.version == OLD],
        **{"wanted": OLD, "alarms": {}, "status": RefreshStatus.ROLLBACK_SUCCESSFUL, **seen},
    )


def after(*looks: Look) -> Assessment:
    """The last of several looks, each knowing what the ones before it left."""
    found = None
    for one in looks:
        found = assess_back(one, found.memory if found else Memory())
    assert found is not None
    return found


@pytest.mark.parametrize("status", [status for status in RefreshStatus if status.active])
def test_a_rollback_in_progress_is_waited_for(status: RefreshStatus) -> None:
    found = after(going_back(*back[:2], *bad, status=status))

    assert found.verdict is Verdict.WAIT
    assert "rolling back" in found.reason


@pytest.mark.parametrize("status", [RefreshStatus.ROLLBACK_SUCCESSFUL, RefreshStatus.SUCCESSFUL])
def test_a_whole_fleet_on_its_target_ends_the_rollback(status: RefreshStatus) -> None:
    found = after(going_back(*back, status=status))

    assert found.verdict is Verdict.ROLLED_BACK
    assert found.reason == f"4 of 4 instances are healthy on {OLD} again"


@pytest.mark.parametrize(
    "status", [RefreshStatus.ROLLBACK_FAILED, RefreshStatus.FAILED, RefreshStatus.CANCELLED]
)
def test_a_rollback_that_failed_calls_a_person(status: RefreshStatus) -> None:
    found = after(going_back(*back[:2], *bad, status=status, reason="no capacity"))

    assert found.verdict is Verdict.ESCALATE
    assert f"the rollback ended as {status}: no capacity" in found.reason


def test_a_failed_rollback_is_told_by_why_it_failed_and_not_by_why_it_began() -> None:
    found = after(
        going_back(
            *back[:2],
            *bad,
            status=RefreshStatus.ROLLBACK_FAILED,
            reason="no capacity",
            rollback_reason="an alarm went off",
        )
    )

    assert "no capacity" in found.reason
    assert "an alarm went off" not in found.reason


def test_a_rollback_that_auto_scaling_forgot_calls_a_person() -> None:
    assert after(going_back(*back, status=None)).verdict is Verdict.ESCALATE


def test_another_version_in_service_after_the_rollback_calls_a_person() -> None:
    found = after(going_back(*back[:3], *bad))

    assert found.verdict is Verdict.ESCALATE
    assert found.reason.endswith("still run another version: i-bad0, i-bad1")


def test_one_of_another_version_that_is_on_its_way_out_disturbs_nobody() -> None:
    leaving = Instance("i-bad0", "Terminating:Wait", NEW)

    assert after(going_back(*back, leaving)).verdict is Verdict.ROLLED_BACK


def test_alarms_do_not_matter_on_the_way_back() -> None:
    found = after(going_back(*back, alarms={"replicas-prod-5xx": "ALARM"}))

    assert found.verdict is Verdict.ROLLED_BACK


def test_health_after_the_rollback_is_waited_for() -> None:
    found = after(going_back(*back, health={back[0].id: STARTING}))

    assert found.verdict is Verdict.WAIT
    assert "waiting for health" in found.reason


@pytest.mark.parametrize(
    "seen",
    [
        going_back(*back, health={back[0].id: FAILING}),
        going_back(*back[:3]),
        going_back(),
        going_back(*back[:3], Instance("i-back9", "Pending", OLD)),
    ],
    ids=["one stays unhealthy", "one stays away", "all stay away", "one never enters service"],
)
def test_a_fleet_that_does_not_become_whole_within_the_grace_calls_a_person(seen: Look) -> None:
    looks = [replace(seen, now=NOW + share * GRACE) for share in (0.0, 0.5, 1.0)]

    verdicts = [after(*looks[: number + 1]).verdict for number in range(3)]

    assert verdicts == [Verdict.WAIT, Verdict.WAIT, Verdict.ESCALATE]
    assert "still not healthy after 10m" in after(*looks).reason


def test_a_fleet_that_becomes_whole_after_the_grace_is_back() -> None:
    short = going_back(*back[:3])
    whole = going_back(*back, at=NOW + 2 * GRACE)

    assert after(short, whole).verdict is Verdict.ROLLED_BACK


def test_a_fleet_at_its_floor_is_whole_although_it_wants_more() -> None:
    # Given a floor of three of four
    sections = {"refresh": {"min_healthy": 75}}
    looks = [going_back(*back[:3], at=NOW + share * GRACE, sections=sections) for share in (0, 2)]

    assert after(*looks).verdict is Verdict.ROLLED_BACK


@pytest.mark.parametrize(
    ("because", "told"),
    [
        ({"rollback_reason": "an alarm went off"}, "RollbackFailed: an alarm went off"),
        ({}, "RollbackFailed: it gave no reason"),
    ],
)
def test_a_failed_rollback_without_a_reason_of_its_own_is_told_by(
    because: dict[str, str], told: str
) -> None:
    found = after(going_back(*back, status=RefreshStatus.ROLLBACK_FAILED, **because))

    assert found.reason == f"the rollback ended as {told}"


def test_the_grace_of_a_rollback_begins_when_the_rollback_has_ended() -> None:
    # Given a rollback during which the fleet was below its floor for an hour
    looks = [
        going_back(
            *back[:3],
            status=RefreshStatus.ROLLBACK_IN_PROGRESS,
            at=NOW + share * timedelta(hours=1),
        )
        for share in (0.0, 1.0)
    ]

    # When it ends, one instance short
    ended = going_back(*back[:3], at=NOW + timedelta(hours=1, minutes=1))

    # Then the last one is waited for
    assert after(*looks, ended).verdict is Verdict.WAIT


def test_where_the_data_is_the_same_another_version_will_do() -> None:
    # Given a rollback after which an instance runs another version than the others
    stacks = OLD.model_copy(update={"version": 9})
    mixed = going_back(*back[:3], Instance("i-stack", "InService", stacks))

    same = replace(mixed, same_data=frozenset({stacks}))

    assert after(mixed).verdict is Verdict.ESCALATE
    assert after(same).verdict is Verdict.ROLLED_BACK
    assert after(same).reason.startswith("4 of 4 instances")


def test_a_fleet_that_wants_no_instances_any_more_is_back() -> None:
    assert after(going_back(desired=0)).verdict is Verdict.ROLLED_BACK


def test_a_scale_in_during_the_rollback_is_no_loss() -> None:
    assert after(going_back(*back[:2], desired=2)).verdict is Verdict.ROLLED_BACK
