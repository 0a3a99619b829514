"""Looking whether a staged release has got its first instances."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.domain.ledger import FleetState
from snaproll.domain.staging import name_watch
from snaproll.runtime import Runtime


def has_instances(state: FleetState, runtime: Runtime) -> bool:
    """Whether the group that a release is staged on has instances by now, or wants some."""
    group = runtime.groups.get(state.staged.group) if state.staged else None
    return group is not None and not group.empty


def name_watch_if_needed(fleet: str, state: FleetState, runtime: Runtime) -> FleetState:
    """Name the execution that watches the first instances of what is staged, if there are any."""
    idle = state.claim is None and state.successor is None
    if state.staged is None or not idle or not has_instances(state, runtime):
        return state
    return runtime.ledger.change(fleet, lambda before: Change(name_watch(fleet, before)))
