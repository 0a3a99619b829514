"""What must hold when everything is at rest: the fleets are what the outcomes say they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain

from embedded.scenarios.stage import ENVIRONMENT
from embedded.world.behaviour import Scenario
from embedded.world.world import World
from tests.simulation.claim_properties import the_dead_are_spoken_for
from tests.simulation.observer import Observer
from tests.simulation.oracle import true_since, unfit_because
from tests.simulation.schedule import Schedule
from tests.simulation.violation import Violation, ViolationError

_NOT_FOR_IT = ("InvalidEventError", "InvalidRequestError")
"""How a function refuses what it was run with."""
_COMPARISON = timedelta(minutes=16)
"""A little more than the time between two scheduled comparisons."""


def check_quiescence(fleets: Sequence[Observer], schedule: Schedule) -> None:
    """Check fleets that have not been rolled for a while.

    Raises
    ------
    ViolationError
        When one of them is not what the rollouts' outcomes say.
    """
    checks = [_nothing_was_dropped(fleets[0].scene.world)]
    for index, seen in enumerate(fleets):
        checks += [
            _fleet_serves(seen),
            the_dead_are_spoken_for(seen),
            _newest_is_live(seen),
            _what_is_live_is_published(seen),
            _calm_is_live(seen, calm=schedule.calm(index)),
        ]
    for violation in chain.from_iterable(checks):
        raise ViolationError(violation)


def _nothing_was_dropped(world: World) -> Iterator[Violation]:
    """I7: an event that could not be worked on is kept for a person."""
    for lost in world.events.lost:
        if lost.dead_letter:
            continue
        what = f"{lost.rule_name} lost an event: {lost.error_code}: {lost.error_message}"
        yield Violation("I7", what)
    for dropped in world.awslambda.dropped:
        error = dropped.invocation.error if dropped.invocation else None
        if error is not None and error.error_type in _NOT_FOR_IT:
            # What is kept pages somebody, who would find that nothing is the matter.
            what = f"{dropped.function} was run for an event that is not for it"
            yield Violation("effort", what, {"error": error.error_message})
        if dropped.kept_by is not None:
            continue
        yield Violation(
            "I7",
            f"{dropped.function} failed every try of an event: {dropped.condition}",
            {"error": f"{error.error_type}: {error.error_message}" if error else None},
        )


def _fleet_serves(seen: Observer) -> Iterator[Violation]:
    scene, group = seen.scene, seen.scene.group
    if "claim" in seen.ledger:
        yield Violation("I10", "the claim outlived every rollout", dict(seen.ledger["claim"]))
    for waiting in ("queued", "successor"):
        if waiting in seen.ledger and "hold" not in seen.ledger:
            what = f"a snapshot is {waiting} for the fleet and no rollout runs"
            yield Violation("I7", what, dict(seen.ledger[waiting]))
    if group.refresh is not None:
        what = f"no rollout runs and the refresh {group.refresh.id} is {group.refresh.status}"
        yield Violation("end", what)
    if seen.in_a_persons_hands or _is_known_to_drift(seen):
        return
    # Resumed as it was, it is drifted, and told of once more, where anything was ever live.
    if seen.resumed_unmended and ("live" not in seen.ledger or scene.told_of_drift()):
        return
    yield from _is_whole(seen)
    if seen.drifted and seen.staged is None and "live" in seen.ledger:
        saved = scene.snapshot_of(scene.saved_version)
        what = f"{seen.live.snapshot} is live, the group saves {saved}, and nobody was told"
        yield Violation("end", what)


def _is_known_to_drift(seen: Observer) -> bool:
    """Whether others moved the fleet off what is live, and that was told or will be healed.

    Before the first rollout there is nothing live that a fleet could drift from. One that heals
    waits after a heal that failed, and heals nothing while it is held.
    """
    if not seen.drifted:
        return False
    if "live" not in seen.ledger:
        return bool(seen.meddled.saved)
    return seen.scene.told_of_drift() and (
        not seen.setup.heals or "hold" in seen.ledger or waits_to_retry(seen)
    )


def waits_to_retry(seen: Observer) -> bool:
    """Whether the next automatic rollout waits, after one that failed."""
    trouble = seen.ledger.get("trouble")
    return trouble is not None and (
        datetime.fromisoformat(trouble["retry_after"]) > seen.scene.now - _COMPARISON
    )


def _is_whole(seen: Observer) -> Iterator[Violation]:
    """Every instance serves what is live; of what is staged there is none."""
    scene, live = seen.scene, seen.live
    group, serving = scene.group, scene.serving()
    if seen.staged is not None:
        if serving:
            what = f"{seen.staged.snapshot} is staged, has instances, and nobody watches them"
            yield Violation("end", what, {"serving": serving})
        return
    if set(serving) - {live.snapshot}:
        yield Violation("end", f"{live.snapshot} is live and the fleet serves {serving}")
    snapshot = scene.world.ec2.snapshot(live.snapshot)
    if snapshot is None or snapshot.scenario is not Scenario.HEALTHY:
        return  # what became live soured afterwards: instances come and go for ever
    if not scene.launchable(scene.saved_version):
        return  # others took what is live away: lost instances are not replaced, which is told
    healthy = sum(scene.healthy(one) for one in scene.in_service())
    if healthy != group.desired:
        yield Violation(
            "end", f"{healthy} of {group.desired} instances are healthy", {"serving": serving}
        )


def _newest_is_live(seen: Observer) -> Iterator[Violation]:
    """I7: what is fit and newer is live, or there is a reason in the ledger."""
    scene = seen.scene
    if "hold" in seen.ledger or waits_to_retry(seen):
        return
    dated = []
    for name in seen.snapshots:
        snapshot = scene.world.ec2.snapshot(name)
        since = true_since(snapshot) if snapshot else None
        # Only of what nobody recorded a word can it be said that it was lost.
        if since is not None and not scene.quarantined(name):
            dated.append((since, name))
    if not dated:
        return
    _, newest = max(dated)
    head = seen.staged or seen.live
    if newest == head.snapshot or newest in {one["snapshot"] for one in scene.records()}:
        return
    if not unfit_because(scene, seen.setup, newest, head.snapshot):
        yield Violation("I7", f"{newest} is newest and fit, and nothing tells why it is not live")


def _what_is_live_is_published(seen: Observer) -> Iterator[Violation]:
    """I3: whoever reads the parameter is told what is live; a rollback takes nothing else back.

    Where nothing was ever live, it may say what the fleet was found with, or nothing.
    """
    told = seen.ledger.get("live")
    if seen.in_a_persons_hands:
        return
    name = f"/snaproll/{ENVIRONMENT}/live/{seen.scene.fleet.name}/snapshot"
    found = seen.scene.world.ssm.parameters.get(name)
    published = found.values[-1] if found else None
    if published is None and told is None:
        return
    live = told["snapshot"] if told else seen.scene.fleet.first_snapshot
    if published != live:
        what = f"{live} is live, and what is published as that is {published}"
        yield Violation("I3", what)


def _calm_is_live(seen: Observer, *, calm: bool) -> Iterator[Violation]:
    """A fit snapshot that nothing speaks against becomes live, whatever dies on the way."""
    if not calm:
        return
    for rollout in seen.rollouts.values():
        if rollout.execution.error in ("FleetNotReady", "RolledBack", "NeedsAttention"):
            yield Violation(
                "I7",
                f"nothing was wrong and {rollout.name} ended as {rollout.execution.error}",
                {"cause": rollout.execution.cause},
            )
