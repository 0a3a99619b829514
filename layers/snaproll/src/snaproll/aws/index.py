"""The index of fleets in the ledger: every fleet parameter in one Query.

Parameter Store gives ten parameters to a call, which is too slow for every event. The parameter
decides; the index only finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from snaproll.aws.fleets import FleetParameter
from snaproll.aws.items import condition_failed, item_of, key_of, parsed, plain
from snaproll.aws.refusals import SDK_ERRORS, named, named_errors
from snaproll.domain.ledger import LedgerItem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_INDEX = "INDEX"


class _Entry(LedgerItem):
    """A fleet parameter as it was when it was last looked at."""

    value: str
    changed_at_ms: int


class Index:
    """What is known of the fleet parameters."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def all(self) -> list[FleetParameter]:
        """Every fleet parameter that the index knows, by name."""
        with named_errors("read the index of fleets"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues={":pk": {"S": _INDEX}},
                ConsistentRead=True,
            )
            return [
                _parameter(one["sk"]["S"], parsed(_Entry, plain(one), one["sk"]["S"]))
                for page in pages
                for one in page["Items"]
            ]

    def put(self, parameter: FleetParameter) -> None:
        """Take a parameter in, unless a later change of it is there already."""
        entry = _Entry(value=parameter.value, changed_at_ms=parameter.changed_at_ms)
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=item_of(_INDEX, parameter.name, entry),
                # A parameter that was deleted and made again begins with version 1 again: only
                # the time of its change tells which is later.
                ConditionExpression="attribute_not_exists(pk) OR changed_at_ms <= :changed",
                ExpressionAttributeValues={":changed": {"N": str(parameter.changed_at_ms)}},
            )
        except SDK_ERRORS as error:
            if not condition_failed(error):
                raise named(error, f"take fleet {parameter.name} into the index") from error

    def remove(self, name: str) -> None:
        """Take a parameter out; one that is not there is fine."""
        with named_errors(f"take fleet {name} out of the index"):
            self._dynamodb.delete_item(TableName=self._table, Key=key_of(_INDEX, name))


def _parameter(name: str, entry: _Entry) -> FleetParameter:
    return FleetParameter(name, entry.value, entry.changed_at_ms)
