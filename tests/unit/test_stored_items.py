"""What the ledger keeps is read back as it was written: an item leaves out what is None."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import get_args

import pytest
from pydantic import BaseModel

from snaproll.domain.ledger import FleetState, Quarantine, Record
from snaproll.domain.publishes import PublishRecord, WriterState
from snaproll.domain.watch import Watch


def models_in(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model, and every model that is a part of it."""
    yield model
    for field in model.model_fields.values():
        for part in parts_of(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models_in(part)


def parts_of(annotation: object) -> Iterator[object]:
    yield annotation
    for argument in get_args(annotation):
        yield from parts_of(argument)


def stored() -> list[type[BaseModel]]:
    """Every model that the ledger keeps, by name."""
    roots = (FleetState, Quarantine, Record, Watch, WriterState, PublishRecord)
    found = {part for kept in roots for part in models_in(kept)}
    return sorted(found, key=lambda model: model.__name__)


@pytest.mark.parametrize("model", stored())
def test_what_may_be_none_may_be_missing(model: type[BaseModel]) -> None:
    required = {
        name
        for name, field in model.model_fields.items()
        if NoneType in get_args(field.annotation) and field.is_required()
    }

    assert required == set()
