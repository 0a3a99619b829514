"""From the event of a completed snapshot to one execution per fleet that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from snaproll.contracts.events import Dispatched, SnapshotEvent
from snaproll.domain.claims import execution_name
from snaproll.domain.fleet import Fleet
from snaproll.domain.ledger import Trigger
from snaproll.domain.snapshot import Snapshot, matches
from snaproll.errors import NotYetVisibleError
from snaproll.runtime import Runtime
from snaproll.steps.index import present, readable_fleets

FIRST_ATTEMPT = 1
"""Dispatch never uses another: a late duplicate of an event then starts nothing."""


def dispatch_snapshot(notice: SnapshotEvent, runtime: Runtime) -> Dispatched:
    """Start a rollout for each fleet that a completed snapshot belongs to.

    Raises
    ------
    NotYetVisibleError
        When EC2 does not show one of them yet, after the others were started; Lambda invokes the
        function again.
    """
    event = notice.root
    fleets = readable_fleets(runtime)
    started: list[str] = []
    known: list[str] = []
    unseen: list[str] = []
    for snapshot_id in event.snapshot_ids:
        snapshot = runtime.snapshots.get(snapshot_id)
        if snapshot is None:
            unseen.append(snapshot_id)
            continue
        for fleet in fleets_that_select(snapshot, fleets, event.account, runtime):
            name = execution_name(fleet.name, snapshot.id, FIRST_ATTEMPT)
            content = {
                "fleet": fleet.name,
                "snapshot": snapshot.id,
                "trigger": Trigger.SNAPSHOT.value,
            }
            fresh = runtime.executions.start(runtime.settings.rollout_machine, name, content)
            (started if fresh else known).append(name)
    if unseen:
        raise NotYetVisibleError(
            f"{', '.join(unseen)} completed and cannot be seen yet in account {event.account}."
        )
    return Dispatched(started=started, already_known=known)


def fleets_that_select(
    snapshot: Snapshot, fleets: Iterable[Fleet], account: str, runtime: Runtime
) -> list[Fleet]:
    """Those fleets whose rule selects a snapshot; ``account`` is what they call ``self``.

    The index may be behind: what it finds is asked of the fleet's own parameter once more.
    """
    found = (fleet for fleet in fleets if _belongs(snapshot, fleet, account))
    now = (present(fleet.name, runtime) for fleet in found)
    return [fleet for fleet in now if fleet is not None and _belongs(snapshot, fleet, account)]


def _belongs(snapshot: Snapshot, fleet: Fleet, account: str) -> bool:
    rule = fleet.policy.snapshots
    owners = {account if owner == "self" else owner for owner in rule.owners}
    return snapshot.owner in owners and matches(snapshot, rule.tags)
