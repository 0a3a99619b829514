"""From the event of a completed snapshot to one execution per fleet that it belongs to."""

from __future__ import annotations

from snaproll.contracts import ConfigurationEvent, Dispatched, SnapshotEvent
from snaproll.domain.fleet import Fleet
from snaproll.domain.ledger import Trigger, execution_name
from snaproll.domain.snapshot import Snapshot, matches
from snaproll.errors import NotYetVisibleError
from snaproll.runtime import Runtime

FIRST_ATTEMPT = 1
"""Dispatch never uses another: a late duplicate of an event then starts nothing."""


def dispatch_snapshot(notice: SnapshotEvent, runtime: Runtime) -> Dispatched:
    """Start a rollout for each fleet that a completed snapshot belongs to.

    Raises
    ------
    NotYetVisibleError
        When EC2 does not show the snapshot yet; Lambda invokes the function again.
    """
    event = notice.root
    started: list[str] = []
    known: list[str] = []
    for snapshot_id in event.snapshot_ids:
        snapshot = runtime.snapshots.get(snapshot_id)
        if snapshot is None:
            raise NotYetVisibleError(
                f"{snapshot_id} completed and cannot be seen yet in account {event.account}."
            )
        for fleet in fleets_of(snapshot, event.account, runtime):
            name = execution_name(fleet.name, snapshot.id, FIRST_ATTEMPT)
            content = {
                "fleet": fleet.name,
                "snapshot": snapshot.id,
                "trigger": Trigger.SNAPSHOT.value,
            }
            fresh = runtime.executions.start(runtime.settings.rollout_machine, name, content)
            (started if fresh else known).append(name)
    return Dispatched(started=started, already_known=known)


def fleets_of(snapshot: Snapshot, account: str, runtime: Runtime) -> list[Fleet]:
    """The fleets whose rule selects a snapshot.

    A fleet whose parameter cannot be read is reported and does not stand in the others' way.
    """
    found = []
    for fleet in runtime.fleets.all():
        if not isinstance(fleet, Fleet):
            runtime.logger.error(fleet.problem, extra={"fleet": fleet.fleet})
            runtime.announcements.publish(
                "Fleet Configuration Invalid",
                ConfigurationEvent(
                    environment=runtime.settings.environment,
                    fleet=fleet.fleet,
                    message=fleet.problem,
                ),
            )
        elif _belongs(snapshot, fleet, account):
            found.append(fleet)
    return found


def _belongs(snapshot: Snapshot, fleet: Fleet, account: str) -> bool:
    rule = fleet.policy.snapshots
    owners = {account if owner == "self" else owner for owner in rule.owners}
    return snapshot.owner in owners and matches(snapshot, rule.tags)
