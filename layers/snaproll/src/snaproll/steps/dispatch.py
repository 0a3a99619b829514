"""From the event of a completed snapshot to one execution per fleet that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable

from snaproll.aws.fleets import Unreadable
from snaproll.contracts import ConfigurationEvent, Dispatched, SnapshotEvent
from snaproll.domain.claims import execution_name
from snaproll.domain.fleet import Fleet
from snaproll.domain.ledger import Trigger
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
        for fleet in fleets_of(snapshot, fleets, event.account):
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


def readable_fleets(runtime: Runtime) -> list[Fleet]:
    """Every fleet of the environment.

    A fleet whose parameter cannot be read is reported, once a day at most, and does not stand in
    the others' way.
    """
    found, today = [], runtime.now().date().isoformat()
    for fleet in runtime.fleets.all():
        if isinstance(fleet, Fleet):
            found.append(fleet)
        else:
            runtime.logger.error(fleet.problem, extra={"fleet": fleet.fleet})
            if runtime.ledger.is_news(fleet.fleet, f"{today}: {fleet.problem}"):
                _report(fleet, runtime)
    return found


def _report(fleet: Unreadable, runtime: Runtime) -> None:
    runtime.announcements.publish(
        "Fleet Configuration Invalid",
        ConfigurationEvent(
            environment=runtime.settings.environment, fleet=fleet.fleet, message=fleet.problem
        ),
    )


def fleets_of(snapshot: Snapshot, fleets: Iterable[Fleet], account: str) -> list[Fleet]:
    """Those fleets whose rule selects a snapshot; ``account`` is what they call ``self``."""
    return [fleet for fleet in fleets if _belongs(snapshot, fleet, account)]


def _belongs(snapshot: Snapshot, fleet: Fleet, account: str) -> bool:
    rule = fleet.policy.snapshots
    owners = {account if owner == "self" else owner for owner in rule.owners}
    return snapshot.owner in owners and matches(snapshot, rule.tags)
