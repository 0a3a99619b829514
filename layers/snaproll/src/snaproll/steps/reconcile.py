"""The scheduled comparison: what is with what should be, for every fleet."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts import Reconciled, ScheduleEvent
from snaproll.domain.claims import forget_successor, name_next
from snaproll.domain.fleet import Fleet
from snaproll.domain.ledger import FleetState, Trigger
from snaproll.domain.plan import newer_live
from snaproll.domain.snapshot import Snapshot, data_time
from snaproll.domain.trouble import may_retry
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
from snaproll.steps.freshness import tell_age
from snaproll.steps.index import repair_index
from snaproll.steps.plan import newest_eligible
from snaproll.steps.recover import over, recover
from snaproll.steps.snapshot import data_time_of, what_runs
from snaproll.steps.staged import name_watch_if_needed


def reconcile_fleets(_: ScheduleEvent, runtime: Runtime) -> Reconciled:
    """Compare what is with what should be, for every fleet, and start what is missing."""
    stopped = runtime.stop_reason()
    if stopped is not None:
        for parameter in runtime.fleets.all():
            # Data grows old all the same.
            tell_age(parameter.name, runtime)
        return Reconciled(message=f"Stopped: {stopped}.", done=[])
    done = []
    for fleet in repair_index(runtime):
        if isinstance(fleet, Fleet):
            tell_age(fleet.name, runtime)
            done.append(f"{fleet.name}: {_reconcile(fleet, runtime)}")
        else:
            done.append(f"{fleet.fleet}: {fleet.problem}")
    return Reconciled(message=f"{len(done)} fleets compared.", done=done)


def _reconcile(fleet: Fleet, runtime: Runtime) -> str:
    state = runtime.ledger.state(fleet.name)
    if state.claim is not None:
        status = runtime.executions.status(state.claim.execution)
        return recover(fleet.name, status, runtime)
    if state.successor is not None:
        if not over(state.successor, runtime):
            return f"Started {start_successor(fleet.name, state, runtime)}."
        # It ran, and found nothing to do: it left no claim that would have cleared its name.
        state = runtime.ledger.change(
            fleet.name, lambda before: Change(forget_successor(before, state.successor))
        )
    return start_newest(fleet, state, runtime)


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
    newest = newest_eligible(fleet, runtime)
    if newest is None or newer_live(state, newest) is not None or state.is_staged(newest.id):
        return "Nothing to do."
    if state.live is None and _runs_already(fleet, newest, runtime):
        return "Nothing to do: the fleet has served it since before snaproll came."

    def transition(before: FleetState) -> Change:
        return Change(name_next(fleet.name, before, newest.id, Trigger.RECONCILE, runtime.now()))

    named = runtime.ledger.change(fleet.name, transition)
    started = start_successor(fleet.name, named, runtime)
    return f"Started {started}." if started else "Nothing to do."
