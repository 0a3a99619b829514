"""How a rollout sleeps, and what wakes it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from snaproll.contracts.rollout import Rollout
from snaproll.contracts.values import FromAws
from snaproll.domain.ledger import Seen
from snaproll.model import StrictValue


class SignalEvent(FromAws):
    """``SignalRollout``: an event of Auto Scaling or CloudWatch that may concern a rollout."""

    source: Literal["aws.autoscaling", "aws.cloudwatch"]
    detail_type: str = Field(alias="detail-type")
    detail: dict[str, Any]

    @property
    def group(self) -> str | None:
        """The group of an event of Auto Scaling (user guide, "Refresh events")."""
        name = self.detail.get("AutoScalingGroupName")
        return name if self.source == "aws.autoscaling" and isinstance(name, str) else None

    @property
    def launches(self) -> bool:
        """Whether a group launched an instance, or tried to ("Launch events", the same guide)."""
        return self.detail_type.startswith("EC2 Instance Launch ")

    @property
    def alarm(self) -> str | None:
        """The alarm of a state change event (CloudWatch user guide, "Alarm events")."""
        name = self.detail.get("alarmName")
        return name if self.source == "aws.cloudwatch" and isinstance(name, str) else None


class WaitRequest(StrictValue):
    """``AwaitSignal``: the token to be woken by, and what the last look knew of the signals."""

    rollout: Rollout
    token: str = Field(min_length=1)
    seen: Seen
