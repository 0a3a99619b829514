"""DynamoDB: moto's tables, expressions and validations, called as a library.

moto parses expressions, keeps items and knows DynamoDB's messages well; this module keeps its
objects away from callers, gives time from the world's clock, and mends what moto is too kind or
too slow at: an update that fails half-way leaves nothing behind, a transaction does not copy its
tables, a transaction's token makes it idempotent, and names and values that an expression does not
use, or uses without definition, are refused everywhere. Plain requests are answered by a shelf.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final
from uuid import NAMESPACE_OID, uuid5

from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler

from embedded.world.dynamodb_conditions import DoubtfulError
from embedded.world.dynamodb_rules import (
    check_expressions,
    invalid,
    moto_errors,
    refuse_legacy,
)
from embedded.world.dynamodb_shelf import Shelves
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.world.world import World

TRANSACTION_ITEMS: Final = 100
"""Actions in one TransactWriteItems call (developer guide, "Transactions: how it works")."""
TOKEN_REMEMBERED: Final = timedelta(minutes=10)
"""How long a ClientRequestToken makes a transaction idempotent (same page)."""

BATCH_KEYS: Final = 100
"""Keys in one BatchGetItem call (API reference)."""

_READING: Final = frozenset({"get_item", "query", "scan"})

MANAGED_KEY: Final = "alias/aws/dynamodb"
"""The key that encrypts tables unless another is named."""


class _Handler(DynamoHandler):
    """moto's request handling with its HTTP layer left out."""

    def __init__(self, backend: DynamoDBBackend) -> None:
        self._backend = backend
        self.body: dict[str, Any] = {}

    @property
    def dynamodb_backend(self) -> DynamoDBBackend:
        """The tables of one world, instead of moto's process-wide ones."""
        return self._backend


