"""What must hold when everything has come to rest: the fleet is what the outcomes say it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from embedded.world.behaviour import Scenario
from tests.simulation.invariants import Violation, ViolationError
from tests.simulation.observer import Observer
from tests.simulation.oracle import true_since, unfit_because
from tests.simulation.schedule import Schedule

_COMPARISON = timedelta(minutes=16)
"""A little more than the time between two scheduled comparisons."""


def check_quiescence(seen: Observer, schedule: Schedule, snapshots: Iterable[str]) -> None:
    """Check a fleet that has not been rolled for a while.

    Parameters
    ----------
    snapshots
        Those that the schedule completed.

    Raises
    ------
    ViolationError
        When the fleet is not what the rollouts' outcomes say.
    """
    found = chain(
        _nothing_was_dropped(seen),
        _fleet_serves(seen),
        _newest_is_live(seen, snapshots),
        _calm_is_live(seen, schedule),
    )
    for violation in found:
        raise ViolationError(violation)


def _nothing_was_dropped(seen: Observer) -> Iterator[Violation]:
    world = seen.scene.world
    for lost in world.events.lost:
        what = f"{lost.rule_name} lost an event: {lost.error_code}: {lost.error_message}"
        yield Violation("I7", what)
    for dropped in world.awslambda.dropped:
        error = dropped.invocation.error if dropped.invocation else None
        yield Violation(
            "I7",
            f"{dropped.function} failed every try of an event: {dropped.condition}",
            {"error": f"{error.error_type}: {error.error_message}" if error else None},
        )


def _fleet_serves(seen: Observer) -> Iterator[Violation]:
    scene, live = seen.scene, seen.live
    group = scene.group
    if "claim" in seen.ledger:
        yield Violation("I10", "the claim outlived every rollout", dict(seen.ledger["claim"]))
    for waiting in ("queued", "successor"):
        if waiting in seen.ledger and "hold" not in seen.ledger:
            what = f"a snapshot is {waiting} for the fleet and no rollout runs"
            yield Violation("I7", what, dict(seen.ledger[waiting]))
    if group.refresh is not None:
        what = f"no rollout runs and the refresh {group.refresh.id} is {group.refresh.status}"
        yield Violation("end", what)
    if "hold" in seen.ledger:
        return  # a person was called, because the fleet cannot be left whole
    serving = scene.serving()
    if set(serving) - {live.snapshot}:
        yield Violation("end", f"{live.snapshot} is live and the fleet serves {serving}")
    snapshot = scene.world.ec2.snapshot(live.snapshot)
    if snapshot is None or snapshot.scenario is not Scenario.HEALTHY:
        return  # what became live soured afterwards: instances come and go for ever
    healthy = sum(scene.healthy(one) for one in scene.in_service())
    if healthy != group.desired:
        yield Violation(
            "end", f"{healthy} of {group.desired} instances are healthy", {"serving": serving}
        )


def _newest_is_live(seen: Observer, snapshots: Iterable[str]) -> Iterator[Violation]:
    """I7: what is fit and newer is live, or there is a reason in the ledger."""
    scene, trouble = seen.scene, seen.ledger.get("trouble")
    if "hold" in seen.ledger:
        return
    if trouble and datetime.fromisoformat(trouble["retry_after"]) > scene.now - _COMPARISON:
        return
    dated = []
    for name in snapshots:
        snapshot = scene.world.ec2.snapshot(name)
        since = true_since(snapshot) if snapshot else None
        # Only of what nobody recorded a word can it be said that it was lost.
        if since is not None and not scene.quarantined(name):
            dated.append((since, name))
    if not dated:
        return
    _, newest = max(dated)
    if newest == seen.live.snapshot or newest in {one["snapshot"] for one in scene.records()}:
        return
    if not unfit_because(scene, seen.setup, newest, seen.live.snapshot):
        yield Violation("I7", f"{newest} is newest and fit, and nothing tells why it is not live")


def _calm_is_live(seen: Observer, schedule: Schedule) -> Iterator[Violation]:
    """A fit snapshot that nothing speaks against becomes live, whatever dies on the way."""
    if not schedule.calm:
        return
    for rollout in seen.rollouts.values():
        if rollout.execution.error in ("FleetNotReady", "RolledBack", "NeedsAttention"):
            yield Violation(
                "I7",
                f"nothing was wrong and {rollout.name} ended as {rollout.execution.error}",
                {"cause": rollout.execution.cause},
            )
