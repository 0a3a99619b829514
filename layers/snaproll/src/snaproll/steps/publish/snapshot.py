"""Taking a snapshot of a writer's volume, once, and waiting until it is whole."""

from __future__ import annotations

from datetime import datetime, timedelta

from snaproll.contracts.publish.events import SnapshotEnded
from snaproll.contracts.publish.steps import (
    AwaitSnapshotRequest,
    InspectSnapshotRequest,
    Publish,
    SnapshotBegun,
    SnapshotInspected,
    TakeSnapshotRequest,
)
from snaproll.contracts.values import Recorded
from snaproll.domain.duration import format_duration
from snaproll.domain.publishes import PublishClaim, PublishMode, PublishOutcome, WriterState
from snaproll.domain.publishing import cut, noted, settled
from snaproll.domain.snapshot import Snapshot
from snaproll.domain.tags import DATA_TIME
from snaproll.errors import (
    AccessDeniedError,
    NotYetVisibleError,
    ThrottledError,
    WriterNotQuiescedError,
)
from snaproll.runtime import Runtime
from snaproll.steps.publish.claim import proven
from snaproll.steps.publish.inspect import own_tags

HOOK_MARGIN = timedelta(seconds=10)
"""The writer has to stand still for so much longer than the moment of the call."""
_SHORTEST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=15)


def take_snapshot(request: TakeSnapshotRequest, runtime: Runtime) -> SnapshotBegun:
    """Begin the snapshot, or find the one that an earlier try of this publish has begun.

    CreateSnapshot takes no token that would make a second call harmless. So the moment of the call
    is written down before it; a later try looks for a snapshot with this publish's tag first, and
    until EC2 is sure to list one that was made, it makes no other.

    Raises
    ------
    ClaimLostError
        The publish lost its claim.
    WriterNotQuiescedError
        The time for which the hook holds the writer is over.
    SnapshotRefusedError
        EC2 takes no snapshot of this volume.
    NotYetVisibleError
        An earlier try may have made one that EC2 does not list yet.
    """
    publish = request.publish
    claim = proven(publish, runtime.writer_ledger.state(publish.writer))
    if claim.snapshot is not None:
        return _begun(publish, claim.snapshot)
    made = runtime.snapshots.made_by(publish.id, request.volume) if claim.cut_at else []
    if made:
        return _noted(publish, made[0].id, runtime)
    now = runtime.now()
    if not settled(claim, now):
        raise NotYetVisibleError(
            f"A snapshot of {request.volume} may have been begun at {claim.cut_at}, and EC2 does "
            f"not list it yet."
        )
    if claim.hook_until is not None and now + HOOK_MARGIN >= claim.hook_until:
        raise WriterNotQuiescedError(
            f"The time for which writer {publish.writer} stands still is over, and its snapshot "
            f"has not begun"
        )
    after = runtime.writer_ledger.change(
        publish.writer, lambda state: cut(state, proven(publish, state), now)
    )
    claim = proven(publish, after)
    tags = _tags(request, claim, now, runtime)
    description = f"Data of {publish.writer}, published by snaproll ({publish.id})"
    try:
        made_now = runtime.snapshot_making.create(request.volume, description, tags)
    except (ThrottledError, AccessDeniedError):
        # EC2 itself said that it made none: the next try need not wait for one to show.
        runtime.writer_ledger.change(
            publish.writer, lambda state: noted(state, proven(publish, state), cut_at=None)
        )
        raise
    return _noted(publish, made_now, runtime)


def _tags(
    request: TakeSnapshotRequest, claim: PublishClaim, now: datetime, runtime: Runtime
) -> dict[str, str]:
    """Every tag of the snapshot: the only place where they are put together."""
    wish, publish = claim.wish, request.publish
    selectors = request.tags if wish.mode is PublishMode.PUBLISH else {}
    return {
        **selectors,
        **own_tags(publish, runtime.settings.environment, wish.mode),
        DATA_TIME: (wish.data_time or now).isoformat(),
    }


def _noted(publish: Publish, snapshot: str, runtime: Runtime) -> SnapshotBegun:
    runtime.writer_ledger.change(
        publish.writer,
        lambda state: noted(state, proven(publish, state), snapshot=snapshot),
    )
    return _begun(publish, snapshot)


