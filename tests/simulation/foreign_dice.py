"""What chance lets others do to fleets, past snaproll."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.simulation.foreign import (
    Foreign,
    GroupIsSet,
    KeyIsDisabled,
    LaunchesRunShort,
    MaximumChanges,
    SnapshotIsLost,
    StackUpdates,
)
from tests.simulation.schedule import CapacityChanges, FleetSetup, OperatorAsks

_MINUTE, _HOUR = 60.0, 3600.0


def owned_by_others(dice: Random, fleets: list[FleetSetup]) -> Iterator[FleetSetup]:
    """Let some fleets heal their drift, and some groups have a mixed instances policy."""
    for fleet in fleets:
        heals, mixed = dice.random() < 0.5, dice.random() < 0.2
        yield fleet.model_copy(update={"heals": heals, "mixed": mixed})


def others(
    dice: Random, first: float, span: float
) -> Iterator[Foreign | CapacityChanges | OperatorAsks]:
    """What others do in one seed: nothing in most of them, and seldom more than one thing."""
    if dice.random() < 0.12:
        yield from _deployments(dice, first, span)
    if dice.random() < 0.08:
        yield from _by_hand(dice, first, span)
    if dice.random() < 0.05:
        yield OperatorAsks(at=first + dice.uniform(0, 3 * _HOUR), what="again")
    if dice.random() < 0.05:
        at = dice.choice((dice.uniform(0, span), _meanwhile(dice, first)))
        yield MaximumChanges(at=at, above_desired=dice.randint(0, 3))
    if dice.random() < 0.06:
        yield SnapshotIsLost(
            at=dice.choice((dice.uniform(0, span), _meanwhile(dice, first))),
            which=dice.choice(("live", "previous", "rolling", "first")),
            how=dice.choice(("deleted", "archived")),
        )
    if dice.random() < 0.04:
        seconds = dice.uniform(_MINUTE, dice.choice((10 * _MINUTE, 3 * _HOUR)))
        yield KeyIsDisabled(at=_meanwhile(dice, first), seconds=seconds)
    if dice.random() < 0.05:
        yield LaunchesRunShort(
            at=_meanwhile(dice, first),
            left=dice.randint(0, 6),
            seconds=dice.uniform(_MINUTE, dice.choice((20 * _MINUTE, 3 * _HOUR))),
        )


def _meanwhile(dice: Random, first: float) -> float:
    """A moment of the first rollout, which is the one that every seed has."""
    return first + dice.uniform(-_MINUTE, dice.choice((_MINUTE, 10 * _MINUTE, _HOUR)))


def _deployments(dice: Random, first: float, span: float) -> Iterator[StackUpdates]:
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        yield StackUpdates(
            at=dice.choice((dice.uniform(0, span + _HOUR), _meanwhile(dice, first))),
            data="live" if dice.random() < 0.6 else "first",
            new_image=dice.random() < 0.5,
        )


def _by_hand(dice: Random, first: float, span: float) -> Iterator[GroupIsSet | CapacityChanges]:
    at = dice.choice((dice.uniform(first, span + _HOUR), _meanwhile(dice, first)))
    yield GroupIsSet(at=at, to="first" if dice.random() < 0.7 else "newest")
    if dice.random() < 0.4:
        # For as long as it takes to launch instances of another version beside the live one.
        yield CapacityChanges(at=at + 1.0, desired=dice.randint(1, 10))
        yield GroupIsSet(at=at + dice.uniform(_MINUTE, 10 * _MINUTE), to="live")
