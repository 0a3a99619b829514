"""How old what each fleet serves is, as a metric that alarms watch."""

from __future__ import annotations

from datetime import timedelta

from snaproll.domain.ledger import FleetState
from snaproll.runtime import Runtime

DATA_AGE = "DataAge"
"""Hours since the live snapshot's data was true. Fleet stacks have alarms on this name."""


def tell_age(fleet: str, state: FleetState, runtime: Runtime) -> None:
    """Publish the age of what a fleet serves.

    A fleet that has never been rolled has no age that anybody could vouch for, and gets none.
    """
    live = state.live
    if live is not None and live.data_time is not None:
        age = runtime.now() - live.data_time
        runtime.measure(DATA_AGE, fleet, age / timedelta(hours=1))