def _begun(publish: Publish, snapshot: str) -> SnapshotBegun:
    return SnapshotBegun(
        message=f"{snapshot} of writer {publish.writer} has begun.", snapshot=snapshot
    )


# -- waiting --------------------------------------------------------------------------------------


def inspect_snapshot(request: InspectSnapshotRequest, runtime: Runtime) -> SnapshotInspected:
    """Look how the snapshot is.

    Raises
    ------
    ClaimLostError
        The publish lost its claim.
    NotYetVisibleError
        EC2 does not show it yet.
    """
    publish = request.publish
    claim = proven(publish, runtime.writer_ledger.state(publish.writer))
    snapshot = runtime.snapshots.get(request.snapshot)
    now, begun = runtime.now(), claim.cut_at or publish.started_at
    if snapshot is None:
        if not settled(claim, now):
            raise NotYetVisibleError(f"{request.snapshot} was just begun and cannot be seen yet.")
        return _over(
            f"{request.snapshot} is gone: somebody deleted it", PublishOutcome.SNAPSHOT_FAILED
        )
    if snapshot.state == "completed":
        return _completed(snapshot, claim)
    if snapshot.state != "pending":
        why = snapshot.state_message or "EC2 does not say why"
        return _over(
            f'{snapshot.id} ended in the state "{snapshot.state}": {why}',
            PublishOutcome.SNAPSHOT_FAILED,
        )
    limit = publish.policy.complete_within
    if now - begun >= limit:
        return _over(
            f"{snapshot.id} is still pending after {format_duration(limit)}, the writer's "
            f"complete_within",
            PublishOutcome.SNAPSHOT_FAILED,
        )
    # The longer it took, the longer it will take: looks become rarer as it goes on.
    wait = min(max(_SHORTEST_WAIT, (now - begun) / 2), LONGEST_WAIT, begun + limit - now)
    return SnapshotInspected(
        message=f"{snapshot.id} is pending.",
        outcome=None,
        wait_seconds=max(1, round(wait.total_seconds())),
    )


def _completed(snapshot: Snapshot, claim: PublishClaim) -> SnapshotInspected:
    if not snapshot.encrypted:
        return _over(
            f"{snapshot.id} is not encrypted although its volume was",
            PublishOutcome.SNAPSHOT_FAILED,
        )
    if claim.wish.mode is PublishMode.SNAPSHOT_ONLY:
        return _over(f"{snapshot.id} completed", PublishOutcome.SNAPSHOT_TAKEN)
    return _over(f"{snapshot.id} completed", PublishOutcome.PUBLISHED)


def _over(message: str, outcome: PublishOutcome) -> SnapshotInspected:
    return SnapshotInspected(message=f"{message}.", outcome=outcome, wait_seconds=0)


def await_snapshot(request: AwaitSnapshotRequest, runtime: Runtime) -> Recorded:
    """Leave the task token where the snapshot's event finds it; wake at once if that has passed.

    Raises
    ------
    ClaimLostError
        The publish lost its claim.
    """
    publish = request.publish

    def transition(state: WriterState) -> WriterState:
        proven(publish, state)
        return state.model_copy(update={"waiting": request.token})

    runtime.writer_ledger.change(publish.writer, transition)
    # The event may have come between the last look and the token.
    snapshot = runtime.snapshots.get(request.snapshot)
    if snapshot is not None and snapshot.state == "pending":
        return Recorded(message="waiting")
    runtime.executions.wake(request.token, {"woken_by": "a look after the token was left"})
    return Recorded(message="woken at once")


def signal_publish(event: SnapshotEnded, runtime: Runtime) -> Recorded:
    """Wake the publish whose snapshot ended; without one this is a single cheap read."""
    woken = [
        writer
        for writer in runtime.writer_ledger.publishing()
        if _wake(writer, event.snapshot, runtime)
    ]
    return Recorded(message=f"woke {', '.join(woken)}" if woken else "nobody to wake")


def _wake(writer: str, snapshot: str | None, runtime: Runtime) -> bool:
    state = runtime.writer_ledger.state(writer)
    claim = state.claim
    if claim is None or claim.snapshot != snapshot or state.waiting is None:
        return False
    # The token stays where it is: a signal that is repeated finds nobody waiting any more.
    return runtime.executions.wake(state.waiting, {"woken_by": f"the event of {snapshot}"})
