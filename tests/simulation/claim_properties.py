"""What must hold of claims, executions and records: I2, I6, I10 and I12.

The numbers are those of docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from embedded.states.execution import Execution
from embedded.world.autoscaling.refresh import BAKING, CANCELLED, CANCELLING, InstanceRefresh
from embedded.world.behaviour import Scenario
from tests.simulation.observer import Observer
from tests.simulation.rollout import Rollout, Step
from tests.simulation.scene import Item
from tests.simulation.violation import Violation

SKIPS = frozenset(
    {
        "AlreadyLive",
        "AlreadyStaged",
        "Drifted",
        "Held",
        "Superseded",
        "Queued",
        "Stopped",
        "NoFleet",
    }
)
"""Outcomes of an execution that never held the claim, or lost it."""
HANDED_OVER = "HandedOver"
REQUEST_ERRORS = frozenset({"NoEligibleSnapshotError"})
"""Errors that tell a person what is wrong with what they asked for, before anything is claimed."""
RECORDED_FAILURES = frozenset(
    {"SnapshotRejected", "FleetNotReady", "RolledBack", "Stopped", "NeedsAttention"}
)
INFRASTRUCTURE = frozenset(
    {
        "AccessDeniedError",
        "AwsUnavailableError",
        "NotYetVisibleError",
        "LedgerConflictError",
        "Runtime.ExitError",
        "Sandbox.Timedout",
        "ThrottledError",
    }
)
"""Errors of which an execution may die when AWS is broken; recovery speaks for it."""
_OPERATIONS = frozenset({"hold", "resume", "lift_quarantine", "dry_run"})
"""Inputs that ask for no rollout."""
_PATIENCE = timedelta(minutes=35)
"""Two scheduled comparisons, and a little."""


def one_at_a_time(seen: Observer, step: Step) -> Iterator[Violation]:
    """I2: at most one rollout changes the fleet; who lost its claim changes nothing."""
    if not step.changes:
        return
    calls = [f"{one.caller} called {one.service}:{one.operation}" for one in step.changes]
    actor = step.actor
    if actor is None:
        yield Violation("I2", "a fleet was changed for no rollout", {"calls": calls})
        return
    # A claim may be given back in the very step that changed something before.
    holders = (seen.claimant,) if step.changed_last else (seen.claimant, step.before)
    if actor not in holders:
        holder = seen.claimant
        yield Violation(
            "I2",
            f"{actor.name} changed the fleet without holding its claim",
            {"calls": calls, "claim": holder.name if holder else "nobody's"},
        )
    if actor in seen.changers[:-1]:
        yield Violation(
            "I2",
            f"{actor.name} changed the fleet after {seen.changers[-1].name} had begun to",
            {"calls": calls},
        )
    if actor not in seen.changers:
        seen.changers.append(actor)


def nothing_twice(seen: Observer, step: Step) -> Iterator[Violation]:
    """I10: a rollout makes one template version, one refresh forward and at most one back."""
    actor = step.actor
    if (step.versions or step.refreshes) and actor is None:
        yield Violation("I10", "a version or a refresh was made for no rollout")
    if actor is None:
        return
    actor.versions += step.versions
    actor.refreshes += step.refreshes
    if step.refreshes:
        actor.capacity = seen.scene.group.desired
    # Who takes over finds another version saved when others saved one in between: it makes its own
    # of that, and the one before is an older version that nothing uses.
    if len(actor.versions) > 1 and not (actor.takes_over and seen.meddled.saved):
        yield Violation(
            "I10",
            f"{actor.name} made {len(actor.versions)} launch template versions",
            {"versions": actor.versions},
        )
    wanted = [_version_wanted(one) for one in actor.refreshes]
    if len(set(wanted)) < len(actor.refreshes):
        yield Violation(
            "I10",
            f"{actor.name} started {len(actor.refreshes)} refreshes, some of them alike",
            {"refreshes": [one.id for one in actor.refreshes], "versions": wanted},
        )


def claims_end(seen: Observer, step: Step) -> Iterator[Violation]:  # noqa: ARG001 - like all
    """I10: a claim whose execution is dead is taken over, or ended, within a comparison or two."""
    since = max(filter(None, (seen.dead_since, seen.stopped_until)), default=None)
    if seen.dead_since is not None and since is not None and seen.scene.now - since > _PATIENCE:
        claim = dict(seen.ledger["claim"])
        yield Violation("I10", "the fleet is claimed by an execution that is dead", claim)


def outcomes_are_named(seen: Observer, step: Step) -> Iterator[Violation]:
    """I6: every execution that ended has an outcome, and a record unless it had no claim.

    One that died has neither: ``the_dead_are_spoken_for`` asks for them when all is at rest.
    """
    for rollout in step.ended:
        if _operates(rollout):
            continue
        execution = rollout.execution
        outcome = _outcome(execution)
        if outcome is None:
            rollout.died = True
            if not _excused(execution, seen):
                yield Violation(
                    "I6",
                    f"{rollout.name} ended as {execution.status} without a named outcome",
                    {"error": execution.error, "cause": execution.cause},
                )
            continue
        if outcome == HANDED_OVER:
            yield from _somebody_goes_on(seen, rollout)
            continue
        yield from _leaves_nothing_running(seen, rollout)
        if outcome in SKIPS or outcome in REQUEST_ERRORS:
            continue
        records = [one for one in seen.scene.records() if one["execution"] == execution.arn]
        if [one["outcome"] for one in records] != [outcome] or not records[0]["message"]:
            yield Violation(
                "I6",
                f"{rollout.name} ended as {outcome} and its record says otherwise",
                {"records": records},
            )
        elif outcome == "SnapshotRejected" and not rollout.unfit and not _denied(records[0], seen):
            what = f"{rollout.name} rejected a snapshot that nothing speaks against"
            yield Violation("I6", what, {"message": records[0]["message"]})


def _denied(record: Item, seen: Observer) -> bool:
    """Whether a key was not shown: to the gate, who may not look at it may not use it."""
    return seen.disturbed and "this account may not use it" in record["message"]


def the_dead_are_spoken_for(seen: Observer) -> Iterator[Violation]:
    """I6: what a dead execution had begun was ended by another, or by recovery, with a record."""
    recorded = {one["execution"] for one in seen.scene.records()}
    for rollout in seen.rollouts.values():
        if not rollout.died or not rollout.claimed or rollout.taken_over:
            continue
        if rollout.execution.arn not in recorded:
            what = f"{rollout.name} died with the claim, and no record tells how that ended"
            yield Violation("I6", what, {"error": rollout.execution.error})


def _outcome(execution: Execution) -> str | None:
    """The outcome by whose name an execution ended; None when it died."""
    if execution.status == "SUCCEEDED":
        output: Any = execution.output.value if execution.output else {}
        outcome = output.get("outcome")
        return outcome if outcome in {"Live", "Staged", HANDED_OVER} | SKIPS else None
    named = RECORDED_FAILURES | REQUEST_ERRORS
    return execution.error if execution.status == "FAILED" and execution.error in named else None


def _excused(execution: Execution, seen: Observer) -> bool:
    """Whether a person, or something that was broken, ended an execution."""
    error = execution.error or ""
    broken = error in INFRASTRUCTURE or error.startswith("Lambda.")
    return execution.status == "ABORTED" or (broken and seen.disturbed)


def bakes_are_not_interrupted(seen: Observer, step: Step) -> Iterator[Violation]:
    """I12: a bake is never interrupted by a newer snapshot; the newest of them waits."""
    before, now = step.before, seen.claimant
    if step.ledger_written and before is not None and now is not None and before is not now:
        baking = any(one.status == BAKING for one in before.refreshes)
        other = before.snapshot != now.snapshot
        if baking and other and now.automatic:
            what = f"{now.name} took the fleet while {before.snapshot} was baking"
            yield Violation("I12", what)
    queued = seen.ledger.get("queued")
    if queued == seen.queued:
        return
    was, seen.queued = seen.queued, queued
    if was is None or queued is None or "person" in (was["trigger"], queued["trigger"]):
        return
    if (queued.get("data_time") or "~") < (was.get("data_time") or ""):
        what = f"{queued['snapshot']} waits in the place of {was['snapshot']}, which is newer"
        yield Violation("I12", what, {"before": dict(was), "now": dict(queued)})


def _operates(rollout: Rollout) -> bool:
    """Whether an execution carried out an operation and no rollout."""
    asked = rollout.execution.input.value
    return not _OPERATIONS.isdisjoint(asked)


def _somebody_goes_on(seen: Observer, rollout: Rollout) -> Iterator[Violation]:
    """I6: who hands over has named who goes on, or that one has the claim already."""
    named = seen.ledger.get("successor")
    if seen.claimant is rollout and (named is None or "takes_over" not in named):
        yield Violation("I6", f"{rollout.name} handed over to nobody")


def _leaves_nothing_running(seen: Observer, rollout: Rollout) -> Iterator[Violation]:
    """I6: a rollout's end is the end of its refreshes."""
    claimant = seen.claimant
    taken_over = claimant.refreshes if claimant and claimant is not rollout else []
    called = rollout.execution.error == "NeedsAttention"
    for refresh in rollout.refreshes:
        # Where nothing can be gone back to, the refresh is cancelled and left to a person.
        given_up = called and refresh.status == CANCELLING and _lost_its_way_back(seen)
        if refresh.active and refresh not in taken_over and not given_up:
            what = f"{rollout.name} ended and its refresh {refresh.id} is {refresh.status}"
            yield Violation("I6", what, {"error": rollout.execution.error})
    live = seen.scene.world.ec2.snapshot(seen.live.snapshot)
    sound = live is not None and live.scenario is Scenario.HEALTHY
    if called and sound and not _needs_a_person(seen, rollout):
        what = f"{rollout.name} called a person although its fleet could be left whole"
        yield Violation("I6", what, {"cause": rollout.execution.cause})


