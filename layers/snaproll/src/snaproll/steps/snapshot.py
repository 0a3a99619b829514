"""Judging a snapshot, and writing down what was found."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from snaproll.contracts.rollout import Rollout, StepRequest
from snaproll.contracts.steps import QuarantineRequest, RejectionRequest
from snaproll.contracts.values import Recorded
from snaproll.domain.checks import Report
from snaproll.domain.fleet import Fleet
from snaproll.domain.gate import GateEvidence, judge, unfit
from snaproll.domain.ledger import Quarantine
from snaproll.domain.snapshot import data_time
from snaproll.domain.tags import Role, role_key
from snaproll.runtime import Runtime
from snaproll.steps.claim import prove
from snaproll.steps.sight import appeared


def validate_snapshot(request: StepRequest, runtime: Runtime) -> Report:
    """Judge the snapshot by the fleet's gate, changing nothing.

    Raises
    ------
    NotYetVisibleError
        The rollout began a moment ago, and EC2 does not show its snapshot.
    """
    rollout = request.rollout
    fleet = rollout.of_fleet
    snapshot = appeared(rollout, runtime)
    running = what_runs(fleet, runtime)
    encrypted_by = snapshot.kms_key if snapshot else None
    key = runtime.keys.get(encrypted_by, running.service_role) if encrypted_by else None
    saved = runtime.ledger.state(fleet.name).saved
    quarantine = runtime.ledger.quarantine(fleet.name, rollout.snapshot)
    evidence = GateEvidence(
        snapshot_id=rollout.snapshot,
        snapshot=snapshot,
        key=key,
        account=rollout.account,
        device_size_gib=running.size_gib,
        live_data_time=saved.data_time if saved else data_time_of(running.snapshot, runtime),
        quarantined_because=quarantine.reason if quarantine else None,
        by_hand=rollout.by_hand is not None,
        again=rollout.again,
        now=runtime.now(),
    )
    return judge(fleet, evidence)


class Running(NamedTuple):
    """What the version saved on the group says of the data volume, and who launches it.

    ``size_gib`` is fixed by the version, None when it leaves it to the snapshot.
    """

    size_gib: int | None = None
    snapshot: str | None = None
    service_role: str | None = None


def what_runs(fleet: Fleet, runtime: Runtime) -> Running:
    """The data volume by the version saved on the group, as far as there is one."""
    group = runtime.groups.get(fleet.policy.auto_scaling_group)
    if group is None:
        return Running()
    contents = runtime.templates.read(group.saved) if group.saved else None
    if contents is None:
        return Running(service_role=group.service_role)
    device = fleet.policy.data_device
    return Running(contents.size_at(device), contents.snapshot_at(device), group.service_role)


def data_time_of(snapshot_id: str | None, runtime: Runtime) -> datetime | None:
    """On a fleet that was never rolled, what runs there is what must not be gone behind."""
    snapshot = runtime.snapshots.get(snapshot_id) if snapshot_id else None
    return data_time(snapshot).at if snapshot else None


def record_rejection(request: RejectionRequest, runtime: Runtime) -> Recorded:
    """Mark a rejected snapshot as such, where people look for it; what is live stays that.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout = request.rollout
    prove(rollout, runtime)
    if unfit(request.report) and not rollout.again:
        runtime.ledger.put_rejection(
            rollout.fleet, _condemnation(rollout, request.report.message, runtime)
        )
        _tag(rollout, Role.REJECTED, runtime)
    return Recorded(message=request.report.message)


def quarantine_snapshot(request: QuarantineRequest, runtime: Runtime) -> Recorded:
    """Quarantine a snapshot on evidence from instances that ran it.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout = request.rollout
    prove(rollout, runtime)
    runtime.ledger.put_quarantine(rollout.fleet, _condemnation(rollout, request.reason, runtime))
    _tag(rollout, Role.ROLLED_BACK, runtime)
    return Recorded(
        message=f"{rollout.snapshot} is quarantined for fleet {rollout.fleet}: {request.reason}."
    )


def _condemnation(rollout: Rollout, reason: str, runtime: Runtime) -> Quarantine:
    return Quarantine(
        snapshot=rollout.snapshot,
        reason=reason,
        execution=rollout.execution,
        at=runtime.now(),
    )


def _tag(rollout: Rollout, role: Role, runtime: Runtime) -> None:
    key = role_key(runtime.settings.environment, rollout.fleet)
    runtime.snapshots.tag(rollout.snapshot, key, role.value)
