"""What a fleet is, as its owner declares it: the fleet parameter's schema."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from snaproll.domain.duration import Duration, format_duration
from snaproll.domain.probe import WHOLE, ProbePolicy
from snaproll.model import StrictValue, Value

FLEET_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
"""Lower-case letters, digits and inner hyphens, at most 40: it is a part of execution names."""

MAX_ALARMS = 10
"""Auto Scaling takes no more alarms for one refresh (API model ``AlarmSpecification``)."""
MAX_REFRESH_WAIT = timedelta(seconds=172_800)
"""Longest checkpoint delay and bake time of an instance refresh (``RefreshPreferences``)."""
BAKE_MARGIN = timedelta(minutes=10)
"""Added to the bake that AWS is asked for, so that the last assessment falls inside it."""
LEAST_GRACE = timedelta(minutes=1)
"""No instance is healthy at the moment it enters service: a target needs two checks at least."""
MAX_SPREAD = 100
"""Largest difference of maximum and minimum healthy percentage (``RefreshPreferences``)."""

FleetName = Annotated[str, StringConstraints(pattern=FLEET_NAME)]
_Owner = Annotated[str, StringConstraints(pattern=r"^(self|[0-9]{12})$")]
_KeyArn = Annotated[
    str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$")
]


class SnapshotSelection(StrictValue):
    """Which snapshots belong to the fleet, and which of them are fit in age and key."""

    tags: dict[str, str] = Field(
        min_length=1,
        max_length=20,
        description="Tags that a snapshot must carry, all of them, to be one of this fleet's.",
    )
    owners: list[_Owner] = Field(
        default=["self"],
        min_length=1,
        description='Accounts whose snapshots are considered: "self" or account numbers.',
    )
    kms_keys: list[_KeyArn] = Field(
        default=[],
        description="Key ARNs a snapshot may be encrypted with. Empty: any key that is usable.",
    )
    max_age: Duration | None = Field(
        default=None, description="Oldest data time a snapshot may have. Absent: any age."
    )


class Preset(StrEnum):
    """Settings of the refresh that belong together; what a fleet names itself goes before them."""

    CAUTIOUS = "cautious"
    """A small surge, four looks on the way, and a bake of two hours."""
    BALANCED = "balanced"
    FAST = "fast"
    """The whole new fleet beside the old one, and no pause on the way."""


PRESETS: Final[Mapping[Preset, Mapping[str, object]]] = {
    Preset.CAUTIOUS: {
        "min_healthy": 100,
        "max_healthy": 110,
        "warmup": "5m",
        "checkpoints": [5, 25, 50, 100],
        "checkpoint_wait": "20m",
        "bake": "2h",
    },
    Preset.BALANCED: {},
    Preset.FAST: {"max_healthy": 200, "warmup": "2m", "checkpoints": [], "bake": "15m"},
}
"""Where each preset differs from the defaults, which are ``balanced``."""


class RefreshPolicy(StrictValue):
    """How instances are replaced."""

    preset: Preset = Field(
        default=Preset.BALANCED,
        description="Where the values of the keys that are absent here come from.",
    )
    min_healthy: int = Field(
        default=100,
        ge=0,
        le=100,
        description="Percentage of the desired capacity that must stay healthy.",
    )
    max_healthy: int = Field(
        default=150,
        ge=100,
        le=200,
        description="Percentage of the desired capacity that may run while instances are replaced.",
    )
    warmup: Duration = Field(
        default=timedelta(minutes=5), description="Time from in service to counted as replaced."
    )
    checkpoints: list[Annotated[int, Field(ge=1, le=100)]] = Field(
        default=[10, 50, 100],
        description="Percentages of the fleet after which replacing pauses; the last is 100.",
    )
    checkpoint_wait: Duration = Field(
        default=timedelta(minutes=10), description="How long it pauses at each checkpoint."
    )
    bake: Duration = Field(
        default=timedelta(minutes=30),
        description="How long the whole fleet must stay healthy on a release before it is live.",
    )
    protected_instances: Literal["wait", "refresh"] = Field(
        default="wait",
        description=(
            "Instances protected from scale-in: wait starts nothing while there are any, refresh "
            "replaces them too. They cannot be left out: a release is live when all run it."
        ),
    )
    standby_instances: Literal["wait", "terminate", "ignore"] = Field(
        default="wait",
        description=(
            "Instances in standby: wait starts nothing while there are any, terminate replaces "
            "them, ignore leaves them as they are, with the data that they have."
        ),
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, content: Any) -> Any:
        """Fill in what is absent; a preset that does not exist is left to be refused."""
        if not isinstance(content, dict):
            return content
        try:
            preset = Preset(content["preset"])
        except (KeyError, ValueError):
            return content
        return {**PRESETS[preset], **content}

    @model_validator(mode="after")
    def _within_what_auto_scaling_takes(self) -> Self:
        if self.max_healthy - self.min_healthy > MAX_SPREAD:
            raise ValueError(
                f"max_healthy {self.max_healthy} minus min_healthy {self.min_healthy} "
                f"must be at most {MAX_SPREAD}"
            )
        if self.checkpoints != sorted(set(self.checkpoints)):
            raise ValueError(f"checkpoints {self.checkpoints} must be ascending, none twice")
        if self.checkpoints and self.checkpoints[-1] != 100:  # noqa: PLR2004 - a percentage
            raise ValueError(
                f"checkpoints {self.checkpoints} must end with 100, or the refresh stops there"
            )
        if self.checkpoint_wait > MAX_REFRESH_WAIT:
            raise ValueError("checkpoint_wait must be at most 2d")
        if self.bake > MAX_REFRESH_WAIT - BAKE_MARGIN:
            raise ValueError("bake must be at most 1d23h50m")
        return self

    def floor(self, capacity: int) -> int:
        """Smallest number of healthy instances allowed for a desired capacity."""
        return math.ceil(self.min_healthy * capacity / 100)

    def ceiling(self, capacity: int) -> int:
        """Largest number of instances there may be while a desired capacity of them is replaced.

        A maximum that leaves no room above the floor is exceeded by one (API model
        ``RefreshPreferences.MaxHealthyPercentage``).
        """
        return max(math.floor(self.max_healthy * capacity / 100), self.floor(capacity) + 1)


class HealthPolicy(StrictValue):
    """What counts as bad."""

    alarms: list[Annotated[str, StringConstraints(min_length=1, max_length=255)]] = Field(
        default=[],
        max_length=MAX_ALARMS,
        description="CloudWatch alarms whose ALARM state condemns a release that is being rolled.",
    )
    no_data: Literal["wait", "ignore", "bad"] = Field(
        default="wait",
        description=(
            "What an alarm without data (INSUFFICIENT_DATA) means: wait for it, for no_data_limit "
            "once instances are being replaced; ignore it; or bad, at once. Before a rollout wait "
            "and bad are alike: no refresh starts under such an alarm."
        ),
    )
    no_data_limit: Duration = Field(
        default=timedelta(minutes=30),
        description="How long a rollout waits for the data of an alarm before it is rolled back.",
    )
    unhealthy_grace: Duration = Field(
        default=timedelta(minutes=10),
        description="How long new instances may make no progress towards healthy.",
    )
    probe: ProbePolicy | None = Field(
        default=None,
        description=(
            "A function that is asked at each checkpoint and at the end of the bake whether the "
            "new instances serve the data well: docs/probe.md. Null: none is."
        ),
    )

    @field_validator("unhealthy_grace")
    @classmethod
    def _time_to_start(cls, grace: timedelta) -> timedelta:
        if grace < LEAST_GRACE:
            raise ValueError("unhealthy_grace must be at least 1m, or every good snapshot is bad")
        return grace

    @field_validator("alarms")
    @classmethod
    def _each_once(cls, alarms: list[str]) -> list[str]:
        if len(set(alarms)) != len(alarms):
            raise ValueError(f"alarms {alarms} must name each alarm once")
        return alarms


class FleetPolicy(StrictValue):
    """The JSON value of the parameter ``/snaproll/<environment>/fleets/<fleet>``."""

    auto_scaling_group: Annotated[str, StringConstraints(min_length=1, max_length=255)] = Field(
        description="Name of the Auto Scaling group."
    )
    data_device: Annotated[str, StringConstraints(pattern=r"^(/dev/)?(sd|xvd)[a-z0-9]{1,4}$")] = (
        Field(description="Device name in the launch template whose volume holds the data.")
    )
    snapshots: SnapshotSelection
    refresh: RefreshPolicy = Field(default_factory=RefreshPolicy)
    health: HealthPolicy = Field(default_factory=HealthPolicy)
    on_drift: Literal["alert", "heal"] = Field(
        default="alert",
        description=(
            "What to do when the group or an instance does not have the live snapshot: alert tells "
            "of it, heal rolls the live snapshot out again."
        ),
    )

    @model_validator(mode="after")
    def _time_for_the_probe(self) -> Self:
        probe, refresh = self.health.probe, self.refresh
        if probe is None:
            return self
        # The refresh's own look into a pause comes in its first half, if its event is lost.
        pauses = any(percent < WHOLE for percent in refresh.checkpoints)
        if pauses and refresh.checkpoint_wait < 2 * probe.longest:
            raise ValueError(
                f"checkpoint_wait must be at least {format_duration(2 * probe.longest)}: the "
                f"probe may take {format_duration(probe.longest)} with its tries, and is to "
                f"answer before the refresh goes on"
            )
        if self.bake_given_to_aws > MAX_REFRESH_WAIT:
            most = MAX_REFRESH_WAIT - BAKE_MARGIN - probe.longest
            raise ValueError(f"bake must be at most {format_duration(most)} with this probe")
        return self

    @property
    def bake_given_to_aws(self) -> timedelta:
        """The refresh's own bake time: ours, a margin for the last look, and the probe's time."""
        probe = self.health.probe
        return self.refresh.bake + BAKE_MARGIN + (probe.longest if probe else timedelta(0))


class Fleet(Value):
    """A fleet's name and its policy."""

    name: FleetName
    policy: FleetPolicy


def is_fleet_name(text: str) -> bool:
    """Whether a text can name a fleet."""
    return re.fullmatch(FLEET_NAME, text) is not None
