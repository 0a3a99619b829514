"""A table's items as plain JSON, for the requests whose meaning leaves no doubt.

moto takes milliseconds over what a dictionary does in microseconds, and a simulation asks a
million times. A shelf answers reads by key, conditions made of existence and equality, and queries
by key, for items made of texts, plain numbers, truth values, lists and maps. Everything else goes
to moto, and so does every expression that this process sees for the first time: what moto refuses
is never taken here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from moto.dynamodb.models.dynamo_type import DynamoType

from embedded.world.dynamodb_conditions import DoubtfulError, Item, read_condition
from embedded.world.dynamodb_rules import EXPRESSIONS
from embedded.world.errors import AwsError
from embedded.world.values import copied

LARGEST_PLAIN_ITEM: Final = 100_000
"""Characters up to which an item is surely below DynamoDB's 400 KB; moto measures larger ones."""

_PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,37})")
_KEY_CONDITION = re.compile(
    r"(?P<hash>\w+) = (?P<value>:\w+)(?: AND begins_with\((?P<range>\w+), (?P<prefix>:\w+)\))?"
)
_CONDITION = frozenset({
    "ConditionExpression", "ExpressionAttributeValues", "ReturnValuesOnConditionCheckFailure",
})  # fmt: skip
_MEMBERS = {
    "Get": frozenset({"TableName", "Key", "ConsistentRead"}),
    "Put": frozenset({"TableName", "Item"}) | _CONDITION,
    "Delete": frozenset({"TableName", "Key"}) | _CONDITION,
    "Query": frozenset({
        "TableName", "KeyConditionExpression", "ExpressionAttributeValues", "ConsistentRead",
        "ScanIndexForward", "Limit",
    }),
}  # fmt: skip
"""What a plain request of each kind is made of."""

_accepted: set[str] = set()
"""Expressions that moto has taken in this process."""


class Shelves:
    """The shelves of all tables that can have one."""

    def __init__(self) -> None:
        self._by_table: dict[str, Shelf] = {}

    def add(self, name: str, table: Any) -> None:
        """Make a shelf for a new moto table, if its keys are texts."""
        if table.hash_key_type == "S" and table.range_key_type in (None, "S"):
            self._by_table[name] = Shelf(table)

    def remove(self, name: str) -> None:
        """Forget a table."""
        self._by_table.pop(name, None)

    def takes(self, name: str, key: Mapping[str, Any]) -> bool:
        """Whether a table surely has keys of just these attributes and types."""
        shelf = self._by_table.get(name)
        return shelf is not None and shelf.takes(key)

    def plain(self, kind: str, params: Mapping[str, Any]) -> Shelf:
        """Give the shelf that can answer a request: ``Get``, ``Put``, ``Delete`` or ``Query``.

        Raises
        ------
        DoubtfulError
            When moto has to answer.
        """
        shelf = self._by_table.get(params["TableName"])
        if shelf is None or not params.keys() <= _MEMBERS.get(kind, frozenset()):
            raise DoubtfulError
        for one in EXPRESSIONS:
            if one in params and params[one] not in _accepted:
                raise DoubtfulError
        shelf.refresh()
        if kind == "Put":
            shelf.check_plain(params["Item"])
        elif kind == "Delete":
            shelf.check_key(params["Key"])
        return shelf

    def hand_over(self, *, to_write: bool) -> None:
        """Let moto have everything, before it is asked to read or to write."""
        for shelf in self._by_table.values():
            shelf.save()
            shelf.stale = shelf.stale or to_write

    @staticmethod
    def accept(params: Mapping[str, Any]) -> None:
        """Note that moto took the expressions of a request."""
        _accepted.update(params[one] for one in EXPRESSIONS if one in params)


