"""The rollback target: whether it could be launched, and the tag that says what it is."""

from __future__ import annotations

from snaproll.contracts.announcements import RolloutEvent
from snaproll.domain.launchable import Key, trouble_with
from snaproll.domain.ledger import FleetState
from snaproll.domain.release import RollbackTarget
from snaproll.domain.snapshot import Snapshot
from snaproll.domain.tags import Role, role_key
from snaproll.runtime import Runtime


def launch_trouble(snapshot_id: str, service_role: str, runtime: Runtime) -> str | None:
    """Why a group could not launch instances from a snapshot now: the snapshot, or its key."""
    snapshot = runtime.snapshots.get(snapshot_id)
    return trouble_with(snapshot_id, snapshot, _key_of(snapshot, service_role, runtime))


def trouble_going_back(target: RollbackTarget, service_role: str, runtime: Runtime) -> str | None:
    """Why a rollback to the target cannot succeed; everything about it is looked at.

    A key that our own role may not look at says nothing against the target: going back is the
    remedy, and only what is known to fail may forbid it. Going forward it does.
    """
    if target.lost is not None:
        return target.lost
    if runtime.templates.read(target.template) is None:
        return f"{target.template} does not exist any more"
    if target.snapshot is None:
        return None
    snapshot = runtime.snapshots.get(target.snapshot)
    key = _key_of(snapshot, service_role, runtime)
    return trouble_with(target.snapshot, snapshot, None if key is None or key.hidden else key)


def trouble_seen(target: RollbackTarget, runtime: Runtime) -> str | None:
    """Why the target's snapshot cannot be launched any more: one call, for every look."""
    if target.snapshot is None or target.lost is not None:
        return None
    return trouble_with(target.snapshot, runtime.snapshots.get(target.snapshot), None)


def mark_target(fleet: str, target: RollbackTarget, runtime: Runtime) -> None:
    """Tag the target's snapshot as what it is while the rollout runs."""
    if target.snapshot is not None and target.lost is None:
        runtime.snapshots.tag(target.snapshot, _key(fleet, runtime), Role.ROLLBACK_TARGET.value)


def unmark_target(
    fleet: str, target: RollbackTarget | None, state: FleetState, runtime: Runtime
) -> None:
    """Let the snapshot's tag say what it is to the fleet when no rollout would go back to it."""
    if target is None or target.snapshot is None or target.lost is not None:
        return
    key, roles = _key(fleet, runtime), {Role.PREVIOUS: state.previous, Role.LIVE: state.live}
    now = [role for role, one in roles.items() if one and one.snapshot == target.snapshot]
    if now:
        runtime.snapshots.tag(target.snapshot, key, now[-1].value)
    else:
        runtime.snapshots.untag(target.snapshot, key)


def announce_loss(event: RolloutEvent, trouble: str, runtime: Runtime) -> None:
    """Tell that there is nothing to go back to any more, while it can still be mended."""
    message = (
        f"Fleet {event.fleet} has lost its rollback target while {event.snapshot} is rolled out: "
        f"{trouble}. The rollout goes on, and if it fails it stops where it is and calls a person. "
        f"Restore the snapshot (Recycle Bin, archive) or its key to have a way back."
    )
    runtime.announcements.publish(
        "Rollback Target Lost", event.model_copy(update={"message": message})
    )


def _key_of(snapshot: Snapshot | None, service_role: str, runtime: Runtime) -> Key | None:
    encrypted_by = snapshot.kms_key if snapshot else None
    return runtime.keys.get(encrypted_by, service_role) if encrypted_by else None


def _key(fleet: str, runtime: Runtime) -> str:
    return role_key(runtime.settings.environment, fleet)
