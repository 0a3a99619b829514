"""Texts that are ids and names of a writer's things, and texts that only begin like one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from snaproll.domain.writer import is_instance_id, is_volume_id, is_writer_name


@pytest.mark.parametrize(
    ("is_one", "text"),
    [
        (is_writer_name, "filings-2"),
        (is_volume_id, "vol-01234567"),
        (is_volume_id, "vol-0123456789abcdef0"),
        (is_instance_id, "i-01234567"),
        (is_instance_id, "i-0123456789abcdef0"),
    ],
)
def test_a_text_is_one_as_a_whole_or_not_at_all(is_one: Callable[[str], bool], text: str) -> None:
    assert is_one(text)
    assert not is_one(f"{text}\n")
    assert not is_one(f"{text};drop")
    assert not is_one(text.upper())
    assert not is_one("")