class Shelf:
    """The items of one moto table whose keys are texts.

    A shelf and its moto table hold the same items but for those in ``unsaved``; ``stale`` means
    that moto wrote something since.
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        self._names: tuple[str, ...] = tuple(table.table_key_attrs)
        self._items: dict[tuple[str, ...], Item] = {}
        self._unsaved: set[tuple[str, ...]] = set()
        self.stale = True

    # -- handing over -----------------------------------------------------------------------------

    def refresh(self) -> None:
        """Take over what moto wrote."""
        if not self.stale:
            return
        self._items = {}
        for stored in self._table.all_items():
            item: Item = copied(stored.to_json()["Attributes"])
            self._items[self._key(item)] = item
        self.stale = False

    def save(self) -> None:
        """Let moto have what was written here."""
        for key in sorted(self._unsaved):
            item = self._items.get(key)
            if item is None:
                self._table.delete_item(*(DynamoType({"S": part}) for part in key))
            else:
                self._table.put_item(copied(item))
        self._unsaved.clear()

    def takes(self, key: Mapping[str, Any]) -> bool:
        """Whether a key has just the key attributes, each a text."""
        names = self._names
        if len(key) != len(names):
            return False
        for name in names:
            value = key.get(name)
            if value is None or len(value) != 1 or "S" not in value:
                return False
        return True

    # -- plain requests ---------------------------------------------------------------------------

    def get(self, keyed: Mapping[str, Any]) -> Item | None:
        """Give a copy of the item under a key, or None."""
        item = self._items.get(self._key(keyed))
        return None if item is None else copied(item)

    def holds(self, keyed: Mapping[str, Any], action: Mapping[str, Any]) -> bool:
        """Whether an action's condition holds for the item under a key."""
        text = action.get("ConditionExpression")
        if text is None:
            return True
        if action.get("ExpressionAttributeNames"):
            raise DoubtfulError
        condition = read_condition(text)
        values = action.get("ExpressionAttributeValues", {})
        return condition(self._items.get(self._key(keyed), {}), values)

    def check_condition(self, keyed: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        """Refuse an action whose condition does not hold.

        Raises
        ------
        AwsError
            ``ConditionalCheckFailedException``, with the item when the action asks for it.
        """
        if self.holds(keyed, action):
            return
        shown: dict[str, object] = {}
        if action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
            item = self.get(keyed)
            shown = {} if item is None else {"Item": item}
        raise AwsError(
            "ConditionalCheckFailedException", "The conditional request failed", extra=shown
        )

    def put(self, item: Mapping[str, Any]) -> None:
        """Write an item that ``check_plain`` let through."""
        key = self._key(item)
        self._items[key] = copied(dict(item))
        self._unsaved.add(key)

    def delete(self, keyed: Mapping[str, Any]) -> None:
        """Delete the item under a key, if there is one."""
        key = self._key(keyed)
        if self._items.pop(key, None) is not None:
            self._unsaved.add(key)

    def query(self, params: Mapping[str, Any]) -> list[Item]:
        """Give copies of all the items that a query by key asks for."""
        match = _KEY_CONDITION.fullmatch(params["KeyConditionExpression"])
        values = params["ExpressionAttributeValues"]
        if match is None:
            raise DoubtfulError
        named = tuple(name for name in (match["hash"], match["range"]) if name)
        if named != self._names[: len(named)]:
            raise DoubtfulError
        wanted = _text(values[match["value"]])
        prefix = _text(values[match["prefix"]]) if match["prefix"] else ""
        keys = sorted(
            key
            for key in self._items
            if key[0] == wanted and (not prefix or key[1].startswith(prefix))
        )
        if not params.get("ScanIndexForward", True):
            keys.reverse()
        if "Limit" in params and len(keys) >= params["Limit"]:
            raise DoubtfulError  # a page has to be told from the end
        return [copied(self._items[key]) for key in keys]

    def check_plain(self, item: Mapping[str, Any]) -> None:
        """See whether an item is surely a valid one.

        Raises
        ------
        DoubtfulError
            When moto has to judge.
        """
        self.check_key(item)
        if sum(_weight(value) + len(name) for name, value in item.items()) > LARGEST_PLAIN_ITEM:
            raise DoubtfulError

    def check_key(self, keyed: Mapping[str, Any]) -> None:
        """See whether the key attributes are surely valid ones.

        Raises
        ------
        DoubtfulError
            When moto has to judge.
        """
        self._key(keyed)

    def _key(self, keyed: Mapping[str, Any]) -> tuple[str, ...]:
        try:
            return tuple([_text(keyed[name]) for name in self._names])
        except KeyError:
            raise DoubtfulError from None


def _text(value: Mapping[str, Any]) -> str:
    text = value.get("S")
    if not isinstance(text, str) or not text or len(text) > 256:  # noqa: PLR2004 - far below limits
        raise DoubtfulError
    return text


def _weight(value: Mapping[str, Any]) -> int:
    """Characters of a value that is made of nothing unusual."""
    if len(value) != 1:
        raise DoubtfulError
    kind, content = next(iter(value.items()))
    if kind == "S":
        return len(content)
    if kind == "N" and _PLAIN_NUMBER.fullmatch(content):
        return len(content)
    if kind == "M":
        return sum([len(name) + _weight(inner) for name, inner in content.items()])
    if kind == "L":
        return sum([_weight(inner) for inner in content])
    if kind == "BOOL" or (kind == "NULL" and content is True):
        return 1
    raise DoubtfulError
