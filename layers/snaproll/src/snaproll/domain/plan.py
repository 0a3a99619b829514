"""What to do with a request for a rollout, before anything is claimed."""

from __future__ import annotations

from dataclasses import dataclass
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
    DRIFTED = "Drifted"
    """It is live by the ledger, and the fleet is something else."""


class Decision(Value):
    """Whether to go on, and why not; ``again`` tells that it goes on with what is live."""

    skip: SkipReason | None
    message: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class Serving:
    """How a fleet stands to a snapshot that it is said to serve.

    ``drift`` is how it differs, None when it does not; ``heals`` tells that the fleet's policy
    lets drift be healed; ``wanted`` that a person asked for what is live, to be rolled out again.
    """

    drift: str | None = None
    heals: bool = False
    wanted: bool = False


def decide(  # noqa: PLR0913 - each is one fact of the request
    fleet: str,
    state: FleetState,
    *,
    snapshot_id: str,
    snapshot: Snapshot | None,
    trigger: Trigger,
    execution: str,
    now: datetime,
    reason: str | None = None,
    serving: Serving | None = None,
) -> Decision:
    """Decide on a rollout of one snapshot.

    Whether the snapshot is fit is the gate's question: one that does not exist goes on, to be
    rejected there with a record. What is live is not rolled out again, unless a person wants it
    back, with a reason, from a rollout that is replacing it, or the fleet has drifted from it.
    ``serving`` is there when the snapshot is what the fleet serves.
    """
    if trigger is Trigger.SCALE_OUT:
        return _decide_on_staged(fleet, state, snapshot_id)
    kept = trigger is Trigger.PERSON and reason is not None and _is_being_replaced(state)
    automatic = trigger is not Trigger.PERSON
    again = serving is not None and not kept
    if serving is not None and again:
        settled = _settled(fleet, state, snapshot_id, serving, automatic=automatic)
        if settled is not None:
            return settled
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
    if automatic and not ours and not again and snapshot is not None:
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
    return Decision(
        skip=None, message=f"{snapshot_id} is to be rolled out to fleet {fleet}.", again=again
    )


def _settled(
    fleet: str, state: FleetState, snapshot_id: str, serving: Serving, *, automatic: bool
) -> Decision | None:
    """Why nothing is to be done about a snapshot that the fleet is said to serve, if nothing is."""
    if serving.wanted:
        return None
    if serving.drift is None:
        since = "" if state.live else ", and has been since before snaproll came"
        return Decision(
            skip=SkipReason.ALREADY_LIVE,
            message=f"{snapshot_id} is already live on fleet {fleet}{since}. Nothing to do.",
        )
    if automatic and not serving.heals:
        return Decision(
            skip=SkipReason.DRIFTED,
            message=(
                f"{snapshot_id} is live on fleet {fleet} by its ledger, and {serving.drift}. "
                f'Nothing was changed; {{"fleet": "{fleet}", "snapshot": "live"}} rolls it out '
                f"again."
            ),
        )
    return None


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
