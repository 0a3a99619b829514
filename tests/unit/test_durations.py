"""Durations as fleet owners write them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from snaproll.domain.duration import Duration, format_duration, parse_duration

OTHER_DIGITS = "\N{DEVANAGARI DIGIT ONE}\N{DEVANAGARI DIGIT ZERO}m"
"""Ten minutes to Python's int() and to its regular expressions, but not to the schema."""

whole_seconds = st.integers(min_value=0, max_value=10**9).map(lambda n: timedelta(seconds=n))
amounts = st.integers(min_value=0, max_value=9_999)


@given(whole_seconds)
def test_what_is_written_is_read_as_the_same_duration(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(amounts, amounts, amounts, amounts)
def test_units_add_up(days: int, hours: int, minutes: int, seconds: int) -> None:
    text = f"{days}d{hours}h{minutes}m{seconds}s"

    assert parse_duration(text) == timedelta(
        days=days, hours=hours, minutes=minutes, seconds=seconds
    )


@given(st.text())
def test_a_text_is_a_duration_only_when_it_is_digits_and_units(text: str) -> None:
    shape = r"([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?"
    try:
        parse_duration(text)
    except ValueError:
        return
    assert text
    assert re.fullmatch(shape, text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("7d", 604_800), ("0s", 0), ("1d1s", 86_401)],
)
def test_a_duration_reads_as_people_mean_it(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value",
    ["", "10", "m", "10 m", "10M", "-10m", "1.5h", "30m1h", "10m\n", OTHER_DIGITS,
     "ten minutes", 600, 1.5, True, None, ["10m"], {"minutes": 10}],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_examples(value: object) -> None:
    with pytest.raises(ValueError, match='a duration such as "90s", "10m", "1h30m" or "7d"'):
        parse_duration(value)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(minutes=90), "1h30m"),
        (timedelta(0), "0s"),
        (timedelta(seconds=-5), "0s"),
        (timedelta(seconds=1), "1s"),
        (timedelta(days=2), "2d"),
        (timedelta(seconds=59.6), "1m"),
    ],
)
def test_a_duration_is_written_with_the_units_it_needs(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


def test_a_model_writes_a_duration_as_the_text_it_reads() -> None:
    adapter: TypeAdapter[timedelta] = TypeAdapter(Duration)

    assert adapter.dump_python(adapter.validate_python("1h30m")) == "1h30m"
    assert adapter.dump_json(timedelta(minutes=5)) == b'"5m"'


def test_the_published_pattern_accepts_what_the_code_accepts() -> None:
    schema = TypeAdapter(Duration).json_schema()

    assert all(re.search(schema["pattern"], text) for text in ("90s", "1h30m", "7d", "0s"))
    assert not any(re.search(schema["pattern"], text) for text in ("", "10", "30m1h", OTHER_DIGITS))


def test_a_number_in_a_model_is_refused_and_not_taken_for_seconds() -> None:
    with pytest.raises(ValidationError, match="a duration such as"):
        TypeAdapter(Duration).validate_python(300)
