"""The preflight: what a fleet must pass before its instances are replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snaproll.domain.alarms import alarm_checks
from snaproll.domain.checks import (
    Check,
    CheckResult,
    Report,
    check,
    failed,
    failures,
    not_checked,
    passed,
)
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import FleetView, Refresh
from snaproll.domain.group_checks import capacity_checks, group_checks, instance_types, missing_tags
from snaproll.domain.probe_checks import ProbeFacts, probe_checks
from snaproll.domain.release import TemplateVersion
from snaproll.domain.wording import counted


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What the preflight asks of the launch template version saved on the group."""

    version: TemplateVersion
    tags: Mapping[str, str]
    image: str
    data_snapshot: str | None
    has_data_device: bool
    attribute_based: bool = False


@dataclass(frozen=True, slots=True)
class FleetEvidence:
    """Everything the preflight looks at.

    ``view`` is None when the group does not exist; ``template`` is None when the group saves no
    numbered version or the version is gone; ``alarms`` maps each alarm of the fleet's policy that
    exists to its state; ``rollback_trouble`` is why no instance could be launched from the snapshot
    that the fleet would go back to; ``by_hand`` tells that a person asked for a certain snapshot
    with a reason; ``probe`` is None when the fleet has none; ``no_rollback`` is the reason of a
    person who allowed that there be no way back.
    """

    environment: str
    view: FleetView | None
    template: TemplateFacts | None
    alarms: Mapping[str, str]
    active_refresh: Refresh | None
    rollback_trouble: str | None
    by_hand: bool = False
    probe: ProbeFacts | None = None
    no_rollback: str | None = None


NO_INSTANCES = "the group has no instances, and no refresh is started"
"""Why a check of the fleet's health says nothing about a group that is scaled in to zero."""

_PASSES_WITH_TIME = frozenset(
    {"no-other-refresh", "has-instances", "fleet-healthy", "alarms-ok", "alarms-have-data"}
)
"""Checks whose failure may be over in minutes without anybody's doing."""


def passes_with_time(report: Report) -> bool:
    """Whether it is worth looking again soon: nothing else than such checks failed."""
    failed_ones = failures(report.checks)
    return bool(failed_ones) and all(one.name in _PASSES_WITH_TIME for one in failed_ones)


def inspect(fleet: Fleet, evidence: FleetEvidence) -> Report:
    """Judge a fleet; every check is reported, not only the first that fails."""
    checks = _checks(fleet, evidence)
    found = failures(checks)
    if found:
        reasons = "; ".join(one.reason for one in found)
        message = f"the fleet is not ready: {reasons}."
    else:
        left_out = sum(one.result is CheckResult.NOT_CHECKED for one in checks)
        made = f"{len(checks) - left_out} checks passed"
        rest = f"{made}, {left_out} make no sense without instances" if left_out else f"all {made}"
        message = f"Fleet {fleet.name} is ready: {rest}."
    return Report(passed=not found, message=message, checks=checks)


def _checks(fleet: Fleet, evidence: FleetEvidence) -> list[Check]:
    name = fleet.policy.auto_scaling_group
    view = evidence.view
    found = check(
        "group-exists",
        fine=view is not None,
        good=f"the group {name} exists",
        bad=f"there is no Auto Scaling group {name} in this account and Region",
    )
    if view is None:
        return [found]
    template = evidence.template
    return [
        found,
        *group_checks(
            fleet, view.group, environment=evidence.environment, active=evidence.active_refresh
        ),
        instance_types(view.group, by_template=template.attribute_based if template else None),
        *capacity_checks(fleet, view.group),
        *_template_checks(fleet, view, evidence),
        *_health_checks(fleet, view, by_hand=evidence.by_hand),
        *_alarm_checks(fleet, view, evidence),
        *probe_checks(fleet, evidence.probe),
    ]


