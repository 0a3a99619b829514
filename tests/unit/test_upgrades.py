"""Ledger items that an earlier version wrote."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from snaproll.domain.ledger import SCHEMA, FleetState, Record
from snaproll.domain.upgrades import upgraded

CLAIM = {"execution": "e", "hold_if_live": "bad data"}


def old(**content: Any) -> dict[str, Any]:
    return {"schema_version": 1, **content}


def present(**content: Any) -> dict[str, Any]:
    return {"schema_version": SCHEMA, **content}


def test_a_claim_learns_why_a_person_asked_for_it() -> None:
    assert upgraded(FleetState, old(revision=7, claim=CLAIM)) == present(
        revision=7, claim={**CLAIM, "reason": "bad data"}
    )


def test_dynamodb_hands_the_version_over_as_a_decimal() -> None:
    assert upgraded(FleetState, {"schema_version": Decimal(1)}) == present()


@pytest.mark.parametrize("claim", [None, "rubbish", {"execution": "e"}])
def test_what_has_no_such_claim_keeps_what_it_has(claim: object) -> None:
    assert upgraded(FleetState, old(claim=claim)) == present(claim=claim)


def test_an_item_of_another_kind_is_left_as_it_is() -> None:
    assert upgraded(Record, old(claim=CLAIM)) == present(claim=CLAIM)


def test_an_item_of_the_present_version_is_left_as_it_is() -> None:
    item = present(claim=CLAIM)

    assert upgraded(FleetState, item) is item


@pytest.mark.parametrize("version", [SCHEMA + 1, 0, "1", None, {}])
def test_an_item_of_an_unknown_version_is_refused_by_it(version: object) -> None:
    with pytest.raises(KeyError, match=str(version)):
        upgraded(FleetState, {"schema_version": version})


def test_an_item_without_a_version_is_refused() -> None:
    with pytest.raises(KeyError, match="schema_version"):
        upgraded(FleetState, {"claim": CLAIM})
