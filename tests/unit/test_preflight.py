"""The preflight: what a fleet must be before its instances are replaced."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from snaproll.domain.checks import CheckResult
from snaproll.domain.group import FleetView, Instance, MixedPolicy, Refresh, RefreshStatus
from snaproll.domain.group_checks import BREAKING_SUSPENSIONS
from snaproll.domain.preflight import FleetEvidence, inspect
from tests.unit.builders import (
    FAILING,
    HEALTHY,
    OLD,
    OLD_SNAPSHOT,
    OPTED_IN,
    all_at,
    fleet,
    fleet_evidence,
    group,
    members,
)

CHECKS = {
    "group-exists",
    "group-opted-in",
    "group-free",
    "one-launch-template",
    "no-warm-pool",
    "load-balancer-health",
    "nothing-suspended",
    "no-other-refresh",
    "instance-types-named",
    "room-to-replace",
    "protected-instances",
    "standby-instances",
    "version-numbered",
    "version-exists",
    "template-opted-in",
    "image-fixed",
    "data-device",
    "rollback-target",
    "has-instances",
    "fleet-healthy",
    "alarms-exist",
    "alarms-ok",
    "alarms-have-data",
    "probe-exists",
}


@dataclass(frozen=True)
class Case:
    """A fleet that is ready but for one thing."""

    says: str
    check: str
    because: str
    group: dict[str, Any] = field(default_factory=dict)
    template: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)


def evidence(case: Case) -> FleetEvidence:
    """A ready fleet with the case's one fault."""
    fine = fleet_evidence()
    assert fine.view is not None
    assert fine.template is not None
    view = FleetView(replace(fine.view.group, **case.group), fine.view.targets)
    template = replace(fine.template, **case.template)
    return fleet_evidence(**{"view": view, "template": template, **case.evidence})


def refresh(status: RefreshStatus) -> Refresh:
    """A refresh that somebody else started."""
    return Refresh("refresh-9", status)


NOT_READY = [
    Case(
        "its group is not opted in",
        "group-opted-in",
        "snaproll:fleet=sec-prod",
        group={"tags": {"snaproll:environment": "prod"}},
    ),
    Case(
        "its group belongs to another environment",
        "group-opted-in",
        "snaproll:environment=prod",
        group={"tags": {**OPTED_IN, "snaproll:environment": "staging"}},
    ),
    Case(
        "its group is another fleet's",
        "group-opted-in",
        "snaproll:fleet=sec-prod",
        group={"tags": {**OPTED_IN, "snaproll:fleet": "other"}},
    ),
    Case(
        "its group is being deleted",
        "group-free",
        "Delete in progress",
        group={"status": "Delete in progress"},
    ),
    Case(
        "a service manages its group",
        "group-free",
        "eks.amazonaws.com",
        group={"operator": "eks.amazonaws.com"},
    ),
    Case(
        "an override launches another template",
        "one-launch-template",
        "launch lt-a version 1, lt-b version 3 beside lt-0123456789abcdef0 version 7",
        group={"mixed": MixedPolicy({}, other_templates=("lt-b version 3", "lt-a version 1"))},
    ),
    Case(
        "its instances are weighed",
        "one-launch-template",
        "Remove WeightedCapacity",
        group={"mixed": MixedPolicy({}, weighted=True)},
    ),
    Case("its group has a warm pool", "no-warm-pool", "warm pool", group={"warm_pool": True}),
    Case(
        "the load balancer's health does not count",
        "load-balancer-health",
        "health check type ELB",
        group={"health_check_types": frozenset({"EC2"})},
    ),
    Case(
        "no target group sees it",
        "load-balancer-health",
        "target group",
        group={"target_groups": ()},
    ),
    *(
        Case(
            f"the process {process} is suspended",
            "nothing-suspended",
            process,
            group={"suspended": frozenset({process})},
        )
        for process in sorted(BREAKING_SUSPENSIONS)
    ),
    *(
        Case(
            f"another refresh is {status}",
            "no-other-refresh",
            f"refresh-9 of group replicas-prod-asg is {status} and was not started",
            evidence={"active_refresh": refresh(status)},
        )
        for status in RefreshStatus
        if status.active
    ),
    Case(
        "an instance is protected",
        "protected-instances",
        'i-old0. Remove the protection, or set refresh.protected_instances to "refresh"',
        group={
            "instances": (
                Instance("i-old0", "InService", OLD, protected=True),
                *members(4, OLD)[1:],
            )
        },
    ),
    Case(
        "its new instances would be protected",
        "protected-instances",
        "protects its new instances from scale-in, so that a rollback would wait",
        group={"protects_new": True},
    ),
    Case(
        "an instance is on standby",
        "standby-instances",
        "i-spare",
        group={"instances": (*members(4, OLD), Instance("i-spare", "Standby", OLD))},
    ),
    Case(
        "its maximum size has no room for one instance more",
        "room-to-replace",
        "Raise the maximum size to 5 or more (6 for the max_healthy of 150), or lower min_healthy",
        group={"maximum": 4},
    ),
    Case(
        "its policy chooses instance types by attributes",
        "instance-types-named",
        "the mixed instances policy of group replicas-prod-asg chooses instance types",
        group={"mixed": MixedPolicy({}, attribute_based=True)},
    ),
    Case(
        "its template chooses instance types by attributes",
        "instance-types-named",
        "the launch template of group replicas-prod-asg chooses instance types",
        template={"attribute_based": True},
    ),
    Case(
        "its launch template is not opted in",
        "template-opted-in",
        "lacks the tags snaproll:fleet=sec-prod, snaproll:environment=prod",
        template={"tags": {}},
    ),
    Case(
        "its image is looked up at launch",
        "image-fixed",
        "resolve:ssm:/images/replica",
        template={"image": "resolve:ssm:/images/replica"},
    ),
    Case(
        "its template has no data volume",
        "data-device",
        "/dev/xvdf",
        template={"has_data_device": False},
    ),
    Case(
        "there is nothing to roll back to",
        "rollback-target",
        OLD_SNAPSHOT,
        evidence={"rollback_trouble": f"{OLD_SNAPSHOT} cannot be launched: it is gone"},
    ),
    Case(
        "it wants no instances",
        "has-instances",
        "desired capacity of group replicas-prod-asg is 0 and 4 instances must leave it first",
        group={"desired": 0},
    ),
    Case(
        "it wants more instances than are healthy",
        "fleet-healthy",
        "4 of 5 instances are healthy and 5 are needed",
        group={"desired": 5},
    ),
    Case("an alarm does not exist", "alarms-exist", "replicas-prod-5xx", evidence={"alarms": {}}),
    *(
        Case(
            f"an alarm is {state}",
            name,
            f"replicas-prod-5xx is {state}",
            evidence={"alarms": {"replicas-prod-5xx": state}},
        )
        for name, state in (("alarms-ok", "ALARM"), ("alarms-have-data", "INSUFFICIENT_DATA"))
    ),
]


