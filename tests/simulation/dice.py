"""From a seed to a schedule. Everything that is left to chance is decided here."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from embedded.world.behaviour import Scenario
from tests.simulation.death_dice import deaths
from tests.simulation.foreign_dice import others, owned_by_others
from tests.simulation.meeting_dice import meetings
from tests.simulation.parts import PROMPT
from tests.simulation.publish_dice import published, publishes, writers
from tests.simulation.schedule import (
    LATEST,
    AlarmIsHeld,
    CallsFail,
    CapacityChanges,
    ComparisonRuns,
    Entry,
    EnvironmentStops,
    EventTravels,
    Failure,
    FleetSetup,
    HistoryFills,
    InvocationsFail,
    OperatorAborts,
    OperatorAsks,
    OperatorCancels,
    OperatorRedrives,
    OperatorStarts,
    ProbeSetup,
    ReadsLag,
    Said,
    Schedule,
    SnapshotCompletes,
    Unrun,
    most_times,
)

MOST_ROLLOUTS = 3
MINUTE, HOUR = 60.0, 3600.0

_SCENARIOS = {
    Scenario.HEALTHY: 10,
    Scenario.CORRUPT: 4,
    Scenario.DEGRADES: 3,
    Scenario.SLOW: 2,
    Scenario.FLAPPING: 2,
}
_STEPS: dict[str, tuple[str, ...]] = {
    "PlanRolloutFunction": (),
    "ClaimFleetFunction": ("TransactWriteItems", "PutEvents"),
    "ValidateSnapshotFunction": (),
    "RecordRejectionFunction": ("CreateTags",),
    "InspectFleetFunction": (),
    "UpdateLaunchTemplateFunction": ("CreateLaunchTemplateVersion",),
    "StartRefreshFunction": ("PutItem", "StartInstanceRefresh"),
    "AwaitSignalFunction": ("PutItem", "SendTaskSuccess"),
    "WatchHealthFunction": (),
    "PromoteReleaseFunction": (
        "ModifyLaunchTemplate",
        "CreateTags",
        "PutParameter",
        "PutItem",
    ),
    "RollBackFunction": (
        "PutItem",
        "RollbackInstanceRefresh",
        "UpdateAutoScalingGroup",
        "StartInstanceRefresh",
        "PutEvents",
    ),
    "DeleteTemplateVersionFunction": ("DeleteLaunchTemplateVersions",),
    "QuarantineSnapshotFunction": ("PutItem", "CreateTags"),
    "ReleaseFleetFunction": ("TransactWriteItems", "PutEvents"),
}
"""The state machine's functions, and the calls by which each changes something."""
_EVENT_FUNCTIONS = {
    "DispatchSnapshotFunction": ("StartExecution",),
    "SignalRolloutFunction": ("PutItem", "SendTaskSuccess"),
}
_BAD_MOMENTS = (
    "ClaimFleet",
    "ValidateSnapshot",
    "UpdateLaunchTemplate",
    "StartRefresh",
    "AwaitSignal",
    "WatchHealth",
    "PromoteRelease",
    "RollBack",
    "DeleteTemplateVersion",
    "ReleaseFleet",
)
"""States in which an abort leaves something half done."""
_SOURCES = ("aws.autoscaling", "aws.autoscaling", "aws.cloudwatch", "aws.states", "snaproll")
_LOSSY = ("aws.autoscaling", "aws.ec2", "aws.states")
"""Sources whose events AWS delivers on a best-effort basis."""
_HEALTHY_RANGES = ((100, 150), (100, 150), (100, 100), (100, 200), (90, 110), (50, 100), (0, 100))
_CHECKPOINTS = ((), (25, 100), (10, 50, 100), (50, 100), (1, 100))

_SAID = {Said.PASS: 12, Said.INCONCLUSIVE: 3, Said.FAIL: 1, Said.RAISES: 1, Said.NONSENSE: 1}

_GAPS = ((0.0, 10.0), (0.0, 20 * MINUTE), (20 * MINUTE, HOUR), (2 * HOUR, 3 * HOUR))


