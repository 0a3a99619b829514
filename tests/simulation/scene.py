"""What a fleet is at this moment, read from the world and not from the product's answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.world.autoscaling.groups import IN_SERVICE, Group, Member
from embedded.world.ec2.snapshot_store import Snapshot

Item = Mapping[str, Any]


class Scene:
    """One fleet of a stage, and the items that the control plane keeps of it."""

    def __init__(self, stage: Stage, fleet: StagedFleet) -> None:
        self.stage = stage
        self.world = stage.world
        self.fleet = fleet
        self.table = stage.stack.outputs["LedgerTableName"]
        self._snapshots: dict[int, str] = {}
        self.deleted: dict[str, Snapshot] = {}
        """What others deleted, as it was."""

    @property
    def now(self) -> datetime:
        """The emulated instant."""
        return self.world.clock.now()

    # -- the fleet --------------------------------------------------------------------------------

    @property
    def group(self) -> Group:
        """The fleet's Auto Scaling group."""
        return self.world.autoscaling.groups[self.fleet.group]

    @property
    def saved_version(self) -> int:
        """The launch template version saved on the group."""
        spec = self.group.saved.sources[0].version
        return self.world.ec2.resolve_version(self.fleet.template_id, spec)

    @property
    def default_version(self) -> int:
        """What ``$Default`` means."""
        return self.world.ec2.template(self.fleet.template_id).default_number

    @property
    def newest_version(self) -> int:
        """What ``$Latest`` means."""
        return self.world.ec2.template(self.fleet.template_id).latest_number

    def snapshot_of(self, version: int) -> str:
        """The data snapshot of a launch template version that exists, or existed when asked before.

        A version never changes, and its number is never used again.
        """
        if version not in self._snapshots:
            made = self.world.ec2.template(self.fleet.template_id).versions[version]
            devices = {one["DeviceName"]: one["Ebs"] for one in made.mappings()}
            self._snapshots[version] = devices[DATA_DEVICE]["SnapshotId"]
        return self._snapshots[version]

    def known(self, snapshot_id: str) -> Snapshot | None:
        """A snapshot that exists, or that others deleted: the ledger keeps its data time."""
        return self.world.ec2.snapshot(snapshot_id) or self.deleted.get(snapshot_id)

    def launchable(self, version: int) -> bool:
        """Whether instances can be launched from the data of a version now."""
        if version not in self.world.ec2.template(self.fleet.template_id).versions:
            return False
        snapshot = self.world.ec2.snapshot(self.snapshot_of(version))
        if snapshot is None or snapshot.state != "completed" or snapshot.tier != "standard":
            return False
        key, role = snapshot.kms_key_id, self.world.ec2.service_linked_role
        return key is None or self.world.kms.usable(key, role)

    def in_service(self) -> list[Member]:
        """The group's instances in service."""
        return list(self.group.members(IN_SERVICE))

    def healthy(self, member: Member) -> bool:
        """Whether the load balancer calls an instance healthy."""
        state = self.world.elbv2.state_of(self.fleet.target_group, member.id)
        return state.state == "healthy"

    def snapshot_on(self, member: Member) -> str:
        """The snapshot that an instance's data volume was made from."""
        return member.instance.snapshots.get(DATA_DEVICE, "")

    def serving(self) -> dict[str, int]:
        """How many instances in service run each snapshot."""
        counts: dict[str, int] = {}
        for member in self.in_service():
            snapshot = self.snapshot_on(member)
            counts[snapshot] = counts.get(snapshot, 0) + 1
        return counts

    # -- the ledger -------------------------------------------------------------------------------

    def state(self) -> Item:
        """The ledger's item of the fleet; empty before the first rollout."""
        return self._get("STATE") or {}

    def quarantined(self, snapshot: str) -> bool:
        """Whether a snapshot is quarantined for the fleet."""
        return self._get(f"QUARANTINE#{snapshot}") is not None

    def told_of_drift(self) -> bool:
        """Whether the ledger remembers that the fleet's drift was told."""
        return self._get("PROBLEM#drift") is not None

    def of_writer(self, writer: str) -> dict[str, Item]:
        """What the ledger keeps of a writer, by sort key."""
        reply = self.world.dynamodb.perform(
            "Query",
            {
                "TableName": self.table,
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": {":pk": {"S": f"WRITER#{writer}"}},
                "ConsistentRead": True,
            },
        )
        return {str(one["sk"]): one for one in map(_plain, reply["Items"])}

    def condemned(self, snapshot: str, *, before: datetime) -> bool:
        """Whether a snapshot was quarantined for the fleet, or rejected as unfit, by an instant."""
        found = self._get(f"QUARANTINE#{snapshot}") or self._get(f"REJECTION#{snapshot}")
        return found is not None and datetime.fromisoformat(found["at"]) < before

    def records(self) -> list[Item]:
        """What the fleet's rollouts left, oldest first."""
        reply = self.world.dynamodb.perform(
            "Query",
            {
                "TableName": self.table,
                "KeyConditionExpression": "pk = :pk AND begins_with(sk, :kind)",
                "ExpressionAttributeValues": {
                    ":pk": {"S": f"FLEET#{self.fleet.name}"},
                    ":kind": {"S": "RELEASE#"},
                },
            },
        )
        return [_plain(item) for item in reply["Items"]]

    def ended_since(self, at: datetime) -> bool:
        """Whether a rollout of the fleet ended after an instant."""
        ended = (datetime.fromisoformat(one["ended_at"]) for one in self.records()[-1:])
        return any(one > at for one in ended)

    def _get(self, sort_key: str) -> Item | None:
        # Past World.call, so that looking is neither recorded nor made to fail.
        reply = self.world.dynamodb.perform(
            "GetItem",
            {
                "TableName": self.table,
                "Key": {"pk": {"S": f"FLEET#{self.fleet.name}"}, "sk": {"S": sort_key}},
                "ConsistentRead": True,
            },
        )
        return _plain(reply["Item"]) if "Item" in reply else None


def _plain(item: Mapping[str, Any]) -> Item:
    read = TypeDeserializer().deserialize
    return {name: read(value) for name, value in item.items()}
