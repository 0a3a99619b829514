"""What an alarm concludes from its datapoints: a pure function, after the CloudWatch guide.

Source: CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat
missing data", whose two tables of examples are tests here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OK = "OK"
ALARM = "ALARM"
INSUFFICIENT_DATA = "INSUFFICIENT_DATA"

MISSING = "missing"
IGNORE = "ignore"
BREACHING = "breaching"
NOT_BREACHING = "notBreaching"
TREATMENTS = (BREACHING, NOT_BREACHING, IGNORE, MISSING)

EXTRA_PERIODS = 2
"""How much further back than EvaluationPeriods an alarm looks for datapoints.

The guide says only that the range is longer; its examples show five datapoints for three periods.
"""

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
WORDS = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


@dataclass(frozen=True)
class Condition:
    """When an alarm breaches."""

    comparison: str
    threshold: float
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str = MISSING

    def breaches(self, value: float) -> bool:
        """Whether one datapoint is on the wrong side of the threshold."""
        return COMPARISONS[self.comparison](value, self.threshold)


def conclude(condition: Condition, datapoints: Sequence[float | None], current: str) -> str:
    """The state that the datapoints call for.

    Parameters
    ----------
    condition
        The alarm's threshold and how many datapoints count.
    datapoints
        One value or None (missing) for each period of the evaluation range, newest last.
    current
        The state now, kept where the data decides nothing.
    """
    real = [value for value in datapoints if value is not None]
    needed, periods = condition.datapoints_to_alarm, condition.evaluation_periods
    if len(real) >= periods:
        # Enough real data in the range: missing datapoints play no part.
        breaching = sum(condition.breaches(value) for value in real[-periods:])
        return ALARM if breaching >= needed else OK
    breaching = sum(condition.breaches(value) for value in real)
    if condition.missing == BREACHING:
        return ALARM if breaching + periods - len(real) >= needed else OK
    if condition.missing == NOT_BREACHING or breaching >= needed:
        return ALARM if breaching >= needed else OK
    if breaching < len(real):
        return OK
    return _undecided(condition, datapoints, current)


def _undecided(condition: Condition, datapoints: Sequence[float | None], current: str) -> str:
    """All the real data breaches, and there is not enough of it."""
    if condition.missing == IGNORE:
        return current
    ages = [len(datapoints) - index for index, value in enumerate(datapoints) if value is not None]
    if not ages:
        return INSUFFICIENT_DATA
    # A breaching datapoint at least as old as DatapointsToAlarm, with nothing but breaching or
    # missing ones since, is enough.
    return ALARM if max(ages) >= condition.datapoints_to_alarm else current


def explain(condition: Condition, datapoints: Sequence[float | None], state: str) -> str:
    """The StateReason of a state that was concluded, in CloudWatch's manner."""
    periods = condition.evaluation_periods
    recent = [value for value in datapoints if value is not None][-periods:]
    plural = "s" if periods > 1 else ""
    if state == INSUFFICIENT_DATA:
        verb = "were" if periods > 1 else "was"
        return f"Insufficient Data: {periods} datapoint{plural} {verb} unknown."
    if not recent:
        treated = "Breaching" if condition.missing == BREACHING else "NonBreaching"
        return (
            f"Threshold Crossed: no datapoints were received for {periods} period{plural} and "
            f"{periods} missing datapoint{plural} {'were' if periods > 1 else 'was'} treated as "
            f"[{treated}]."
        )
    breaching = [value for value in recent if condition.breaches(value)]
    told = breaching if state == ALARM else recent
    values = ", ".join(str(float(value)) for value in told)
    verb = "were" if len(told) != 1 else "was"
    negation = "" if state == ALARM else "not "
    return (
        f"Threshold Crossed: {len(told)} out of the last {len(recent)} datapoints [{values}] "
        f"{verb} {negation}{WORDS[condition.comparison]} the threshold ({condition.threshold}) "
        f"(minimum {condition.datapoints_to_alarm} datapoint"
        f"{'s' if condition.datapoints_to_alarm > 1 else ''} for OK -> ALARM transition)."
    )