def schedule_of(seed: int, most_rollouts: int = MOST_ROLLOUTS) -> Schedule:
    """Make the schedule of a seed: the same in every process and on every machine."""
    dice = Random(seed)
    fleets = [_fleet(dice)]
    rollouts = list(_rollouts(dice, dice.randint(1, most_rollouts)))
    first, span = rollouts[0].at, rollouts[-1].at + HOUR
    entries: list[Entry] = [*rollouts, *_noise(dice, fleets[0], span)]
    # Dice of their own for each kind: adding one changes nothing of what a seed did before.
    entries += _people(Random(~seed), first, span)
    entries += _urgent(Random(f"urgent {seed}"), first)
    entries += _long_ones(Random(f"long {seed}"), first)
    entries += _service_faults(Random(f"services {seed}"), first, span)
    entries += _lag(Random(f"lag {seed}"), first, span)
    entries += _zero(Random(f"zero {seed}"), fleets[0], first, span)
    fleets += _more_fleets(Random(f"fleets {seed}"))
    fleets = list(_with_probes(Random(f"probes {seed}"), fleets))
    entries += others(Random(f"others {seed}"), first, span)
    fleets = list(owned_by_others(Random(f"owners {seed}"), fleets))
    if published(seed):
        entries += publishes(Random(f"publishes {seed}"), first, span)
        fleets = list(writers(Random(f"owned {seed}"), fleets))
    entries = list(_spread(Random(f"spread {seed}"), entries, len(fleets)))
    # Last, each with fleets of its own choice: whom the others strike is the same without them.
    rolled = tuple(entries)
    entries += deaths(Random(f"deaths {seed}"), rolled)
    entries += meetings(Random(f"meetings {seed}"), fleets, rolled)
    return Schedule(
        seed=seed,
        world_seed=dice.getrandbits(32),
        fleets=tuple(fleets),
        entries=tuple(sorted(entries, key=lambda entry: entry.at)),
    )


# -- fleets ---------------------------------------------------------------------------------------


def _more_fleets(dice: Random) -> list[FleetSetup]:
    return [_fleet(dice) for _ in range(dice.choice((0, 0, 0, 0, 1, 1, 2)))]


def _with_probes(dice: Random, fleets: list[FleetSetup]) -> Iterator[FleetSetup]:
    for fleet in fleets:
        if dice.random() < 0.75:
            yield fleet
            continue
        # Twice as long as all tries must be no longer than a pause.
        tries = 1 if fleet.checkpoint_wait == MINUTE else dice.randint(1, 3)
        probe = ProbeSetup(
            answers=tuple(dice.choices(list(_SAID), list(_SAID.values()), k=dice.randint(1, 6))),
            tries=tries,
            seconds=dice.choice((0, 0, 0, 5, 30)),
        )
        yield fleet.model_copy(update={"probe": probe})


