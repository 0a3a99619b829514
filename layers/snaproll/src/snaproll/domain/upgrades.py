"""Ledger items of earlier versions, brought to the present shape one version at a time.

An item is upgraded when it is read and written in the present shape with the next change, so that
rollouts go on while a new version is deployed. Each step is a pure function of one item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from snaproll.domain.ledger import SCHEMA, FleetState

Item = Mapping[str, Any]


def upgraded(kind: type[BaseModel], item: Item) -> Item:
    """An item in the present shape; ``kind`` is what it is read as.

    Raises
    ------
    KeyError
        When its version is missing, or is none that this code knows.
    """
    while (version := item["schema_version"]) != SCHEMA:
        if not isinstance(version, int | Decimal) or version not in _STEPS:
            raise KeyError(str(version))
        item = {**_STEPS[int(version)](kind, item), "schema_version": int(version) + 1}
    return item


def _from_1(kind: type[BaseModel], item: Item) -> Item:
    """A claim says why a person asked for its rollout, so that whoever takes over knows it.

    Version 1 kept that for a rollout that goes back only, as the reason of the hold it leaves.
    """
    claim = item.get("claim")
    # Whatever else stands there is refused when the item is read.
    if kind is not FleetState or not isinstance(claim, Mapping) or "hold_if_live" not in claim:
        return item
    return {**item, "claim": {**claim, "reason": claim["hold_if_live"]}}


_STEPS: Mapping[int, Callable[[type[BaseModel], Item], Item]] = {1: _from_1}
"""By the version that each starts from. The one before the present must be here."""
