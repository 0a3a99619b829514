"""Items of the ledger's table: from models, and back to them with the version that wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from pydantic import BaseModel, ValidationError

from snaproll.aws.refusals import SdkError, code_of
from snaproll.domain.ledger import SCHEMA
from snaproll.domain.upgrades import upgraded
from snaproll.errors import LedgerUnreadableError
from snaproll.explain import explain, shown

Model = TypeVar("Model", bound=BaseModel)
_MOST = 10**15
"""Whole numbers up to here are surely within DynamoDB's 38 digits."""


class _Writer(TypeSerializer):
    """The SDK's serializer, which tries every type in turn, with a short way to the usual ones."""

    def serialize(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return {"S": value}
        if kind is bool:
            return {"BOOL": value}
        if kind is int and -_MOST < value < _MOST:
            return {"N": str(value)}
        if kind is dict:
            return {"M": {name: self.serialize(member) for name, member in value.items()}}
        if kind is list:
            return {"L": [self.serialize(member) for member in value]}
        return super().serialize(value)


class _Reader(TypeDeserializer):
    """The SDK's deserializer with a short way to the usual types."""

    def deserialize(self, value: Any) -> Any:
        if "S" in value:
            return value["S"]
        if "M" in value:
            return {name: self.deserialize(member) for name, member in value["M"].items()}
        if "L" in value:
            return [self.deserialize(member) for member in value["L"]]
        if "N" in value:
            return DYNAMODB_CONTEXT.create_decimal(value["N"])
        return super().deserialize(value)


_WRITER, _READER = _Writer(), _Reader()


def key_of(pk: str, sk: str) -> dict[str, Any]:
    """The key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def item_of(pk: str, sk: str, model: BaseModel) -> dict[str, Any]:
    """A model as an item; what is None is left out."""
    serialize = _WRITER.serialize
    content = model.model_dump(mode="json", exclude_none=True)
    return key_of(pk, sk) | {name: serialize(value) for name, value in content.items()}


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item's attributes without its key, as Python values."""
    deserialize = _READER.deserialize
    return {name: deserialize(value) for name, value in item.items() if name not in ("pk", "sk")}


def parsed(model: type[Model], content: dict[str, Any], name: str, *, of: str = "fleet") -> Model:
    """A model from an item's attributes, upgraded when the version before wrote it.

    ``name`` and ``of`` say for people whose item it is.

    Raises
    ------
    LedgerUnreadableError
        When another version wrote it, or it is broken.
    """
    try:
        return model.model_validate(upgraded(model, content))
    except KeyError:
        written = content.get("schema_version")
        version = written if isinstance(written, Decimal) else shown(written)
        raise LedgerUnreadableError(
            f"A ledger item of {of} {name} has schema version {version}; this version of "
            f"snaproll reads {SCHEMA} and the one before. Deploy the version that wrote it, or a "
            f"newer one."
        ) from None
    except ValidationError as error:
        raise LedgerUnreadableError(explain(f"A ledger item of {of} {name}", error)) from error


def condition_failed(error: SdkError) -> bool:
    """Whether a write was refused because somebody else wrote in between."""
    if code_of(error) in ("ConditionalCheckFailedException", "TransactionConflictException"):
        return True
    if not isinstance(error, ClientError) or code_of(error) != "TransactionCanceledException":
        return False
    reasons: Any = error.response.get("CancellationReasons", [])
    return any(
        one.get("Code") in ("ConditionalCheckFailed", "TransactionConflict") for one in reasons
    )
