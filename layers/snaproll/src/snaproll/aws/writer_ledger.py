"""What the ledger table holds of writers: their states, and records of what was published."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from snaproll.aws.items import condition_failed, item_of, key_of, parsed, plain
from snaproll.aws.refusals import SDK_ERRORS, named, named_errors
from snaproll.domain.publishes import PublishRecord, WriterState
from snaproll.errors import LedgerConflictError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_ATTEMPTS = 5
"""Tries of one transition against concurrent writers, before the whole step is retried."""
_STATE = "STATE"
_RECORD = "PUBLISH#"
_PUBLISHING = "PUBLISHING"
"""Key of the items that name each writer with a claim or a successor."""

Transition = Callable[[WriterState], WriterState]


class WriterLedger:
    """Writer states and publish records.

    A state is changed by reading it, computing the next one, and writing that on condition that
    the revision is still the one read.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def state(self, writer: str) -> WriterState:
        """A writer's state as it is now; a fresh one when the ledger does not know the writer."""
        with named_errors(f"read the ledger of writer {writer}"):
            reply = self._dynamodb.get_item(
                TableName=self._table, Key=key_of(_pk(writer), _STATE), ConsistentRead=True
            )
        found = reply.get("Item")
        return parsed(WriterState, plain(found), writer, of="writer") if found else WriterState()

    def change(
        self, writer: str, transition: Transition, record: PublishRecord | None = None
    ) -> WriterState:
        """Apply a transition, and write a record with it; it may be run again.

        Raises
        ------
        LedgerConflictError
            When others came in between again and again.
        SnaprollError
            Whatever the transition raises; nothing is written then.
        """
        for _ in range(_ATTEMPTS):
            before = self.state(writer)
            after = transition(before)
            if after == before:
                return before
            after = after.model_copy(update={"revision": before.revision + 1})
            if self._write(writer, before, after, record):
                return after
        raise LedgerConflictError(f"The ledger of writer {writer} is changed faster than read.")

    def _write(
        self, writer: str, before: WriterState, after: WriterState, record: PublishRecord | None
    ) -> bool:
        state: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._table,
                "Item": item_of(_pk(writer), _STATE, after),
                # Revision 0 is the state of a writer that was never written.
                "ConditionExpression": "attribute_not_exists(pk) OR revision = :read",
                "ExpressionAttributeValues": {":read": {"N": str(before.revision)}},
            }
        }
        together = [state, *self._listing(writer, before, after)]
        if record is not None:
            sort = f"{_RECORD}{record.ended_at.isoformat()}#{record.publish}"
            together.append(
                {"Put": {"TableName": self._table, "Item": item_of(_pk(writer), sort, record)}}
            )
        try:
            if len(together) == 1:
                self._dynamodb.put_item(**state["Put"])
            else:
                self._dynamodb.transact_write_items(TransactItems=together)
        except SDK_ERRORS as error:
            if condition_failed(error):
                return False
            raise named(error, f"write the ledger of writer {writer}") from error
        return True

    def _listing(
        self, writer: str, before: WriterState, after: WriterState
    ) -> list[TransactWriteItemTypeDef]:
        """List the writer among those that are busy, or take it off that list."""
        busy, was = _busy(after), _busy(before)
        if busy == was:
            return []
        key = key_of(_PUBLISHING, writer)
        if busy:
            return [{"Put": {"TableName": self._table, "Item": key}}]
        return [{"Delete": {"TableName": self._table, "Key": key}}]

    def publishing(self) -> list[str]:
        """Names of the writers for which something runs, or is to be started."""
        with named_errors("read which writers are being published"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": _PUBLISHING}},
                ConsistentRead=True,
            )
            return [one["sk"]["S"] for page in pages for one in page["Items"]]

    def records(self, writer: str, limit: int = 20) -> list[PublishRecord]:
        """The newest records of what was published of a writer, newest first."""
        with named_errors(f"read the history of writer {writer}"):
            reply = self._dynamodb.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :kind)",
                ExpressionAttributeValues={":pk": {"S": _pk(writer)}, ":kind": {"S": _RECORD}},
                ScanIndexForward=False,
                ConsistentRead=True,
                Limit=limit,
            )
        return [parsed(PublishRecord, plain(one), writer, of="writer") for one in reply["Items"]]

    def record_of(self, writer: str, execution: str) -> PublishRecord | None:
        """The record that an execution left, when it is among the newest."""
        found = [one for one in self.records(writer) if one.execution == execution]
        return found[0] if found else None


def _busy(state: WriterState) -> bool:
    return state.claim is not None or state.successor is not None


def _pk(writer: str) -> str:
    return f"WRITER#{writer}"
