"""What to do with a request for a rollout, before anything is claimed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from snaproll.domain.ledger import FleetState, Trigger
from snaproll.domain.snapshot import Snapshot, data_time
from snaproll.model import Value


class SkipReason(StrEnum):
    """Why nothing is to be done."""

    ALREADY_LIVE = "AlreadyLive"
    HELD = "Held"
    SUPERSEDED = "Superseded"
    QUEUED = "Queued"
    STOPPED = "Stopped"
    NO_FLEET = "NoFleet"


class Decision(Value):
    """Whether to go on, and why not."""

    skip: SkipReason | None
    message: str


def decide(
    fleet: str,
    state: FleetState,
    *,
    snapshot_id: str,
    snapshot: Snapshot | None,
    trigger: Trigger,
    execution: str,
    now: datetime,
    reason: str | None = None,
) -> Decision:
    """Decide on a rollout of one snapshot.

    Whether the snapshot is fit is the gate's question: one that does not exist goes on, to be
    rejected there with a record. What is live is not rolled out again, unless a person wants it
    back, with a reason, from a rollout that is replacing it.
    """
    kept = trigger is Trigger.PERSON and reason is not None and _is_being_replaced(state)
    if state.live is not None and state.live.snapshot == snapshot_id and not kept:
        return Decision(
            skip=SkipReason.ALREADY_LIVE,
            message=f"{snapshot_id} is already live on fleet {fleet}. Nothing to do.",
        )
    automatic = trigger is not Trigger.PERSON
    if automatic and state.hold is not None and state.hold.stands(now):
        hold = state.hold
        return Decision(
            skip=SkipReason.HELD,
            message=(
                f"Fleet {fleet} is held by {hold.by} since {hold.since.isoformat()}: "
                f"{hold.reason} No automatic rollout starts."
            ),
        )
    ours = state.claim is not None and state.claim.execution == execution
    if automatic and not ours and snapshot is not None:
        newer = newer_live(state, snapshot)
        if newer is not None:
            return Decision(
                skip=SkipReason.SUPERSEDED,
                message=(
                    f"{snapshot_id} is older than the live release of fleet {fleet} "
                    f"({state.live.snapshot if state.live else ''}, data of {newer.isoformat()}); "
                    f"automatic rollouts only move forward."
                ),
            )
    return Decision(skip=None, message=f"{snapshot_id} is to be rolled out to fleet {fleet}.")


def _is_being_replaced(state: FleetState) -> bool:
    claim, live = state.claim, state.live
    return claim is not None and live is not None and claim.snapshot != live.snapshot


def newer_live(state: FleetState, snapshot: Snapshot) -> datetime | None:
    """The live release's data time when it is at or past the snapshot's, else None."""
    at = data_time(snapshot).at
    live = state.live.data_time if state.live else None
    return live if at is not None and live is not None and at <= live else None