@pytest.mark.parametrize("case", NOT_READY, ids=lambda case: case.says)
def test_a_fleet_is_not_ready_when(case: Case) -> None:
    report = inspect(fleet(), evidence(case))

    failed = [one for one in report.checks if one.result is CheckResult.FAILED]
    assert [one.name for one in failed] == [case.check]
    assert case.because in failed[0].reason
    assert not report.passed
    assert report.message == f"the fleet is not ready: {failed[0].reason}."


def test_a_healthy_opted_in_fleet_is_ready() -> None:
    report = inspect(fleet(), fleet_evidence())

    assert [one for one in report.checks if one.result is not CheckResult.PASSED] == []
    assert report.passed
    assert report.message == f"Fleet sec-prod is ready: all {len(CHECKS)} checks passed."


READY: list[tuple[str, FleetEvidence, dict[str, Any]]] = [
    (
        "another process is suspended",
        evidence(Case("", "", "", group={"suspended": frozenset({"AlarmNotification"})})),
        {},
    ),
    (
        "its data volume is empty so far",
        evidence(
            Case(
                "",
                "",
                "",
                template={"data_snapshot": None},
            )
        ),
        {},
    ),
    (
        "it has as many healthy instances as its floor asks for",
        evidence(Case("", "", "", group={"desired": 5})),
        {"refresh": {"min_healthy": 80}},
    ),
    (
        "its group mixes instances of one launch template version",
        evidence(Case("", "", "", group={"mixed": MixedPolicy({})})),
        {},
    ),
    ("it has no alarms", fleet_evidence(alarms={}), {"health": {}}),
    (
        "its maximum size takes less than the whole surge",
        evidence(Case("", "", "", group={"maximum": 5})),
        {},
    ),
    (
        "its maximum size is reached, where instances may go before others come",
        evidence(Case("", "", "", group={"maximum": 4})),
        {"refresh": {"min_healthy": 75, "max_healthy": 100}},
    ),
    (
        "its instances are protected, where that is to be ignored",
        evidence(
            Case(
                "",
                "",
                "",
                group={
                    "protects_new": True,
                    "instances": tuple(replace(one, protected=True) for one in members(4, OLD)),
                },
            )
        ),
        {"refresh": {"protected_instances": "refresh"}},
    ),
    *(
        (
            f"an instance is in standby, where the policy says {choice}",
            evidence(
                Case(
                    "",
                    "",
                    "",
                    group={"instances": (*members(4, OLD), Instance("i-spare", "Standby", OLD))},
                )
            ),
            {"refresh": {"standby_instances": choice}},
        )
        for choice in ("terminate", "ignore")
    ),
]


