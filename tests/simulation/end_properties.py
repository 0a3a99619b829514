"""What must hold of a fleet when the claim on it is given back, and while it waits: I6, I7.

The numbers are those of docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from embedded.world.eventbridge.service import Event
from tests.simulation.observer import Observer
from tests.simulation.rollout import Rollout, Step
from tests.simulation.start_properties import newly_claimed
from tests.simulation.violation import Violation

_LOOK, _WAIT = "WatchHealthFunction", "AwaitSignalFunction"
_DELIVERY = timedelta(seconds=1)
_HEARD_WITHIN = timedelta(seconds=40)
"""The gap between two wakes, and what functions take."""


def ends_are_what_they_say(seen: Observer, step: Step) -> Iterator[Violation]:
    """I6: who calls a person holds the fleet, who was aborted too; who went back left it whole."""
    notes, before = seen.notes, step.before
    new = newly_claimed(seen, step)
    if new is not None:
        notes.claimed_at, notes.aborted = seen.scene.now, False
    elif before is not None and before is not seen.claimant:
        notes.aborted = notes.aborted or before.execution.status == "ABORTED"
    if before is None or "claim" in seen.ledger:
        return
    held = "hold" in seen.ledger or _resumed_since(seen)
    outcome = seen.scene.records()[-1]["outcome"]
    if outcome == "NeedsAttention" and not held:
        yield Violation("I6", f"{before.name} called a person and left no hold")
    if notes.aborted and not held:
        yield Violation("I6", f"a person aborted {before.name}, and no hold was left")
    look = before.look
    # All that are in service, and not the floor alone: a rollback was to make the fleet whole.
    whole = look is None or (look.healthy >= look.floor and not look.unhealthy)
    if outcome == "RolledBack" and look is not None and not (whole or notes.lags):
        what = f"{before.name} ended as rolled back with {look.healthy} healthy instances"
        yield Violation("I6", what, {"floor": look.floor, "in service": look.serving})


def signals_are_heard(seen: Observer, step: Step) -> Iterator[Violation]:
    """An alarm that fires, or news of the refresh, ends a rollout's sleep within half a minute."""
    actor = step.actor
    if actor is None:
        return
    callers = {one.caller: one.at for one in step.calls}
    if _WAIT in callers:
        actor.waits_since = callers[_WAIT]
    if _LOOK not in callers:
        return
    now, last = callers[_LOOK], actor.looked_at
    actor.looked_at = now
    if actor is not seen.claimant:
        return  # aborted, taken over and redriven: signals go to whoever has the claim
    waits_since = actor.waits_since
    if last is None or waits_since is None or waits_since < last or not seen.notes.signals_arrive:
        return
    for event in reversed(seen.scene.world.events.seen):
        if event.at <= last:
            return
        heard_from = max(event.at + _DELIVERY, waits_since)
        if now - heard_from > _HEARD_WITHIN and _concerns(seen, actor, event):
            what = f"{actor.name} slept on for {now - heard_from}: {event.detail_type}"
            yield Violation("signal", what, {"event": dict(event.detail)})
            return


def _concerns(seen: Observer, actor: Rollout, event: Event) -> bool:
    fleet, detail = seen.scene.fleet, event.detail
    if event.source == "aws.autoscaling":
        news = event.detail_type.startswith("EC2 Auto Scaling Instance Refresh")
        return news and detail.get("AutoScalingGroupName") == fleet.group
    if event.source != "aws.cloudwatch" or not seen.setup.watches_alarm:
        return False
    fires = detail.get("state", {}).get("value") == "ALARM"
    return bool(fires and detail.get("alarmName") == fleet.alarm and not actor.by_hand)


def _resumed_since(seen: Observer) -> bool:
    """Whether a person resumed the fleet after it was claimed."""
    since: datetime | None = seen.notes.claimed_at
    return any(
        since is None or one.execution.started_at > since
        for one in seen.rollouts.values()
        if "resume" in one.execution.input.value
    )
