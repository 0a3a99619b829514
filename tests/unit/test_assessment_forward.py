"""Judging a release that is being rolled out: what condemns it, and what must not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.assessment import Assessment, Memory, Verdict
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import Instance, RefreshStatus, TargetHealth
from snaproll.domain.look import Look
from snaproll.domain.pace import FLOOR_PATIENCE
from tests.unit.builders import (
    FAILING,
    HEALTHY,
    NEW,
    NOW,
    OLD,
    STARTING,
    all_at,
    look,
    members,
)

GRACE = timedelta(minutes=10)
old = members(4, OLD)
new = members(4, NEW, "i-new")


def after(*looks: Look) -> Assessment:
    """The last of several looks, each knowing what the ones before it left."""
    found = None
    for one in looks:
        found = assess_forward(one, found.memory if found else Memory())
    assert found is not None
    return found


# -- the status of the refresh --------------------------------------------------------------------


@dataclass(frozen=True)
class StatusCase:
    """What one status of the refresh means by itself, all instances being healthy."""

    status: RefreshStatus | None
    verdict: Verdict
    says: str
    seen: dict[str, Any] = field(default_factory=dict)


BY_STATUS = [
    StatusCase(None, Verdict.ESCALATE, "does not know the refresh"),
    StatusCase(RefreshStatus.PENDING, Verdict.WAIT, "refresh Pending"),
    StatusCase(RefreshStatus.IN_PROGRESS, Verdict.WAIT, "refresh InProgress"),
    StatusCase(RefreshStatus.BAKING, Verdict.WAIT, "refresh Baking"),
    StatusCase(RefreshStatus.SUCCESSFUL, Verdict.PROMOTE, "healthy on it through the bake of 30m"),
    StatusCase(RefreshStatus.CANCELLING, Verdict.WAIT, "somebody is cancelling"),
    StatusCase(RefreshStatus.CANCELLED, Verdict.ROLL_BACK, "somebody cancelled"),
    StatusCase(
        RefreshStatus.FAILED,
        Verdict.ROLL_BACK,
        "the instance refresh failed: no capacity",
        {"reason": "no capacity"},
    ),
    StatusCase(
        RefreshStatus.FAILED, Verdict.ROLL_BACK, "the instance refresh failed: it gave no reason"
    ),
    StatusCase(
        RefreshStatus.ROLLBACK_IN_PROGRESS,
        Verdict.ROLL_BACK,
        "rolls back by itself: an alarm went off",
        {"rollback_reason": "an alarm went off", "reason": "rolling back"},
    ),
    StatusCase(
        RefreshStatus.ROLLBACK_SUCCESSFUL, Verdict.ROLL_BACK, "Auto Scaling rolled back by itself"
    ),
    StatusCase(RefreshStatus.ROLLBACK_FAILED, Verdict.ESCALATE, "own rollback failed"),
    StatusCase(RefreshStatus.UNKNOWN, Verdict.WAIT, "nothing speaks against it"),
]


@pytest.mark.parametrize("case", BY_STATUS, ids=lambda case: f"{case.status} {case.seen}")
def test_the_status_of_the_refresh_decides_first(case: StatusCase) -> None:
    found = after(look(new=new, status=case.status, **case.seen))

    assert found.verdict is case.verdict
    assert case.says in found.reason
    assert not found.against_data


def test_every_status_of_a_refresh_has_been_thought_of() -> None:
    assert {case.status for case in BY_STATUS} == {None, *RefreshStatus}


@pytest.mark.parametrize(
    "status",
    [RefreshStatus.FAILED, RefreshStatus.CANCELLED, RefreshStatus.ROLLBACK_IN_PROGRESS],
)
def test_a_refresh_that_ended_badly_condemns_the_data_only_when_instances_failed_on_it(
    status: RefreshStatus,
) -> None:
    # Given a new instance that was once seen to fail, and is gone by now
    failed = look(old, new[:1], health={new[0].id: FAILING})
    gone = look(old, status=status, at=NOW + timedelta(minutes=1))

    assert after(failed, gone).against_data
    assert not after(look(old, new[:1]), gone).against_data


def test_a_rollback_that_failed_is_told_by_why_it_failed_and_not_by_why_it_began() -> None:
    failed = RefreshStatus.ROLLBACK_FAILED
    both = look(new=new, status=failed, reason="no capacity", rollback_reason="an alarm")
    one = look(new=new, status=failed, rollback_reason="an alarm")

    assert after(both).reason == "Auto Scaling's own rollback failed: no capacity"
    assert after(one).reason == "Auto Scaling's own rollback failed: an alarm"


@pytest.mark.parametrize(
    ("status", "by_person"),
    [
        (RefreshStatus.CANCELLED, True),
        (RefreshStatus.FAILED, False),
        (RefreshStatus.ROLLBACK_IN_PROGRESS, False),
    ],
)
def test_only_a_cancelled_refresh_was_stopped_by_a_person(
    status: RefreshStatus,
    by_person: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert after(look(new=new, status=status)).by_person is by_person


# -- alarms ---------------------------------------------------------------------------------------


def test_a_firing_alarm_of_the_policy_condemns_the_release() -> None:
    found = after(look(old, new, alarms={"replicas-prod-5xx": "ALARM"}))

    assert found.verdict is Verdict.ROLL_BACK
    assert "replicas-prod-5xx" in found.reason
    assert found.against_data


@pytest.mark.parametrize("alarms", [{}, {"a": "OK"}, {"a": "INSUFFICIENT_DATA"}])
def test_an_alarm_that_does_not_fire_condemns_nothing(alarms: dict[str, str]) -> None:
    assert after(look(old, new, alarms=alarms)).verdict is Verdict.WAIT


def test_an_alarm_that_fires_after_success_still_condemns_the_release() -> None:
    firing = {"replicas-prod-5xx": "ALARM"}

    found = after(look(new=new, status=RefreshStatus.SUCCESSFUL, alarms=firing))

    assert found.verdict is Verdict.ROLL_BACK


@pytest.mark.parametrize("status", [RefreshStatus.IN_PROGRESS, RefreshStatus.ROLLBACK_IN_PROGRESS])
@pytest.mark.parametrize("healthy", [0, 1])
def test_an_alarm_is_evidence_once_an_instance_has_served_the_candidate(
    healthy: int, status: RefreshStatus
) -> None:
    firing = {"replicas-prod-5xx": "ALARM"}
    starting = {new[0].id: HEALTHY if healthy else STARTING}

    found = after(look(old, new[:1], health=starting, alarms=firing, status=status))

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data is bool(healthy)


def test_every_alarm_that_fires_is_named() -> None:
    found = after(look(old, alarms={"one": "ALARM", "fine": "OK", "other": "ALARM"}))

    assert found.reason.startswith("the alarm one, other fired while ")


# -- new instances and the grace ------------------------------------------------------------------


def unhealthy_for(
    length: timedelta, health: TargetHealth = FAILING, lifecycle: str = "InService"
) -> Assessment:
    """Two looks at one new instance that is not healthy, the second some time after the first."""
    one = Instance("i-new0", lifecycle, NEW)
    return after(
        look(old, [one], health={one.id: health}),
        look(old, [one], health={one.id: health}, at=NOW + length),
    )


def test_new_instances_that_stay_unhealthy_for_the_grace_condemn_the_release() -> None:
    found = unhealthy_for(GRACE)

    assert found.verdict is Verdict.ROLL_BACK
    assert "1 of 1 new instances did not become healthy within 10m" in found.reason
    assert "i-new0: unhealthy Target.ResponseCodeMismatch" in found.reason
    assert found.against_data


def test_new_instances_have_the_whole_grace() -> None:
    assert unhealthy_for(GRACE - timedelta(seconds=1)).verdict is Verdict.WAIT


def test_an_instance_that_is_not_in_service_yet_is_auto_scalings_to_judge() -> None:
    assert unhealthy_for(timedelta(hours=1), lifecycle="Pending").verdict is Verdict.WAIT


@pytest.mark.parametrize(
    ("health", "evidence"),
    [
        (FAILING, True),
        (STARTING, True),
        (TargetHealth("unhealthy.draining", "Target.FailedHealthChecks"), True),
        (TargetHealth("initial", "Elb.RegistrationInProgress"), False),
        (TargetHealth("unused", "Target.NotRegistered"), False),
        (TargetHealth("unavailable", "Elb.InternalError"), False),
    ],
    ids=lambda value: f"{value.state} {value.reason}" if isinstance(value, TargetHealth) else "",
)
def test_only_health_checks_that_were_made_speak_against_the_data(
    health: TargetHealth,
    evidence: bool,  # noqa: FBT001
) -> None:
    found = unhealthy_for(GRACE, health)

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data is evidence


def test_progress_starts_the_grace_anew() -> None:
    # Given four new instances, of which another one becomes healthy every nine minutes
    looks = []
    for number in range(5):
        bad = all_at(FAILING, new[number:])
        looks.append(look(old, new, health=bad, at=NOW + number * timedelta(minutes=9)))

    # Then the rollout is never condemned, although it takes longer than the grace in all
    found = [after(*looks[: number + 1]).verdict for number in range(5)]
    assert set(found) == {Verdict.WAIT}


def test_an_instance_that_becomes_unhealthy_and_healthy_again_is_no_progress() -> None:
    # Given a new instance that is healthy, and beside it one that never is
    pair, bad = new[:2], {new[1].id: FAILING}
    looks = [
        look(old, pair, health=bad),
        look(old, pair, health={**bad, pair[0].id: FAILING}, at=NOW + timedelta(minutes=4)),
        look(old, pair, health=bad, at=NOW + timedelta(minutes=8)),
        look(old, pair, health=bad, at=NOW + GRACE),
    ]

    assert after(*looks).verdict is Verdict.ROLL_BACK


def test_a_replacement_that_is_still_pending_does_not_hide_that_none_ever_became_healthy() -> None:
    # Given a new instance that failed, and Auto Scaling which puts another one in its place
    one, another = new[0], Instance("i-new9", "Pending", NEW)
    served = Instance("i-new9", "InService", NEW)
    looks = [
        look(old, [one], health={one.id: STARTING}),
        look(old, [one], health={one.id: FAILING}, at=NOW + timedelta(minutes=3)),
        look(old, [another], at=NOW + timedelta(minutes=6)),
        look(old, [served], health={served.id: STARTING}, at=NOW + GRACE),
    ]

    found = after(*looks)

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data


@pytest.mark.parametrize("lifecycle", ["InService", "Pending"])
def test_an_instance_that_joins_late_has_the_whole_grace(lifecycle: str) -> None:
    # Given new instances that were all healthy at the last look, a grace ago
    joining = Instance("i-new9", lifecycle, NEW)
    served = Instance("i-new9", "InService", NEW)
    looks = [
        look(old, new),
        look(old, [*new, joining], health={joining.id: STARTING}, at=NOW + GRACE),
        look(
            old,
            [*new, served],
            health={served.id: STARTING},
            at=NOW + 2 * GRACE - timedelta(seconds=1),
        ),
    ]

    # Then one that a scale-out adds is not judged by what was before it
    assert [after(*looks[:number]).verdict for number in (2, 3)] == [Verdict.WAIT, Verdict.WAIT]


def test_old_instances_that_fail_say_nothing_about_new_ones() -> None:
    weak = {"refresh": {"min_healthy": 0, "max_healthy": 100}}
    failing = all_at(FAILING, old)
    looks = [
        look(old, new[:1], health=failing, at=NOW + number * GRACE, sections=weak)
        for number in range(3)
    ]

    assert after(*looks).verdict is Verdict.WAIT


def test_an_instance_that_no_target_group_knows_is_told_as_that() -> None:
    seen = look(old, new[:1])
    unknown = replace(seen, view=replace(seen.view, targets=all_at(HEALTHY, old)))

    found = after(unknown, replace(unknown, now=NOW + GRACE))

    assert f"{new[0].id}: not registered" in found.reason
    assert not found.against_data


# -- the floor ------------------------------------------------------------------------------------


def below_floor_for(length: timedelta, **seen: Any) -> Assessment:
    """Two looks at a fleet in which one of the four old instances is unhealthy."""
    bad = {old[0].id: FAILING}
    return after(look(old, health=bad, **seen), look(old, health=bad, at=NOW + length, **seen))


def test_a_fleet_that_stays_below_its_floor_is_rolled_back() -> None:
    found = below_floor_for(FLOOR_PATIENCE)

    assert found.verdict is Verdict.ROLL_BACK
    assert "for 2m no more than 3 instances of the fleet's floor of 4" in found.reason
    assert not found.against_data


def test_a_fleet_may_be_below_its_floor_for_a_moment() -> None:
    assert below_floor_for(FLOOR_PATIENCE - timedelta(seconds=1)).verdict is Verdict.WAIT


def test_a_fleet_that_recovers_in_between_starts_anew() -> None:
    bad = {old[0].id: FAILING}

    found = after(
        look(old, health=bad),
        look(old, at=NOW + timedelta(minutes=1)),
        look(old, health=bad, at=NOW + FLOOR_PATIENCE),
    )

    assert found.verdict is Verdict.WAIT


def test_the_floor_condemns_the_data_when_new_instances_failed() -> None:
    few, bad = old[:3], {new[0].id: FAILING}

    found = after(
        look(few, new[:1], health=bad),
        look(few, new[:1], health=bad, at=NOW + FLOOR_PATIENCE),
    )

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data


@dataclass(frozen=True)
class Scaling:
    """A fleet that scales while it is being rolled."""

    says: str
    instances: Sequence[Instance]
    desired: int
    verdict: Verdict


@pytest.mark.parametrize(
    "case",
    [
        Scaling("out, and the added ones are not there yet", new[:4], 8, Verdict.WAIT),
        Scaling("in, and fewer are needed", new[:2], 2, Verdict.WAIT),
        Scaling("in, and fewer than that are left", new[:1], 2, Verdict.ROLL_BACK),
        Scaling("not at all, and one is missing", new[:3], 4, Verdict.ROLL_BACK),
    ],
    ids=lambda case: case.says,
)
def test_the_floor_follows_a_fleet_that_scales(case: Scaling) -> None:
    looks = [
        look(new=case.instances, desired=case.desired, at=NOW + number * FLOOR_PATIENCE)
        for number in range(2)
    ]

    assert after(*looks).verdict is case.verdict


def test_instances_on_their_way_out_serve_nobody() -> None:
    leaving = [Instance("i-old0", "Terminating:Wait", OLD), *old[1:]]

    found = after(look(leaving), look(leaving, at=NOW + FLOOR_PATIENCE))

    assert found.verdict is Verdict.ROLL_BACK


# -- completion -----------------------------------------------------------------------------------


def test_all_instances_healthy_on_the_release_after_its_bake_make_it_live() -> None:
    found = after(look(new=new, status=RefreshStatus.SUCCESSFUL))

    assert found.verdict is Verdict.PROMOTE
    assert found.reason == "4 of 4 instances were healthy on it through the bake of 30m"


def test_an_instance_that_just_joined_is_not_counted_among_the_healthy_ones() -> None:
    joining = Instance("i-new9", "Pending", NEW)

    found = after(look(new=[*new, joining], status=RefreshStatus.SUCCESSFUL, desired=5))

    assert found.verdict is Verdict.PROMOTE
    assert "4 of 5 instances" in found.reason


def test_a_release_that_no_instance_proves_is_not_called_live() -> None:
    found = after(look(status=RefreshStatus.SUCCESSFUL, desired=0))

    assert found.verdict is Verdict.STAGE
    assert "no instances that could prove it" in found.reason


def test_another_version_in_service_at_the_end_needs_a_person() -> None:
    found = after(look(old[:1], new[:3], status=RefreshStatus.SUCCESSFUL))

    assert found.verdict is Verdict.ESCALATE
    assert "i-old0" in found.reason


def test_health_that_is_missing_at_the_end_is_waited_for() -> None:
    sections = {"refresh": {"min_healthy": 50}}

    found = after(
        look(
            new=new,
            status=RefreshStatus.SUCCESSFUL,
            health={new[0].id: STARTING},
            sections=sections,
        )
    )

    assert found.verdict is Verdict.WAIT
    assert "the refresh is done, health is not" in found.reason


def test_health_that_does_not_come_at_the_end_condemns_the_release() -> None:
    bad, sections = {new[0].id: FAILING}, {"refresh": {"min_healthy": 50}}
    looks = [
        look(
            new=new,
            status=RefreshStatus.SUCCESSFUL,
            health=bad,
            sections=sections,
            at=NOW + number * GRACE,
        )
        for number in range(2)
    ]

    assert after(*looks).verdict is Verdict.ROLL_BACK


def test_a_look_is_told_in_one_line() -> None:
    found = after(look(old[:3], new[:2], health={new[1].id: STARTING}))

    assert found.reason == (
        "refresh InProgress; 1 of 2 new and 4 of 5 instances healthy; nothing speaks against it"
    )


def test_a_target_is_told_with_what_the_load_balancer_says_of_it() -> None:
    told = TargetHealth("unhealthy", "Target.ResponseCodeMismatch", "codes: [503]")

    assert str(told) == "unhealthy Target.ResponseCodeMismatch (codes: [503])"
    assert str(HEALTHY) == "healthy"


def test_a_look_at_a_refresh_that_is_not_known_says_so() -> None:
    assert look(status=None).summary().startswith("refresh unknown; ")


def test_a_verdict_that_ends_the_waiting_waits_no_more() -> None:
    assert after(look(new=new, status=RefreshStatus.SUCCESSFUL)).wait_seconds == 0


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (TargetHealth("unhealthy", "Target.ResponseCodeMismatch", "codes: [503]"), "bad"),
        (TargetHealth("unhealthy", "Target.Timeout"), "bad"),
        (TargetHealth("unhealthy", "Target.FailedHealthChecks"), "bad"),
        (TargetHealth("initial", "Elb.InitialHealthChecking"), "bad"),
        (TargetHealth("unhealthy", "Elb.InternalError"), "nothing"),
        (TargetHealth("unavailable", "Target.HealthCheckDisabled"), "nothing"),
        (TargetHealth("unused", "Target.NotInUse"), "nothing"),
        (TargetHealth("unused", "Target.IpUnusable"), "nothing"),
        (TargetHealth("initial", "Elb.RegistrationInProgress"), "nothing"),
    ],
    ids=str,
)
def test_only_failed_health_checks_condemn_and_the_reason_names_what_was_seen(
    health: TargetHealth, says: str
) -> None:
    # Given a new instance that has been in service and not healthy for the whole grace
    seen = {new[0].id: health}

    found = after(look(old, new[:1], health=seen), look(old, new[:1], health=seen, at=NOW + GRACE))

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data is (says == "bad")
    assert f"{new[0].id}: {health}" in found.reason
