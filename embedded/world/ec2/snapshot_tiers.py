"""Archiving, restoring and locking snapshots."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from embedded.world.ec2.query import refuse_dry_run
from embedded.world.ec2.snapshot_store import Lock, Snapshot, SnapshotStore
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.clock import Timer
    from embedded.world.ec2.service import EC2
    from embedded.world.world import World


class SnapshotTiers(Service):
    """The operations that move snapshots between tiers, or fix them in place."""

    name = "ec2"

    def __init__(self, world: World, ec2: EC2, store: SnapshotStore) -> None:
        super().__init__(world)
        self._ec2 = ec2
        self._store = store
        self._moving: dict[str, Timer] = {}

    @operation("ModifySnapshotTier")
    def modify_snapshot_tier(self, params: Params) -> Reply:
        """Archive a snapshot; it stays usable until the archive is complete."""
        refuse_dry_run(params)
        snapshot = self._store.own(params["SnapshotId"])
        if snapshot.state != "completed" or snapshot.tier != "standard":
            raise AwsError(
                "IncorrectState",
                f"Snapshot {snapshot.id} cannot be archived: it is {snapshot.state} "
                f"in the {snapshot.tier} tier.",
            )
        if snapshot.id in self._ec2.images_by_snapshot:
            raise AwsError("InvalidSnapshot.InUse", f"The snapshot {snapshot.id} is in use.")
        self._later(snapshot, self._ec2.behaviour.archive_seconds, lambda: self._archive(snapshot))
        return {"SnapshotId": snapshot.id, "TieringStartTime": self.world.clock.now()}

    @operation("RestoreSnapshotTier")
    def restore_snapshot_tier(self, params: Params) -> Reply:
        """Bring an archived snapshot back, for good or for some days, after up to 72 hours."""
        refuse_dry_run(params)
        snapshot = self._store.own(params["SnapshotId"])
        days, permanent = params.get("TemporaryRestoreDays"), params.get("PermanentRestore", False)
        if bool(days) == bool(permanent):
            raise AwsError(
                "InvalidParameterCombination",
                "Specify either TemporaryRestoreDays or PermanentRestore.",
            )
        if snapshot.tier == "standard" and snapshot.restore_expiry is None:
            raise AwsError("IncorrectState", f"Snapshot {snapshot.id} is not archived.")
        if snapshot.restore_expiry is not None:
            self._extend(snapshot, days)
        else:
            self._later(
                snapshot,
                self._ec2.behaviour.restore_seconds,
                lambda: self._restore(snapshot, days),
            )
        reply: Reply = {
            "SnapshotId": snapshot.id,
            "RestoreStartTime": self.world.clock.now(),
            "IsPermanentRestore": bool(permanent),
        }
        if days:
            reply["RestoreDuration"] = days
        return reply

    @operation("LockSnapshot", unmodelled=("CoolOffPeriod",))
    def lock_snapshot(self, params: Params) -> Reply:
        """Protect a snapshot from deletion until the lock expires."""
        refuse_dry_run(params)
        if params["LockMode"] != "governance":
            raise NotEmulatedError("LockSnapshot in compliance mode")
        snapshot = self._store.own(params["SnapshotId"])
        now = self.world.clock.now()
        days, until = params.get("LockDuration"), params.get("ExpirationDate")
        if bool(days) == bool(until):
            raise AwsError(
                "InvalidParameterCombination", "Specify either LockDuration or ExpirationDate."
            )
        expires: datetime = until or now + timedelta(days=days or 0)
        snapshot.lock = Lock(params["LockMode"], now, days, expires)
        return self._describe_lock(snapshot, snapshot.lock)

    @operation("UnlockSnapshot")
    def unlock_snapshot(self, params: Params) -> Reply:
        """Remove a governance lock."""
        refuse_dry_run(params)
        snapshot = self._store.own(params["SnapshotId"])
        snapshot.lock = None
        return {"SnapshotId": snapshot.id}

    @operation("DescribeLockedSnapshots")
    def describe_locked_snapshots(self, params: Params) -> Reply:
        """The locks of the account's snapshots."""
        refuse_dry_run(params)
        if params.get("Filters") or params.get("MaxResults"):
            raise NotEmulatedError("filters and pages of DescribeLockedSnapshots")
        wanted = params.get("SnapshotIds") or self._store.owned_ids()
        owned = [self._store.own(snapshot_id) for snapshot_id in wanted]
        return {
            "Snapshots": [
                self._describe_lock(snapshot, snapshot.lock) for snapshot in owned if snapshot.lock
            ]
        }

    def _describe_lock(self, snapshot: Snapshot, lock: Lock) -> Reply:
        shape: Reply = {
            "SnapshotId": snapshot.id,
            "LockState": lock.mode if lock.expires > self.world.clock.now() else "expired",
            "LockCreatedOn": lock.created,
            "LockExpiresOn": lock.expires,
            "LockDurationStartTime": lock.created,
        }
        if lock.days:
            shape["LockDuration"] = lock.days
        return shape

    # -- moves -------------------------------------------------------------------------------------

    def _later(self, snapshot: Snapshot, seconds: float, move: Callable[[], None]) -> None:
        if snapshot.id in self._moving:
            self._moving[snapshot.id].cancel()
        self._moving[snapshot.id] = self.world.clock.after(
            seconds, f"{snapshot.id} changes its tier", move
        )

    def _archive(self, snapshot: Snapshot) -> None:
        # Sharing ends with archiving (EBS user guide, "Archive an Amazon EBS snapshot").
        snapshot.tier, snapshot.restore_expiry, snapshot.public = "archive", None, False
        snapshot.shared_with.clear()

    def _restore(self, snapshot: Snapshot, days: int | None) -> None:
        snapshot.tier = "standard"
        self._extend(snapshot, days)

    def _extend(self, snapshot: Snapshot, days: int | None) -> None:
        """Keep a restored snapshot for some days from now, or for good."""
        if days is None:
            snapshot.restore_expiry = None
            self._moving.pop(snapshot.id).cancel()
            return
        snapshot.restore_expiry = self.world.clock.now() + timedelta(days=days)
        # From then on it is archived again: a launch that names it fails.
        self._later(snapshot, days * 24 * 3600.0, lambda: self._archive(snapshot))
