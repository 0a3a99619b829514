"""The shelf answers plain requests as moto does, whoever of the two was asked before."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded import direct
from embedded.world.world import World

TABLE = "ledger"

Request = tuple[str, dict[str, Any]]

texts = st.sampled_from(["a", "b", "a#1", "a#2", "ä"])
values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, st.sampled_from(["", "x", "snap-1"])),
        st.builds(lambda number: {"N": str(number)}, st.integers(-3, 3)),
        st.sampled_from([{"N": "1.50"}, {"BOOL": True}, {"NULL": True}, {"SS": ["p", "q"]}]),
    ),
    lambda inner: st.one_of(
        st.builds(lambda members: {"L": members}, st.lists(inner, max_size=2)),
        st.builds(
            lambda members: {"M": members},
            st.dictionaries(st.sampled_from(["claim", "k"]), inner, max_size=2),
        ),
    ),
    max_leaves=4,
)
items = st.builds(
    lambda pk, sk, rest: {"pk": {"S": pk}, "sk": {"S": sk}, **rest},
    texts,
    texts,
    st.dictionaries(st.sampled_from(["rev", "claim", "words"]), values, max_size=3),
)
conditions = st.sampled_from(
    [
        None,
        ("attribute_not_exists(pk)", ()),
        ("attribute_exists(claim.k)", ()),
        ("attribute_not_exists(pk) OR rev = :seen", (":seen",)),
        ("rev <> :seen AND NOT attribute_exists(words)", (":seen",)),
        ("(rev = :seen OR claim.claim = :seen) AND attribute_exists(sk)", (":seen",)),
    ]
)
seen = st.one_of(st.builds(lambda n: {"N": str(n)}, st.integers(-3, 3)), st.just({"S": "x"}))


def conditional(
    action: dict[str, Any], condition: tuple[str, tuple[str, ...]] | None, value: Any
) -> dict[str, Any]:
    if condition is None:
        return action
    text, used = condition
    shown = {"ConditionExpression": text, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    defined = {"ExpressionAttributeValues": dict.fromkeys(used, value)} if used else {}
    return {**action, **shown, **defined}


def key_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"pk": item["pk"], "sk": item["sk"]}


puts = st.builds(
    lambda item, condition, value: conditional(
        {"TableName": TABLE, "Item": item}, condition, value
    ),
    items,
    conditions,
    seen,
)
deletes = st.builds(
    lambda item, condition, value: conditional(
        {"TableName": TABLE, "Key": key_of(item)}, condition, value
    ),
    items,
    conditions,
    seen,
)
queries = st.builds(
    lambda pk, prefix, forward, limit: {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
        "ExpressionAttributeValues": {":pk": {"S": pk}, ":prefix": {"S": prefix}},
        "ScanIndexForward": forward,
        **({"Limit": limit} if limit else {}),
    },
    texts,
    texts,
    st.booleans(),
    st.sampled_from([None, 1, 2, 5]),
)
transactions = st.builds(
    lambda put, delete: {"TransactItems": [{"Put": put}, {"Delete": delete}]}, puts, deletes
)
requests: st.SearchStrategy[Request] = st.one_of(
    st.tuples(st.just("put_item"), puts),
    st.tuples(st.just("delete_item"), deletes),
    st.tuples(st.just("query"), queries),
    st.tuples(st.just("transact_write_items"), transactions),
    st.tuples(
        st.just("get_item"),
        st.builds(lambda item: {"TableName": TABLE, "Key": key_of(item)}, items),
    ),
)

FOR_MOTO = {
    "put_item": {"ReturnValues": "NONE"},
    "delete_item": {"ReturnValues": "NONE"},
    "query": {"Select": "ALL_ATTRIBUTES"},
    "get_item": {"ReturnConsumedCapacity": "NONE"},
}
"""What changes nothing in a request but that it is no longer a plain one."""


def for_moto(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """The same request in a form that only moto takes."""
    if operation != "transact_write_items":
        return {**params, **FOR_MOTO[operation]}
    return {
        "TransactItems": [
            {kind: with_named_key(action) for kind, action in entry.items()}
            for entry in params["TransactItems"]
        ]
    }


def with_named_key(action: dict[str, Any]) -> dict[str, Any]:
    always = "(attribute_exists(#key) OR attribute_not_exists(#key))"
    text = action.get("ConditionExpression")
    return {
        **action,
        "ConditionExpression": f"({text}) AND {always}" if text else always,
        "ExpressionAttributeNames": {"#key": "pk"},
    }


def client() -> Any:
    made = direct.session(World()).client("dynamodb")
    made.create_table(
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
    return made


def ask(dynamodb: Any, operation: str, params: dict[str, Any]) -> Any:
    try:
        reply = getattr(dynamodb, operation)(**params)
    except ClientError as error:
        shown: Any = error.response
        return {name: member for name, member in shown.items() if name != "ResponseMetadata"}
    return {name: member for name, member in reply.items() if name != "ResponseMetadata"}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(requests, st.booleans()), max_size=12))
def test_plain_requests_are_answered_as_moto_answers_them(
    story: list[tuple[Request, bool]],
) -> None:
    plain, by_moto = client(), client()

    for (operation, params), plainly in story:
        to_moto = for_moto(operation, params)
        answer = ask(plain, operation, params if plainly else to_moto)
        assert answer == ask(by_moto, operation, to_moto)

    assert plain.scan(TableName=TABLE)["Items"] == by_moto.scan(TableName=TABLE)["Items"]
