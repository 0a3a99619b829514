"""Things that seldom meet by chance, thrown together: each strikes in the middle of another.

They happen to the fleet of the first snapshot, and come last: what else a seed does stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.simulation.schedule import (
    CallsFail,
    CapacityChanges,
    Entry,
    EventsAreLate,
    Failure,
    FleetSetup,
    InTheMiddle,
    InvocationsFail,
    OperatorAborts,
    OperatorAsks,
    RefreshesBegin,
    SnapshotCompletes,
    Unrun,
)

_MINUTE, _HOUR = 60.0, 3600.0
_BEFORE_THE_END = (
    Failure.DIES_BEFORE,
    Failure.THROTTLED,
    Failure.UNAVAILABLE_BEFORE,
    Failure.TIMES_OUT_BEFORE,
)

_AFTER_THE_START = (Failure.DIES_AFTER, Failure.TIME_IS_UP)
_AWS_BAKES_ON = 10 * _MINUTE
"""For so long after the fleet's own bake."""

_Meeting = Callable[[Random, FleetSetup, SnapshotCompletes], Iterator[Entry]]


def meetings(
    dice: Random, fleets: Sequence[FleetSetup], entries: Sequence[Entry]
) -> Iterator[Entry]:
    """What meets in one seed: nothing in most of them."""
    snapshots = [one for one in entries if isinstance(one, SnapshotCompletes)]
    first = min(snapshots, key=lambda one: one.at)
    for chance, meeting in _MEETINGS:
        if dice.random() < chance:
            yield from meeting(dice, fleets[first.fleet], first)


def _quarantined_is_wanted(
    dice: Random, _: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """A person names what instances have shown to be bad."""
    at = first.at + dice.uniform(_HOUR, 4 * _HOUR)
    what = dice.choice(("quarantined", "insist"))
    yield OperatorAsks.model_validate({"at": at, "fleet": first.fleet, "what": what})


def _grown_just_before(
    dice: Random, fleet: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """The fleet grows, and its new instances do not serve yet when the snapshot is there."""
    desired = fleet.capacity + dice.randint(1, fleet.capacity)
    yield CapacityChanges(at=first.at - dice.uniform(0, 90), fleet=first.fleet, desired=desired)


def _grown_as_it_becomes_live(
    dice: Random, fleet: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """The fleet grows, and its new instances do not serve yet when the refresh succeeds."""
    grows = CapacityChanges(at=0.0, desired=fleet.capacity + dice.randint(1, fleet.capacity))
    later = fleet.bake + _AWS_BAKES_ON - dice.uniform(0, 90)
    yield _in_the_middle(first, "Baking", grows, later=later)


def _grown_before_its_return_is_heard(
    dice: Random, fleet: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """The fleet went back and grows; that it is back is heard late, or seen by the next look."""
    yield EventsAreLate(at=first.at, by=dice.uniform(3, 10) * _MINUTE, seconds=5 * _HOUR)
    grows = CapacityChanges(at=0.0, desired=fleet.capacity + dice.randint(1, fleet.capacity))
    yield _in_the_middle(first, "RollbackSuccessful", grows, later=dice.uniform(0, 150))


def _promotion_is_broken_off(
    dice: Random, _: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """A promotion says everywhere what is live, but not in the ledger, and is aborted there."""
    yield CallsFail(
        at=0.0,
        function="PromoteReleaseFunction",
        operation="PutItem",
        nth=1,
        failure=dice.choice(_BEFORE_THE_END),
        times=3,
    )
    abort = OperatorAborts(at=0.0)
    later = dice.uniform(0.1, 2.0)
    yield _in_the_middle(first, "PromoteRelease", abort, later=later)


def _held_between_plan_and_claim(
    dice: Random, _: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """A person holds, or resumes, the fleet for which a rollout is planned and not claimed."""
    at = dice.choice((0.0, first.at))
    failure = dice.choice((Unrun.THROTTLED, Unrun.BROKEN))
    function = "ClaimFleetFunction"
    yield InvocationsFail(at=at, function=function, nth=1, failure=failure, times=1)
    hold = OperatorAsks(at=0.0, what=dice.choice(("hold", "resume")))
    yield _in_the_middle(first, "ClaimFleet", hold)
    yield OperatorAsks(at=first.at + dice.uniform(_MINUTE, _HOUR), fleet=first.fleet, what="resume")


def _stopped_as_first_instances_leave(
    dice: Random, fleet: FleetSetup, first: SnapshotCompletes
) -> Iterator[Entry]:
    """A person stops what was staged while its first instances leave again, and still use it."""
    at, index = first.at - dice.uniform(4 * _MINUTE, 9 * _MINUTE), first.fleet
    yield CapacityChanges(at=at, fleet=index, desired=0)
    at = first.at + dice.uniform(_MINUTE, 10 * _MINUTE)
    yield CapacityChanges(at=at, fleet=index, desired=fleet.capacity)
    at += dice.uniform(3 * _MINUTE, 6 * _MINUTE)
    yield CapacityChanges(at=at, fleet=index, desired=0)
    yield OperatorAsks(at=at + dice.uniform(0, 90), fleet=index, what="hold and roll back")
    at += dice.uniform(10 * _MINUTE, _HOUR)
    yield OperatorAsks(at=at, fleet=index, what="resume")
    at += dice.uniform(_MINUTE, _HOUR)
    yield CapacityChanges(at=at, fleet=index, desired=fleet.capacity)


def _start_is_not_heard(dice: Random, _: FleetSetup, first: SnapshotCompletes) -> Iterator[Entry]:
    """A refresh begins in the very second of the claim, and who asked for it never hears of it."""
    yield RefreshesBegin(at=first.at - _MINUTE, after=dice.choice((0.0, 0.1, 1.0)))
    yield CallsFail(
        at=0.0,
        function="StartRefreshFunction",
        operation="StartInstanceRefresh",
        nth=1,
        failure=dice.choice(_AFTER_THE_START),
    )


def _in_the_middle(
    first: SnapshotCompletes,
    state: str,
    then: CapacityChanges | OperatorAborts | OperatorAsks,
    *,
    later: float = 0.0,
) -> InTheMiddle:
    return InTheMiddle(at=first.at, fleet=first.fleet, state=state, later=later, then=then)


_MEETINGS: tuple[tuple[float, _Meeting], ...] = (
    (0.05, _quarantined_is_wanted),
    (0.05, _grown_just_before),
    (0.04, _grown_as_it_becomes_live),
    (0.05, _grown_before_its_return_is_heard),
    (0.05, _promotion_is_broken_off),
    (0.05, _held_between_plan_and_claim),
    (0.04, _start_is_not_heard),
    (0.04, _stopped_as_first_instances_leave),
)
