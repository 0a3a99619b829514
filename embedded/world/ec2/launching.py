"""What EC2 looks at before an instance starts, in the words that a scaling activity repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedded.world.behaviour import Scenario, worst
from embedded.world.ec2.instance import LaunchRefusedError
from embedded.world.ec2.snapshot_store import Snapshot, SnapshotStore, check_id
from embedded.world.ec2.volumes import RATE_QUOTA_MIB, Volumes
from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.ec2.service import EC2

SLOWEST_INITIALIZATION_MIB = 100
FASTEST_INITIALIZATION_MIB = 300
"""Bounds of VolumeInitializationRate in MiB/s (botocore, EbsBlockDevice)."""
UNMODELLED = ("InstanceMarketOptions", "InstanceRequirements", "HibernationOptions")
"""Template members that would change how instances come and go."""


@dataclass(frozen=True)
class PlannedVolume:
    """One EBS volume that a launch is going to make."""

    device: str
    ebs: Mapping[str, Any]
    snapshot: Snapshot | None
    encrypted: bool
    kms_key_id: str | None

    @property
    def keys(self) -> set[str]:
        """Every key that making it needs: the volume's own, and the snapshot's to read it."""
        both = (self.kms_key_id, self.snapshot.kms_key_id if self.snapshot else None)
        return {key for key in both if key}


@dataclass(frozen=True)
class LaunchPlan:
    """Everything a launch needs, already checked."""

    image_id: str
    instance_type: str
    volumes: tuple[PlannedVolume, ...]

    @property
    def scenario(self) -> Scenario:
        """The worst that any of the restored volumes does; healthy without any."""
        return worst(planned.snapshot.scenario for planned in self.volumes if planned.snapshot)


def refused(code: str, message: str) -> LaunchRefusedError:
    """A launch refused at request time."""
    return LaunchRefusedError(message, code=code)


class LaunchChecks:
    """Checks a template's data the way RunInstances does."""

    def __init__(self, ec2: EC2, snapshots: SnapshotStore, volumes: Volumes) -> None:
        self._ec2 = ec2
        self._snapshots = snapshots
        self._volumes = volumes

    def plan(
        self, data: Mapping[str, Any], *, instance_type: str | None, image_id: str | None
    ) -> LaunchPlan:
        """The launch that the data describes.

        Raises
        ------
        LaunchRefusedError
            With EC2's sentence for the first thing that is wrong.
        """
        for member in UNMODELLED:
            if data.get(member):
                raise NotEmulatedError(f"launches with {member}")
        image = image_id or data.get("ImageId")
        if not image:
            raise refused("MissingParameter", "The request must contain the parameter ImageId")
        if image in self._ec2.deregistered_images:
            raise refused("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist")
        planned = tuple(
            self._volume(mapping)
            for mapping in data.get("BlockDeviceMappings", [])
            if "Ebs" in mapping
        )
        # RunInstances falls back to m1.small when no type is given (EC2 API reference).
        return LaunchPlan(image, instance_type or data.get("InstanceType") or "m1.small", planned)

    def _volume(self, mapping: Mapping[str, Any]) -> PlannedVolume:
        device, ebs = mapping.get("DeviceName", ""), mapping["Ebs"]
        snapshot = self._readable(ebs["SnapshotId"]) if ebs.get("SnapshotId") else None
        _check_encryption(device, ebs, snapshot)
        _check_size(ebs, snapshot)
        self._check_rate(ebs, snapshot)
        encrypted = bool(ebs.get("Encrypted")) or bool(snapshot and snapshot.encrypted)
        key = self._ec2.volume_key(ebs.get("KmsKeyId"), snapshot) if encrypted else None
        return PlannedVolume(device, ebs, snapshot, encrypted, key)

    def _readable(self, snapshot_id: str) -> Snapshot:
        try:
            check_id(snapshot_id)
        except AwsError as malformed:
            raise refused(malformed.code, malformed.message) from None
        snapshot = self._snapshots.readable(snapshot_id)
        if snapshot is None:
            # A private snapshot of another account is answered like one that is not there.
            raise refused(
                "InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist."
            )
        if snapshot.state != "completed":
            raise refused(
                "IncorrectState",
                f"Snapshot '{snapshot_id}' is not in the completed state ({snapshot.state}).",
            )
        if snapshot.tier != "standard":
            # EBS user guide, "Considerations … for archiving": an archived snapshot cannot be
            # used in a block device mapping. The exact words of the refusal are not published.
            raise refused(
                "IncorrectState",
                f"Snapshot '{snapshot_id}' is archived and must be restored before it is used.",
            )
        return snapshot

    def _check_rate(self, ebs: Mapping[str, Any], snapshot: Snapshot | None) -> None:
        rate = ebs.get("VolumeInitializationRate")
        if rate is None:
            return
        if snapshot is None:
            raise refused(
                "InvalidParameterCombination",
                "The parameter VolumeInitializationRate requires a snapshot.",
            )
        if not SLOWEST_INITIALIZATION_MIB <= rate <= FASTEST_INITIALIZATION_MIB:
            raise refused(
                "InvalidParameterValue",
                f"The volume initialization rate {rate} must be between "
                f"{SLOWEST_INITIALIZATION_MIB} and {FASTEST_INITIALIZATION_MIB} MiB/s.",
            )
        if not self._volumes.rate_available(rate):
            raise refused(
                "VolumeInitializationRateLimitExceeded",
                f"The concurrent volume initialization rate of {RATE_QUOTA_MIB} MiB/s in this "
                "Region is exceeded.",
            )


def _check_encryption(device: str, ebs: Mapping[str, Any], snapshot: Snapshot | None) -> None:
    # Encrypted = true next to a snapshot may add encryption (botocore, EbsBlockDevice); false
    # has been refused with this sentence, and can never remove encryption anyway.
    if snapshot is not None and ebs.get("Encrypted") is False:
        raise refused(
            "InvalidBlockDeviceMapping",
            f"the encrypted flag cannot be specified since device {device} has a snapshot "
            "specified.",
        )
    if ebs.get("KmsKeyId") and not ebs.get("Encrypted"):
        raise refused(
            "InvalidParameterDependency",
            "The parameter KmsKeyId requires the parameter Encrypted to be set.",
        )


def _check_size(ebs: Mapping[str, Any], snapshot: Snapshot | None) -> None:
    size = ebs.get("VolumeSize")
    if snapshot is not None and size is not None and size < snapshot.size_gib:
        raise refused(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than snapshot '{snapshot.id}', "
            f"expect size >= {snapshot.size_gib}GB",
        )
