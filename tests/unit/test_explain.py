"""Validation errors as sentences."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from snaproll.explain import explain


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    sizes: list[int] = []


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str
    inner: Inner = Inner()

    @field_validator("name")
    @classmethod
    def _lower(cls, name: str) -> str:
        if name != name.lower():
            raise ValueError("must be in lower case")
        return name


def said_of(value: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Outer.model_validate(value)
    return explain("The thing", refused.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, "The thing is not valid: name is missing."),
        (
            {"name": "a", "colour": 1},
            "The thing is not valid: colour is not a known key.",
        ),
        (
            {"name": "A"},
            "The thing is not valid: name = 'A': must be in lower case.",
        ),
        (
            {"name": "a", "inner": {"sizes": [1, "x"]}},
            "The thing is not valid: inner.sizes.1 = 'x': Input should be a valid integer",
        ),
        (
            {"name": "a", "inner": {"depth": 1}},
            "The thing is not valid: inner.depth is not a known key.",
        ),
        (
            [],
            "The thing is not valid: the whole value = []: must be a JSON object.",
        ),
    ],
)
def test_a_fault_is_told_by_place_value_and_rule(value: Any, said: str) -> None:
    assert said_of(value).startswith(said)


def test_several_faults_stand_in_one_line() -> None:
    text = said_of({"colour": 1, "inner": 5})

    assert "\n" not in text
    assert text.count(";") == 2


def test_a_long_value_is_cut_so_that_the_rule_stays_readable() -> None:
    text = said_of({"name": "X" * 5000})

    assert len(text) < 200
    assert "…: must be in lower case." in text


def test_no_address_of_a_library_is_shown() -> None:
    assert "http" not in said_of({"name": 5})
