"""Small pieces of sentences."""

from __future__ import annotations

import pytest

from snaproll.domain.wording import counted, listed


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, ""),
        (1, "a"),
        (5, "a, b, c, d, e"),
        (6, "a, b, c, d, e and 1 more"),
        (7, "a, b, c, d, e and 2 more"),
    ],
)
def test_of_many_names_five_are_told_and_the_rest_is_counted(number: int, told: str) -> None:
    assert listed("abcdefg"[:number]) == told


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 instances"), (1, "1 instance"), (2, "2 instances")]
)
def test_only_one_is_singular(number: int, told: str) -> None:
    assert counted(number, "instance") == told
