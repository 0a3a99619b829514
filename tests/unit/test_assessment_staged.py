"""What proves a release whose first instances are watched, and what takes it back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.assessment import Assessment, Memory, Verdict
from snaproll.domain.back import assess_back
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import Instance, RefreshStatus
from snaproll.domain.look import Look
from tests.unit.builders import FAILING, NEW, NOW, OLD, STARTING, look, members

BAKE, GRACE = timedelta(minutes=30), timedelta(minutes=10)
SECTIONS = {"refresh": {"bake": "30m"}}
ALARM = "replicas-prod-5xx"
new = members(2, NEW, "i-new")


def first(*instances: Instance, minutes: float = 0, desired: int = 2, **changes: Any) -> Look:
    """A look at the first instances, so many minutes after the watch began."""
    return look(
        (),
        instances,
        status=None,
        desired=desired,
        capacity_at_start=0,
        started=NOW,
        at=NOW + timedelta(minutes=minutes),
        sections=SECTIONS,
        without_refresh=True,
        **changes,
    )


def after(*looks: Look) -> Assessment:
    """The last of several assessments in a row."""
    memory, found = Memory(), None
    for one in looks:
        found = assess_forward(one, memory)
        memory = found.memory
    assert found is not None
    return found


def test_instances_that_were_healthy_through_a_bake_prove_it() -> None:
    looks = [first(*new, minutes=minutes) for minutes in (0, 10, 29, 30)]

    assert [after(*looks[:number]).verdict for number in (1, 2, 3, 4)] == [
        Verdict.WAIT,
        Verdict.WAIT,
        Verdict.WAIT,
        Verdict.PROMOTE,
    ]


def test_the_next_look_comes_when_the_bake_is_over() -> None:
    found = after(*(first(*new, minutes=minutes) for minutes in (0, 5, 15, 25)))

    assert found.wait_seconds == 5 * 60


def test_a_look_falls_on_the_end_of_the_grace_without_instances() -> None:
    # Given first instances that served, and were all gone five minutes later
    looks = [first(*new), first(minutes=5), first(minutes=14.5)]

    assert after(*looks).wait_seconds == 30


def test_a_look_falls_on_the_end_of_the_grace_of_an_alarm_from_before() -> None:
    firing = {ALARM: "ALARM"}
    looks = [first(alarms=firing), first(*new, minutes=1, alarms=firing)]

    found = after(*looks, first(*new, minutes=10.5, alarms=firing))

    assert (found.verdict, found.wait_seconds) == (Verdict.WAIT, 30)


def test_in_a_large_fleet_that_comes_from_zero_a_few_losses_are_chance() -> None:
    fleet = members(40, NEW, "i-many")

    def lost(count: int) -> Verdict:
        gone = {one.id: "an ELB system health check failure" for one in fleet[:count]}
        there = first(*fleet, desired=40)
        return after(there, first(*fleet[count:], minutes=1, desired=40, taken_out=gone)).verdict

    assert [lost(count) for count in (2, 3)] == [Verdict.WAIT, Verdict.ROLL_BACK]


def test_a_group_without_instances_stays_staged() -> None:
    assert after(first(desired=0)).verdict is Verdict.STAGE
    assert after(first(*new), first(minutes=20, desired=0)).verdict is Verdict.STAGE


def test_the_bake_begins_anew_when_none_of_those_that_were_healthy_is_left() -> None:
    others = members(2, NEW, "i-later")
    looks = [first(*new), first(*new, minutes=20), first(*others, minutes=30)]

    assert after(*looks, first(*others, minutes=50)).verdict is Verdict.WAIT
    assert after(*looks, first(*others, minutes=60)).verdict is Verdict.PROMOTE


def test_one_that_goes_on_serving_carries_the_bake_on() -> None:
    joined = (new[0], *members(1, NEW, "i-later"))

    found = after(first(*new), first(*joined, minutes=20), first(*joined, minutes=30))

    assert found.verdict is Verdict.PROMOTE


def test_instances_that_never_come_are_no_evidence() -> None:
    found = after(first(minutes=0), first(minutes=10))

    assert found.verdict is Verdict.ROLL_BACK
    assert not found.against_data
    assert "for 10m none has been healthy on it" in found.reason


def test_instances_that_fail_their_health_checks_are_evidence() -> None:
    failing = {one.id: FAILING for one in new}

    found = after(*(first(*new, minutes=minutes, health=failing) for minutes in (0, 10)))

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data


def test_instances_of_another_version_take_it_back_without_blame() -> None:
    found = after(first(new[0], *members(1, OLD)))

    assert found.verdict is Verdict.ROLL_BACK
    assert not found.against_data
    assert found.reason == "these instances run another version than the staged one: i-old0"


def test_one_instance_that_failed_is_evidence_although_none_is_there_any_more() -> None:
    failing = {one.id: FAILING for one in new}

    found = after(first(*new, health=failing), *(first(minutes=minutes) for minutes in (1, 11)))

    assert found.verdict is Verdict.ROLL_BACK
    assert "none has been healthy" in found.reason
    assert found.against_data


def test_a_group_of_one_is_proven_by_one() -> None:
    looks = [first(new[0], minutes=minutes, desired=1) for minutes in (0, 30)]

    assert after(*looks).verdict is Verdict.PROMOTE


def test_no_refresh_is_spoken_of_where_there_was_none() -> None:
    starting = {new[0].id: STARTING}

    found = after(first(*new, health=starting))

    assert found.reason == ("no refresh; 1 of 2 new and 1 of 2 instances healthy; health is not")


def test_a_fleet_that_comes_from_zero_is_not_below_its_floor() -> None:
    starting = {one.id: STARTING for one in new}

    found = after(*(first(*new, minutes=minutes, health=starting) for minutes in (0, 5)))

    assert found.verdict is Verdict.WAIT


def test_one_that_never_bakes_without_a_break_goes_back_in_the_end() -> None:
    # Given instances of which one look finds those healthy and the next finds others
    looks = [first(*members(2, NEW, f"i-{number}-"), minutes=10.0 * number) for number in range(10)]

    assert {after(*looks[:number]).verdict for number in range(1, 10)} == {Verdict.WAIT}
    found = after(*looks)
    assert found.verdict is Verdict.ROLL_BACK
    assert "not proven within 1h30m" in found.reason


def test_one_that_never_bakes_and_failed_once_goes_back_with_evidence() -> None:
    looks = [first(*members(2, NEW, f"i-{number}-"), minutes=10.0 * number) for number in range(10)]
    failing = first(*new, minutes=1, health={new[0].id: FAILING})

    found = after(looks[0], failing, *looks[1:])

    assert "not proven within" in found.reason
    assert found.against_data


def test_instances_that_never_come_are_told_as_that_however_late_the_look() -> None:
    found = after(first(minutes=0), first(minutes=120))

    assert found.reason.startswith("the group wants 2 instances, and for 2h none has been healthy")


@pytest.mark.parametrize(
    ("quiet_at", "verdict"), [(5, Verdict.WAIT), (None, Verdict.ROLL_BACK)], ids=["once", "never"]
)
def test_an_alarm_from_the_time_without_instances_may_fire_for_the_grace(
    quiet_at: int | None, verdict: Verdict
) -> None:
    def at(minutes: int) -> Look:
        quiet = quiet_at is not None and minutes >= quiet_at
        state = {ALARM: "OK" if quiet else "ALARM"}
        return first(*new, minutes=minutes, alarms=state)

    looks = [first(alarms={ALARM: "ALARM"}), at(1), at(5), at(11)]

    assert after(*looks[:3]).verdict is Verdict.WAIT
    assert f"; {ALARM} has not been quiet since before" in after(*looks[:2]).reason
    found = after(*looks)
    assert found.verdict is verdict
    assert not found.against_data


def test_an_alarm_that_fires_again_counts_at_once() -> None:
    states = ["ALARM", "OK", "ALARM"]

    found = after(
        *(
            first(*new[:number], minutes=number, alarms={ALARM: state})
            for number, state in enumerate(states)
        )
    )

    assert found.verdict is Verdict.ROLL_BACK
    assert found.against_data


def test_a_refresh_that_ends_on_an_empty_group_proves_nothing() -> None:
    ended = look(status=RefreshStatus.SUCCESSFUL, desired=0, sections=SECTIONS)

    assert after(ended).verdict is Verdict.STAGE


def test_instances_that_came_after_their_refresh_was_over_bake_by_themselves() -> None:
    # Given a group that had scaled in to zero while it baked
    def at(minutes: float, *instances: Instance, **changes: Any) -> Look:
        return look(
            (), instances, at=NOW + timedelta(minutes=minutes), sections=SECTIONS, **changes
        )

    baking = at(0, status=RefreshStatus.BAKING, desired=0)
    looks = [at(minutes, *new, status=RefreshStatus.SUCCESSFUL, desired=2) for minutes in (5, 34)]

    assert after(baking, *looks).verdict is Verdict.WAIT
    ended = at(35, *new, status=RefreshStatus.SUCCESSFUL, desired=2)
    assert after(baking, *looks, ended).verdict is Verdict.PROMOTE


def test_a_group_without_instances_is_back_without_a_refresh() -> None:
    seen = first(desired=0, wanted=OLD)

    assert assess_back(seen, Memory()).verdict is Verdict.ROLLED_BACK
