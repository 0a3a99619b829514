"""The scheduled comparison: what is with what should be, for every fleet.

Many fleets are divided among runs of the same function, and each run reads the groups, ledger
items and live snapshots of its fleets together. A fleet on which nothing happens takes one call of
its own, which lists its snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from snaproll.aws.fleets import Unreadable
from snaproll.aws.ledger import Change
from snaproll.aws.overview import Known
from snaproll.contracts.events import Reconciled, ReconcileEvent, ReconcilePage
from snaproll.domain.claims import name_next
from snaproll.domain.fencing import forget_successor
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import Group
from snaproll.domain.ledger import FleetState, Trigger
from snaproll.domain.plan import newer_live
from snaproll.domain.snapshot import Snapshot, data_time
from snaproll.domain.trouble import may_retry
from snaproll.errors import ComparisonFailedError, SnaprollError
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
from snaproll.steps.drift import compare_with_ledger
from snaproll.steps.freshness import tell_age
from snaproll.steps.index import readable_fleets, repair_index
from snaproll.steps.plan import newest_eligible
from snaproll.steps.recover import over, recover
from snaproll.steps.snapshot import data_time_of, what_runs
from snaproll.steps.staged import name_watch_if_needed
from snaproll.steps.standing import LiveSnapshots, check_live

PAGE = 100
"""Fleets that one run compares: as many groups and ledger items as one call gives."""


def reconcile_fleets(event: ReconcileEvent, runtime: Runtime) -> Reconciled:
    """Compare what is with what should be, for every fleet, and start what is missing.

    Raises
    ------
    ComparisonFailedError
        When fleets could not be compared, after all others were. Lambda runs it again.
    """
    if isinstance(event.root, ReconcilePage):
        wanted = set(event.root.fleets)
        return _compare([one for one in readable_fleets(runtime) if one.name in wanted], runtime)
    found = repair_index(runtime)
    fleets = [one for one in found if isinstance(one, Fleet)]
    if len(fleets) > PAGE:
        return _divide(fleets, runtime)
    compared = _compare(fleets, runtime)
    broken = [f"{one.fleet}: {one.problem}" for one in found if isinstance(one, Unreadable)]
    return Reconciled(message=compared.message, done=[*compared.done, *broken])


def _divide(fleets: Sequence[Fleet], runtime: Runtime) -> Reconciled:
    names = [one.name for one in fleets]
    for first in range(0, len(names), PAGE):
        page = ReconcilePage(fleets=names[first : first + PAGE])
        runtime.functions.hand_over(runtime.settings.function, page)
    return Reconciled(message=f"{len(names)} fleets divided into pages of {PAGE}.", done=[])


@dataclass(frozen=True, slots=True)
class _Scene:
    """What was read of all fleets of a run together."""

    known: Mapping[str, Known]
    groups: Mapping[str, Group]
    snapshots: LiveSnapshots
    stopped: str | None


def _compare(fleets: Sequence[Fleet], runtime: Runtime) -> Reconciled:
    scene = _look(fleets, runtime)
    done, failed = [], []
    for fleet in fleets:
        try:
            done.append(f"{fleet.name}: {_compare_one(fleet, scene, runtime)}")
        except SnaprollError as error:
            failed.append(f"{fleet.name}: {error}")
    if failed:
        raise ComparisonFailedError(
            f"{len(failed)} of {len(fleets)} fleets could not be compared: {'; '.join(failed)}"
        )
    stopped = f" Nothing starts: {scene.stopped}." if scene.stopped is not None else ""
    return Reconciled(message=f"{len(done)} fleets compared.{stopped}", done=done)


def _look(fleets: Sequence[Fleet], runtime: Runtime) -> _Scene:
    # The ledger first: what is described afterwards is at least as new as what it is held against.
    known = runtime.overview.of(one.name for one in fleets)
    groups = runtime.groups.several([one.policy.auto_scaling_group for one in fleets])
    live = {snapshot for one in known.values() if (snapshot := one.live_snapshot) is not None}
    snapshots = LiveSnapshots(runtime.snapshots.several(sorted(live)), runtime)
    return _Scene(known, groups, snapshots, runtime.stop_reason())


def _compare_one(fleet: Fleet, scene: _Scene, runtime: Runtime) -> str:
    known = scene.known[fleet.name]
    state, stopped = known.state, scene.stopped is not None
    tell_age(fleet.name, state, runtime)
    if state.claim is not None:
        # Also while the environment is stopped: what runs is watched on.
        status = runtime.executions.status(state.claim.execution)
        return recover(fleet.name, status, runtime)
    check_live(fleet, known, scene.snapshots, runtime)
    if state.successor is not None:
        if not over(state.successor, runtime):
            started = start_successor(fleet.name, state, runtime)
            return f"Started {started}." if started else "Its next rollout waits: all are stopped."
        # It ran, and found nothing to do: it left no claim that would have cleared its name.
        state = runtime.ledger.change(
            fleet.name, lambda before: Change(forget_successor(before, state.successor))
        )
    group = scene.groups.get(fleet.policy.auto_scaling_group)
    compared = compare_with_ledger(fleet, state, known, group, runtime, stopped=stopped)
    if stopped or compared.started:
        return compared.said
    return f"{compared.said} {start_newest(fleet, state, runtime)}"


def _runs_already(fleet: Fleet, newest: Snapshot, runtime: Runtime) -> bool:
    running = what_runs(fleet, runtime).snapshot
    at, since = data_time(newest).at, data_time_of(running, runtime)
    return at is not None and since is not None and at <= since


def start_newest(fleet: Fleet, state: FleetState, runtime: Runtime) -> str:
    """Start the newest eligible snapshot of a fleet on which nothing runs; what was done."""
    watched = name_watch_if_needed(fleet.name, state, runtime)
    if watched.successor is not None:
        return f"Started {start_successor(fleet.name, watched, runtime)}."
    if state.hold is not None and state.hold.stands(runtime.now()):
        return f"Held: {state.hold.reason}"
    if not may_retry(state, runtime.now()):
        return "Waits before it tries again."
    newest = newest_eligible(fleet, runtime, state.live.data_time if state.live else None)
    if newest is None or newer_live(state, newest) is not None or state.is_staged(newest.id):
        return "Nothing to do."
    if state.live is None and _runs_already(fleet, newest, runtime):
        return "Nothing to do: the fleet has served it since before snaproll came."

    def transition(before: FleetState) -> Change:
        return Change(name_next(fleet.name, before, newest.id, Trigger.RECONCILE, runtime.now()))

    named = runtime.ledger.change(fleet.name, transition)
    started = start_successor(fleet.name, named, runtime)
    return f"Started {started}." if started else "Nothing to do."
