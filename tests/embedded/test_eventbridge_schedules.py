"""Schedules of rules: rate and cron, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.eventbridge.schedules import parse_schedule

MONDAY = datetime(2026, 1, 5, 9, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(1 minute)", datetime(2026, 1, 5, 9, 1, 30, tzinfo=UTC)),
        ("rate(6 hours)", datetime(2026, 1, 5, 15, 0, 30, tzinfo=UTC)),
        ("rate(2 days)", datetime(2026, 1, 7, 9, 0, 30, tzinfo=UTC)),
        ("cron(0/15 * * * ? *)", datetime(2026, 1, 5, 9, 15, tzinfo=UTC)),
        ("cron(0 9 * * ? *)", datetime(2026, 1, 6, 9, 0, tzinfo=UTC)),
        ("cron(30 3 ? * SUN *)", datetime(2026, 1, 11, 3, 30, tzinfo=UTC)),
        ("cron(0 8 ? * MON-FRI *)", datetime(2026, 1, 6, 8, 0, tzinfo=UTC)),
        ("cron(0 0 1 JAN,JUL ? *)", datetime(2026, 7, 1, 0, 0, tzinfo=UTC)),
        ("cron(0 0 29 2 ? *)", datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_schedule_is_due_at_its_next_time(expression: str, due: datetime) -> None:
    assert parse_schedule(expression).next_after(MONDAY) == due


def test_a_schedule_whose_years_are_over_is_never_due() -> None:
    assert parse_schedule("cron(0 0 * * ? 2020)").next_after(MONDAY) is None


@pytest.mark.parametrize(
    "expression",
    [
        "rate(0 minutes)", "rate(1 minutes)", "rate(2 minute)", "rate(5 seconds)",
        "cron(0 9 * * *)", "cron(0 9 * * * *)", "cron(0 9 ? * ? *)", "cron(60 9 * * ? *)",
        "cron(0 9 * FOO ? *)", "every day",
    ],
)  # fmt: skip
def test_a_schedule_that_eventbridge_would_not_take_is_refused(expression: str) -> None:
    with pytest.raises(AwsError, match="ScheduleExpression is not valid"):
        parse_schedule(expression)


def test_the_last_day_of_a_month_is_not_emulated() -> None:
    with pytest.raises(NotEmulatedError):
        parse_schedule("cron(0 9 L * ? *)")
