"""Making snapshots: of a volume, of an instance, of another snapshot, or out of thin air."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from embedded.world.ec2.query import instant, refuse_dry_run, tag_shapes
from embedded.world.ec2.snapshot_store import (
    COPY_VOLUME_ID,
    GIB,
    NOTIFICATION,
    Snapshot,
    SnapshotStore,
    check_id,
    completion_detail,
    describe,
    event_arn,
    not_found,
)
from embedded.world.ec2.tagging import check_count, requested_tags
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.kms import EBS_ALIAS
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.ec2.service import EC2
    from embedded.world.ec2.volumes import Volume, Volumes
    from embedded.world.world import World

MULTI_VOLUME = "EBS Multi-Volume Snapshots Completion Status"
PACE = timedelta(seconds=15)
"""Between two snapshots of one volume while the first is pending (EC2 API reference, "Error codes",
SnapshotCreationPerVolumeRateExceeded)."""
KEY_NOT_ACCESSIBLE = "Given key ID is not accessible"
"""The state message of a copy whose key cannot be used."""


class SnapshotMaking(Service):
    """The operations that make snapshots, and the knobs that scenarios use."""

    name = "ec2"

    def __init__(self, world: World, ec2: EC2, store: SnapshotStore, volumes: Volumes) -> None:
        super().__init__(world)
        self._ec2 = ec2
        self._store = store
        self._volumes = volumes
        self._failure: str | None = None

    # -- knobs -------------------------------------------------------------------------------------

    def add(
        self,
        *,
        event: bool = False,
        start_time: datetime | None = None,
        size_gib: int = 100,
        state: str = "completed",
        encrypted: bool = True,
        kms_key_id: str | None = None,
        tags: dict[str, str] | None = None,
        source_id: str | None = None,
        **attributes: Any,
    ) -> Snapshot:
        """Put an own snapshot into the world as it stands, completed unless said otherwise.

        Parameters
        ----------
        event
            Also emit the event that EC2 emits when a snapshot (or, with ``source_id``, a copy)
            completes or fails.
        start_time
            When the data was true; ten minutes ago by default.
        size_gib
            The volume's size in GiB; half of it holds data.
        state
            ``pending`` stays so: nothing completes what was not made by an operation.
        encrypted, kms_key_id
            Encrypted with the AWS managed key by default.
        attributes
            Any other field of ``Snapshot``, for example ``id``, ``volume_id``, ``tier``.
        """
        now = self.world.clock.now()
        start = start_time or now - timedelta(seconds=self._ec2.behaviour.snapshot_seconds)
        key = self.world.kms.arn_of(kms_key_id or EBS_ALIAS) if encrypted else None
        copied = source_id is not None
        snapshot = Snapshot(
            id=attributes.pop("id", None) or self.world.new_id("snap"),
            owner_id=self.world.account,
            volume_id=COPY_VOLUME_ID if copied else self.world.new_id("vol"),
            start_time=start,
            size_gib=size_gib,
            region=self.world.region,
            state=state,
            completion_time=now if state == "completed" else None,
            encrypted=encrypted,
            kms_key_id=key,
            data_key_id=self._data_key(key),
            full_bytes=size_gib * GIB // 2,
            source_id=source_id,
            transfer_type="standard" if copied else None,
            tags=dict(tags or {}),
        )
        snapshot = self._store.put(replace(snapshot, **attributes))
        if event:
            self._announce(snapshot, cause="" if state == "completed" else state)
        return snapshot

    def add_foreign(self, *, owner: str, public: bool, shared: bool, **attributes: Any) -> Snapshot:
        """Put another account's snapshot into the world."""
        shared_with = {self.world.account} if shared else set()
        return self.add(
            **{"encrypted": False, **attributes},
            owner_id=owner,
            public=public,
            shared_with=shared_with,
        )

    def fail_next(self, cause: str) -> None:
        """Let the next snapshot or copy that is made end in ``error``."""
        self._failure = cause

    # -- operations --------------------------------------------------------------------------------

    @operation("CreateSnapshot")
    def create_snapshot(self, params: Params) -> Reply:
        """Start a snapshot of a volume."""
        refuse_dry_run(params)
        _refuse_places(params, "OutpostArn", "Location")
        volume = self._volumes.get(params["VolumeId"])
        self._check_pace(volume)
        snapshot = self._of_volume(volume, params, requested_tags(params, "snapshot"))
        cause, self._failure = self._failure, None
        self._finish_later([snapshot], cause, lambda: self._announce(snapshot, cause=cause or ""))
        return describe(snapshot, self.world.clock.now())

    def _check_pace(self, volume: Volume) -> None:
        now = self.world.clock.now()
        if any(
            one.volume_id == volume.id and one.state == "pending" and now - one.start_time < PACE
            for one in self._store.all()
        ):
            raise AwsError(
                "SnapshotCreationPerVolumeRateExceeded",
                "The maximum per volume CreateSnapshot request rate has been exceeded. Use an "
                "increasing or variable sleep interval between requests.",
            )
        if volume.state not in ("available", "in-use"):
            raise AwsError(
                "IncorrectState", f"Volume {volume.id} is in the state '{volume.state}'."
            )

    @operation("CreateSnapshots")
    def create_snapshots(self, params: Params) -> Reply:
        """Start snapshots of an instance's volumes, which end together with one event."""
        refuse_dry_run(params)
        _refuse_places(params, "OutpostArn", "Location")
        specification = params["InstanceSpecification"]
        if specification.get("ExcludeBootVolume"):
            raise NotEmulatedError("CreateSnapshots with ExcludeBootVolume")
        excluded = set(specification.get("ExcludeDataVolumeIds", []))
        instance = self._ec2.instance(specification["InstanceId"])
        volumes = [item for item in self._volumes.attached(instance) if item.id not in excluded]
        tags = requested_tags(params, "snapshot")
        copied = params.get("CopyTagsFromSource") == "volume"
        snapshots = [
            self._of_volume(volume, params, {**(volume.tags if copied else {}), **tags})
            for volume in volumes
        ]
        cause, self._failure = self._failure, None
        self._finish_later(snapshots, cause, lambda: self._announce_all(snapshots, cause or ""))
        return {"Snapshots": [_info(snapshot) for snapshot in snapshots]}

    @operation("CopySnapshot")
    def copy_snapshot(self, params: Params) -> Reply:
        """Start a copy into this Region; tags are not copied with it."""
        refuse_dry_run(params)
        _refuse_places(
            params,
            "DestinationOutpostArn",
            "DestinationAvailabilityZone",
            "CompletionDurationMinutes",
        )
        source = self._copy_source(params)
        key = self._copy_key(params, source)
        snapshot = self._store.put(
            Snapshot(
                id=self.world.new_id("snap"),
                owner_id=self.world.account,
                volume_id=COPY_VOLUME_ID,
                start_time=self.world.clock.now(),
                size_gib=source.size_gib,
                region=self.world.region,
                encrypted=key is not None,
                kms_key_id=key,
                data_key_id=self._data_key(key),
                description=params.get("Description", ""),
                full_bytes=source.full_bytes,
                source_id=source.id,
                source_region=source.region,
                transfer_type="standard",
                tags=requested_tags(params, "snapshot"),
                inherited_scenario=source.scenario,
            )
        )
        cause, self._failure = self._failure, None
        self._finish_later([snapshot], cause, lambda: self._announce_copy(snapshot, cause or ""))
        reply: Reply = {"SnapshotId": snapshot.id}
        if snapshot.tags:
            reply["Tags"] = tag_shapes(snapshot.tags)
        return reply

    def _copy_source(self, params: Params) -> Snapshot:
        snapshot_id = params["SourceSnapshotId"]
        check_id(snapshot_id)
        source = self._store.readable(snapshot_id, region=params["SourceRegion"])
        if source is None:
            raise not_found(snapshot_id)
        if source.state != "completed" or source.tier != "standard":
            raise AwsError("IncorrectState", f"Snapshot {snapshot_id} is not in a usable state.")
        if source.encrypted and params.get("Encrypted") is False:
            # botocore, CopySnapshotRequest.Encrypted: false cannot be asked for.
            raise AwsError(
                "InvalidParameterCombination", "A copy of an encrypted snapshot is encrypted."
            )
        return source

    def _copy_key(self, params: Params, source: Snapshot) -> str | None:
        key: str | None = params.get("KmsKeyId")
        if key and not (params.get("Encrypted") or source.encrypted):
            raise AwsError(
                "InvalidParameterDependency",
                "The parameter KmsKeyId requires the parameter Encrypted to be set.",
            )
        if not (params.get("Encrypted") or source.encrypted):
            return None
        # Without a key named, the account's default key: not the source's (botocore,
        # CopySnapshotRequest.KmsKeyId).
        return self.world.kms.arn_of(key or EBS_ALIAS)

    # -- from pending to its end -------------------------------------------------------------------

    def _of_volume(self, volume: Volume, params: Params, tags: dict[str, str]) -> Snapshot:
        check_count(tags, "snapshot")
        return self._store.put(
            Snapshot(
                id=self.world.new_id("snap"),
                owner_id=self.world.account,
                volume_id=volume.id,
                start_time=self.world.clock.now(),
                size_gib=volume.size_gib,
                region=self.world.region,
                encrypted=volume.encrypted,
                kms_key_id=volume.kms_key_id,
                data_key_id=self._data_key(volume.kms_key_id),
                description=params.get("Description", ""),
                full_bytes=volume.full_bytes or volume.size_gib * GIB // 2,
                tags=tags,
                inherited_scenario=volume.scenario,
            )
        )

    def _finish_later(
        self, snapshots: list[Snapshot], cause: str | None, announce: Callable[[], None]
    ) -> None:
        behaviour = self._ec2.behaviour
        seconds = behaviour.varied(behaviour.snapshot_seconds, self.world.random)
        due = self.world.clock.now() + timedelta(seconds=seconds)
        for snapshot in snapshots:
            snapshot.completes_at = due

        def finish() -> None:
            # A snapshot may be deleted while it is pending; nothing is announced then.
            if all(self._store.get(snapshot.id) is snapshot for snapshot in snapshots):
                for snapshot in snapshots:
                    self._finish(snapshot, cause)
                announce()

        self.world.clock.at(due, "snapshot done", finish)

    def _finish(self, snapshot: Snapshot, cause: str | None) -> None:
        if cause is not None:
            snapshot.state, snapshot.state_message = "error", cause
            return
        key = snapshot.kms_key_id
        if snapshot.source_id and key and not self.world.kms.usable(key, self._ec2.account_root):
            snapshot.state, snapshot.state_message = "error", KEY_NOT_ACCESSIBLE
            return
        snapshot.state, snapshot.completion_time = "completed", self.world.clock.now()

    def _announce_copy(self, snapshot: Snapshot, cause: str) -> None:
        self._announce(snapshot, cause=cause or snapshot.state_message or "")

    def _announce(self, snapshot: Snapshot, *, cause: str) -> None:
        self.world.events.emit(
            "aws.ec2",
            NOTIFICATION,
            completion_detail(snapshot, cause=cause, now=self.world.clock.now()),
            [event_arn(snapshot.region, "snapshot", snapshot.id)],
        )

    def _announce_all(self, snapshots: list[Snapshot], cause: str) -> None:
        region = self.world.region
        arns = [event_arn(region, "snapshot", snapshot.id) for snapshot in snapshots]
        detail: Reply = {
            "event": "createSnapshots",
            "result": "failed" if cause else "succeeded",
            "cause": cause,
            "request-id": "",
            "startTime": instant(snapshots[0].start_time),
            "endTime": instant(self.world.clock.now()),
            "snapshots": [
                {
                    "snapshot_id": arn,
                    "source": event_arn(region, "volume", snapshot.volume_id),
                    "status": snapshot.state,
                }
                for arn, snapshot in zip(arns, snapshots, strict=True)
            ],
        }
        self.world.events.emit("aws.ec2", MULTI_VOLUME, detail, arns)

    def _data_key(self, key: str | None) -> str | None:
        return self.world.new_uuid() if key else None


def _refuse_places(params: Params, *members: str) -> None:
    for member in members:
        if params.get(member):
            raise NotEmulatedError(f"{member} of a snapshot")


def _info(snapshot: Snapshot) -> Reply:
    return {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "State": snapshot.state,
        "StartTime": snapshot.start_time,
        "VolumeSize": snapshot.size_gib,
        "Encrypted": snapshot.encrypted,
        "OwnerId": snapshot.owner_id,
        "Progress": "0%",
        "Description": snapshot.description,
        "Tags": tag_shapes(snapshot.tags),
    }