def _template_checks(fleet: Fleet, view: FleetView, evidence: FleetEvidence) -> list[Check]:
    group, template = view.group, evidence.template
    numbered = check(
        "version-numbered",
        fine=group.saved is not None,
        good=f"the group saves {group.saved_text}",
        bad=(
            f"the group {group.name} names {group.saved_text}; it must name a launch template "
            f"version by number, or nothing can be rolled back"
        ),
    )
    names = ("template-opted-in", "image-fixed", "data-device", "rollback-target")
    if template is None:
        why = "the group's launch template version cannot be read"
        return [
            numbered,
            failed("version-exists", f"{group.saved_text} does not exist")
            if group.saved
            else not_checked("version-exists", why),
            *(not_checked(name, why) for name in names),
        ]
    device = fleet.policy.data_device
    lacking = missing_tags(fleet, evidence.environment, template.tags)
    return [
        numbered,
        passed("version-exists", f"{template.version} exists"),
        check(
            "template-opted-in",
            fine=not lacking,
            good="the launch template is tagged for this fleet",
            bad=(f"the launch template {template.version.template_id} lacks the tags {lacking}"),
        ),
        _image_check(template, allowed=evidence.no_rollback),
        check(
            "data-device",
            fine=template.has_data_device,
            good=f"the launch template maps {device}",
            bad=f"{template.version} maps no EBS volume at {device}",
        ),
        _rollback_check(fleet, template, evidence),
    ]


def _looked_up(template: TemplateFacts) -> bool:
    return template.image.startswith("resolve:ssm:")


def why_no_rollback(evidence: FleetEvidence) -> str | None:
    """Why a refresh of the fleet could not be rolled back, None when it could."""
    if evidence.rollback_trouble is not None:
        return evidence.rollback_trouble
    if evidence.template is not None and _looked_up(evidence.template):
        return (
            f"the launch template names its image by an SSM parameter ({evidence.template.image})"
        )
    return None


def _image_check(template: TemplateFacts, *, allowed: str | None) -> Check:
    looked_up = _looked_up(template)
    return check(
        "image-fixed",
        fine=not looked_up or allowed is not None,
        good=(
            f"the image is looked up ({template.image}); a person allowed no way back: {allowed}"
            if looked_up
            else "the image is fixed"
        ),
        bad=(
            f"the launch template names its image by an SSM parameter ({template.image}), "
            f"and Auto Scaling cannot roll such a refresh back"
        ),
    )


def _rollback_check(fleet: Fleet, template: TemplateFacts, evidence: FleetEvidence) -> Check:
    if template.data_snapshot is None:
        return passed(
            "rollback-target", "the group's present data volume is empty and needs no snapshot"
        )
    trouble, allowed = evidence.rollback_trouble, evidence.no_rollback
    return check(
        "rollback-target",
        fine=trouble is None or allowed is not None,
        good=(
            f"{trouble}; a person allowed that there is no way back: {allowed}"
            if trouble
            else f"the rollback target {template.data_snapshot} can be launched"
        ),
        bad=(
            f"there is nothing to roll back to: {trouble}. Restore it, or accept that a failure "
            f"stops the rollout where it is and calls a person: "
            f'{{"fleet": "{fleet.name}", "allow_no_rollback": true, "reason": "…"}}'
        ),
    )


def _health_checks(fleet: Fleet, view: FleetView, *, by_hand: bool) -> list[Check]:
    group, floor = view.group, fleet.policy.refresh.floor(view.group.desired)
    if group.empty:
        staged = "the group has no instances: the release is staged, and proven by the first ones"
        return [passed("has-instances", staged), not_checked("fleet-healthy", NO_INSTANCES)]
    healthy = view.healthy_count()
    return [
        check(
            "has-instances",
            fine=group.desired > 0,
            good=f"the group wants {group.desired} instances",
            bad=(
                f"the desired capacity of group {group.name} is 0 and "
                f"{counted(len(group.members), 'instance')} must leave it first"
            ),
        ),
        check(
            "fleet-healthy",
            # Bad live data must not stand in the way of its own repair.
            fine=healthy >= max(1, floor) or by_hand,
            good=f"{healthy} of {group.desired} instances are healthy, {floor} are needed",
            bad=f"{healthy} of {group.desired} instances are healthy and {floor} are needed",
        ),
    ]


def _alarm_checks(fleet: Fleet, view: FleetView, evidence: FleetEvidence) -> list[Check]:
    made = alarm_checks(fleet, evidence.alarms, by_hand=evidence.by_hand)
    if not view.group.empty:
        return made
    exist = "alarms-exist"
    return [one if one.name == exist else not_checked(one.name, NO_INSTANCES) for one in made]
