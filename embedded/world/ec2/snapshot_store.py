"""Snapshots as the world holds them, their visibility, their shapes and their events."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from embedded.world.behaviour import SCENARIO_TAG, Scenario
from embedded.world.ec2.query import instant, tag_shapes
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Reply

if TYPE_CHECKING:
    from embedded.world.world import World

GIB = 1024**3
COPY_VOLUME_ID = "vol-ffffffff"
"""The arbitrary volume id that copies carry (EBS user guide, "Copy an Amazon EBS snapshot")."""
AMAZON = "137112412989"
"""An account of Amazon's own, the owner behind the alias ``amazon``."""
NOTIFICATION = "EBS Snapshot Notification"


@dataclass
class Lock:
    """A snapshot lock: until it expires the snapshot cannot be deleted."""

    mode: str
    created: datetime
    days: int | None
    expires: datetime


@dataclass
class Snapshot:
    """One EBS snapshot. ``size_gib`` is the volume's size, not the data's."""

    id: str
    owner_id: str
    volume_id: str
    start_time: datetime
    size_gib: int
    region: str
    state: str = "pending"
    """``pending``, ``completed``, ``error``, ``recoverable`` or ``recovering``."""
    state_message: str | None = None
    completes_at: datetime | None = None
    completion_time: datetime | None = None
    encrypted: bool = False
    kms_key_id: str | None = None
    data_key_id: str | None = None
    description: str = ""
    tier: str = "standard"
    restore_expiry: datetime | None = None
    transfer_type: str | None = None
    full_bytes: int = 0
    source_id: str | None = None
    """The snapshot that this is a copy of."""
    source_region: str | None = None
    """Where the source of a copy is; this snapshot's own Region unless said."""
    tags: dict[str, str] = field(default_factory=dict)
    shared_with: set[str] = field(default_factory=set)
    public: bool = False
    owner_alias: str | None = None
    lock: Lock | None = None
    inherited_scenario: str | None = None
    """What the data does although this snapshot does not say so: copies copy the data."""

    @property
    def scenario(self) -> Scenario:
        """What instances launched from this data do.

        Raises
        ------
        NotEmulatedError
            When the tag names a scenario that the world does not know.
        """
        name = self.tags.get(SCENARIO_TAG, self.inherited_scenario or Scenario.HEALTHY)
        try:
            return Scenario(name)
        except ValueError:
            raise NotEmulatedError(f"the scenario {name!r} (tag on {self.id})") from None

    def restorable_by(self, account: str) -> bool:
        """Whether ``account`` may create volumes from this snapshot."""
        return self.public or account == self.owner_id or account in self.shared_with

    def progress(self, now: datetime) -> str:
        """How much is copied, as EC2 says it: ``"42%"``."""
        if self.state == "completed":
            return "100%"
        if self.state != "pending" or self.completes_at is None:
            return "0%"
        whole = (self.completes_at - self.start_time).total_seconds()
        done = (now - self.start_time).total_seconds() / whole if whole > 0 else 1.0
        return f"{min(99, int(100 * done))}%"


class SnapshotStore:
    """All snapshots that exist anywhere in the world, visible to the account or not."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_id: dict[str, Snapshot] = {}

    def put(self, snapshot: Snapshot) -> Snapshot:
        """Keep a snapshot."""
        self._by_id[snapshot.id] = snapshot
        return snapshot

    def all(self) -> list[Snapshot]:
        """Every snapshot, whoever owns it."""
        return list(self._by_id.values())

    def remove(self, snapshot_id: str) -> None:
        """Forget a snapshot; what refers to it is left dangling, as on AWS."""
        self._by_id.pop(snapshot_id, None)

    def get(self, snapshot_id: str, *, region: str | None = None) -> Snapshot | None:
        """The snapshot of that id in this Region (or another), whoever owns it."""
        found = self._by_id.get(snapshot_id)
        return found if found and found.region == (region or self._world.region) else None

    def readable(self, snapshot_id: str, *, region: str | None = None) -> Snapshot | None:
        """The snapshot of that id if the account may create volumes from it."""
        found = self.get(snapshot_id, region=region)
        return found if found and found.restorable_by(self._world.account) else None

    def visible(self) -> list[Snapshot]:
        """Every snapshot that the account may see, in no useful order.

        DescribeSnapshots promises no order; ordering by a checksum of the id keeps callers from
        relying on age while the same world always answers alike.
        """
        seen = [
            snapshot
            for snapshot in self._by_id.values()
            if snapshot.region == self._world.region and snapshot.restorable_by(self._world.account)
        ]
        return sorted(seen, key=lambda snapshot: (zlib.crc32(snapshot.id.encode()), snapshot.id))

    def own(self, snapshot_id: str) -> Snapshot:
        """A snapshot that the account owns.

        Raises
        ------
        AwsError
            For malformed, unknown and foreign ids.
        """
        check_id(snapshot_id)
        found = self.get(snapshot_id)
        if found is None or found.owner_id != self._world.account:
            # A foreign snapshot might be refused as unauthorised instead; a caller who may not
            # see it must not learn that it exists, so it is answered like an unknown one.
            raise not_found(snapshot_id)
        return found

    def owned_ids(self) -> list[str]:
        """The ids of the account's own snapshots in this Region, oldest first."""
        return [
            snapshot.id
            for snapshot in self._by_id.values()
            if snapshot.owner_id == self._world.account and snapshot.region == self._world.region
        ]


