"""What may start, what must, and what must not: holds, the stop switch, the queue, back-off.

The numbers are those of docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.simulation.observer import Observer
from tests.simulation.rollout import Rollout, Step
from tests.simulation.scene import Item
from tests.simulation.violation import Violation

_A_WHILE = timedelta(seconds=30)
"""Longer than reads lag, and than a plan is older than the claim that follows it."""
_AT_ONCE = timedelta(minutes=1)
"""Within this, who is next begins: by the function that named it, where nothing is made to fail."""


def what_is_held_or_stopped_stays(seen: Observer, step: Step) -> Iterator[Violation]:
    """I8: no automatic rollout starts on a fleet that is held; nothing starts while all is stopped.

    First instances are watched on a held fleet too: they come in any case.
    """
    new = newly_claimed(seen, step)
    if new is None:
        return
    if new.automatic and not new.watches_first_instances and "hold" in seen.ledger:
        what = f"{new.name} began by itself on a fleet that is held"
        yield Violation("I8", what, {"hold": dict(seen.ledger["hold"])})
    since, until = seen.notes.stopped_since, seen.stopped_until
    if since is None or until is None or seen.scene.now >= until:
        return
    if new.execution.started_at > since + _A_WHILE:
        yield Violation("stop", f"{new.name} began while the environment was stopped")


def what_waits_is_not_lost(seen: Observer, step: Step) -> Iterator[Violation]:
    """I7: what waits for a busy fleet is rolled out next, or gives way to what comes before it."""
    if not step.ledger_written:
        return
    notes, now = seen.notes, seen.ledger.get("queued")
    was, notes.waits = notes.waits, now
    if was is None or was == now:
        return
    if now is not None:
        if was["trigger"] == "person" != now["trigger"]:
            what = f"{now['snapshot']} waits in the place of what a person asked for"
            yield Violation("I7", what, {"before": dict(was), "now": dict(now)})
        return
    successor, claim = seen.ledger.get("successor"), seen.ledger.get("claim")
    if was["snapshot"] not in {one["snapshot"] for one in (successor, claim) if one}:
        yield Violation("I7", f"{was['snapshot']} waited for the fleet and is next no more")
    elif successor is not None:
        notes.had_waited.add(successor["name"])


def who_is_next_begins(seen: Observer, _: Step) -> Iterator[Violation]:
    """I7: the execution that is named as the next one is started at once."""
    notes, now = seen.notes, seen.scene.now
    named = seen.ledger.get("successor", {}).get("name")
    if named != notes.successor:
        notes.successor, notes.named_at = named, now
    since = notes.named_at
    if named is None or since is None:
        return
    stopped = seen.stopped_until is not None and seen.stopped_until >= since
    began = _began(seen, named)
    if (began or now) - since > _AT_ONCE and not (seen.disturbed or stopped):
        yield Violation("I7", f"{named} was to begin and did not for {(began or now) - since}")
    if began is not None:
        # Its name may stay in the ledger, when it found nothing to do.
        notes.named_at = None


def nothing_is_tried_for_nothing(seen: Observer, step: Step) -> Iterator[Violation]:
    """I9, I10: automation leaves alone what was condemned, what was tried just now, what it had."""
    new = newly_claimed(seen, step)
    trigger = new.trigger if new else None
    # What a person redrives plans again, and meets the gate, which reads the quarantine.
    if new is None or new.snapshot is None or new.execution.redrive_count:
        return
    if trigger == "snapshot":
        again = [
            one.name
            for one in seen.rollouts.values()
            if one is not new and one.claimed and one.snapshot == new.snapshot
            if one.trigger == trigger
        ]
        if again:
            what = f"{new.name} rolls out what {again[-1]} had rolled out, for the same event"
            yield Violation("I10", what)
    if trigger != "reconcile" or new.name in seen.notes.had_waited:
        return
    # What was condemned after it had begun meets the gate.
    began = new.execution.started_at
    if new.snapshot != seen.live.snapshot and seen.scene.condemned(new.snapshot, before=began):
        what = f"the comparison started {new.name}, whose snapshot was condemned"
        yield Violation("I9", what)
    trouble = seen.ledger.get("trouble")
    if seen.scene.ended_since(began):
        return  # and so does what had begun before that trouble
    if trouble and datetime.fromisoformat(trouble["retry_after"]) > seen.scene.now:
        what = f"the comparison started {new.name} before {trouble['retry_after']}"
        yield Violation("back-off", what, dict(trouble))


def only_people_stop_rollouts(seen: Observer, step: Step) -> Iterator[Violation]:
    """I12: what runs is asked to go back by a person: a repair, a hold or an abort."""
    if not step.ledger_written:
        return
    claim = seen.ledger.get("claim", {})
    was, seen.notes.stop = seen.notes.stop, claim.get("stop")
    if was is not None or seen.notes.stop is None:
        return
    repaired = seen.ledger.get("queued", {}).get("trigger") == "person"
    holder = seen.claimant
    # Who was to take it over may have been aborted before it had the claim.
    aborted = any(
        one.execution.status == "ABORTED"
        for one in seen.rollouts.values()
        if one is holder or _took_part(one, claim)
    )
    if not (repaired or aborted or "hold" in seen.ledger):
        what = f"the rollout of {claim['snapshot']} was stopped, and no person wanted that"
        yield Violation("I12", what, {"stop": seen.notes.stop})


def newly_claimed(seen: Observer, step: Step) -> Rollout | None:
    """The rollout that just claimed a free fleet; not one that took a claim over."""
    holder = seen.claimant
    if not step.ledger_written or holder is None or holder is step.before:
        return None
    return None if "takes_over" in holder.execution.input.value else holder


def _began(seen: Observer, name: str) -> datetime | None:
    found = (one.execution for one in seen.rollouts.values() if one.name == name)
    return next((one.started_at for one in found), None)


def _took_part(rollout: Rollout, claim: Item) -> bool:
    """Whether a rollout began for the same snapshot after the claim was taken."""
    since = datetime.fromisoformat(claim["claimed_at"])
    return rollout.snapshot == claim["snapshot"] and rollout.execution.started_at >= since
