"""DynamoDB: conditions, transactions, and what moto alone would let through."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.faults import Call
from embedded.world.world import World

TABLE = "ledger"


class Table:
    """A world with one table, keyed by ``pk`` and ``sk``."""

    def __init__(self) -> None:
        self.world = World()
        self.client = direct.session(self.world).client("dynamodb")
        self.client.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def put(self, sk: str, **attributes: Any) -> None:
        """Write an item under the partition ``a``."""
        self.client.put_item(TableName=TABLE, Item=key(sk) | attributes)

    def get(self, sk: str) -> Any:
        """Read an item of the partition ``a``, or None."""
        return self.client.get_item(TableName=TABLE, Key=key(sk)).get("Item")


def key(sk: str) -> Any:
    return {"pk": {"S": "a"}, "sk": {"S": sk}}


def number(value: int) -> Any:
    return {"N": str(value)}


def put_action(sk: str, **further: Any) -> Any:
    return {"Put": {"TableName": TABLE, "Item": key(sk), **further}}


def test_an_item_is_read_as_it_was_written() -> None:
    table = Table()

    table.put("1", count=number(3), tags={"M": {"a": {"L": [{"S": "x"}]}}})

    assert table.get("1") == key("1") | {
        "count": {"N": "3"},
        "tags": {"M": {"a": {"L": [{"S": "x"}]}}},
    }


def test_a_condition_that_does_not_hold_changes_nothing_and_shows_the_item() -> None:
    table = Table()
    table.put("1", rev=number(2))

    with pytest.raises(table.client.exceptions.ConditionalCheckFailedException) as caught:
        table.client.put_item(
            TableName=TABLE,
            Item=key("1") | {"rev": number(9)},
            ConditionExpression="attribute_not_exists(pk) OR rev = :seen",
            ExpressionAttributeValues={":seen": number(1)},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    response: Any = caught.value.response
    assert response["Item"]["rev"] == {"N": "2"}
    assert table.get("1")["rev"] == {"N": "2"}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("gone = :n", False),
        ("gone <> :n", True),
        ("gone < :n", False),
        ("rev = :s", False),
        ("rev <> :s", True),
        ("rev BETWEEN :n AND :n", True),
        ("attribute_exists(nested.k)", True),
        ("attribute_exists(nested.q)", False),
        ("NOT (rev = :n AND words = :s)", True),
        ("begins_with(rev, :s)", False),
        ("size(words) = :n", True),
    ],
)
def test_conditions_on_missing_and_differing_attributes(condition: str, holds: bool) -> None:  # noqa: FBT001
    table = Table()
    table.put("1", rev=number(4), words={"S": "four"}, nested={"M": {"k": {"S": "v"}}})
    values = {":n": number(4), ":s": {"S": "4"}}
    used: Any = {name: value for name, value in values.items() if name in condition}

    def delete() -> None:
        table.client.delete_item(
            TableName=TABLE,
            Key=key("1"),
            ConditionExpression=condition,
            **({"ExpressionAttributeValues": used} if used else {}),
        )

    if holds:
        delete()
    else:
        with pytest.raises(table.client.exceptions.ConditionalCheckFailedException):
            delete()


def test_a_transaction_that_fails_says_for_each_action_why_and_writes_nothing() -> None:
    table = Table()
    table.put("taken", rev=number(1))

    with pytest.raises(table.client.exceptions.TransactionCanceledException) as caught:
        table.client.transact_write_items(
            TransactItems=[
                put_action("new"),
                put_action(
                    "taken",
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                ),
            ]
        )

    assert caught.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": key("taken") | {"rev": {"N": "1"}},
        },
    ]
    assert "[None, ConditionalCheckFailed]" in str(caught.value)
    assert table.get("new") is None


def test_a_transaction_writes_everything_together() -> None:
    table = Table()
    table.put("old")

    table.client.transact_write_items(
        TransactItems=[
            put_action("new"),
            {"Delete": {"TableName": TABLE, "Key": key("old")}},
            {
                "Update": {
                    "TableName": TABLE,
                    "Key": key("count"),
                    "UpdateExpression": "ADD rev :n",
                    "ExpressionAttributeValues": {":n": number(1)},
                }
            },
        ]
    )

    assert table.get("old") is None
    assert table.get("new") is not None
    assert table.get("count")["rev"] == {"N": "1"}


def test_a_transaction_whose_update_is_not_valid_leaves_nothing_behind() -> None:
    table = Table()

    with pytest.raises(table.client.exceptions.TransactionCanceledException) as caught:
        table.client.transact_write_items(
            TransactItems=[
                put_action("new"),
                {
                    "Update": {
                        "TableName": TABLE,
                        "Key": key("other"),
                        "UpdateExpression": "SET a = b",
                    }
                },
            ]
        )

    assert [r["Code"] for r in caught.value.response["CancellationReasons"]] == [
        "None",
        "ValidationError",
    ]
    assert table.get("new") is None
    assert table.get("other") is None


def test_a_transaction_that_the_sdk_tries_again_happens_once() -> None:
    # Given a transaction whose answer gets lost
    table = Table()
    left = [1]

    def lose(call: Call) -> None:
        if call.operation == "TransactWriteItems" and left:
            left.pop()
            raise AwsError("InternalServerError", "sorry", http_status=500)

    table.world.faults.after_effect(lose)

    # When the SDK sends it again with the same token
    table.client.transact_write_items(
        TransactItems=[put_action("1", ConditionExpression="attribute_not_exists(pk)")]
    )

    # Then its condition does not meet its own effect
    assert table.get("1") is not None
    assert [c.attempt for c in table.world.calls if c.operation == "TransactWriteItems"] == [1, 2]


def test_a_token_is_not_reused_for_another_transaction() -> None:
    table = Table()
    table.client.transact_write_items(TransactItems=[put_action("1")], ClientRequestToken="t")

    with pytest.raises(table.client.exceptions.IdempotentParameterMismatchException):
        table.client.transact_write_items(TransactItems=[put_action("2")], ClientRequestToken="t")


def test_a_transaction_touches_an_item_once() -> None:
    table = Table()

    with pytest.raises(ClientError, match="multiple operations on one item"):
        table.client.transact_write_items(TransactItems=[put_action("1"), put_action("1")])


def test_an_update_that_fails_creates_nothing() -> None:
    table = Table()

    with pytest.raises(ClientError, match="does not exist in the item"):
        table.client.update_item(TableName=TABLE, Key=key("1"), UpdateExpression="SET a = b")

    assert table.get("1") is None


def test_an_update_gives_what_it_is_asked_for() -> None:
    table = Table()
    table.put("1", rev=number(1))

    reply = table.client.update_item(
        TableName=TABLE,
        Key=key("1"),
        UpdateExpression="SET rev = rev + :n, words = if_not_exists(words, :s)",
        ExpressionAttributeValues={":n": number(1), ":s": {"S": "x"}},
        ReturnValues="UPDATED_NEW",
    )

    assert reply["Attributes"] == {"rev": {"N": "2"}, "words": {"S": "x"}}


@pytest.mark.parametrize(
    ("further", "reason"),
    [
        ({"ConditionExpression": "rev = :n"}, "is not defined"),
        ({"ConditionExpression": "#x = :n", "ExpressionAttributeValues": {":n": number(1)}},
         "is not defined"),
        ({"ConditionExpression": "attribute_exists(pk)",
          "ExpressionAttributeValues": {":n": number(1)}}, "unused in expressions"),
        ({"ConditionExpression": "attribute_exists(pk)",
          "ExpressionAttributeNames": {"#x": "x"}}, "unused in expressions"),
        ({"ConditionExpression": "rev = 5"}, "Syntax error"),
        ({"ConditionExpression": ""}, "can not be empty"),
        ({"ConditionExpression": "status = :n", "ExpressionAttributeValues": {":n": number(1)}},
         "reserved keyword"),
    ],
)  # fmt: skip
def test_an_expression_that_dynamodb_would_not_take_is_refused(
    further: dict[str, Any], reason: str
) -> None:
    table = Table()

    with pytest.raises(ClientError, match=reason):
        table.client.put_item(TableName=TABLE, Item=key("1"), **further)


@pytest.mark.parametrize(
    "bad",
    [{}, {"pk": {"S": "a"}}, {"pk": {"S": "a"}, "sk": {"N": "1"}}, key("1") | {"x": {"S": ""}}],
)
def test_a_key_that_is_not_the_tables_is_refused(bad: Any) -> None:
    table = Table()

    with pytest.raises(ClientError, match="does not match the schema"):
        table.client.get_item(TableName=TABLE, Key=bad)


def test_a_query_pages_through_a_partition_in_order() -> None:
    table = Table()
    for name in ("b2", "a1", "b1"):
        table.put(name)

    pages = list(
        table.client.get_paginator("query").paginate(
            TableName=TABLE,
            KeyConditionExpression="pk = :p AND begins_with(sk, :s)",
            ExpressionAttributeValues={":p": {"S": "a"}, ":s": {"S": "b"}},
            PaginationConfig={"PageSize": 1},
        )
    )

    found = [item["sk"]["S"] for page in pages for item in page["Items"]]
    assert found == ["b1", "b2"]


def test_what_was_read_is_not_shared_with_the_table() -> None:
    table = Table()
    table.put("1", inner={"M": {"a": {"S": "x"}}})

    table.get("1")["inner"]["M"]["a"]["S"] = "changed"

    assert table.get("1")["inner"]["M"]["a"]["S"] == "x"


def test_a_table_tells_emulated_times() -> None:
    table = Table()
    table.world.run_for(60)
    table.client.update_continuous_backups(
        TableName=TABLE, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

    described = table.client.describe_table(TableName=TABLE)["Table"]
    backups = table.client.describe_continuous_backups(TableName=TABLE)

    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert described["CreationDateTime"].isoformat() == "2026-01-05T09:00:00+00:00"
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    assert recovery["EarliestRestorableDateTime"].isoformat() == "2026-01-05T09:01:00+00:00"


def test_deletion_protection_protects() -> None:
    table = Table()
    table.client.create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
    )

    with pytest.raises(ClientError, match="DeletionProtectionEnabled"):
        table.client.delete_table(TableName="kept")
    table.client.delete_table(TableName=TABLE)

    assert table.client.list_tables()["TableNames"] == ["kept"]


def test_an_unknown_table_is_not_found() -> None:
    table = Table()

    with pytest.raises(table.client.exceptions.ResourceNotFoundException):
        table.client.get_item(TableName="nowhere", Key=key("1"))


def test_parameters_from_before_expressions_are_not_emulated() -> None:
    table = Table()

    with pytest.raises(NotEmulatedError, match="legacy"):
        table.client.put_item(TableName=TABLE, Item=key("1"), Expected={"a": {"Exists": False}})