def check_id(snapshot_id: str) -> None:
    """Refuse what cannot be a snapshot's id.

    Raises
    ------
    AwsError
        ``InvalidParameterValue`` without the prefix, ``InvalidSnapshotID.Malformed`` with a
        wrong rest: EC2 tells these two apart.
    """
    if not snapshot_id.startswith("snap-"):
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({snapshot_id}) for parameter snapshotId is invalid. Expected: 'snap-...'.",
        )
    if not re.fullmatch(r"snap-(?:[0-9a-f]{8}|[0-9a-f]{17})", snapshot_id):
        raise AwsError(
            "InvalidSnapshotID.Malformed", f'Invalid id: "{snapshot_id}" (expecting "snap-...")'
        )


def not_found(snapshot_id: str) -> AwsError:
    """EC2's answer for a snapshot that is not there, or not for this account."""
    return AwsError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")


def describe(snapshot: Snapshot, now: datetime) -> Reply:
    """A snapshot as EC2's ``Snapshot`` shape; members without a value are left out."""
    members: dict[str, Any] = {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "State": snapshot.state,
        "StateMessage": snapshot.state_message,
        "StartTime": snapshot.start_time,
        "CompletionTime": snapshot.completion_time,
        "Progress": snapshot.progress(now),
        "OwnerId": snapshot.owner_id,
        "OwnerAlias": snapshot.owner_alias,
        "Description": snapshot.description,
        "VolumeSize": snapshot.size_gib,
        "FullSnapshotSizeInBytes": snapshot.full_bytes if snapshot.state == "completed" else None,
        "Encrypted": snapshot.encrypted,
        "KmsKeyId": snapshot.kms_key_id,
        "DataEncryptionKeyId": snapshot.data_key_id,
        "StorageTier": snapshot.tier,
        "RestoreExpiryTime": snapshot.restore_expiry,
        "TransferType": snapshot.transfer_type,
    }
    shape = {name: value for name, value in members.items() if value is not None}
    if snapshot.tags:
        shape["Tags"] = tag_shapes(snapshot.tags)
    return shape


def event_arn(region: str, kind: str, resource_id: str) -> str:
    """The ARN of EBS snapshot events, which puts the Region where the account belongs.

    Source: EBS user guide, "EventBridge events for Amazon EBS": the samples of snapshot events
    read ``arn:aws:ec2::us-west-2:snapshot/snap-…``.
    """
    return f"arn:aws:ec2::{region}:{kind}/{resource_id}"


def completion_detail(snapshot: Snapshot, *, cause: str, now: datetime) -> Reply:
    """The detail of the ``EBS Snapshot Notification`` that ends a snapshot or a copy."""
    copied = snapshot.source_id is not None
    source = (
        event_arn(snapshot.source_region or snapshot.region, "snapshot", snapshot.source_id or "")
        if copied
        else event_arn(snapshot.region, "volume", snapshot.volume_id)
    )
    detail: Reply = {
        "event": "copySnapshot" if copied else "createSnapshot",
        "result": "succeeded" if snapshot.state == "completed" else "failed",
        "cause": cause,
        "request-id": "",
        "snapshot_id": event_arn(snapshot.region, "snapshot", snapshot.id),
        "source": source,
        "startTime": instant(snapshot.start_time),
        "endTime": instant(now),
    }
    if copied:
        # Strings, not booleans (EBS user guide, copySnapshot sample).
        detail["incremental"] = "true"
        detail["transferType"] = snapshot.transfer_type or "standard"
    return detail
