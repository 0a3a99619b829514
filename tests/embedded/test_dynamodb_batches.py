"""BatchGetItem, as its API reference describes it."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.errors import AwsError
from embedded.world.world import World

TABLE = "items"


@pytest.fixture
def world() -> World:
    """A world with a table of 120 items."""
    world = World()
    world.call(
        "dynamodb",
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        },
    )
    for number in range(120):
        item = {"pk": {"S": str(number)}, "value": {"N": str(number)}}
        world.call("dynamodb", "PutItem", {"TableName": TABLE, "Item": item})
    return world


def ask(world: World, *keys: str) -> Any:
    """Read items by their keys."""
    wanted = {"Keys": [{"pk": {"S": key}} for key in keys], "ConsistentRead": True}
    return world.call("dynamodb", "BatchGetItem", {"RequestItems": {TABLE: wanted}})


def test_a_batch_gives_what_exists_in_no_order_that_one_could_rely_on(world: World) -> None:
    reply = ask(world, "1", "none", "2")

    found = [one["pk"]["S"] for one in reply["Responses"][TABLE]]
    assert sorted(found) == ["1", "2"]
    assert found != ["1", "2"]
    assert reply["UnprocessedKeys"] == {}


def test_a_batch_may_leave_keys_unprocessed(world: World) -> None:
    world.dynamodb.batch_limit = 1

    reply = ask(world, "1", "2")

    assert [one["pk"]["S"] for one in reply["Responses"][TABLE]] == ["1"]
    assert reply["UnprocessedKeys"][TABLE]["Keys"] == [{"pk": {"S": "2"}}]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([str(number) for number in range(101)], "Too many items requested"),
        (["1", "1"], "contains duplicates"),
    ],
)
def test_a_batch_that_is_too_large_or_repeats_itself_is_refused(
    world: World, keys: list[str], said: str
) -> None:
    with pytest.raises(AwsError, match=said) as refused:
        ask(world, *keys)

    assert refused.value.code == "ValidationException"
