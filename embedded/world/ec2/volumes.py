"""EBS volumes: made with instances or by themselves, and filled from their snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from embedded.world.ec2.query import page, paged, refuse_dry_run, select, tag_shapes, truth
from embedded.world.ec2.snapshot_store import Snapshot, SnapshotStore, check_id, not_found
from embedded.world.ec2.tagging import requested_tags
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.ec2.instance import Instance
    from embedded.world.ec2.service import EC2
    from embedded.world.world import World

MIB = 1024**2
STATUS_STEP_SECONDS = 300
"""Initialization progress may be up to five minutes old (botocore, DescribeVolumeStatus)."""
RATE_QUOTA_MIB = 5000
"""Concurrent provisioned initialization in a Region (EBS user guide, "Initialize volumes")."""


@dataclass
class Volume:
    """One EBS volume, attached to at most one instance."""

    id: str
    size_gib: int
    zone: str
    created: datetime
    type: str = "gp3"
    state: str = "creating"
    snapshot_id: str | None = None
    encrypted: bool = False
    kms_key_id: str | None = None
    rate_mib: int | None = None
    full_bytes: int = 0
    """How much data the snapshot holds that this volume has to be filled with."""
    scenario: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    instance_id: str | None = None
    device: str | None = None
    delete_on_termination: bool = False
    attached_at: datetime | None = None


class Volumes(Service):
    """The volume operations of EC2."""

    name = "ec2"

    def __init__(self, world: World, ec2: EC2, snapshots: SnapshotStore) -> None:
        super().__init__(world)
        self._ec2 = ec2
        self._snapshots = snapshots
        self._by_id: dict[str, Volume] = {}
        self._initializing: list[tuple[datetime, int]] = []

    # -- what other parts of EC2 use ---------------------------------------------------------------

    def get(self, volume_id: str) -> Volume:
        """The volume of that id.

        Raises
        ------
        AwsError
            ``InvalidVolume.NotFound``, also for malformed ids.
        """
        if volume_id not in self._by_id:
            raise AwsError("InvalidVolume.NotFound", f"The volume '{volume_id}' does not exist.")
        return self._by_id[volume_id]

    def ids(self) -> list[str]:
        """The ids of all volumes."""
        return list(self._by_id)

    def attached(self, instance: Instance) -> list[Volume]:
        """The volumes of an instance that are still attached to it."""
        volumes = (self._by_id.get(volume_id) for volume_id in instance.volumes.values())
        return [volume for volume in volumes if volume and volume.instance_id == instance.id]

    def rate_available(self, rate_mib: int) -> bool:
        """Whether the Region's quota of concurrent provisioned initialization has room."""
        now = self.world.clock.now()
        self._initializing = [(until, rate) for until, rate in self._initializing if until > now]
        return sum(rate for _, rate in self._initializing) + rate_mib <= RATE_QUOTA_MIB

    def make(
        self,
        *,
        zone: str,
        ebs: Mapping[str, Any],
        snapshot: Snapshot | None,
        encrypted: bool,
        kms_key_id: str | None,
    ) -> Volume:
        """A volume of a block device mapping or of CreateVolume, not attached yet."""
        volume = Volume(
            id=self.world.new_id("vol"),
            size_gib=ebs.get("VolumeSize") or (snapshot.size_gib if snapshot else 8),
            zone=zone,
            created=self.world.clock.now(),
            type=ebs.get("VolumeType", "gp2"),
            snapshot_id=snapshot.id if snapshot else None,
            encrypted=encrypted,
            kms_key_id=kms_key_id,
            rate_mib=ebs.get("VolumeInitializationRate"),
            full_bytes=snapshot.full_bytes if snapshot else 0,
            scenario=snapshot.scenario if snapshot else None,
            delete_on_termination=bool(ebs.get("DeleteOnTermination", False)),
        )
        if volume.rate_mib:
            until = self.world.clock.now() + self._hydration(volume)
            self._initializing.append((until, volume.rate_mib))
        self._by_id[volume.id] = volume
        return volume

    def attach(self, volume: Volume, instance: Instance, device: str) -> None:
        """Attach a volume at launch."""
        instance.volumes[device] = volume.id
        volume.state, volume.instance_id, volume.device = "in-use", instance.id, device
        volume.attached_at = self.world.clock.now()

    def let_go(self, instance: Instance) -> None:
        """Delete or keep the volumes of an instance that was terminated."""
        for volume in self.attached(instance):
            if volume.delete_on_termination:
                del self._by_id[volume.id]
            else:
                volume.state, volume.instance_id, volume.device = "available", None, None

    # -- operations --------------------------------------------------------------------------------

    @operation("CreateVolume", unmodelled=("AvailabilityZoneId", "Operator"))
    def create_volume(self, params: Params) -> Reply:
        """Make a volume; the key is looked at later, as AWS does it asynchronously."""
        refuse_dry_run(params)
        zone = params.get("AvailabilityZone")
        if zone is None:
            raise NotEmulatedError("CreateVolume without AvailabilityZone")
        snapshot = self._source(params)
        if snapshot is None and "Size" not in params:
            raise AwsError(
                "MissingParameter", "The request must contain the parameter size or snapshotId"
            )
        if snapshot and params.get("Size", snapshot.size_gib) < snapshot.size_gib:
            raise AwsError(
                "InvalidParameterValue",
                f"Volume of size {params['Size']}GB is smaller than snapshot "
                f"'{snapshot.id}', expect size >= {snapshot.size_gib}GB",
            )
        key = params.get("KmsKeyId")
        if key and not params.get("Encrypted"):
            raise AwsError(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            )
        encrypted = bool(params.get("Encrypted")) or bool(snapshot and snapshot.encrypted)
        ebs = {**params, "VolumeSize": params.get("Size")}
        key = self._ec2.volume_key(key, snapshot) if encrypted else None
        volume = self.make(
            zone=zone, ebs=ebs, snapshot=snapshot, encrypted=encrypted, kms_key_id=key
        )
        volume.tags.update(requested_tags(params, "volume"))
        self.world.clock.after(
            self._ec2.behaviour.volume_seconds,
            f"{volume.id} available",
            lambda: self._finish(volume),
        )
        return self._describe(volume)

    def _source(self, params: Params) -> Snapshot | None:
        snapshot_id = params.get("SnapshotId")
        if not snapshot_id:
            return None
        check_id(snapshot_id)
        snapshot = self._snapshots.readable(snapshot_id)
        if snapshot is None:
            raise not_found(snapshot_id)
        if snapshot.state != "completed" or snapshot.tier != "standard":
            raise AwsError("IncorrectState", f"Snapshot {snapshot_id} is not in a usable state.")
        return snapshot

    def _finish(self, volume: Volume) -> None:
        key = volume.kms_key_id
        usable = key is None or self.world.kms.usable(key, self._ec2.account_root)
        if volume.state == "creating":
            volume.state = "available" if usable else "error"

    @operation("DescribeVolumes")
    def describe_volumes(self, params: Params) -> Reply:
        """Volumes that exist, with the snapshot that each was made from."""
        refuse_dry_run(params)
        wanted = params.get("VolumeIds") or list(self._by_id)
        chosen = select(
            [self.get(volume_id) for volume_id in wanted],
            params.get("Filters", []),
            {
                "attachment.device": lambda volume: (volume.device or "",),
                "attachment.instance-id": lambda volume: (volume.instance_id or "",),
                "availability-zone": lambda volume: (volume.zone,),
                "encrypted": lambda volume: truth(value=volume.encrypted),
                "snapshot-id": lambda volume: (volume.snapshot_id or "",),
                "status": lambda volume: (volume.state,),
                "volume-id": lambda volume: (volume.id,),
            },
            lambda volume: volume.tags,
        )
        volumes, token = page(chosen, params)
        return paged("Volumes", [self._describe(volume) for volume in volumes], token)

    @operation("DeleteVolume")
    def delete_volume(self, params: Params) -> Reply:
        """Delete a volume that is attached to nothing."""
        refuse_dry_run(params)
        volume = self.get(params["VolumeId"])
        if volume.state == "in-use":
            raise AwsError(
                "VolumeInUse", f"Volume {volume.id} is currently attached to {volume.instance_id}"
            )
        del self._by_id[volume.id]
        return {}

    @operation("DescribeVolumeStatus")
    def describe_volume_status(self, params: Params) -> Reply:
        """The status of volumes, with how far each is filled from its snapshot."""
        refuse_dry_run(params)
        if params.get("Filters"):
            raise NotEmulatedError("filters of DescribeVolumeStatus")
        wanted = params.get("VolumeIds") or list(self._by_id)
        volumes, token = page([self.get(volume_id) for volume_id in wanted], params)
        return paged("VolumeStatuses", [self._status(volume) for volume in volumes], token)

    # -- shapes ------------------------------------------------------------------------------------

    def _describe(self, volume: Volume) -> Reply:
        shape: Reply = {
            "VolumeId": volume.id,
            "Size": volume.size_gib,
            "SnapshotId": volume.snapshot_id or "",
            "AvailabilityZone": volume.zone,
            "State": volume.state,
            "CreateTime": volume.created,
            "VolumeType": volume.type,
            "Encrypted": volume.encrypted,
            "MultiAttachEnabled": False,
            "Attachments": self._attachments(volume),
        }
        if volume.kms_key_id:
            shape["KmsKeyId"] = volume.kms_key_id
        if volume.rate_mib:
            shape["VolumeInitializationRate"] = volume.rate_mib
        if volume.tags:
            shape["Tags"] = tag_shapes(volume.tags)
        return shape

    def _attachments(self, volume: Volume) -> list[Reply]:
        if volume.instance_id is None:
            return []
        return [
            {
                "InstanceId": volume.instance_id,
                "VolumeId": volume.id,
                "Device": volume.device,
                "State": "attached",
                "AttachTime": volume.attached_at,
                "DeleteOnTermination": volume.delete_on_termination,
            }
        ]

    def _status(self, volume: Volume) -> Reply:
        shape: Reply = {
            "VolumeId": volume.id,
            "AvailabilityZone": volume.zone,
            "VolumeStatus": {"Status": "ok", "Details": []},
        }
        if volume.snapshot_id:
            shape["InitializationStatusDetails"] = self._initialization(volume)
        return shape

    def _initialization(self, volume: Volume) -> Reply:
        whole = self._hydration(volume).total_seconds()
        age = (self.world.clock.now() - volume.created).total_seconds()
        seen = age - age % STATUS_STEP_SECONDS
        done = 1.0 if whole <= 0 else min(1.0, seen / whole)
        details: Reply = {
            "InitializationType": "provisioned-rate" if volume.rate_mib else "default",
            "Progress": int(100 * done),
        }
        if volume.rate_mib:
            details["EstimatedTimeToCompleteInSeconds"] = int(max(0.0, whole - seen))
        return details

    def _hydration(self, volume: Volume) -> timedelta:
        rate = volume.rate_mib or self._ec2.behaviour.lazy_hydration_mib_per_second
        return timedelta(seconds=volume.full_bytes / (rate * MIB))
