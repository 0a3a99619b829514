"""What must hold of claims that change hands, and of those that are given back: I2 and I6.

The numbers are those of docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from snaproll.domain.fencing import MOST_TAKEOVERS
from tests.simulation.observer import Observer
from tests.simulation.rollout import Rollout, Step
from tests.simulation.scene import Item
from tests.simulation.violation import Violation

_STEPS = frozenset(
    {
        "AwaitSignalFunction",
        "DeleteTemplateVersionFunction",
        "HandOverFunction",
        "InspectFleetFunction",
        "PromoteReleaseFunction",
        "QuarantineSnapshotFunction",
        "RecordRejectionFunction",
        "ReleaseFleetFunction",
        "RollBackFunction",
        "StageReleaseFunction",
        "StartRefreshFunction",
        "UpdateLaunchTemplateFunction",
        "ValidateSnapshotFunction",
        "WatchHealthFunction",
    }
)
"""What a rollout does as long as it has the claim. Who claims, waits in the queue or carries out an
operation writes beside who has it."""

_OWN_END = "ReleaseFleetFunction"


def who_lost_the_claim_notes_nothing(seen: Observer, step: Step) -> Iterator[Violation]:
    """I2: who lost its claim writes nothing into that of another, nor gives that back."""
    if not step.ledger_written:
        return
    noted = (seen.ledger.get("claim"), seen.ledger.get("waiting"))
    was, seen.notes.claim = seen.notes.claim, noted
    actor = step.actor
    if was == noted or actor is None or actor in (step.before, seen.claimant):
        return
    callers = {one.caller for one in step.calls}
    if step.before is not None and callers <= _STEPS:
        what = f"{actor.name} wrote into the claim of {step.before.name}"
        yield Violation("I2", what, {"before": was, "now": noted})


def only_what_was_left_is_taken_over(seen: Observer, step: Step) -> Iterator[Violation]:
    """I2: a claim is taken over from an execution that died, or that named who goes on.

    One that a person redrives after another was named has to give way to that.
    """
    if not step.ledger_written:
        return
    named, seen.notes.named = seen.notes.named, seen.ledger.get("successor")
    before, now = step.before, seen.claimant
    if before is None or now is None or now is before or not before.execution.running:
        return
    if now.takes_over and not (_handed_over_to(named, now) or before.execution.redrive_count):
        what = f"{now.name} took the claim of {before.name}, which runs and had not left it"
        yield Violation("I2", what, {"named": named})


def the_record_comes_with_the_end(seen: Observer, step: Step) -> Iterator[Violation]:
    """I6: the write that gives the claim back leaves the record, so that no death comes between."""
    if step.before is None or "claim" in seen.ledger:
        return
    if not _recorded(seen, step.before):
        yield Violation("I6", f"{step.before.name} gave its claim back and left no record")


def nobody_is_called_too_soon(seen: Observer, step: Step) -> Iterator[Violation]:
    """I6: a rollout that died is given up, and a person called, once three more died of it.

    One may call a person itself, and die of telling so.
    """
    before = step.before
    if before is None or before.execution.running or "claim" in seen.ledger:
        return
    told = _recorded(seen, before)[-1:]
    if [one["outcome"] for one in told] != ["NeedsAttention"]:
        return
    if any(one.caller == _OWN_END for one in step.calls):
        return
    # What it was taken over from may have died, or handed over.
    tried = [one for one in seen.rollouts.values() if one.takes_over and _is_later(one, before)]
    died = before.execution.redrive_count + sum(
        one.died + one.execution.redrive_count for one in tried
    )
    if died < MOST_TAKEOVERS:
        what = f"{before.name} was given up, and a person called, after {died} tries to go on"
        yield Violation("I6", what, {"message": told[0]["message"]})


def _recorded(seen: Observer, rollout: Rollout) -> list[Item]:
    """What was recorded of a rollout. Of two that end at one moment either may come last."""
    return [one for one in seen.scene.records() if one["execution"] == rollout.execution.arn]


def _is_later(rollout: Rollout, other: Rollout) -> bool:
    return rollout.execution.started_at > other.began


def _handed_over_to(named: object, now: Rollout) -> bool:
    return isinstance(named, dict) and bool(named.get("handed_over")) and named["name"] == now.name
