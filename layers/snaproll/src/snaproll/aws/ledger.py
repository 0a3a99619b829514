"""The DynamoDB table that holds every fleet's state and history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snaproll.aws.items import condition_failed, item_of, key_of, parsed, plain
from snaproll.aws.refusals import SDK_ERRORS, named, named_errors
from snaproll.domain.handover import Handover
from snaproll.domain.ledger import SCHEMA, FleetState, Quarantine, Record
from snaproll.domain.watch import Watch
from snaproll.errors import LedgerConflictError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_ATTEMPTS = 5
"""Tries of one transition against concurrent writers, before the whole step is retried."""
_WATCHES = "WATCHES"
_HANDOVER = "HANDOVER"
_QUARANTINE = "QUARANTINE#"
_REJECTION = "REJECTION#"


@dataclass(frozen=True, slots=True)
class Change:
    """The next state of a fleet, and the items that must be written with it or not at all.

    ``watch`` is what signals find the rollout by; ``unwatch`` takes it away.
    """

    state: FleetState
    record: Record | None = None
    watch: Watch | None = None
    unwatch: bool = False
    handover: Handover | None = None


class Ledger:
    """Fleet states, rollout records and quarantines.

    A state is changed by reading it, computing the next one, and writing that on condition that
    the revision is still the one read.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    # -- state ------------------------------------------------------------------------------------

    def state(self, fleet: str) -> FleetState:
        """A fleet's state as it is now; a fresh one when the ledger does not know the fleet."""
        found = self._get(_fleet_key(fleet), "STATE")
        return parsed(FleetState, found, fleet) if found else FleetState()

    def change(self, fleet: str, transition: Callable[[FleetState], Change]) -> FleetState:
        """Apply a transition; it may be run again when another writer came in between.

        Raises
        ------
        LedgerConflictError
            When others came in between again and again.
        SnaprollError
            Whatever the transition raises; nothing is written then.
        """
        for _ in range(_ATTEMPTS):
            before = self.state(fleet)
            change = transition(before)
            if change.state == before and change.record is None:
                return before
            after = change.state.model_copy(
                update={"revision": before.revision + 1, "schema_version": SCHEMA}
            )
            if self._write(fleet, before, after, change):
                return after
        raise LedgerConflictError(f"The ledger of fleet {fleet} is changed faster than read.")

    def _write(self, fleet: str, before: FleetState, after: FleetState, change: Change) -> bool:
        key = _fleet_key(fleet)
        state: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._table,
                "Item": item_of(key, "STATE", after),
                # Revision 0 is the state of a fleet that was never written.
                "ConditionExpression": "attribute_not_exists(pk) OR revision = :read",
                "ExpressionAttributeValues": {":read": {"N": str(before.revision)}},
            }
        }
        together = [state]
        if change.record is not None:
            record_key = f"RELEASE#{change.record.ended_at.isoformat()}#{change.record.snapshot}"
            together.append(self._put(item_of(key, record_key, change.record)))
        if change.handover is not None:
            together.append(self._put(item_of(key, _HANDOVER, change.handover)))
        if change.watch is not None:
            together.append(self._put(item_of(_WATCHES, fleet, change.watch)))
        elif change.unwatch:
            together.append(
                {"Delete": {"TableName": self._table, "Key": key_of(_WATCHES, fleet)}},
            )
        try:
            if len(together) == 1:
                self._dynamodb.put_item(**state["Put"])
            else:
                self._dynamodb.transact_write_items(TransactItems=together)
        except SDK_ERRORS as error:
            if condition_failed(error):
                return False
            raise named(error, f"write the ledger of fleet {fleet}") from error
        return True

    def _put(self, item: Mapping[str, Any]) -> TransactWriteItemTypeDef:
        return {"Put": {"TableName": self._table, "Item": item}}

    def handover(self, fleet: str) -> Handover | None:
        """What the last execution left that handed its rollout over; it may be out of date."""
        found = self._get(_fleet_key(fleet), _HANDOVER)
        return parsed(Handover, found, fleet) if found else None

    # -- history ----------------------------------------------------------------------------------

    def records(self, fleet: str, limit: int = 20) -> list[Record]:
        """The newest records of a fleet's rollouts, newest first."""
        with named_errors(f"read the history of fleet {fleet}"):
            reply = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
                ExpressionAttributeValues={
                    ":pk": {"S": _fleet_key(fleet)},
                    ":kind": {"S": "RELEASE#"},
                },
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit,
            )
        return [parsed(Record, plain(one), fleet) for one in reply["Items"]]

    def record_of(self, fleet: str, execution: str) -> Record | None:
        """The record that an execution left, when it is among the newest."""
        found = [one for one in self.records(fleet) if one.execution == execution]
        return found[0] if found else None

    # -- quarantine -------------------------------------------------------------------------------

    def quarantine(self, fleet: str, snapshot: str) -> Quarantine | None:
        """Why a snapshot is quarantined for a fleet; None when it is not."""
        found = self._get(_fleet_key(fleet), f"{_QUARANTINE}{snapshot}")
        return parsed(Quarantine, found, fleet) if found else None

    def condemned(self, fleet: str) -> frozenset[str]:
        """Ids of all snapshots that are quarantined or were rejected for a fleet."""
        return frozenset().union(
            *(self._snapshots(fleet, kind) for kind in (_QUARANTINE, _REJECTION))
        )

    def _snapshots(self, fleet: str, kind: str) -> set[str]:
        with named_errors(f"read what is condemned for fleet {fleet}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
                ExpressionAttributeValues={
                    ":pk": {"S": _fleet_key(fleet)},
                    ":kind": {"S": kind},
                },
                ConsistentRead=True,
            )
            return {
                parsed(Quarantine, plain(one), fleet).snapshot
                for page in pages
                for one in page["Items"]
            }

    def put_quarantine(self, fleet: str, quarantine: Quarantine) -> None:
        """Quarantine a snapshot; once more changes nothing but the time."""
        self._put_item(fleet, _QUARANTINE, quarantine)

    def put_rejection(self, fleet: str, rejection: Quarantine) -> None:
        """Remember why a snapshot was rejected, so that it is not tried again by itself."""
        self._put_item(fleet, _REJECTION, rejection)

    def _put_item(self, fleet: str, kind: str, item: Quarantine) -> None:
        with named_errors(f"write down that {item.snapshot} is not for fleet {fleet}"):
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item_of(_fleet_key(fleet), f"{kind}{item.snapshot}", item),
            )

    def lift_quarantine(self, fleet: str, snapshot: str) -> None:
        """Allow a snapshot again; one that was not quarantined stays as it is."""
        with named_errors(f"lift the quarantine of {snapshot} for fleet {fleet}"):
            self._dynamodb.delete_item(
                TableName=self._table, Key=key_of(_fleet_key(fleet), f"{_QUARANTINE}{snapshot}")
            )

    # -- problems ---------------------------------------------------------------------------------

    def is_news(self, fleet: str, problem: str) -> bool:
        """Remember a fleet's problem; False when it is the one that is remembered already."""
        item = {
            **key_of(_fleet_key(fleet), "PROBLEM"),
            "schema_version": {"N": str(SCHEMA)},
            "problem": {"S": problem},
        }
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR problem <> :problem",
                ExpressionAttributeValues={":problem": {"S": problem}},
            )
        except SDK_ERRORS as error:
            if condition_failed(error):
                return False
            raise named(error, f"remember the problem of fleet {fleet}") from error
        return True

    # -- watches ----------------------------------------------------------------------------------

    def watches(self) -> dict[str, Watch]:
        """What each fleet with a running rollout is watched by, by fleet name."""
        with named_errors("read which fleets are being rolled"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": _WATCHES}},
                ConsistentRead=True,
            )
            return {
                one["sk"]["S"]: parsed(Watch, plain(one), one["sk"]["S"])
                for page in pages
                for one in page["Items"]
            }

    # -- items ------------------------------------------------------------------------------------

    def _get(self, pk: str, sk: str) -> dict[str, Any] | None:
        with named_errors(f"read the ledger item {pk} {sk}"):
            reply = self._dynamodb.get_item(
                TableName=self._table, Key=key_of(pk, sk), ConsistentRead=True
            )
        found = reply.get("Item")
        return plain(found) if found else None


def _fleet_key(fleet: str) -> str:
    return f"FLEET#{fleet}"
