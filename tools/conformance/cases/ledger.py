"""A table of a check's own: every write of the ledger is conditional, and every read consistent."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.answers import Answer
from tools.conformance.checks import Need, check
from tools.conformance.place import TAG, Place, by

COST: Final = "a few requests to an on-demand table: less than $0.001"
_MODEL: Final = "botocore model"


def key(sort: str, pk: str = "FLEET#x") -> dict[str, Any]:
    """The key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sort}}


def own_table(place: Place, word: str) -> str:
    """Make a table with the ledger's keys; gives its name."""
    name = place.name(word)
    place.make(
        f"the table {name}",
        f"aws dynamodb delete-table --table-name {name}",
        by("dynamodb:DeleteTable", TableName=name),
        "dynamodb:CreateTable",
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        Tags=[{"Key": TAG, "Value": place.run}],
    )
    place.ask_until(
        lambda answer: answer.reply is not None and answer.at("Table.TableStatus") == "ACTIVE",
        "dynamodb:DescribeTable",
        TableName=name,
    )
    return name


def put(place: Place, table: str, sort: str, **more: Any) -> Answer:
    """Put an item."""
    item = key(sort) | {"revision": {"N": "1"}, "note": {"S": sort}}
    return place.ask("dynamodb:PutItem", TableName=table, **{"Item": item, **more})


@check(
    "dynamodb:PutItem",
    "dynamodb:GetItem",
    source=f"{_MODEL} PutItem: ConditionalCheckFailedException, its member Item",
    need=Need.OWN,
    cost=COST,
)
def a_write_whose_condition_fails_changes_nothing(place: Place) -> None:
    table = own_table(place, "condition")
    new = {"ConditionExpression": "attribute_not_exists(pk)"}
    put(place, table, "STATE", **new).must_reply()
    put(place, table, "STATE", **new).must_refuse("ConditionalCheckFailedException", status=400)
    told = put(place, table, "STATE", ReturnValuesOnConditionCheckFailure="ALL_OLD", **new)
    told.must_refuse("ConditionalCheckFailedException", status=400)
    read = {"ConditionExpression": "attribute_not_exists(pk) OR revision = :read"}
    values = {"ExpressionAttributeValues": {":read": {"N": "1"}}}
    put(place, table, "STATE", **read, **values).must_reply()
    found = place.ask("dynamodb:GetItem", TableName=table, Key=key("STATE"), ConsistentRead=True)
    found.must_reply("Item.revision.N")
    nothing = place.ask("dynamodb:GetItem", TableName=table, Key=key("NONE"), ConsistentRead=True)
    nothing.must_reply()


@check(
    "dynamodb:DeleteItem",
    source=f"{_MODEL} DeleteItem: idempotent unless a condition is given",
    need=Need.OWN,
    cost=COST,
)
def an_item_can_be_deleted_twice_but_for_a_condition(place: Place) -> None:
    table = own_table(place, "delete")
    put(place, table, "STATE")
    for _ in range(2):
        place.ask("dynamodb:DeleteItem", TableName=table, Key=key("STATE")).must_reply()
    place.ask(
        "dynamodb:DeleteItem",
        TableName=table,
        Key=key("STATE"),
        ConditionExpression="attribute_exists(pk)",
    ).must_refuse("ConditionalCheckFailedException", status=400)


@check(
    "dynamodb:Query",
    source="DynamoDB developer guide, 'Paginating table query results': LastEvaluatedKey",
    need=Need.OWN,
    cost=COST,
)
def a_query_gives_pages_in_the_order_of_the_sort_key(place: Place) -> None:
    table = own_table(place, "query")
    for sort in ("RELEASE#2", "RELEASE#1", "STATE"):
        put(place, table, sort)
    asked: dict[str, Any] = {
        "TableName": table,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :kind)",
        "ExpressionAttributeValues": {":pk": {"S": "FLEET#x"}, ":kind": {"S": "RELEASE#"}},
        "ScanIndexForward": False,
        "ConsistentRead": True,
        "Limit": 1,
    }
    first = place.ask("dynamodb:Query", **asked)
    first.must_hold("Items[].sk.S", "RELEASE#2")
    after = place.ask("dynamodb:Query", **asked, ExclusiveStartKey=first.at("LastEvaluatedKey"))
    after.must_hold("Items[].sk.S", "RELEASE#1")


@check(
    "dynamodb:BatchGetItem",
    source=f"{_MODEL} BatchGetItemOutput: Responses without what is not there, UnprocessedKeys; "
    "ValidationException for the same key twice",
    need=Need.OWN,
    cost=COST,
)
def a_batch_gives_what_is_there_of_what_was_asked(place: Place) -> None:
    table = own_table(place, "batch")
    put(place, table, "STATE")
    keys = [key("STATE"), key("NONE")]
    place.ask(
        "dynamodb:BatchGetItem", RequestItems={table: {"Keys": keys, "ConsistentRead": True}}
    ).must_hold(f"Responses.{table}[].sk.S", "STATE")
    place.ask(
        "dynamodb:BatchGetItem", RequestItems={table: {"Keys": [key("STATE")] * 2}}
    ).must_refuse("ValidationException", status=400)


@check(
    "dynamodb:TransactWriteItems",
    source=f"{_MODEL} TransactionCanceledException: CancellationReasons in the order of the items",
    need=Need.OWN,
    cost=COST,
)
def a_transaction_is_all_or_nothing_and_says_which_part_failed(place: Place) -> None:
    table = own_table(place, "together")
    put(place, table, "STATE")
    writes = [
        {"Put": {"TableName": table, "Item": key("RELEASE#1")}},
        {
            "Put": {
                "TableName": table,
                "Item": key("STATE"),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        },
    ]
    answer = place.ask("dynamodb:TransactWriteItems", TransactItems=writes)
    answer.must_refuse("TransactionCanceledException", status=400)
    place.ask("dynamodb:GetItem", TableName=table, Key=key("RELEASE#1"), ConsistentRead=True)


@check(
    "dynamodb:TransactWriteItems",
    source=f"{_MODEL} TransactWriteItemsInput.ClientRequestToken; "
    "IdempotentParameterMismatchException",
    need=Need.OWN,
    cost=COST,
)
def a_transaction_with_a_token_happens_once(place: Place) -> None:
    table = own_table(place, "token")
    token = place.name("once")
    new = {"TableName": table, "ConditionExpression": "attribute_not_exists(pk)"}
    writes = [{"Put": {**new, "Item": key("STATE")}}]
    for _ in range(2):
        place.ask(
            "dynamodb:TransactWriteItems", TransactItems=writes, ClientRequestToken=token
        ).must_reply()
    others = [{"Put": {**new, "Item": key("OTHER")}}]
    place.ask(
        "dynamodb:TransactWriteItems", TransactItems=others, ClientRequestToken=token
    ).must_refuse("IdempotentParameterMismatchException", status=400)
