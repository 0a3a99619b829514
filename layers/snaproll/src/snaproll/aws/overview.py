"""Many fleets' items of the ledger at once, for the scheduled comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snaproll.aws.items import item_of, key_of, parsed, plain
from snaproll.aws.refusals import named_errors
from snaproll.domain.ledger import FleetState
from snaproll.domain.problems import Problem, ProblemKind
from snaproll.errors import ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_BATCH = 100
"""Keys that BatchGetItem takes in one call."""
_TRIES = 5
"""Calls for one batch; DynamoDB may leave keys unprocessed."""
_STATE = "STATE"


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of one fleet.

    It is parsed when it is asked for, so that one unreadable item concerns no other fleet.
    """

    fleet: str
    _items: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def state(self) -> FleetState:
        """The fleet's state.

        Raises
        ------
        LedgerUnreadableError
            When its item has a schema that this version cannot read.
        """
        found = self._items.get(_STATE)
        return parsed(FleetState, found, self.fleet) if found else FleetState()

    @property
    def live_snapshot(self) -> str | None:
        """The snapshot that is live, as far as it can be told without understanding the rest."""
        live = self._items.get(_STATE, {}).get("live")
        return str(live["snapshot"]) if live else None

    def problem(self, kind: ProblemKind) -> Problem | None:
        """The problem of a kind that was told last and is not over; None when there is none."""
        found = self._items.get(_sort_key(kind))
        return parsed(Problem, found, self.fleet) if found else None


class Overview:
    """States and problems of many fleets."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def of(self, fleets: Iterable[str]) -> dict[str, Known]:
        """What is known of each fleet, by name, as it is now."""
        items: dict[str, dict[str, dict[str, Any]]] = {fleet: {} for fleet in fleets}
        wanted = [_STATE, *map(_sort_key, ProblemKind)]
        keys = [key_of(_fleet_key(fleet), sort) for fleet in items for sort in wanted]
        for first in range(0, len(keys), _BATCH):
            for raw in self._batch(keys[first : first + _BATCH]):
                fleet = raw["pk"]["S"].removeprefix("FLEET#")
                items[fleet][raw["sk"]["S"]] = plain(raw)
        return {fleet: Known(fleet, found) for fleet, found in items.items()}

    def _batch(self, keys: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _ in range(_TRIES):
            with named_errors("read the ledger of many fleets"):
                reply: Any = self._dynamodb.batch_get_item(
                    RequestItems={self._table: {"Keys": list(keys), "ConsistentRead": True}}
                )
            found += reply["Responses"].get(self._table, [])
            left = reply.get("UnprocessedKeys", {}).get(self._table)
            if not left:
                return found
            keys = left["Keys"]
        raise ThrottledError("DynamoDB left items of the ledger unread again and again.")

    def remember(self, fleet: str, kind: ProblemKind, problem: Problem) -> None:
        """Keep a problem that was told: the present one of its kind, and for good."""
        for sort in (_sort_key(kind), f"{_sort_key(kind)}#{problem.since.isoformat()}"):
            with named_errors(f"remember the problem of fleet {fleet}"):
                self._dynamodb.put_item(
                    TableName=self._table, Item=item_of(_fleet_key(fleet), sort, problem)
                )

    def forget(self, fleet: str, kind: ProblemKind) -> None:
        """Take away a problem that is over: when it comes back, it is news."""
        with named_errors(f"forget the problem of fleet {fleet}"):
            self._dynamodb.delete_item(
                TableName=self._table, Key=key_of(_fleet_key(fleet), _sort_key(kind))
            )


def _sort_key(kind: ProblemKind) -> str:
    return f"PROBLEM#{kind.value}"


def _fleet_key(fleet: str) -> str:
    return f"FLEET#{fleet}"
