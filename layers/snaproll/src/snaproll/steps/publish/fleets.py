"""The fleets that may follow a writer."""

from __future__ import annotations

from snaproll.domain.fleet import Fleet
from snaproll.runtime import Runtime


def known_fleets(runtime: Runtime) -> list[Fleet]:
    """Every fleet that the index knows and whose parameter can be read."""
    found = (runtime.fleets.parse(one) for one in runtime.index.all())
    return [fleet for fleet in found if isinstance(fleet, Fleet)]
