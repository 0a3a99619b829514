"""Keeping the index of fleets, and telling of fleet parameters that are wrong."""

from __future__ import annotations

from snaproll.aws.fleets import FleetParameter, Unreadable
from snaproll.contracts.announcements import ConfigurationEvent
from snaproll.contracts.events import ParameterEvent
from snaproll.contracts.values import Recorded
from snaproll.domain.fleet import Fleet
from snaproll.errors import InvalidFleetConfigurationError, UnknownFleetError
from snaproll.runtime import Runtime


def index_fleet(event: ParameterEvent, runtime: Runtime) -> Recorded:
    """Take a fleet parameter that was written or deleted into the index, or out of it.

    Events may come late, twice or in another order: the parameter is read as it is now.
    """
    name = runtime.fleets.name_in(event.detail.name)
    if name is None:
        return Recorded(message=f"{event.detail.name} is no fleet parameter.")
    found = runtime.fleets.read(name)
    if found is None:
        runtime.index.remove(name)
        return Recorded(message=f"Fleet {name} is configured no more.")
    runtime.index.put(found)
    fleet = _told(found, runtime)
    return Recorded(
        message=fleet.problem if isinstance(fleet, Unreadable) else f"Fleet {name} is configured."
    )


def readable_fleets(runtime: Runtime) -> list[Fleet]:
    """Every fleet of the environment that the index knows.

    A fleet whose parameter cannot be read is reported, once a day at most, and does not stand in
    the others' way.
    """
    found = (_told(one, runtime) for one in runtime.index.all())
    return [fleet for fleet in found if isinstance(fleet, Fleet)]


def present(name: str, runtime: Runtime) -> Fleet | None:
    """A fleet by its parameter as it is now; None when it is gone or wrong."""
    try:
        return runtime.fleets.get(name)
    except (UnknownFleetError, InvalidFleetConfigurationError) as error:
        # Deleted or broken in the last seconds: its own event says so where people look.
        runtime.logger.warning(str(error), extra={"fleet": name})
        return None


def repair_index(runtime: Runtime) -> list[Fleet | Unreadable]:
    """Make the index agree with Parameter Store, whatever events were lost; every fleet there."""
    known = {one.name: one for one in runtime.index.all()}
    found = {one.name: one for one in runtime.fleets.all()}
    for name, parameter in found.items():
        if known.get(name) != parameter:
            runtime.index.put(parameter)
    for name in known.keys() - found.keys():
        # One that was made while the pages were read is in the index and not on them.
        if runtime.fleets.read(name) is None:
            runtime.index.remove(name)
    return [_told(one, runtime) for one in found.values()]


def _told(parameter: FleetParameter, runtime: Runtime) -> Fleet | Unreadable:
    """The fleet of a parameter; one that is wrong is reported, once a day at most."""
    fleet = runtime.fleets.parse(parameter)
    if isinstance(fleet, Unreadable):
        runtime.logger.error(fleet.problem, extra={"fleet": fleet.fleet})
        today = runtime.now().date().isoformat()
        if runtime.ledger.is_news(fleet.fleet, f"{today}: {fleet.problem}"):
            runtime.announcements.publish(
                "Fleet Configuration Invalid",
                ConfigurationEvent(
                    environment=runtime.settings.environment,
                    fleet=fleet.fleet,
                    message=fleet.problem,
                ),
            )
    return fleet