def _lost_its_way_back(seen: Observer) -> bool:
    """Whether others took away what the group saves, or what is live."""
    saved = seen.scene.snapshot_of(seen.scene.saved_version)
    lost = not {saved, seen.live.snapshot}.isdisjoint(seen.meddled.lost)
    return lost or seen.meddled.short_since(seen.scene.now, seen.scene.now)


def _needs_a_person(seen: Observer, rollout: Rollout) -> bool:
    """Whether what keeps a fleet from being whole is in a person's hands alone.

    At its maximum size a group may have no room to replace anything, and its size is its owner's;
    and with who cancels a rollback nobody argues. A fleet that others had moved off what is live
    has nothing proven to go back to.
    """
    full = seen.scene.group.maximum <= seen.floor
    cancelled = any(
        one.status == CANCELLED and _goes_back(one, rollout) for one in rollout.refreshes
    )
    meddled, since = seen.meddled, rollout.execution.started_at
    # Nothing can be launched from what is gone, nor without a key or room at EC2.
    no_launches = _lost_its_way_back(seen) or meddled.short_since(since, seen.scene.now)
    newest = seen.scene.newest_version
    # What others made stays theirs to delete, and would bring back what was given up.
    brought_back = newest in meddled.made and seen.scene.snapshot_of(newest) == rollout.snapshot
    return full or cancelled or no_launches or rollout.found_drifted or brought_back


def _goes_back(refresh: InstanceRefresh, rollout: Rollout) -> bool:
    """Whether a refresh is a rollback: AWS's own, or one to a version that was there before."""
    return refresh.rolling_back or _version_wanted(refresh) not in {
        str(one) for one in rollout.versions
    }


def _version_wanted(refresh: InstanceRefresh) -> str | None:
    """A repair by hand may go forward to a snapshot and back to another version with the same."""
    return refresh.desired.sources[0].version if refresh.desired is not None else None
