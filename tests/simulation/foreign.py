"""What others do to a fleet past snaproll: deployments, owners, retention rules, AWS's own limits.

People who use snaproll, and faults of its calls, are in ``schedule``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tests.simulation.parts import OfFleet, Timed


class StackUpdates(OfFleet):
    """The fleet's stack makes a launch template version, and the group takes its number.

    ``data`` is what the template names: what is published as ``live`` (as docs tell to do it), or
    the ``first`` snapshot of all, which a template with a fixed id brings back. While a refresh
    runs Auto Scaling refuses the group's part; the stack then makes a version of what it had
    deployed before.
    """

    kind: Literal["stack"] = "stack"
    data: Literal["live", "first"] = "live"
    new_image: bool = False


class GroupIsSet(OfFleet):
    """Somebody saves a launch template version that exists on the group, by hand.

    The ``first`` one, the one that saves what the ledger calls ``live``, or the newest of all.
    """

    kind: Literal["set"] = "set"
    to: Literal["first", "live", "newest"] = "first"


class MaximumChanges(OfFleet):
    """The group's owner changes its maximum size, to so many more than it wants now."""

    kind: Literal["maximum"] = "maximum"
    above_desired: int = Field(ge=0)


class SnapshotIsLost(OfFleet):
    """A retention rule deletes a snapshot of the fleet, or has archived it.

    ``which`` tells what it is to the fleet at that moment; nothing happens when there is none.
    """

    kind: Literal["loss"] = "loss"
    which: Literal["live", "previous", "rolling", "first"] = "live"
    how: Literal["deleted", "archived"] = "deleted"


class KeyIsDisabled(OfFleet):
    """The key of the fleet's data cannot be used for some time."""

    kind: Literal["key"] = "key"
    seconds: float


class LaunchesRunShort(Timed):
    """For some time EC2 has only so many more instances for everybody."""

    kind: Literal["shortage"] = "shortage"
    left: int = Field(ge=0)
    seconds: float


Foreign = (
    StackUpdates | GroupIsSet | MaximumChanges | SnapshotIsLost | KeyIsDisabled | LaunchesRunShort
)
