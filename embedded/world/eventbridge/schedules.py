"""When a scheduled rule is due: ``rate(…)`` and ``cron(…)``, always in UTC.

Rules: EventBridge user guide, "Setting a schedule pattern for scheduled rules": a rate begins with
the rule's creation; cron has six fields, of which day-of-month or day-of-week has to be ``?``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from embedded.world.errors import AwsError, NotEmulatedError

UNITS: Final = {"minute": 60, "hour": 3600, "day": 86_400}
MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS: Final = ("minute", "hour", "day of month", "month", "day of week", "year")
RANGES: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
HORIZON: Final = timedelta(days=366 * 8)
"""How far ahead a cron is looked for: longer than any gap between two 29ths of February."""

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\(([^()]+)\)")


@dataclass(frozen=True)
class Rate:
    """Every so many seconds, counted from when the rule was put or enabled."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime:
        """Give the next time after ``moment``, which is the last one or the beginning."""
        return moment + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Cron:
    """On the minutes whose parts are in these sets."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int]

    def next_after(self, moment: datetime) -> datetime | None:
        """Give the first fitting minute after ``moment``; None when eight years have none."""
        first = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = first.replace(hour=0, minute=0)
        while day <= moment + HORIZON:
            if self._on(day):
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        if (due := day.replace(hour=hour, minute=minute)) >= first:
                            return due
            day += timedelta(days=1)
        return None

    def _on(self, day: datetime) -> bool:
        return (
            day.year in self.years
            and day.month in self.months
            and (self.days is None or day.day in self.days)
            and (self.weekdays is None or day.isoweekday() % 7 + 1 in self.weekdays)
        )


Schedule = Rate | Cron


def parse_schedule(text: str) -> Schedule:
    """Read a schedule expression.

    Raises
    ------
    AwsError
        ``ValidationException`` for what EventBridge refuses; ``NotEmulatedError`` for L, W and #.
    """
    if rate := _RATE.fullmatch(text):
        number, unit, plural = int(rate[1]), rate[2], rate[3]
        if number < 1 or (number == 1) is bool(plural):
            raise _invalid()
        return Rate(number * UNITS[unit])
    if cron := _CRON.fullmatch(text):
        return _cron(cron[1].split())
    raise _invalid()


def _invalid() -> AwsError:
    return AwsError("ValidationException", "Parameter ScheduleExpression is not valid.")


def _cron(fields: list[str]) -> Cron:
    if len(fields) != len(FIELDS) or (fields[2] == "?") == (fields[4] == "?"):
        raise _invalid()
    minutes, hours, days, months, weekdays, years = (
        _field(text, number) for number, text in enumerate(fields)
    )
    if minutes is None or hours is None or months is None or years is None:
        raise _invalid()
    return Cron(minutes, hours, days, months, weekdays, years)


def _field(text: str, number: int) -> frozenset[int] | None:
    """Read one field into the set of its values; None is ``?``, any day."""
    if text == "?":
        return None
    if re.search(r"[LW#]", re.sub(r"[A-Z]{3}", "", text)):
        raise NotEmulatedError(f"L, W and # in a cron expression ({FIELDS[number]} {text})")
    values: set[int] = set()
    for part in text.split(","):
        values |= _part(part, number)
    return frozenset(values)


def _part(text: str, number: int) -> set[int]:
    low, high = RANGES[number]
    body, slash, step = text.partition("/")
    if slash and not step.isdecimal():
        raise _invalid()
    if body == "*":
        first, last = low, high
    elif "-" in body:
        first, last = (_number(end, number) for end in body.split("-", 1))
    else:
        first = _number(body, number)
        last = high if slash else first
    if not low <= first <= last <= high or (slash and int(step) < 1):
        raise _invalid()
    return set(range(first, last + 1, int(step) if slash else 1))


def _number(text: str, number: int) -> int:
    names = {3: MONTHS, 4: DAYS}.get(number, ())
    if text.upper() in names:
        return names.index(text.upper()) + 1
    if not text.isdecimal():
        raise _invalid()
    return int(text)
