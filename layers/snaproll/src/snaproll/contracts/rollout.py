"""What every step after the plan knows of its rollout."""

from __future__ import annotations

from snaproll.contracts.values import PAYLOAD_VERSION, ExecutionArn, PayloadVersion, SnapshotId
from snaproll.domain.fleet import Fleet, FleetName, FleetPolicy
from snaproll.domain.ledger import Trigger
from snaproll.model import Instant, StrictValue


class Rollout(StrictValue):
    """What every step after the plan knows; ``fence`` is 0 until the fleet is claimed.

    The policy is the one in force when the rollout was planned: a change of the fleet's parameter
    takes effect with the next rollout, and no step has to read it again.
    """

    payload_version: PayloadVersion = PAYLOAD_VERSION
    fleet: FleetName
    policy: FleetPolicy
    snapshot: SnapshotId
    trigger: Trigger
    execution: ExecutionArn
    started_at: Instant
    planned_revision: int
    reason: str | None = None
    by_hand: str | None = None
    """The reason of a person for whom this is a repair: the snapshot may be older than the live
    one, and the fleet unhealthy."""
    goes_back: bool = False
    """Whether it is not newer than what is live; a hold is left behind then."""
    again: bool = False
    """Whether it is what is live already, rolled out again onto what the group's template is now:
    to heal drift, or because a person wants it. The data is proven; the template may not be."""
    no_rollback: str | None = None
    """The reason of a person who allowed that there be nothing to roll back to."""
    takes_over: int | None = None
    fence: int = 0

    @property
    def of_fleet(self) -> Fleet:
        """The fleet that the rollout is of."""
        return Fleet(name=self.fleet, policy=self.policy)

    @property
    def account(self) -> str:
        """The account, from the execution's ARN."""
        return self.execution.split(":")[4]


class StepRequest(StrictValue):
    """Request of the steps that need nothing but the rollout."""

    rollout: Rollout
