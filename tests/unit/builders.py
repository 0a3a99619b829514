"""Builders of what the domain's rules look at: plain, fine and healthy unless a test says not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from snaproll.domain.fleet import Fleet, FleetPolicy
from snaproll.domain.gate import GateEvidence
from snaproll.domain.group import (
    FleetView,
    Group,
    Instance,
    Refresh,
    RefreshStatus,
    TargetHealth,
)
from snaproll.domain.key_access import Access
from snaproll.domain.launchable import Key
from snaproll.domain.look import Look
from snaproll.domain.preflight import FleetEvidence, TemplateFacts
from snaproll.domain.release import Release, RollbackTarget, TemplateVersion
from snaproll.domain.snapshot import Snapshot

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ACCOUNT = "111122223333"
ENVIRONMENT = "prod"
SNAPSHOT = "snap-0123456789abcdef0"
OLD_SNAPSHOT = "snap-0aaaaaaaaaaaaaaa0"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
TAGS = {"GraphId": "sec", "Environment": "prod"}
OPTED_IN = {"snaproll:fleet": "sec-prod", "snaproll:environment": ENVIRONMENT}
EXECUTION = (
    f"arn:aws:states:us-east-1:{ACCOUNT}:execution:snaproll-prod-rollout:sec-prod-{SNAPSHOT}-1"
)

OLD = TemplateVersion(template_id="lt-0123456789abcdef0", version=7)
NEW = TemplateVersion(template_id="lt-0123456789abcdef0", version=8)
TARGET = RollbackTarget(template=OLD, snapshot=OLD_SNAPSHOT)
LIVE = Release(snapshot=OLD_SNAPSHOT, template=OLD, data_time=NOW - timedelta(days=1))
CANDIDATE = Release(snapshot=SNAPSHOT, template=NEW, data_time=NOW - timedelta(hours=1))

HEALTHY = TargetHealth("healthy")
FAILING = TargetHealth("unhealthy", "Target.ResponseCodeMismatch")
STARTING = TargetHealth("initial", "Elb.InitialHealthChecking")


def policy_json(**sections: Any) -> dict[str, Any]:
    """The value of a fleet parameter, with some of its sections replaced."""
    return {
        "auto_scaling_group": "replicas-prod-asg",
        "data_device": "/dev/xvdf",
        "snapshots": {"tags": TAGS},
        "health": {"alarms": ["replicas-prod-5xx"]},
        **sections,
    }


def fleet(**sections: Any) -> Fleet:
    """The fleet sec-prod, with some sections of its policy replaced."""
    return Fleet(name="sec-prod", policy=FleetPolicy.model_validate(policy_json(**sections)))


# -- gate -----------------------------------------------------------------------------------------


def good_snapshot(**changes: Any) -> Snapshot:
    """A snapshot that passes every check."""
    snapshot = Snapshot(
        id=SNAPSHOT,
        state="completed",
        owner=ACCOUNT,
        start_time=NOW - timedelta(hours=1),
        size_gib=100,
        encrypted=True,
        kms_key=KEY,
        tags=TAGS,
    )
    return replace(snapshot, **changes)


def gate_evidence(snapshot: Snapshot | None, **changes: Any) -> GateEvidence:
    """What the gate looks at beside the snapshot, all of it fine."""
    evidence = GateEvidence(
        snapshot_id=SNAPSHOT,
        snapshot=snapshot,
        key=Key(KEY, "Enabled", Access.ADMITTED, "its policy admits it"),
        account=ACCOUNT,
        device_size_gib=100,
        live_data_time=NOW - timedelta(days=1),
        quarantined_because=None,
        now=NOW,
    )
    return replace(evidence, **changes)


# -- group ----------------------------------------------------------------------------------------


def members(count: int, version: TemplateVersion, prefix: str = "i-old") -> tuple[Instance, ...]:
    """Instances in service that run one version."""
    return tuple(Instance(f"{prefix}{number}", "InService", version) for number in range(count))


def all_at(health: TargetHealth, instances: Sequence[Instance]) -> dict[str, TargetHealth]:
    """The same target health for each of these instances."""
    return {one.id: health for one in instances}


def group(instances: Sequence[Instance] = (), **changes: Any) -> Group:
    """A group that a refresh may be started on."""
    found = Group(
        name="replicas-prod-asg",
        arn="arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:1:replicas-prod-asg",
        saved=OLD,
        saved_text=str(OLD),
        desired=len(instances),
        maximum=2 * len(instances),
        health_check_types=frozenset({"EC2", "ELB"}),
        suspended=frozenset(),
        target_groups=("arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/r/1",),
        instances=tuple(instances),
        tags=OPTED_IN,
    )
    return replace(found, **changes)


def fleet_evidence(**changes: Any) -> FleetEvidence:
    """A fleet of four healthy instances on which every check of the preflight passes."""
    instances = members(4, OLD)
    evidence = FleetEvidence(
        environment=ENVIRONMENT,
        view=FleetView(group(instances), all_at(HEALTHY, instances)),
        template=TemplateFacts(
            version=OLD,
            tags=OPTED_IN,
            image="ami-0123456789abcdef0",
            data_snapshot=OLD_SNAPSHOT,
            has_data_device=True,
        ),
        alarms={"replicas-prod-5xx": "OK"},
        active_refresh=None,
        rollback_trouble=None,
    )
    return replace(evidence, **changes)


# -- assessment -----------------------------------------------------------------------------------


def look(  # noqa: PLR0913 - each is one thing that a look sees, all of them optional
    old: Sequence[Instance] = (),
    new: Sequence[Instance] = (),
    *,
    status: RefreshStatus | None = RefreshStatus.IN_PROGRESS,
    health: Mapping[str, TargetHealth] | None = None,
    desired: int = 4,
    at: datetime = NOW,
    started: datetime = NOW - timedelta(minutes=30),
    wanted: TemplateVersion = NEW,
    alarms: Mapping[str, str] | None = None,
    capacity_at_start: int = 4,
    taken_out: Mapping[str, str] | None = None,
    reason: str = "",
    rollback_reason: str = "",
    percentage: int = 0,
    sections: Mapping[str, Any] | None = None,
    without_refresh: bool = False,
) -> Look:
    """One look at a fleet of four; instances are healthy unless ``health`` says otherwise."""
    instances = [*old, *new]
    refresh = (
        Refresh(
            "refresh-1",
            status,
            reason=reason,
            rollback_reason=rollback_reason,
            percentage=percentage,
        )
        if status
        else None
    )
    return Look(
        policy=fleet(**(sections or {})).policy,
        view=FleetView(
            group(instances, desired=desired),
            {**all_at(HEALTHY, instances), **(health or {})},
        ),
        refresh=refresh,
        wanted=wanted,
        alarms={"replicas-prod-5xx": "OK"} if alarms is None else alarms,
        capacity_at_start=capacity_at_start,
        started=started,
        now=at,
        taken_out=taken_out or {},
        without_refresh=without_refresh,
    )
