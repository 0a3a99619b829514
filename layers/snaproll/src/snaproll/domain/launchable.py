"""Whether instances could be launched from a snapshot now: one rule for candidate and target."""

from __future__ import annotations

from dataclasses import dataclass

from snaproll.domain.checks import Check, check, failures
from snaproll.domain.key_access import Access
from snaproll.domain.snapshot import Snapshot

USABLE_KEY_STATES = frozenset({"Enabled", "Updating"})
"""Key states in which a volume's data key can be decrypted (KMS guide, "Key states")."""


@dataclass(frozen=True, slots=True)
class Key:
    """The KMS key of a snapshot; ``state`` is KMS's, or why it could not be read.

    ``access`` says whether the group's service-linked role is admitted, and ``why`` why. ``hidden``
    tells that our own role was denied the look, which says nothing of the group's.
    """

    arn: str
    state: str
    access: Access = Access.UNKNOWN
    why: str = "nobody asked"
    hidden: bool = False


def material_checks(snapshot: Snapshot) -> list[Check]:
    """Whether a volume can be made of the snapshot at all, and will still be able to tomorrow."""
    return [
        check(
            # One that is pending is not at fault: it may complete, unlike one that failed.
            "pending" if snapshot.state == "pending" else "completed",
            fine=snapshot.state == "completed",
            good="it is completed",
            bad=f'its state is "{snapshot.state}", not "completed"',
        ),
        check(
            "storage-tier",
            fine=snapshot.storage_tier == "standard",
            good="it is in the standard tier",
            bad=f'it is in the tier "{snapshot.storage_tier}", from which no volume can be made',
        ),
        check(
            "permanent",
            fine=snapshot.restore_expires is None,
            good="it does not expire",
            bad=f"it is only restored from the archive until {snapshot.restore_expires}",
        ),
    ]


def key_checks(key: Key) -> list[Check]:
    """Whether the key decrypts, and for the role that the group launches instances by."""
    unsure = key.access is Access.UNKNOWN
    return [
        check(
            "key-usable",
            fine=key.state in USABLE_KEY_STATES,
            good="its key is usable",
            bad=f"its key {key.arn} is not usable: {key.state}",
        ),
        check(
            "key-admits-group",
            fine=key.access is not Access.REFUSED,
            good=(
                f"whether its key admits the group's service-linked role cannot be told: {key.why}"
                if unsure
                else f"its key admits the group's service-linked role: {key.why}"
            ),
            bad=(
                f"its key {key.arn} does not admit the group's service-linked role: {key.why} "
                f'(Auto Scaling user guide, "Required KMS key policy for encrypted volumes")'
            ),
        ),
    ]


def trouble_with(snapshot_id: str, snapshot: Snapshot | None, key: Key | None) -> str | None:
    """Why no instance could be launched from a snapshot, None when nothing is known against it.

    ``key`` is None when the snapshot names none, or when nobody looked.
    """
    if snapshot is None:
        reasons = "it is gone, or no longer shared with this account"
    else:
        checks = [*material_checks(snapshot), *(key_checks(key) if key else [])]
        reasons = "; ".join(one.reason for one in failures(checks))
    return f"{snapshot_id} cannot be launched: {reasons}" if reasons else None
