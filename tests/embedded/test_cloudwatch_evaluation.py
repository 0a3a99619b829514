"""What an alarm concludes: the examples of the CloudWatch guide, and the composite rule."""

from __future__ import annotations

import pytest

from embedded.world.cloudwatch.evaluation import Condition, conclude
from embedded.world.cloudwatch.rules import Rule
from embedded.world.errors import AwsError, NotEmulatedError

KEPT = "kept"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
ALARM = ("ALARM",) * 4
OK = ("OK",) * 4


def concluded(text: str, needed: int) -> tuple[str, ...]:
    """The conclusion of each treatment; ``X`` breaches, ``0`` does not, ``-`` is missing."""
    values = {"X": 1.0, "0": 0.0, "-": None}
    datapoints = [values[letter] for letter in text.split()]
    return tuple(
        conclude(Condition("GreaterThanThreshold", 0.5, 3, needed, missing), datapoints, KEPT)
        for missing in TREATMENTS
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", OK),
        ("- - - - 0", OK),
        ("- - - - -", ("INSUFFICIENT_DATA", KEPT, "ALARM", "OK")),
        ("0 X X - X", ALARM),
        ("- - X - -", ("ALARM", KEPT, "ALARM", "OK")),
    ],
)
def test_three_out_of_three_as_the_guides_first_table_says(
    text: str, expected: tuple[str, ...]
) -> None:
    assert concluded(text, 3) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 - X - X", ALARM),
        ("0 0 X 0 X", ALARM),
        ("0 - X - -", ("OK", "OK", "ALARM", "OK")),
        ("- - - - 0", ("OK", "OK", "ALARM", "OK")),
        ("- - - X -", ("ALARM", KEPT, "ALARM", "OK")),
    ],
)
def test_two_out_of_three_as_the_guides_second_table_says(
    text: str, expected: tuple[str, ...]
) -> None:
    assert concluded(text, 2) == expected


def test_a_single_fresh_breach_is_no_premature_alarm() -> None:
    assert concluded("- - - - X", 3)[0] == KEPT


@pytest.mark.parametrize(
    ("comparison", "value", "breaches"),
    [
        ("GreaterThanThreshold", 5.0, False),
        ("GreaterThanOrEqualToThreshold", 5.0, True),
        ("LessThanThreshold", 5.0, False),
        ("LessThanOrEqualToThreshold", 5.0, True),
    ],
)
def test_a_value_on_the_threshold_breaches_only_with_equality(
    comparison: str,
    value: float,
    breaches: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    assert Condition(comparison, 5.0, 1, 1).breaches(value) is breaches


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ("ALARM(a)", True),
        ('ALARM("b")', False),
        ("OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("ALARM(a) AND NOT OK(b)", False),
        ("ALARM(b) OR ALARM(a)", True),
        ("ALARM(a) OR ALARM(a) AND FALSE", True),
        ("(ALARM(a) OR ALARM(a)) AND FALSE", False),
        ("NOT (ALARM(b) OR FALSE)", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:111122223333:alarm:a)", True),
        ("TRUE", True),
    ],
)
def test_a_composite_rule_is_read_as_documented(
    rule: str,
    holds: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    states = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}
    assert Rule(rule).holds(states.get) is holds


@pytest.mark.parametrize("rule", ["ALARM(a) AND", "ALARM a", "(ALARM(a)", "ALARM(a) OK(b)", "a"])
def test_a_composite_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    with pytest.raises(AwsError, match="ValidationError"):
        Rule(rule)


def test_at_least_is_refused_loudly() -> None:
    with pytest.raises(NotEmulatedError):
        Rule("AT_LEAST(2, ALARM, (a, b, c))")
