"""Values of items are written and read just as the SDK does it."""

from __future__ import annotations

from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from snaproll.aws.items import item_of, plain

WHOLE = st.integers(-(10**38) + 1, 10**38 - 1)
WRITTEN = st.recursive(
    st.text() | st.booleans() | WHOLE,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
STORED = st.recursive(
    st.text() | st.booleans() | WHOLE | st.none() | st.binary() | st.sets(WHOLE, min_size=1)
    | st.sets(st.text(), min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


class Holder(BaseModel):
    value: Any


@given(WRITTEN)
def test_a_value_is_written_as_the_sdk_writes_it(value: Any) -> None:
    written = item_of("p", "s", Holder(value=value))

    assert written["value"] == TypeSerializer().serialize(value)


@given(STORED)
def test_a_value_is_read_as_the_sdk_reads_it(value: Any) -> None:
    stored = TypeSerializer().serialize(value)

    read = plain({"value": stored})["value"]

    sdk = TypeDeserializer().deserialize(stored)
    assert (read, repr(read)) == (sdk, repr(sdk))
