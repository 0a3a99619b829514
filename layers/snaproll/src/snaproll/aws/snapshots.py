"""EBS snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from snaproll.aws.refusals import SDK_ERRORS, code_of, named, named_errors
from snaproll.domain.snapshot import Snapshot, was_copied
from snaproll.domain.tags import PUBLISH
from snaproll.errors import SnapshotRefusedError, ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, SnapshotTypeDef

_GONE = frozenset({"InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"})
_REFUSED = frozenset(
    {"IncorrectState", "InvalidVolume.NotFound", "SnapshotLimitExceeded", "TagLimitExceeded"}
)
_TOO_MANY = frozenset(
    {
        "ConcurrentSnapshotLimitExceeded",
        "PendingSnapshotLimitExceeded",
        # Two within 15 s of one volume (EC2 API reference, "Error codes").
        "SnapshotCreationPerVolumeRateExceeded",
    }
)
_PAGE = 200
"""Paginated calls draw on a larger throttling bucket (EC2 developer guide, "Throttling")."""


class Snapshots:
    """What EC2 knows of snapshots."""

    def __init__(self, ec2: EC2Client) -> None:
        self._ec2 = ec2

    def get(self, snapshot_id: str) -> Snapshot | None:
        """One snapshot, or None when this account sees none of that id here."""
        try:
            reply = self._ec2.describe_snapshots(SnapshotIds=[snapshot_id])
        except SDK_ERRORS as error:
            if code_of(error) in _GONE:
                return None
            raise named(error, f"describe the snapshot {snapshot_id}") from error
        # A snapshot that one may not see is left out of the answer without an error.
        found = reply.get("Snapshots", [])
        return _snapshot(found[0]) if found else None

    def several(self, snapshot_ids: Sequence[str]) -> dict[str, Snapshot]:
        """Those snapshots that this account sees here, 200 to a call."""
        found: list[Snapshot] = []
        for first in range(0, len(snapshot_ids), _PAGE):
            # Asked for by a filter, one that is gone does not hide the others.
            wanted = list(snapshot_ids[first : first + _PAGE])
            with named_errors("describe the fleets' snapshots"):
                pages = self._ec2.get_paginator("describe_snapshots").paginate(
                    Filters=[{"Name": "snapshot-id", "Values": wanted}],
                    PaginationConfig={"PageSize": _PAGE},
                )
                found += [_snapshot(one) for page in pages for one in page["Snapshots"]]
        return {one.id: one for one in found}

    def selected(self, tags: Mapping[str, str], owners: Iterable[str]) -> list[Snapshot]:
        """All completed snapshots of these owners with all of these tags.

        Owners are always named: without them anybody's public snapshot would be in the answer.
        """
        wanted: list[FilterTypeDef] = [{"Name": "status", "Values": ["completed"]}]
        wanted += [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        with named_errors("list snapshots"):
            pages = self._ec2.get_paginator("describe_snapshots").paginate(
                OwnerIds=list(owners),
                Filters=wanted,
                PaginationConfig={"PageSize": _PAGE},
            )
            return [_snapshot(one) for page in pages for one in page["Snapshots"]]

    def made_by(self, publish: str, volume: str) -> list[Snapshot]:
        """The snapshots that a publish has taken of a volume, failed ones among them."""
        with named_errors(f"look for the snapshot of {publish}"):
            pages = self._ec2.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"],
                Filters=[
                    {"Name": f"tag:{PUBLISH}", "Values": [publish]},
                    {"Name": "volume-id", "Values": [volume]},
                ],
                PaginationConfig={"PageSize": _PAGE},
            )
            return [_snapshot(one) for page in pages for one in page["Snapshots"]]

    def create(self, volume: str, description: str, tags: Mapping[str, str]) -> str:
        """Begin a snapshot of a volume, with its tags from the first moment; its id.

        CreateSnapshot takes no client token: called twice it makes two. So the client that this
        adapter was given must make one try only, and the caller looks first what is there.

        Raises
        ------
        SnapshotRefusedError
            When EC2 takes none of this volume.
        ThrottledError
            When it takes none now, because others of the volume were begun right before.
        """
        try:
            reply = self._ec2.create_snapshot(
                VolumeId=volume,
                Description=description,
                TagSpecifications=[
                    {
                        "ResourceType": "snapshot",
                        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                    }
                ],
            )
        except SDK_ERRORS as error:
            doing = f"take a snapshot of {volume}"
            if code_of(error) in _TOO_MANY:
                raise ThrottledError(str(named(error, doing))) from error
            if code_of(error) in _REFUSED:
                raise SnapshotRefusedError(str(named(error, doing))) from error
            raise named(error, doing) from error
        return reply["SnapshotId"]

    def tag(self, snapshot_id: str, key: str, value: str) -> None:
        """Write one tag; a snapshot that is gone is left alone."""
        try:
            self._ec2.create_tags(Resources=[snapshot_id], Tags=[{"Key": key, "Value": value}])
        except SDK_ERRORS as error:
            if code_of(error) not in _GONE:
                raise named(error, f"tag the snapshot {snapshot_id}") from error

    def untag(self, snapshot_id: str, key: str) -> None:
        """Take one tag away; a snapshot that is gone is left alone."""
        try:
            self._ec2.delete_tags(Resources=[snapshot_id], Tags=[{"Key": key}])
        except SDK_ERRORS as error:
            if code_of(error) not in _GONE:
                raise named(error, f"untag the snapshot {snapshot_id}") from error


def _snapshot(raw: SnapshotTypeDef) -> Snapshot:
    return Snapshot(
        id=raw["SnapshotId"],
        state=raw["State"],
        owner=raw["OwnerId"],
        start_time=raw["StartTime"],
        size_gib=raw["VolumeSize"],
        encrypted=raw["Encrypted"],
        kms_key=raw.get("KmsKeyId"),
        storage_tier=raw.get("StorageTier", "standard"),
        restore_expires=raw.get("RestoreExpiryTime"),
        copied=was_copied(raw.get("VolumeId"), raw.get("TransferType")),
        tags={tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])},
        state_message=raw.get("StateMessage"),
    )
