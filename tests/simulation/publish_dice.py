"""What chance does to writers and their publishes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from embedded.world.behaviour import Scenario
from tests.simulation.parts import PROMPT
from tests.simulation.publications import (
    DataIsReady,
    HookSays,
    Publication,
    PublishIsAborted,
    SnapshotBreaks,
    WriterSetup,
)
from tests.simulation.schedule import (
    CallsFail,
    Failure,
    FleetSetup,
    InvocationsFail,
    Unrun,
    most_times,
)

_MINUTE, _HOUR = 60.0, 3600.0
_STEPS = (
    "RequestPublishFunction",
    "ClaimWriterFunction",
    "InspectWriterFunction",
    "QuiesceWriterFunction",
    "TakeSnapshotFunction",
    "TakeSnapshotFunction",
    "ResumeWriterFunction",
    "InspectSnapshotFunction",
    "AwaitSnapshotFunction",
    "SignalPublishFunction",
    "FinishPublishFunction",
    "RecoverPublishFunction",
)
"""The publish state machine's functions, and what starts, wakes and recovers it."""
_SAID = {HookSays.DONE: 12, HookSays.PENDING: 4, HookSays.RAISES: 1, HookSays.NONSENSE: 1}
_SCENARIOS = {Scenario.HEALTHY: 4, Scenario.CORRUPT: 1, Scenario.SLOW: 1}


def published(seed: int) -> bool:
    """Whether the fleets of a seed have writers."""
    return Random(f"writers {seed}").random() < 0.12


def writers(dice: Random, fleets: list[FleetSetup]) -> Iterator[FleetSetup]:
    """Give fleets their writers."""
    for fleet in fleets:
        said = dice.choices(list(_SAID), list(_SAID.values()), k=dice.randint(1, 5))
        writer = WriterSetup(
            hook=tuple(said) if dice.random() < 0.6 else (), limit=dice.choice((60, 300))
        )
        yield fleet.model_copy(update={"writer": writer})


def publishes(
    dice: Random, first: float, span: float
) -> Iterator[Publication | CallsFail | InvocationsFail]:
    """What happens to the writers of one seed."""
    at = dice.choice((dice.uniform(0, first), dice.uniform(first, span)))
    for _ in range(dice.choice((1, 2, 3))):
        yield _ready(dice, at)
        # On its heels, into the snapshot that is being made, or long after it.
        at += dice.uniform(*dice.choice(((0.0, 20.0), (0.0, 10 * _MINUTE), (_HOUR, 2 * _HOUR))))
    if dice.random() < 0.15:
        yield PublishIsAborted(at=at - dice.uniform(0, 10 * _MINUTE))
    if dice.random() < 0.1:
        yield SnapshotBreaks(at=dice.uniform(0, at))
    for _ in range(dice.choice((0, 0, 1, 2))):
        yield _fault(dice, at)
    if dice.random() < 0.2:
        yield InvocationsFail(
            at=0.0,
            function=dice.choice(_STEPS),
            nth=dice.randint(1, 3),
            failure=dice.choice(list(Unrun)),
            times=dice.randint(1, 4),
        )


def _ready(dice: Random, at: float) -> DataIsReady:
    return DataIsReady(
        at=at,
        by=dice.choices(("event", "person", "schedule"), (4, 1, 1))[0],
        data_before=dice.uniform(0, 20 * _MINUTE) if dice.random() < 0.4 else None,
        snapshot_only=dice.random() < 0.15,
        scenario=dice.choices(list(_SCENARIOS), list(_SCENARIOS.values()))[0],
        arrivals=dice.choice(
            ((PROMPT,), (PROMPT,), (PROMPT, PROMPT), (dice.uniform(PROMPT, _HOUR),))
        ),
    )


def _fault(dice: Random, latest: float) -> CallsFail:
    failure = dice.choice(list(Failure))
    return CallsFail(
        at=0.0 if dice.random() < 0.6 else dice.uniform(0, latest),
        function=dice.choice(_STEPS),
        nth=dice.randint(1, 6),
        failure=failure,
        times=dice.randint(1, most_times(failure)),
    )
