"""What chance does to rollouts that die: who hears of it, who takes over, and what people do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from embedded.scenarios.stage import DATA_GIB
from tests.simulation.schedule import (
    CallsFail,
    Entry,
    EventTravels,
    Failure,
    OperatorAborts,
    OperatorAsks,
    OperatorCancels,
    OperatorRedrives,
    SnapshotCompletes,
    SnapshotFails,
)

_MINUTE, _HOUR = 60.0, 3600.0
_UNHEARD = 60
"""More status changes than a seed's executions have in some hours."""
_CHANGING = (
    ("UpdateLaunchTemplateFunction", "CreateLaunchTemplateVersion"),
    ("UpdateLaunchTemplateFunction", "PutItem"),
    ("StartRefreshFunction", "StartInstanceRefresh"),
    ("StartRefreshFunction", "PutItem"),
    ("AwaitSignalFunction", "PutItem"),
    ("PromoteReleaseFunction", "ModifyLaunchTemplate"),
    ("PromoteReleaseFunction", "PutItem"),
    ("RollBackFunction", "PutItem"),
    ("DeleteTemplateVersionFunction", "DeleteLaunchTemplateVersions"),
)
"""Where a permission that is missing leaves something half done."""
_TAKING_OVER = ("ClaimFleetFunction", "TransactWriteItems")
"""The first is that of the rollout itself."""
_STATES = ("StartRefresh", "AwaitSignal", "PromoteRelease", "RollBack", "DeleteTemplateVersion")


def deaths(dice: Random, entries: Sequence[Entry]) -> Iterator[Entry]:
    """What dies in one seed, and what comes of it: nothing in most of them.

    It is the rollout of the first snapshot that is fit, which most seeds have.
    """
    snapshots = [one for one in entries if isinstance(one, SnapshotCompletes)]
    rolled = next((one for one in snapshots if one.encrypted and one.size_gib <= DATA_GIB), None)
    if rolled is None:
        return
    at, fleet = rolled.at, rolled.fleet
    if dice.random() < 0.04:
        yield SnapshotFails(at=at + dice.uniform(-_MINUTE, 2 * _HOUR), fleet=fleet)
    if dice.random() < 0.8:
        return
    stories = (
        _redriven,
        _of_successors,
        _unheard,
        _unheard,
        _of_refreshes,
        _cancelled,
        _at_the_end,
    )
    yield from dice.choice(stories)(dice, at, fleet)


def _redriven(dice: Random, at: float, fleet: int) -> Iterator[Entry]:
    """A person redrives what another execution goes on with by now."""
    yield _death(dice, at, fleet)
    yield OperatorRedrives(at=at, fleet=fleet, once_taken_over=True)


def _of_successors(dice: Random, at: float, fleet: int) -> Iterator[Entry]:
    """Who is to take over dies before it has the claim, and may be redriven too late."""
    yield _death(dice, at, fleet)
    yield _death_of_successor(dice, at, fleet)
    if dice.random() < 0.7:
        yield OperatorRedrives(at=at, fleet=fleet, once_taken_over=True)


def _unheard(dice: Random, at: float, fleet: int) -> Iterator[Entry]:
    """Nobody hears that it died, and a person may have held the fleet."""
    yield EventTravels(at=at, source="aws.states", nth=1, times=_UNHEARD, arrivals=())
    yield _death(dice, at, fleet)
    if dice.random() < 0.7:
        held_at = at + dice.uniform(5.0, 10 * _MINUTE)
        yield OperatorAsks(at=held_at, fleet=fleet, what="hold")


def _of_refreshes(dice: Random, at: float, fleet: int) -> Iterator[Entry]:
    """A refresh ends before anybody goes on who would have noted that it was started."""
    yield _denied(at, "StartRefreshFunction", "PutItem", nth=1)
    latest = 1.4 * _MINUTE
    if dice.random() < 0.7:
        # Nobody goes on before the comparison has counted who was to.
        yield _denied(at, *_TAKING_OVER, nth=2)
        latest = 10 * _MINUTE
    if dice.random() < 0.7:
        yield OperatorCancels(at=at + dice.uniform(5.0, latest), fleet=fleet)


def _cancelled(dice: Random, at: float, fleet: int) -> Iterator[Entry]:
    """A refresh is being cancelled when its rollout is to go back."""
    at += dice.uniform(0, 20 * _MINUTE)
    yield OperatorCancels(at=at, fleet=fleet)
    soon = at + dice.uniform(0, 2 * _MINUTE)
    chance = dice.random()
    if chance < 0.3:
        yield OperatorAborts(at=soon, fleet=fleet)
    elif chance < 0.6:
        yield OperatorAsks(at=soon, fleet=fleet, what="repair")
    else:
        yield OperatorAsks(at=soon, fleet=fleet, what="hold and roll back")


def _at_the_end(dice: Random, at: float, fleet: int) -> Iterator[Entry]:  # noqa: ARG001 - as all
    """The last step dies once it has written."""
    yield CallsFail(
        at=at,
        function="ReleaseFleetFunction",
        operation="TransactWriteItems",
        nth=dice.choice((1, 1, 2)),
        failure=dice.choice((Failure.DIES_AFTER, Failure.TIME_IS_UP)),
    )


def _death(dice: Random, at: float, fleet: int) -> CallsFail | OperatorAborts:
    if dice.random() < 0.4:
        return OperatorAborts(at=at, fleet=fleet, state=dice.choice(_STATES))
    function, operation = dice.choice(_CHANGING)
    return _denied(at, function, operation, nth=dice.choice((1, 1, 2)))


def _death_of_successor(dice: Random, at: float, fleet: int) -> CallsFail | OperatorAborts:
    if dice.random() < 0.5:
        return OperatorAborts(at=at + 1.0, fleet=fleet, state="WaitForQuiet")
    return _denied(at, *_TAKING_OVER, nth=2)


def _denied(at: float, function: str, operation: str, *, nth: int) -> CallsFail:
    return CallsFail(at=at, function=function, operation=operation, nth=nth, failure=Failure.DENIED)
