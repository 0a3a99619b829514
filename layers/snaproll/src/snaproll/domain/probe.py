"""When a fleet's probe is asked, how often, and what is remembered of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from snaproll.domain.duration import Duration
from snaproll.domain.group import Refresh, RefreshStatus
from snaproll.domain.probe_contract import (
    Heard,
    Moment,
    Occasion,
    ProbeVerdict,
    understand,
)
from snaproll.model import Instant, StrictValue, Value

FIRST_BACK_OFF = timedelta(seconds=30)
"""Between the first inconclusive answer and the second question; it doubles each time."""
LONGEST_BACK_OFF = timedelta(minutes=5)
LONGEST_TIMEOUT = timedelta(minutes=15)
"""No function runs longer (Lambda developer guide, "Lambda quotas")."""
WHOLE = 100
"""Percent."""


class ProbePolicy(StrictValue):
    """A function of the fleet's owner that tests new instances."""

    function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        description=(
            "Name of a Lambda function in the same account and Region. It begins with "
            "snaproll-probe-<environment>-, unless the control plane has another prefix."
        )
    )
    timeout: Duration = Field(
        default=timedelta(minutes=1), description="How long one answer may take, 15m at most."
    )
    tries: int = Field(
        default=3,
        ge=1,
        le=10,
        description="How often it is asked at one moment before an inconclusive answer is bad.",
    )

    @model_validator(mode="after")
    def _within_what_lambda_runs(self) -> Self:
        if not timedelta(seconds=1) <= self.timeout <= LONGEST_TIMEOUT:
            raise ValueError("timeout must be from 1s to 15m")
        return self

    @property
    def longest(self) -> timedelta:
        """How long it may take to get a verdict at one moment: every try, and the pauses."""
        pauses = (back_off(number) for number in range(1, self.tries))
        return self.tries * self.timeout + sum(pauses, timedelta(0))


def back_off(tries: int) -> timedelta:
    """How long to wait after so many inconclusive answers in a row."""
    doubled = min(max(tries - 1, 0), 10)
    return min(LONGEST_BACK_OFF, FIRST_BACK_OFF * (1 << doubled))


class Probing(Value):
    """What is remembered of a probe; a rollout that is taken over begins anew.

    ``passed`` is the percentage of the highest checkpoint that it passed; that one and those below
    are not asked about again, even if a scale-out makes the refresh reach them once more.
    ``asked`` is the moment of the last inconclusive answer, with the number of ``tries`` there,
    and ``again_at`` when the next is due. ``said`` is the last reason.
    """

    passed: int = Field(default=0, ge=0, le=WHOLE)
    passed_bake: bool = False
    failed: bool = False
    asked: Moment | None = None
    tries: int = Field(default=0, ge=0, le=1_000)
    again_at: Instant | None = None
    said: str = ""

    def tries_at(self, moment: Moment) -> int:
        """How many inconclusive answers this moment has had."""
        return self.tries if self.asked == moment else 0


def due(
    checkpoints: Sequence[int], probing: Probing, refresh: Refresh | None, *, baked: bool
) -> Moment | None:
    """The moment to ask about now; only the last one when several have come.

    ``baked`` tells whether the fleet has baked long enough. When Auto Scaling reports success
    first, that is the end of the bake as well.
    """
    if baked or refresh is None or refresh.status is RefreshStatus.SUCCESSFUL:
        last = Moment(occasion=Occasion.END_OF_BAKE, percentage=WHOLE)
        return None if probing.passed_bake else last
    done = WHOLE if refresh.status is RefreshStatus.BAKING else refresh.percentage
    reached = max((percent for percent in checkpoints if percent <= done), default=0)
    if reached <= probing.passed:
        return None
    return Moment(occasion=Occasion.CHECKPOINT, percentage=reached)


def hear(probing: Probing, heard: Heard, policy: ProbePolicy, now: datetime) -> Probing:
    """What is known after an answer, or after none came."""
    answer = understand(heard, policy.function)
    change: dict[str, Any]
    match answer.verdict:
        case ProbeVerdict.PASS if heard.moment.occasion is Occasion.END_OF_BAKE:
            change = {"passed_bake": True, "said": answer.reason}
        case ProbeVerdict.PASS:
            passed = max(probing.passed, heard.moment.percentage)
            change = {"passed": passed, "said": answer.reason}
        case ProbeVerdict.FAIL:
            change = {"failed": True, "asked": heard.moment, "said": answer.reason}
        case ProbeVerdict.INCONCLUSIVE:
            tries = probing.tries_at(heard.moment) + 1
            change = {
                "asked": heard.moment,
                "tries": tries,
                "again_at": now + back_off(tries),
                "said": answer.reason,
            }
    return Probing(passed=probing.passed, passed_bake=probing.passed_bake).model_copy(update=change)
