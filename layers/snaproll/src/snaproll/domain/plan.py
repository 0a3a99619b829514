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
    ALREADY_STAGED = "AlreadyStaged"
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
    if trigger is Trigger.SCALE_OUT:
        return _decide_on_staged(fleet, state, snapshot_id)
    kept = trigger is Trigger.PERSON and reason is not None and _is_being_replaced(state)
    # What is live is not what a group saves on which another release is staged.
    kept = kept or state.staged is not None
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
    if automatic and state.is_staged(snapshot_id):
        return Decision(
            skip=SkipReason.ALREADY_STAGED,
            message=(
                f"{snapshot_id} is staged on fleet {fleet}, which had no instances. The first "
                f"scale-out is watched and proves it, or rolls it back."
            ),
        )
    ours = state.claim is not None and state.claim.execution == execution
    if automatic and not ours and snapshot is not None:
        newer = newer_live(state, snapshot)
        if newer is not None:
            return Decision(
                skip=SkipReason.SUPERSEDED,
                message=(
                    f"{snapshot_id} is older than the {'staged' if state.staged else 'live'} "
                    f"release of fleet {fleet} "
                    f"({state.saved.snapshot if state.saved else ''}, data of "
                    f"{newer.isoformat()}); automatic rollouts only move forward."
                ),
            )
    return Decision(skip=None, message=f"{snapshot_id} is to be rolled out to fleet {fleet}.")


def _is_being_replaced(state: FleetState) -> bool:
    claim, live = state.claim, state.live
    return claim is not None and live is not None and claim.snapshot != live.snapshot


def _decide_on_staged(fleet: str, state: FleetState, snapshot_id: str) -> Decision:
    """Instances run it, or are about to: neither a hold nor newer data keeps it unwatched."""
    if state.is_staged(snapshot_id):
        message = f"The first instances of {snapshot_id} on fleet {fleet} are to be watched."
        return Decision(skip=None, message=message)
    return Decision(
        skip=SkipReason.SUPERSEDED,
        message=f"{snapshot_id} is not staged on fleet {fleet} any more. Nothing to watch.",
    )


def newer_live(state: FleetState, snapshot: Snapshot) -> datetime | None:
    """The data time of what is staged, else live, when it is at or past the snapshot's."""
    at = data_time(snapshot).at
    head = state.live if state.is_staged(snapshot.id) else state.saved
    since = head.data_time if head else None
    return since if at is not None and since is not None and at <= since else None
