"""The parts of the documentation that are made from the code are those of this code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tools.docs import DOCS, PAGES
from tools.presets import figures, page, play_all


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_current(name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")

    assert committed == PAGES[name](), f"docs/{name} is out of date: run 'make docs'"


@pytest.mark.parametrize("name", ["fleet-schema.json", "writer-schema.json"])
def test_the_schema_allows_its_own_defaults(name: str) -> None:
    schema = json.loads((DOCS / name).read_text(encoding="utf-8"))
    given = [one for one in objects(schema) if {"pattern", "default"} <= one.keys()]

    texts = [one for one in given if one["default"] is not None]
    assert texts
    assert [one for one in texts if not re.search(one["pattern"], one["default"])] == []


def test_the_presets_of_two_and_of_ten_instances_still_give_what_the_table_says() -> None:
    committed = json.loads((DOCS / "presets.json").read_text(encoding="utf-8"))

    played = figures(play_all((2, 10)))

    out_of_date = "the figures of the presets are out of date: run 'make presets'"
    assert played == [row for row in committed if row["capacity"] <= 10], out_of_date
    assert (DOCS / "presets.md").read_text(encoding="utf-8") == page(committed), out_of_date


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a JSON value, itself among them."""
    if isinstance(value, dict):
        yield value
        for member in value.values():
            yield from objects(member)
    elif isinstance(value, list):
        for member in value:
            yield from objects(member)