class DynamoDB(Service):
    """The tables of one account in one Region. Reads see every write that came before them."""

    name: ClassVar[str] = "dynamodb"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._backend = DynamoDBBackend(world.region, world.account)
        self._handler = _Handler(self._backend)
        self._created: dict[str, datetime] = {}
        self._recoverable_since: dict[str, datetime] = {}
        self._tokens: dict[str, tuple[datetime, str]] = {}
        self._shelves = Shelves()
        self.batch_limit: int | None = None
        """Keys that one BatchGetItem processes at most; the rest is left unprocessed."""

    # -- tables ----------------------------------------------------------------------------------

    @operation("CreateTable")
    def create_table(self, params: Params) -> Reply:
        """Create a table; it can be used at once."""
        for member in ("StreamSpecification", "GlobalTableSettingsReplicationMode"):
            if params.get(member):
                raise NotEmulatedError(f"dynamodb:CreateTable with {member}")
        self._ask("create_table", self._with_key(params))
        self._created[params["TableName"]] = self.world.clock.now()
        self._shelves.add(params["TableName"], self._backend.get_table(params["TableName"]))
        return {"TableDescription": self._description(params["TableName"], "CREATING")}

    def _with_key(self, params: Params) -> Params:
        """Name the AWS managed key, where no other is; moto makes one up, another in every run."""
        asked = params.get("SSESpecification", {})
        if not asked.get("Enabled") or "KMSMasterKeyId" in asked:
            return params
        managed = self.world.arn("kms", f"key/{uuid5(NAMESPACE_OID, MANAGED_KEY)}")
        return {**params, "SSESpecification": {**asked, "KMSMasterKeyId": managed}}

    @operation("DescribeTable")
    def describe_table(self, params: Params) -> Reply:
        """Describe a table."""
        self._ask("describe_table", params)
        return {"Table": self._description(params["TableName"], "ACTIVE")}

    @operation("DeleteTable")
    def delete_table(self, params: Params) -> Reply:
        """Delete a table, unless deletion protection is on."""
        name = params["TableName"]
        with moto_errors():
            self._backend.get_table(name)
        described = self._description(name, "DELETING")
        self._ask("delete_table", params)
        self._shelves.remove(name)
        return {"TableDescription": described}

    @operation("ListTables")
    def list_tables(self, params: Params) -> Reply:
        """List the names of tables."""
        return self._ask("list_tables", params)

    @operation("UpdateContinuousBackups")
    def update_continuous_backups(self, params: Params) -> Reply:
        """Switch point-in-time recovery on or off."""
        self._ask("update_continuous_backups", params)
        name = params["TableName"]
        if params["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]:
            self._recoverable_since.setdefault(name, self.world.clock.now())
        else:
            self._recoverable_since.pop(name, None)
        return self.describe_continuous_backups({"TableName": name})

    @operation("DescribeContinuousBackups")
    def describe_continuous_backups(self, params: Params) -> Reply:
        """Describe point-in-time recovery."""
        reply = self._ask("describe_continuous_backups", params)
        since = self._recoverable_since.get(params["TableName"])
        if since is not None:
            recovery = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            recovery["EarliestRestorableDateTime"] = since
            recovery["LatestRestorableDateTime"] = self.world.clock.now()
        return reply

    @operation("UpdateTimeToLive")
    def update_time_to_live(self, params: Params) -> Reply:
        """Refuse expiry: AWS deletes expired items up to days late; nothing may rely on it."""
        raise NotEmulatedError(f"time to live on {params['TableName']}")

    @operation("DescribeTimeToLive")
    def describe_time_to_live(self, params: Params) -> Reply:
        """Describe a table's time to live: it has none."""
        return self._ask("describe_time_to_live", params)

    @operation("TagResource")
    def tag_resource(self, params: Params) -> Reply:
        """Put tags on a table."""
        self._ask("tag_resource", params)
        return {}

    @operation("ListTagsOfResource")
    def list_tags_of_resource(self, params: Params) -> Reply:
        """Give the tags of a table."""
        return self._ask("list_tags_of_resource", params)

    # -- items -----------------------------------------------------------------------------------

    @operation("PutItem")
    def put_item(self, params: Params) -> Reply:
        """Write a whole item, when its condition holds."""
        check_expressions(params)
        with suppress(DoubtfulError):
            shelf = self._shelves.plain("Put", params)
            shelf.check_condition(params["Item"], params)
            shelf.put(params["Item"])
            return {}
        with self._all_or_nothing(params["TableName"], [params["Item"]]):
            return _only(self._ask("put_item", params), "Attributes", "ConsumedCapacity")

    @operation("GetItem")
    def get_item(self, params: Params) -> Reply:
        """Read one item by its key."""
        check_expressions(params)
        self._check_key(params)
        with suppress(DoubtfulError):
            item = self._shelves.plain("Get", params).get(params["Key"])
            return {} if item is None else {"Item": item}
        return _only(self._ask("get_item", params), "Item", "ConsumedCapacity")

    @operation("BatchGetItem")
    def batch_get_item(self, params: Params) -> Reply:
        """Read up to 100 items by their keys; those that do not exist are left out.

        Items come in no particular order (API reference, BatchGetItem): here in the reverse of the
        one asked for. ``batch_limit`` lets a call leave keys unprocessed, as DynamoDB may do.
        """
        asked = params["RequestItems"]
        if sum(len(one["Keys"]) for one in asked.values()) > BATCH_KEYS:
            raise invalid("Too many items requested for the BatchGetItem call")
        found: dict[str, list[Any]] = {}
        left: dict[str, Any] = {}
        room = self.batch_limit
        for table, request in asked.items():
            if set(request) - {"Keys", "ConsistentRead"}:
                raise NotEmulatedError("dynamodb:BatchGetItem with projections or legacy members")
            keys = request["Keys"]
            if any(key in keys[:at] for at, key in enumerate(keys)):
                raise invalid("Provided list of item keys contains duplicates")
            taken = keys if room is None else keys[:room]
            room = None if room is None else room - len(taken)
            replies = [self.get_item({"TableName": table, "Key": key}) for key in taken]
            found[table] = [one["Item"] for one in reversed(replies) if "Item" in one]
            if len(taken) < len(keys):
                left[table] = {**request, "Keys": keys[len(taken) :]}
        return {"Responses": found, "UnprocessedKeys": left}

    @operation("UpdateItem")
    def update_item(self, params: Params) -> Reply:
        """Change attributes of an item, when its condition holds; a missing item is created."""
        check_expressions(params)
        self._check_key(params)
        with self._all_or_nothing(params["TableName"], [params["Key"]]):
            return _only(self._ask("update_item", params), "Attributes")

    @operation("DeleteItem")
    def delete_item(self, params: Params) -> Reply:
        """Delete an item, when its condition holds."""
        check_expressions(params)
        self._check_key(params)
        with suppress(DoubtfulError):
            shelf = self._shelves.plain("Delete", params)
            shelf.check_condition(params["Key"], params)
            shelf.delete(params["Key"])
            return {}
        return _only(self._ask("delete_item", params), "Attributes")

    @operation("Query")
    def query(self, params: Params) -> Reply:
        """Read a page of the items under one partition key."""
        check_expressions(params)
        with suppress(DoubtfulError):
            items = self._shelves.plain("Query", params).query(params)
            return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        return self._ask("query", params)

    @operation("Scan")
    def scan(self, params: Params) -> Reply:
        """Read a page of a whole table."""
        check_expressions(params)
        return self._ask("scan", params)

    @operation("TransactWriteItems")
    def transact_write_items(self, params: Params) -> Reply:
        """Carry out every action, or none and say for each why.

        The same ClientRequestToken within ten minutes answers without writing again; with other
        parameters it is refused.
        """
        actions = [_single_action(entry) for entry in params["TransactItems"]]
        if len(actions) > TRANSACTION_ITEMS:
            raise invalid(
                "1 validation error detected: Value at 'transactItems' failed to satisfy"
                f" constraint: Member must have length less than or equal to {TRANSACTION_ITEMS}"
            )
        for kind, action in actions:
            check_expressions(action)
            if kind != "Put":
                self._check_key(action)
        if self._already_done(params):
            return {}
        targets = [(a["TableName"], self._key_of(kind, a)) for kind, a in actions]
        if len({(table, json.dumps(key, sort_keys=True)) for table, key in targets}) < len(targets):
            raise invalid("Transaction request cannot include multiple operations on one item")
        reasons = [
            self._failed_condition(kind, action, key[1])
            for (kind, action), key in zip(actions, targets, strict=True)
        ]
        if any(reasons):
            raise _cancelled(reasons)
        self._write_together(actions, targets)
        self._remember(params)
        return {}

    # -- within ----------------------------------------------------------------------------------

    def _ask(self, method: str, params: Params) -> Reply:
        """Let moto's handler do an operation on copies."""
        refuse_legacy(params)
        self._shelves.hand_over(to_write=method not in _READING)
        self._handler.body = copied(params)
        with moto_errors():
            result = getattr(self._handler, method)().result
        self._shelves.accept(params)
        reply: Reply = copied(result or {})
        return reply

    def _description(self, name: str, status: str) -> Reply:
        table = self._backend.get_table(name)
        described: Reply = copied(table.describe()["TableDescription"])
        described["TableStatus"] = status
        described["CreationDateTime"] = self._created[table.name]
        return described

    def _check_key(self, params: Params) -> None:
        """Refuse a key that has not just the table's key attributes, in their types."""
        if self._shelves.takes(params["TableName"], params["Key"]):
            return
        with moto_errors():
            table = self._backend.get_table(params["TableName"])
        types = {
            table.hash_key_attr: table.hash_key_type,
            table.range_key_attr: table.range_key_type,
        }
        types.pop(None, None)
        if {name: next(iter(value)) for name, value in params["Key"].items()} != types:
            raise invalid("The provided key element does not match the schema")

    def _key_of(self, kind: str, action: Params) -> dict[str, Any]:
        with moto_errors():
            table = self._backend.get_table(action["TableName"])
        if kind != "Put":
            key: dict[str, Any] = action["Key"]
            return key
        return {
            name: action["Item"][name] for name in table.table_key_attrs if name in action["Item"]
        }

    @contextmanager
    def _all_or_nothing(
        self, table_name: str, keyed: Iterable[Mapping[str, Any]]
    ) -> Iterator[None]:
        """Put the items under some keys back as they were when the block fails.

        moto creates an item before it evaluates the update for it, and applies clauses one by one.
        """
        with moto_errors():
            table = self._backend.get_table(table_name)
        self._shelves.hand_over(to_write=True)
        kept = [(key, self._stored(table, key)) for key in keyed]
        try:
            yield
        except BaseException:
            for key, item in kept:
                self._restore(table, key, item)
            raise

    def _stored(self, table: Any, key: Mapping[str, Any]) -> dict[str, Any] | None:
        if any(name not in key for name in table.table_key_attrs):
            return None
        item = table.get_item(*_types(table, key))
        return None if item is None else copied(item.to_json()["Attributes"])

    def _restore(
        self, table: Any, key: Mapping[str, Any], attributes: dict[str, Any] | None
    ) -> None:
        if any(name not in key for name in table.table_key_attrs):
            return
        if attributes is None:
            table.delete_item(*_types(table, key))
        else:
            table.put_item(attributes)

    def _failed_condition(self, kind: str, action: Params, key: dict[str, Any]) -> Reply | None:
        condition = action.get("ConditionExpression")
        if condition is None:
            return None
        with suppress(DoubtfulError):
            if self._shelves.plain(kind, action).holds(key, action):
                return None
        self._shelves.hand_over(to_write=False)
        with moto_errors():
            current = self._backend.get_item(action["TableName"], key)
            holds = get_filter_expression(
                condition,
                action.get("ExpressionAttributeNames"),
                action.get("ExpressionAttributeValues"),
            ).expr(current)
        self._shelves.accept(action)
        if holds:
            return None
        reason: Reply = {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
        }
        if action.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current is not None:
            reason["Item"] = copied(current.to_json()["Attributes"])
        return reason

    def _write_together(
        self, actions: list[tuple[str, Params]], targets: list[tuple[str, dict[str, Any]]]
    ) -> None:
        with suppress(DoubtfulError):
            shelves = [self._shelves.plain(kind, action) for kind, action in actions]
            for shelf, (kind, action) in zip(shelves, actions, strict=True):
                if kind == "Put":
                    shelf.put(action["Item"])
                else:
                    shelf.delete(action["Key"])
            return
        self._shelves.hand_over(to_write=True)
        before = [
            (table, key, self._stored(table, key))
            for table, key in ((self._backend.get_table(name), key) for name, key in targets)
        ]
        for number, (kind, action) in enumerate(actions):
            try:
                self._write_one(kind, action)
            except AwsError as error:
                for table, key, item in before:
                    self._restore(table, key, item)
                if error.code != "ValidationException":
                    raise
                reasons: list[Reply | None] = [None] * len(actions)
                reasons[number] = {"Code": "ValidationError", "Message": error.message}
                raise _cancelled(reasons) from None

    def _write_one(self, kind: str, action: Params) -> None:
        if kind == "ConditionCheck":
            return
        method = {"Put": "put_item", "Update": "update_item", "Delete": "delete_item"}[kind]
        self._ask(
            method,
            {k: v for k, v in action.items() if k != "ReturnValuesOnConditionCheckFailure"},
        )

    def _already_done(self, params: Params) -> bool:
        now = self.world.clock.now()
        seen = self._tokens.get(params.get("ClientRequestToken", ""))
        if seen is None or now - seen[0] > TOKEN_REMEMBERED:
            return False
        if seen[1] != json.dumps(params["TransactItems"], sort_keys=True, default=repr):
            raise AwsError(
                "IdempotentParameterMismatchException",
                "DynamoDB rejected the request because you retried a request with a different"
                " payload but with an idempotent token that was already used.",
            )
        return True

    def _remember(self, params: Params) -> None:
        if token := params.get("ClientRequestToken"):
            items = json.dumps(params["TransactItems"], sort_keys=True, default=repr)
            self._tokens[token] = (self.world.clock.now(), items)


def _types(table: Any, key: Mapping[str, Any]) -> tuple[DynamoType, DynamoType | None]:
    sort_name = table.range_key_attr
    return (
        DynamoType(key[table.hash_key_attr]),
        None if sort_name is None else DynamoType(key[sort_name]),
    )


def _only(reply: Reply, *members: str) -> Reply:
    """Drop what moto adds for its own sake."""
    return {name: reply[name] for name in members if name in reply}


def _single_action(entry: Params) -> tuple[str, Params]:
    if len(entry) != 1:
        raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
    return next(iter(entry.items()))


def _cancelled(reasons: list[Reply | None]) -> AwsError:
    """Say for each action of a transaction why it was, or was not, the culprit."""
    told = [{"Code": "None"} if reason is None else reason for reason in reasons]
    codes = ", ".join(str(reason["Code"]) for reason in told)
    return AwsError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        extra={"CancellationReasons": told},
    )
