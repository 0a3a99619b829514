"""Reading, deleting and sharing snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.ec2.query import instant, page, paged, refuse_dry_run, select, truth
from embedded.world.ec2.snapshot_store import (
    AMAZON,
    Snapshot,
    SnapshotStore,
    check_id,
    describe,
    not_found,
)
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.ec2.service import EC2
    from embedded.world.world import World


class Snapshots(Service):
    """The operations on snapshots that exist."""

    name = "ec2"

    def __init__(self, world: World, ec2: EC2, store: SnapshotStore) -> None:
        super().__init__(world)
        self._ec2 = ec2
        self._store = store

    @operation("DescribeSnapshots")
    def describe_snapshots(self, params: Params) -> Reply:
        """Snapshots that the account may restore, its own and others', in no useful order."""
        refuse_dry_run(params)
        ids = params.get("SnapshotIds")
        if ids and params.get("MaxResults"):
            raise AwsError(
                "InvalidParameterCombination",
                "The parameter snapshotSet cannot be used with the parameter maxResults",
            )
        found = self._named(ids) if ids else self._store.visible()
        owners = {self._owner(owner) for owner in params.get("OwnerIds", [])}
        if owners:
            found = [snapshot for snapshot in found if self._owner_key(snapshot) in owners]
        for user in params.get("RestorableByUserIds", []):
            found = [snapshot for snapshot in found if self._restorable(snapshot, user)]
        chosen = select(
            found,
            params.get("Filters", []),
            {
                "description": lambda item: (item.description,),
                "encrypted": lambda item: truth(value=item.encrypted),
                "owner-alias": lambda item: (item.owner_alias or "",),
                "owner-id": lambda item: (item.owner_id,),
                "progress": lambda item: (item.progress(self.world.clock.now()),),
                "snapshot-id": lambda item: (item.id,),
                "start-time": lambda item: (
                    instant(item.start_time),
                    item.start_time.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                ),
                "status": lambda item: (item.state,),
                "storage-tier": lambda item: (item.tier,),
                "transfer-type": lambda item: (item.transfer_type or "",),
                "volume-id": lambda item: (item.volume_id,),
                "volume-size": lambda item: (str(item.size_gib),),
            },
            lambda item: item.tags,
        )
        snapshots, token = page(chosen, params)
        now = self.world.clock.now()
        return paged("Snapshots", [describe(snapshot, now) for snapshot in snapshots], token)

    def _named(self, ids: list[str]) -> list[Snapshot]:
        """The snapshots of these ids; what the account may not see is left out silently."""
        for snapshot_id in ids:
            check_id(snapshot_id)
            if self._store.get(snapshot_id) is None:
                raise not_found(snapshot_id)
        readable = (self._store.readable(snapshot_id) for snapshot_id in dict.fromkeys(ids))
        return [snapshot for snapshot in readable if snapshot]

    def _owner(self, owner: str) -> str:
        return self.world.account if owner == "self" else owner

    def _owner_key(self, snapshot: Snapshot) -> str:
        return "amazon" if snapshot.owner_id == AMAZON else snapshot.owner_id

    def _restorable(self, snapshot: Snapshot, user: str) -> bool:
        if user == "all":
            return snapshot.public
        account = self._owner(user)
        return account == snapshot.owner_id or account in snapshot.shared_with

    @operation("DeleteSnapshot")
    def delete_snapshot(self, params: Params) -> Reply:
        """Delete an own snapshot; being named by a launch template does not protect it."""
        refuse_dry_run(params)
        snapshot = self._store.own(params["SnapshotId"])
        image = self._ec2.images_by_snapshot.get(snapshot.id)
        if image is not None:
            raise AwsError(
                "InvalidSnapshot.InUse",
                f"The snapshot {snapshot.id} is currently in use by {image}",
            )
        if snapshot.lock is not None and snapshot.lock.expires > self.world.clock.now():
            # A locked snapshot cannot be deleted (EBS user guide, "Snapshot lock"); the code of
            # the refusal is not published.
            raise AwsError("InvalidSnapshot.InUse", f"The snapshot {snapshot.id} is locked.")
        self._store.remove(snapshot.id)
        return {}

    @operation("ModifySnapshotAttribute")
    def modify_snapshot_attribute(self, params: Params) -> Reply:
        """Share a snapshot with accounts or with everybody, or stop doing so."""
        refuse_dry_run(params)
        if params.get("Attribute", "createVolumePermission") != "createVolumePermission":
            raise NotEmulatedError(f"the snapshot attribute {params['Attribute']}")
        snapshot = self._store.own(params["SnapshotId"])
        change = params.get("CreateVolumePermission", {})
        added = [*change.get("Add", []), *_listed(params, "add")]
        removed = [*change.get("Remove", []), *_listed(params, "remove")]
        self._check_sharable(snapshot, added)
        for permission in added:
            snapshot.public = snapshot.public or permission.get("Group") == "all"
            snapshot.shared_with |= {permission["UserId"]} if "UserId" in permission else set()
        for permission in removed:
            snapshot.public = snapshot.public and permission.get("Group") != "all"
            snapshot.shared_with -= {permission.get("UserId", "")}
        return {}

    def _check_sharable(self, snapshot: Snapshot, added: list[Params]) -> None:
        if not added or not snapshot.encrypted:
            return
        if any(permission.get("Group") == "all" for permission in added):
            raise AwsError(
                "OperationNotPermitted", "Encrypted snapshots cannot be shared publicly."
            )
        if snapshot.kms_key_id == self.world.kms.default_ebs_key:
            raise AwsError(
                "OperationNotPermitted",
                "Encrypted snapshots with EBS default key cannot be shared",
            )

    @operation("DescribeSnapshotAttribute")
    def describe_snapshot_attribute(self, params: Params) -> Reply:
        """Who may create volumes from an own snapshot."""
        refuse_dry_run(params)
        if params["Attribute"] != "createVolumePermission":
            raise NotEmulatedError(f"the snapshot attribute {params['Attribute']}")
        snapshot = self._store.own(params["SnapshotId"])
        everybody = [{"Group": "all"}] if snapshot.public else []
        accounts = [{"UserId": account} for account in sorted(snapshot.shared_with)]
        return {
            "SnapshotId": snapshot.id,
            "CreateVolumePermissions": [*everybody, *accounts],
        }


def _listed(params: Params, kind: str) -> list[Params]:
    if params.get("OperationType") != kind:
        return []
    users = [{"UserId": account} for account in params.get("UserIds", [])]
    return [*users, *({"Group": group} for group in params.get("GroupNames", []))]