@pytest.mark.parametrize(
    ("maximum", "said"),
    [
        (6, "the maximum size of 6 has room for the 6 of max_healthy"),
        (5, "would take the group to 6 instances and its maximum size is 5: it is replaced 1 at"),
    ],
)
def test_how_much_of_the_surge_there_is_room_for_is_told(maximum: int, said: str) -> None:
    report = inspect(fleet(), evidence(Case("", "", "", group={"maximum": maximum})))

    assert said in next(one.reason for one in report.checks if one.name == "room-to-replace")


@pytest.mark.parametrize(
    ("seen", "sections"), [case[1:] for case in READY], ids=[case[0] for case in READY]
)
def test_a_fleet_is_ready_although(seen: FleetEvidence, sections: dict[str, Any]) -> None:
    report = inspect(fleet(**sections), seen)

    assert report.passed
    assert sorted(one.name for one in report.checks) == sorted(CHECKS)


# -- what cannot be looked at ---------------------------------------------------------------------


def test_unhealthy_instances_do_not_count_for_the_floor() -> None:
    instances = members(4, OLD)
    targets = {**all_at(HEALTHY, instances), instances[0].id: FAILING}
    view = FleetView(group(instances), targets)

    report = inspect(fleet(), fleet_evidence(view=view))

    assert "3 of 4 instances are healthy and 4 are needed" in report.message


def test_a_group_that_does_not_exist_leaves_nothing_else_to_check() -> None:
    report = inspect(fleet(), fleet_evidence(view=None, template=None))

    assert [(one.name, one.result) for one in report.checks] == [
        ("group-exists", CheckResult.FAILED)
    ]
    assert "replicas-prod-asg" in report.message


@pytest.mark.parametrize("spec", ["$Latest", "$Default"])
def test_a_group_that_names_no_number_cannot_be_rolled_back_and_says_so(spec: str) -> None:
    instances = members(4, OLD)
    floating = group(instances, saved=None, saved_text=f"lt-0123456789abcdef0 version {spec}")
    view = FleetView(floating, all_at(HEALTHY, instances))

    report = inspect(fleet(), fleet_evidence(view=view, template=None))

    results = {one.name: one.result for one in report.checks}
    assert results["version-numbered"] is CheckResult.FAILED
    assert {name for name, result in results.items() if result is CheckResult.NOT_CHECKED} == {
        "instance-types-named",
        "version-exists",
        "template-opted-in",
        "image-fixed",
        "data-device",
        "rollback-target",
    }
    assert spec in report.message


def test_a_version_that_was_deleted_is_told_as_such() -> None:
    report = inspect(fleet(), fleet_evidence(template=None))

    failed = [one for one in report.checks if one.result is CheckResult.FAILED]
    assert [one.name for one in failed] == ["version-exists"]
    assert str(OLD) in failed[0].reason


@pytest.mark.parametrize(
    "seen",
    [
        fleet_evidence(),
        fleet_evidence(template=None),
        fleet_evidence(
            template=None, view=FleetView(group(members(4, OLD), saved=None), targets={})
        ),
    ],
    ids=["all is fine", "no version", "no number"],
)
def test_every_check_is_reported_once_whatever_fails(seen: FleetEvidence) -> None:
    report = inspect(fleet(), seen)

    assert sorted(one.name for one in report.checks) == sorted(CHECKS)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = Case(
        "",
        "",
        "",
        group={"tags": {}, "warm_pool": True, "desired": 0},
        template={"tags": {}, "has_data_device": False},
        evidence={"alarms": {"replicas-prod-5xx": "ALARM"}, "rollback_trouble": "it is gone"},
    )

    report = inspect(fleet(), evidence(wrong))

    failed = {one.name for one in report.checks if one.result is CheckResult.FAILED}
    assert failed == {
        "group-opted-in",
        "no-warm-pool",
        "has-instances",
        "template-opted-in",
        "data-device",
        "rollback-target",
        "alarms-ok",
    }
    assert all(one.reason in report.message for one in report.checks if one.name in failed)
