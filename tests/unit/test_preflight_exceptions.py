"""The preflight where a person asked, where there is no way back, and without instances."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from snaproll.domain.checks import CheckResult
from snaproll.domain.group import FleetView, Instance, MixedPolicy
from snaproll.domain.group_checks import BREAKING_SUSPENSIONS
from snaproll.domain.preflight import NO_INSTANCES, FleetEvidence, inspect, why_no_rollback
from snaproll.domain.probe_checks import ProbeFacts
from tests.unit.builders import (
    HEALTHY,
    OLD,
    OLD_SNAPSHOT,
    all_at,
    fleet,
    fleet_evidence,
    group,
    members,
)

PASSED = (CheckResult.PASSED,)


@dataclass(frozen=True)
class Seen:
    """What is not as it is on a plain and ready fleet."""

    group: dict[str, Any] = field(default_factory=dict)
    template: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)


def evidence(seen: Seen) -> FleetEvidence:
    """A ready fleet but for what was seen."""
    fine = fleet_evidence()
    assert fine.view is not None
    assert fine.template is not None
    view = FleetView(replace(fine.view.group, **seen.group), fine.view.targets)
    template = replace(fine.template, **seen.template)
    return fleet_evidence(**{"view": view, "template": template, **seen.evidence})


# -- a person's repair ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["ALARM", "INSUFFICIENT_DATA"])
def test_bad_live_data_does_not_stand_in_the_way_of_its_own_repair(state: str) -> None:
    # Given an unhealthy fleet under an alarm, and a person who asked for another snapshot
    bad = Seen(
        group={"desired": 5},
        evidence={"alarms": {"replicas-prod-5xx": state}, "by_hand": True},
    )

    report = inspect(fleet(), evidence(bad))

    assert report.passed
    left_out = [one.reason for one in report.checks if "left out" in one.reason]
    assert len(left_out) == 1
    assert left_out[0].startswith("left out, because a person asked for this rollout: ")
    assert "replicas-prod-5xx" in left_out[0]


def test_where_a_person_asked_and_no_alarm_stands_in_the_way_none_is_left_out() -> None:
    report = inspect(fleet(), evidence(Seen(evidence={"by_hand": True})))

    assert report.passed
    assert [one for one in report.checks if "left out" in one.reason] == []


LOST = f"{OLD_SNAPSHOT} cannot be launched: it is gone"
LOOKED_UP = "resolve:ssm:/images/replica"


def said(case: Seen, name: str) -> str:
    """The reason of a check that passed."""
    found = next(one for one in inspect(fleet(), evidence(case)).checks if one.name == name)
    assert found.result is CheckResult.PASSED
    return found.reason


def test_a_person_may_allow_that_there_is_no_way_back() -> None:
    allowed = {"no_rollback": "there is no other data"}
    lost = Seen(evidence={"rollback_trouble": LOST, **allowed})
    looked_up = Seen(template={"image": LOOKED_UP}, evidence=allowed)

    assert said(lost, "rollback-target") == (
        f"{LOST}; a person allowed that there is no way back: there is no other data"
    )
    assert said(looked_up, "image-fixed") == (
        f"the image is looked up ({LOOKED_UP}); a person allowed no way back: "
        f"there is no other data"
    )


@pytest.mark.parametrize(
    ("mixed", "told"),
    [
        (None, "the group has a launch template of its own"),
        (MixedPolicy({}), "the whole mixed instances policy launches one template version"),
    ],
)
def test_whether_the_group_mixes_instances_is_told(mixed: MixedPolicy | None, told: str) -> None:
    assert said(Seen(group={"mixed": mixed}), "one-launch-template") == told


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("wait", "no instance is in standby"),
        ("terminate", "instances in standby are replaced: i-spare"),
        ("ignore", "instances in standby are left alone, with the data that they have: i-spare"),
    ],
)
def test_what_becomes_of_instances_in_standby_is_told(choice: str, told: str) -> None:
    spare = () if choice == "wait" else (Instance("i-spare", "Standby", OLD),)
    seen = evidence(Seen(group={"instances": (*members(4, OLD), *spare)}))

    report = inspect(fleet(refresh={"standby_instances": choice}), seen)

    assert told == next(one.reason for one in report.checks if one.name == "standby-instances")


def test_suspended_processes_are_named_in_order() -> None:
    report = inspect(fleet(), evidence(Seen(group={"suspended": BREAKING_SUSPENSIONS})))

    assert f"needs: {', '.join(sorted(BREAKING_SUSPENSIONS))}; resume them" in report.message


def test_where_there_is_a_way_back_it_is_named() -> None:
    allowed = Seen(evidence={"no_rollback": "there is no other data"})

    assert said(allowed, "rollback-target") == (
        f"the rollback target {OLD_SNAPSHOT} can be launched"
    )
    assert said(allowed, "image-fixed") == "the image is fixed"


@pytest.mark.parametrize(
    ("case", "why"),
    [
        (Seen(), None),
        (Seen(evidence={"template": None}), None),
        (Seen(evidence={"rollback_trouble": LOST}), LOST),
        (
            Seen(template={"image": LOOKED_UP}),
            f"the launch template names its image by an SSM parameter ({LOOKED_UP})",
        ),
    ],
)
def test_why_there_would_be_no_way_back_is_known_beforehand(case: Seen, why: str | None) -> None:
    assert why_no_rollback(evidence(case)) == why


# -- a group without instances --------------------------------------------------------------------


def without_instances(**changes: Any) -> FleetEvidence:
    """A group that is scaled in to zero, which nothing else is wrong with."""
    return fleet_evidence(view=FleetView(group(), {}), **changes)


@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_on_a_group_without_instances_nothing_asks_for_health(state: str) -> None:
    report = inspect(fleet(), without_instances(alarms={"replicas-prod-5xx": state}))

    unchecked = {one.name: one.reason for one in report.checks if one.result not in PASSED}
    assert unchecked == dict.fromkeys(
        ("fleet-healthy", "alarms-ok", "alarms-have-data"), NO_INSTANCES
    )
    assert "the release is staged" in next(
        one.reason for one in report.checks if one.name == "has-instances"
    )
    assert report.message == (
        "Fleet sec-prod is ready: 21 checks passed, 3 make no sense without instances."
    )


def test_a_misspelt_alarm_is_found_on_a_group_without_instances_as_well() -> None:
    report = inspect(fleet(), without_instances(alarms={}))

    assert [one.name for one in report.checks if one.result is CheckResult.FAILED] == [
        "alarms-exist"
    ]


def test_a_group_of_one_instance_is_a_fleet() -> None:
    instances = members(1, OLD)
    view = FleetView(group(instances), all_at(HEALTHY, instances))

    assert inspect(fleet(), fleet_evidence(view=view)).passed


def test_where_nothing_need_be_healthy_one_instance_must_be() -> None:
    sections = {"refresh": {"min_healthy": 0, "max_healthy": 100}}
    instances = members(2, OLD)

    def healthy(count: int) -> bool:
        view = FleetView(group(instances), all_at(HEALTHY, instances[:count]))
        return inspect(fleet(**sections), fleet_evidence(view=view)).passed

    assert [healthy(count) for count in (0, 1)] == [False, True]


def test_a_probe_that_cannot_be_asked_is_found_before_it_is_needed() -> None:
    facts = ProbeFacts("snaproll-probe-prod-", allowed=False)
    sections = {"health": {"alarms": ["replicas-prod-5xx"], "probe": {"function": "mine"}}}

    report = inspect(fleet(**sections), fleet_evidence(probe=facts))

    assert [one.name for one in report.checks if one.result is CheckResult.FAILED] == [
        "probe-exists"
    ]
