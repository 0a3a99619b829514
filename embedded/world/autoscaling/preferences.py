"""The preferences of an instance refresh: their ranges, their defaults, their contradictions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from embedded.world.autoscaling.pacing import PERCENT
from embedded.world.autoscaling.requests import invalid, refuse_unmodelled
from embedded.world.service import Params, Reply
from embedded.world.values import copied

DEFAULT_MINIMUM_PERCENT = 90
DEFAULT_CHECKPOINT_DELAY_SECONDS = 3600
LONGEST_WAIT_SECONDS = 172_800
"""The largest CheckpointDelay and BakeTime."""
MOST_ALARMS = 10
WIDEST_SPAN_PERCENT = 100

_CHOICES = {
    "ScaleInProtectedInstances": ("Refresh", "Ignore", "Wait"),
    "StandbyInstances": ("Terminate", "Ignore", "Wait"),
}
_RANGES = {
    "MinHealthyPercentage": (0, 100),
    "MaxHealthyPercentage": (100, 200),
    "InstanceWarmup": (0, None),
    "CheckpointDelay": (0, LONGEST_WAIT_SECONDS),
    "BakeTime": (0, LONGEST_WAIT_SECONDS),
}
_MEMBERS = (
    *_RANGES,
    *_CHOICES,
    "CheckpointPercentages",
    "SkipMatching",
    "AutoRollback",
    "AlarmSpecification",
)


@dataclass(frozen=True)
class Preferences:
    """What botocore's ``RefreshPreferences`` says, with the API's defaults filled in.

    The defaults are those of the API; the console's differ (user guide, "Understand the default
    values for an instance refresh").
    """

    minimum_percent: int
    maximum_percent: int | None
    """None is not 100: see ``pacing.Bounds``."""
    warmup: timedelta
    checkpoints: tuple[int, ...]
    checkpoint_delay: timedelta
    skip_matching: bool
    auto_rollback: bool
    protected: str
    standby: str
    alarms: tuple[str, ...]
    bake: timedelta

    def describe(self) -> Reply:
        """The preferences as DescribeInstanceRefreshes gives them back."""
        shape: Reply = {
            "MinHealthyPercentage": self.minimum_percent,
            "InstanceWarmup": int(self.warmup.total_seconds()),
            "SkipMatching": self.skip_matching,
            "AutoRollback": self.auto_rollback,
            "ScaleInProtectedInstances": self.protected,
            "StandbyInstances": self.standby,
            "BakeTime": int(self.bake.total_seconds()),
        }
        if self.maximum_percent is not None:
            shape["MaxHealthyPercentage"] = self.maximum_percent
        if self.checkpoints:
            shape["CheckpointPercentages"] = list(self.checkpoints)
            shape["CheckpointDelay"] = int(self.checkpoint_delay.total_seconds())
        if self.alarms:
            shape["AlarmSpecification"] = {"Alarms": list(self.alarms)}
        return shape


def requested_preferences(given: Params, *, default_warmup_seconds: int) -> Preferences:
    """The preferences of a StartInstanceRefresh.

    Parameters
    ----------
    given
        The request's ``Preferences``.
    default_warmup_seconds
        The group's DefaultInstanceWarmup, else its HealthCheckGracePeriod.

    Raises
    ------
    AwsError
        ``ValidationError`` for what botocore's RefreshPreferences rules out.
    """
    refuse_unmodelled("StartInstanceRefresh", given, _MEMBERS)
    given = copied(given)
    _check_ranges(given)
    _check_healthy_percentages(given)
    _check_checkpoints(given)
    alarms = tuple(given.get("AlarmSpecification", {}).get("Alarms", ()))
    if len(alarms) > MOST_ALARMS:
        raise invalid(f"You can specify up to {MOST_ALARMS} alarms in AlarmSpecification.")
    return Preferences(
        minimum_percent=given.get("MinHealthyPercentage", DEFAULT_MINIMUM_PERCENT),
        maximum_percent=given.get("MaxHealthyPercentage"),
        warmup=timedelta(seconds=given.get("InstanceWarmup", default_warmup_seconds)),
        checkpoints=tuple(given.get("CheckpointPercentages", ())),
        checkpoint_delay=timedelta(
            seconds=given.get("CheckpointDelay", DEFAULT_CHECKPOINT_DELAY_SECONDS)
        ),
        skip_matching=given.get("SkipMatching", False),
        auto_rollback=given.get("AutoRollback", False),
        protected=given.get("ScaleInProtectedInstances", "Wait"),
        standby=given.get("StandbyInstances", "Wait"),
        alarms=alarms,
        bake=timedelta(seconds=given.get("BakeTime", 0)),
    )


def _check_ranges(given: Params) -> None:
    for name, (lowest, highest) in _RANGES.items():
        value = given.get(name)
        if value is None:
            continue
        if value < lowest or (highest is not None and value > highest):
            allowed = f"from {lowest} to {highest}" if highest is not None else f"{lowest} or more"
            raise invalid(f"{name} must be {allowed}, not {value}.")
    for name, choices in _CHOICES.items():
        if given.get(name, choices[0]) not in choices:
            raise invalid(f"{name} must be one of {', '.join(choices)}.")


def _check_healthy_percentages(given: Params) -> None:
    maximum = given.get("MaxHealthyPercentage")
    if maximum is None:
        return
    minimum = given.get("MinHealthyPercentage")
    if minimum is None:
        raise invalid("MinHealthyPercentage must be specified with MaxHealthyPercentage.")
    if maximum - minimum > WIDEST_SPAN_PERCENT:
        raise invalid(
            "The difference between MaxHealthyPercentage and MinHealthyPercentage "
            f"cannot be greater than {WIDEST_SPAN_PERCENT}."
        )


def _check_checkpoints(given: Params) -> None:
    percentages = given.get("CheckpointPercentages")
    if not percentages:
        if "CheckpointDelay" in given:
            raise invalid("CheckpointPercentages must be specified with CheckpointDelay.")
        return
    if not (min(percentages) >= 1 and max(percentages) <= PERCENT):
        raise invalid("CheckpointPercentages must be numbers from 1 to 100.")
    if list(percentages) != sorted(set(percentages)):
        raise invalid("CheckpointPercentages must be unique and in ascending order.")
