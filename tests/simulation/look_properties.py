"""What a look at the fleet must not pass over: the grace of new instances ends.

A promise of docs/fleet-parameters.md, without a number in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from embedded.world.autoscaling.groups import IN_SERVICE, PENDING
from embedded.world.autoscaling.refresh import CANCELLING
from tests.simulation.observer import Observer
from tests.simulation.rollout import Progress, Rollout, Step
from tests.simulation.violation import Violation

_LOOK = "WatchHealthFunction"


def grace_ends(seen: Observer, step: Step) -> Iterator[Violation]:
    """New instances that do not become healthy within the grace turn their rollout back.

    It is told by the look after the one that had to see it: by then the claim says so.
    """
    actor = step.actor
    if actor is None or actor is not seen.claimant or not seen.notes.signals_arrive:
        return
    if all(one.caller != _LOOK for one in step.calls):
        return
    claim, before = seen.ledger["claim"], actor.progress
    candidate = claim.get("candidate")
    if candidate is None or claim.get("phase") == "back" or claim.get("stop") is not None:
        return
    actor.progress = _progress(seen, actor, int(candidate["template"]["version"]))
    if before is not None and before.overdue:
        what = f"{actor.name} goes on with new instances that were not healthy within their grace"
        yield Violation("grace", what, {"since": before.stands_since})


def _progress(seen: Observer, actor: Rollout, version: int) -> Progress:
    scene, before, now = seen.scene, actor.progress, seen.scene.now
    members = scene.group.members(PENDING, IN_SERVICE)
    # By its version: what is rolled out again has the data that the others have as well.
    new = [one for one in members if one.instance.template_version == version]
    healthy = sum(scene.healthy(one) for one in new)
    unready = any(one.lifecycle == IN_SERVICE and not scene.healthy(one) for one in new)
    most = before.most_healthy if before else 0
    since = before.stands_since if before else None
    refresh = scene.group.refresh
    if len(new) == healthy:
        since = None
    elif healthy > most or since is None:
        since = now if unready or since else None
    grace = timedelta(seconds=seen.setup.unhealthy_grace)
    # While somebody's cancellation ends there is nothing to be done.
    cancelled = refresh is not None and refresh.status == CANCELLING
    overdue = unready and since is not None and now - since >= grace and not cancelled
    return Progress(max(most, healthy), since, overdue)
