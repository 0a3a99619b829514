"""Finding drift, telling of it once, and healing it where the fleet asks for that."""

from __future__ import annotations

from typing import NamedTuple

from snaproll.aws.ledger import Change
from snaproll.aws.overview import Known
from snaproll.contracts.announcements import ComparisonEvent
from snaproll.domain.claims import adopt, name_next
from snaproll.domain.drift import (
    Drift,
    VersionFacts,
    adopted_version,
    find_drift,
    versions_to_read,
)
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import Group
from snaproll.domain.ledger import FleetState, Trigger
from snaproll.domain.problems import Problem, ProblemKind
from snaproll.domain.release import Release, TemplateVersion
from snaproll.domain.trouble import may_retry
from snaproll.runtime import Runtime
from snaproll.steps.claim import start_successor
from snaproll.steps.unwatched import explain_by_refresh


def examine(
    fleet: Fleet, live: Release, group: Group | None, runtime: Runtime
) -> tuple[Drift | None, TemplateVersion | None]:
    """How a group differs from what is live; and another version of the same data that it saves.

    Nothing is read when every instance runs the live version and the group saves it.
    """
    if group is None:
        what = f"there is no Auto Scaling group {fleet.policy.auto_scaling_group}"
        return Drift(what, what, "somebody deleted it, or the fleet names another one now"), None
    device = fleet.policy.data_device
    versions = {
        version: VersionFacts(found.snapshot_at(device), found.note, found.made_by)
        for version, found in runtime.templates.several(versions_to_read(live, group)).items()
    }
    return find_drift(live, group, versions), adopted_version(live, group, versions)


class Compared(NamedTuple):
    """What was found, in words; and whether a rollout was started, so that nothing else is."""

    said: str
    started: bool = False


def compare_with_ledger(
    fleet: Fleet,
    state: FleetState,
    known: Known,
    group: Group | None,
    runtime: Runtime,
    *,
    stopped: bool,
) -> Compared:
    """Tell, adopt or heal what differs on a fleet that is not being rolled."""
    if state.live is None or state.staged is not None:
        return Compared("Nothing proven is to be there.")
    drift, adopted = examine(fleet, state.live, group, runtime)
    if drift is None and adopted is None:
        if known.problem(ProblemKind.DRIFT) is not None:
            runtime.overview.forget(fleet.name, ProblemKind.DRIFT)
        return Compared("As its ledger says.")
    if runtime.ledger.state(fleet.name).revision != state.revision:
        return Compared("Its ledger changed meanwhile; the next one looks again.", started=True)
    if adopted is not None:
        state = _adopt(fleet, state.live, adopted, runtime)
    if drift is None or state.live is None:
        return Compared(f"Took {adopted} over, which has the live snapshot.")
    if group is not None:
        drift = explain_by_refresh(fleet, known, state.live, drift, runtime)
    heals = fleet.policy.on_drift == "heal" and group is not None and not stopped
    _tell(fleet, known, state.live, drift, _remedy(fleet, state, runtime, heals=heals), runtime)
    return (
        _heal(fleet, state, state.live, runtime) if heals else Compared(f"Drifted: {drift.what}.")
    )


def _adopt(fleet: Fleet, live: Release, version: TemplateVersion, runtime: Runtime) -> FleetState:
    return runtime.ledger.change(fleet.name, lambda before: Change(adopt(before, live, version)))


def _held(state: FleetState, runtime: Runtime) -> bool:
    return state.hold is not None and state.hold.stands(runtime.now())


def _remedy(fleet: Fleet, state: FleetState, runtime: Runtime, *, heals: bool) -> str:
    again = f'{{"fleet": "{fleet.name}", "snapshot": "live"}} rolls it out again'
    if _held(state, runtime):
        return f"The fleet is held, so nothing is done about it; {again}."
    return "It is rolled out again." if heals else f"Nothing was changed; {again}."


def _tell(
    fleet: Fleet, known: Known, live: Release, drift: Drift, remedy: str, runtime: Runtime
) -> None:
    told = known.problem(ProblemKind.DRIFT)
    if told is not None and told.key == drift.key:
        return
    message = (
        f"Fleet {fleet.name} is not what its ledger says: {live.snapshot} is live on it, and "
        f"{drift.what}. Likely cause: {drift.cause}. {remedy}"
    )
    runtime.announcements.publish(
        "Drift Detected",
        ComparisonEvent(
            environment=runtime.settings.environment,
            fleet=fleet.name,
            snapshot=live.snapshot,
            message=message,
            cause=drift.cause,
        ),
    )
    # Remembered after it was told: a comparison that dies in between tells it twice, not never.
    runtime.overview.remember(
        fleet.name,
        ProblemKind.DRIFT,
        Problem(key=drift.key, message=message, since=runtime.now()),
    )


def _heal(fleet: Fleet, state: FleetState, live: Release, runtime: Runtime) -> Compared:
    now = runtime.now()
    if _held(state, runtime):
        return Compared("Drifted, and held.")
    if not may_retry(state, now):
        return Compared("Drifted; waits before it tries again.")

    def transition(before: FleetState) -> Change:
        return Change(name_next(fleet.name, before, live.snapshot, Trigger.RECONCILE, now))

    named = runtime.ledger.change(fleet.name, transition)
    started = start_successor(fleet.name, named, runtime)
    return Compared(f"Drifted; started {started}.", started is not None)
