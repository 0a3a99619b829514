"""A check has a name, a result and a reason; gate and preflight are lists of them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from snaproll.model import Value


class CheckResult(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"
    """It could not be looked at, because of another check's failure, or made no sense."""


class Check(Value):
    """One thing looked at: what it is called, how it ended, and why in words."""

    name: str
    result: CheckResult
    reason: str


class Report(Value):
    """All checks of a gate or a preflight, failed ones among them or not."""

    passed: bool
    message: str
    checks: list[Check]


def passed(name: str, reason: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name=name, result=CheckResult.PASSED, reason=reason)


def failed(name: str, reason: str) -> Check:
    """A check that found something wrong."""
    return Check(name=name, result=CheckResult.FAILED, reason=reason)


def not_checked(name: str, reason: str) -> Check:
    """A check that could not be made."""
    return Check(name=name, result=CheckResult.NOT_CHECKED, reason=reason)


def check(name: str, *, fine: bool, good: str, bad: str) -> Check:
    """A check whose reason depends on its result."""
    return passed(name, good) if fine else failed(name, bad)


def failures(checks: Iterable[Check]) -> list[Check]:
    """Those that failed."""
    return [one for one in checks if one.result is CheckResult.FAILED]