def _spread(dice: Random, entries: list[Entry], fleets: int) -> Iterator[Entry]:
    """Let things happen to all the fleets; a person starts only what the fleet itself has."""
    labels: dict[str, int] = {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        if fleets == 1 or "fleet" not in type(entry).model_fields:
            yield entry
            continue
        fleet = dice.randrange(fleets)
        if isinstance(entry, SnapshotCompletes):
            labels[entry.label] = fleet
        if isinstance(entry, OperatorStarts) and entry.snapshot != LATEST:
            fleet = labels[entry.snapshot]
        yield entry.model_copy(update={"fleet": fleet})


def _fleet(dice: Random) -> FleetSetup:
    low, high = dice.choice(_HEALTHY_RANGES)
    return FleetSetup(
        capacity=dice.randint(1, 10),
        min_healthy=low,
        max_healthy=high,
        warmup=dice.choice((0, 120, 300)),
        checkpoints=dice.choice(_CHECKPOINTS),
        checkpoint_wait=dice.choice((60, 300, 600)),
        bake=dice.choice((0, 300, 900, 1800)),
        unhealthy_grace=dice.choice((300, 600, 1800)),
        watches_alarm=dice.random() < 0.7,
        max_age=dice.choice((None, None, None, 86_400)),
    )


# -- rollouts -------------------------------------------------------------------------------------


def _rollouts(dice: Random, count: int) -> Iterator[SnapshotCompletes | OperatorStarts]:
    # Long enough after the first snapshot, so that a tag may make the next a little older.
    at, labels = dice.uniform(10 * MINUTE, 15 * MINUTE), list[str]()
    for number in range(1, count + 1):
        if labels and dice.random() < 0.25:
            yield OperatorStarts(at=at, snapshot=dice.choice([LATEST, *labels]))
        else:
            labels.append(f"snapshot {number}")
            yield _snapshot(dice, at, labels[-1])
        at += _gap(dice)


def _snapshot(dice: Random, at: float, label: str) -> SnapshotCompletes:
    copied = dice.random() < 0.2
    taken_before = 10 * MINUTE
    if dice.random() < 0.1:
        taken_before = dice.uniform(HOUR, 48 * HOUR)
    tagged = dice.random() < (0.85 if copied else 0.2)
    return SnapshotCompletes(
        at=at,
        label=label,
        scenario=dice.choices(list(_SCENARIOS), list(_SCENARIOS.values()))[0],
        encrypted=dice.random() > 0.07,
        copied=copied,
        taken_before=taken_before,
        data_before=taken_before + dice.uniform(0, 10 * MINUTE) if tagged else None,
        size_gib=dice.choices((100, 50, 200), (30, 1, 1))[0],
        arrivals=_arrivals(dice) if dice.random() < 0.3 else (PROMPT,),
    )


def _gap(dice: Random) -> float:
    """Until the next rollout: on its heels, into the middle of the last one, or long after it."""
    return dice.uniform(*dice.choice(_GAPS))


def _arrivals(dice: Random) -> tuple[float, ...]:
    late = dice.uniform(PROMPT, dice.choice((30.0, 10 * MINUTE, HOUR)))
    return dice.choice(((late,), (PROMPT, PROMPT), (PROMPT, late), (late, late), (0.0,)))


# -- everything that goes wrong around them -------------------------------------------------------


def _noise(dice: Random, fleet: FleetSetup, span: float) -> Iterator[Entry]:
    for _ in range(dice.choice((0, 0, 1, 2, 3))):
        # Where there is more to change there is more to find.
        weights = [1 + 2 * len(changing) for changing in _STEPS.values()]
        function = dice.choices(list(_STEPS), weights)[0]
        yield _fault(dice, function, _STEPS[function], span)
    for function, changing in _EVENT_FUNCTIONS.items():
        if dice.random() < 0.1:
            yield _fault(dice, function, changing, span)
    for _ in range(dice.choice((0, 0, 2, 5))):
        yield EventTravels(
            at=dice.uniform(0, span),
            source=dice.choice(_SOURCES),
            nth=dice.randint(1, 10),
            arrivals=_arrivals(dice),
        )
    if dice.random() < 0.25:
        for _ in range(dice.randint(1, 2)):
            yield CapacityChanges(
                at=dice.uniform(0, span), desired=dice.randint(1, 2 * fleet.capacity)
            )
    if dice.random() < 0.15:
        yield from _alarm(dice, dice.uniform(0, span))


def _people(dice: Random, first: float, span: float) -> Iterator[Entry]:
    """What people do to it, and events that never come."""
    if dice.random() < 0.25:
        for _ in range(dice.randint(1, 3)):
            source = dice.choice(_LOSSY)
            at = dice.uniform(0, span)
            yield EventTravels(at=at, source=source, nth=dice.randint(1, 5), arrivals=())
    if dice.random() < 0.15:
        # The first rollout is the one that every seed has: most aborts are to meet something.
        at = first + dice.uniform(0, dice.choice((10.0, 5 * MINUTE, 40 * MINUTE)))
        yield OperatorAborts(at=at)
        if dice.random() < 0.4:
            yield OperatorRedrives(at=at + dice.uniform(0, 10 * MINUTE))
    if dice.random() < 0.15:
        at = dice.choice((first + dice.uniform(0, 40 * MINUTE), dice.uniform(0, span)))
        yield OperatorAsks(at=at, what="hold" if dice.random() < 0.5 else "hold and roll back")
        if dice.random() < 0.7:
            yield OperatorAsks(at=at + dice.uniform(MINUTE, HOUR), what="resume")
    if dice.random() < 0.1:
        yield OperatorAsks(at=dice.uniform(HOUR, span + HOUR), what="previous")
    if dice.random() < 0.1:
        seconds = dice.uniform(MINUTE, HOUR)
        yield EnvironmentStops(at=dice.uniform(0, span), seconds=seconds)


def _fault(dice: Random, function: str, changing: tuple[str, ...], span: float) -> CallsFail:
    failure = dice.choice(list(Failure))
    aimed = changing and dice.random() < 0.5
    return CallsFail(
        # Early ones meet the first rollout, which is the only one that every seed has.
        at=0.0 if dice.random() < 0.5 else dice.uniform(0, span),
        function=function,
        operation=dice.choice(changing) if aimed else None,
        nth=dice.choice((1, 1, 2)) if aimed else dice.randint(1, 10),
        failure=failure,
        times=dice.randint(1, most_times(failure)),
    )


def _long_ones(dice: Random, first: float) -> Iterator[Entry]:
    """Executions that have looked so often that they have to hand over, now and then at once."""
    if dice.random() < 0.15:
        for _ in range(dice.choice((1, 1, 2))):
            yield HistoryFills(at=first + dice.uniform(0, dice.choice((MINUTE, HOUR, 2 * HOUR))))


def _urgent(dice: Random, first: float) -> Iterator[Entry]:
    """People who cannot wait for what runs: mostly into the middle of the first rollout."""
    for _ in range(dice.choice((0, 0, 0, 0, 0, 0, 0, 1, 1, 2))):
        at = first + dice.uniform(0, dice.choice((10.0, 5 * MINUTE, 40 * MINUTE, 2 * HOUR)))
        yield OperatorAsks(at=at, what="repair" if dice.random() < 0.6 else "stay")
    if dice.random() < 0.1:
        # Once the rollout is in the middle of something, whenever that is.
        state = dice.choice(_BAD_MOMENTS)
        yield OperatorAborts(at=first, state=state)
        if dice.random() < 0.4:
            yield OperatorRedrives(at=first + dice.uniform(0, HOUR))
    if dice.random() < 0.1:
        yield OperatorAsks(at=first + dice.uniform(0, HOUR), what="preview")
    if dice.random() < 0.1:
        yield OperatorCancels(at=first + dice.uniform(MINUTE, 40 * MINUTE))
    if dice.random() < 0.1:
        yield OperatorAsks(at=first + dice.uniform(HOUR, 3 * HOUR), what="lift")


def _service_faults(dice: Random, first: float, span: float) -> Iterator[Entry]:
    """Functions that are not run, or run twice, and a comparison at any moment."""
    functions = [*_STEPS, *_EVENT_FUNCTIONS, "RecoverRolloutFunction", "ReconcileFleetsFunction"]
    for _ in range(dice.choice((0, 0, 1, 2))):
        yield InvocationsFail(
            at=0.0 if dice.random() < 0.5 else dice.uniform(0, span),
            function=dice.choice(functions),
            nth=dice.randint(1, 3),
            failure=dice.choice(list(Unrun)),
            times=dice.randint(1, 4),
        )
    if dice.random() < 0.3:
        yield ComparisonRuns(at=first + dice.uniform(0, dice.choice((10.0, HOUR, span))))


def _lag(dice: Random, first: float, span: float) -> Iterator[Entry]:
    if dice.random() < 0.2:
        yield ReadsLag(
            at=dice.choice((0.0, first, dice.uniform(0, span))),
            lag=dice.uniform(1.0, 20.0),
            seconds=dice.choice((MINUTE, HOUR, 2 * span)),
        )


def _zero(dice: Random, fleet: FleetSetup, first: float, span: float) -> Iterator[Entry]:
    """Fleets that are scaled in to zero, before a rollout or in the middle of it, and out again."""
    if dice.random() < 0.75:
        return
    at = dice.choice(
        (dice.uniform(0, first), first + dice.uniform(0, 2 * HOUR), dice.uniform(0, span))
    )
    for _ in range(dice.choice((1, 1, 2, 3))):
        yield CapacityChanges(at=at, desired=0)
        at += dice.uniform(*dice.choice(((1.0, 20 * MINUTE), (20 * MINUTE, 3 * HOUR))))
        if dice.random() < 0.9:
            yield CapacityChanges(at=at, desired=dice.randint(1, fleet.capacity))
        at += dice.uniform(*dice.choice(((1.0, 20 * MINUTE), (20 * MINUTE, 3 * HOUR))))


def _alarm(dice: Random, at: float) -> Iterator[AlarmIsHeld]:
    for _ in range(dice.choice((1, 1, 4))):
        seconds = dice.uniform(10, 10 * MINUTE)
        state = dice.choices(("ALARM", "INSUFFICIENT_DATA"), (3, 1))[0]
        yield AlarmIsHeld.model_validate({"at": at, "state": state, "seconds": seconds})
        at += seconds + dice.uniform(10, 5 * MINUTE)
