"""What one seed does to fleets: a list of timed entries that can be written down and read back.

A schedule holds everything that chance decided, so that playing it needs no dice but the world's
own, whose seed it names. Times are seconds of emulated time after the fleets stood healthy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from embedded.world.behaviour import Scenario
from tests.simulation.foreign import Foreign, LaunchesRunShort
from tests.simulation.parts import PROMPT, OfFleet, Part, Timed
from tests.simulation.publications import DataIsReady, Publication, WriterSetup

LATEST = "latest"


class Failure(StrEnum):
    """How a call of a function goes wrong."""

    DIES_BEFORE = "dies before the call"
    DIES_AFTER = "dies after the call"
    THROTTLED = "is throttled"
    UNAVAILABLE_BEFORE = "gets a server error, nothing done"
    UNAVAILABLE_AFTER = "gets a server error, though it was done"
    TIMES_OUT_BEFORE = "cannot connect"
    TIMES_OUT_AFTER = "gets no answer, though it was done"
    TIME_IS_UP = "runs out of time after the call"
    DENIED = "is denied"

    @property
    def after(self) -> bool:
        """Whether the call has its effect all the same."""
        return self in (
            Failure.DIES_AFTER,
            Failure.UNAVAILABLE_AFTER,
            Failure.TIMES_OUT_AFTER,
            Failure.TIME_IS_UP,
        )

    @property
    def deadly(self) -> bool:
        """Whether the function ends with it; the SDK tries again after anything else."""
        return self in (
            Failure.DIES_BEFORE,
            Failure.DIES_AFTER,
            Failure.TIME_IS_UP,
            Failure.DENIED,
        )


class Unrun(StrEnum):
    """How the invocation of a function goes wrong, on Lambda's side."""

    THROTTLED = "is not run, Lambda being throttled"
    BROKEN = "is not run, Lambda being broken"
    UNHEARD = "is run, and nobody hears of it"


class Said(StrEnum):
    """What a probe answers, or does instead."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    RAISES = "raises"
    NONSENSE = "nonsense"


class ProbeSetup(Part):
    """A fleet's probe: what it answers in turn, again and again, and how long it takes."""

    answers: tuple[Said, ...] = Field(min_length=1)
    tries: int = 1
    seconds: float = 0

    @property
    def kind(self) -> bool:
        """Whether it passes everything in time."""
        return set(self.answers) == {Said.PASS} and self.seconds == 0


class FleetSetup(Part):
    """The fleet and its policy. Durations are seconds."""

    capacity: int = Field(ge=1, le=10)
    min_healthy: int = 100
    max_healthy: int = 150
    warmup: int = 120
    checkpoints: tuple[int, ...] = (25, 100)
    checkpoint_wait: int = 300
    bake: int = 900
    unhealthy_grace: int = 600
    watches_alarm: bool = True
    max_age: int | None = None
    probe: ProbeSetup | None = None
    heals: bool = False
    """Whether drift is healed; else it is only told."""
    mixed: bool = False
    """Whether the group has a mixed instances policy, over two types."""
    writer: WriterSetup | None = None
    """The writer whose data is published, besides the snapshots that just complete."""


class SnapshotCompletes(OfFleet):
    """A snapshot of the fleet's writer completes, and its event arrives after ``arrivals``.

    ``taken_before`` is how long before ``at`` it was begun. ``data_before`` is how long before
    ``at`` its data was true according to its tag, None without a tag.
    """

    kind: Literal["snapshot"] = "snapshot"
    label: str
    scenario: Scenario = Scenario.HEALTHY
    encrypted: bool = True
    copied: bool = False
    taken_before: float = 600.0
    data_before: float | None = None
    size_gib: int = 100
    arrivals: tuple[float, ...] = (PROMPT,)


class SnapshotFails(OfFleet):
    """A snapshot of the fleet's writer ends in an error, and EC2 says so."""

    kind: Literal["fails"] = "fails"


class OperatorStarts(OfFleet):
    """A person starts a rollout of a snapshot that the schedule labels, or of the newest."""

    kind: Literal["start"] = "start"
    snapshot: str = LATEST


class CapacityChanges(OfFleet):
    """The group's desired capacity changes."""

    kind: Literal["capacity"] = "capacity"
    desired: int


class AlarmIsHeld(OfFleet):
    """The fleet's alarm is in a state for some time, whatever its metric says."""

    kind: Literal["alarm"] = "alarm"
    state: Literal["ALARM", "INSUFFICIENT_DATA"] = "ALARM"
    seconds: float


class CallsFail(Timed):
    """From ``at`` on, ``times`` calls of a function go wrong, the ``nth`` being the first.

    With an ``operation`` only calls of that are counted, and go wrong.
    """

    kind: Literal["fault"] = "fault"
    function: str
    """The function's logical id in the template."""
    operation: str | None = None
    nth: int = Field(ge=1)
    failure: Failure
    times: int = Field(default=1, ge=1)


class EventTravels(Timed):
    """From ``at`` on, the ``nth`` event of a source arrives after ``arrivals``; never, if empty.

    So do those after it, ``times`` in all.
    """

    kind: Literal["event"] = "event"
    source: str
    nth: int = Field(ge=1)
    times: int = Field(default=1, ge=1)
    arrivals: tuple[float, ...]


class EventsAreLate(Timed):
    """For some seconds, every event takes so many seconds to arrive."""

    kind: Literal["late"] = "late"
    by: float
    seconds: float


class OperatorAborts(OfFleet):
    """A person aborts the fleet's newest execution that runs: at once, or in its next such state.

    Nobody does when none runs.
    """

    kind: Literal["abort"] = "abort"
    state: str | None = None


class PolicyIsWritten(OfFleet):
    """A person, or a stack, writes the fleet's parameter again, as it is."""

    kind: Literal["policy"] = "policy"


class OperatorCancels(OfFleet):
    """A person cancels the group's instance refresh, if one is active."""

    kind: Literal["cancel"] = "cancel"


class HistoryFills(OfFleet):
    """The fleet's newest execution that runs has looked so often that its next look is the last."""

    kind: Literal["history"] = "history"


class OperatorRedrives(OfFleet):
    """A person redrives the fleet's newest execution that died, if there is one.

    ``once_taken_over``: as soon as another one has taken the claim of one that died.
    """

    kind: Literal["redrive"] = "redrive"
    once_taken_over: bool = False


class OperatorAsks(OfFleet):
    """A person's request.

    Holds or resumes the fleet, goes back to the previous release, wants the newest snapshot at
    once (repair), wants what is live to stay (stay) or to be rolled out again (again), looks ahead
    (preview), lifts the quarantine of the newest quarantined snapshot (lift), or wants that one
    rolled out all the same, without a reason (quarantined) or with one (insist).
    """

    kind: Literal["ask"] = "ask"
    what: Literal[
        "hold",
        "hold and roll back",
        "resume",
        "previous",
        "repair",
        "stay",
        "again",
        "preview",
        "lift",
        "quarantined",
        "insist",
    ]


class InTheMiddle(OfFleet):
    """Something happens to a rollout in the middle of what it does, whenever that is.

    ``then`` happens ``later`` seconds after the fleet's newest execution that runs, or the newest
    refresh of its group, is first seen in ``state``, from ``at`` on; its own time and fleet say
    nothing. It never does when none comes there.
    """

    kind: Literal["middle"] = "middle"
    state: str
    later: float = 0.0
    then: CapacityChanges | OperatorAborts | OperatorAsks = Field(discriminator="kind")


class ComparisonRuns(Timed):
    """The scheduled comparison is run besides its schedule."""

    kind: Literal["compare"] = "compare"


class ReadsLag(Timed):
    """For some seconds, reads lag behind what was written by ``lag`` seconds."""

    kind: Literal["lag"] = "lag"
    lag: float
    seconds: float


class RefreshesBegin(Timed):
    """From ``at`` on, instance refreshes begin so many seconds after they are asked for."""

    kind: Literal["pending"] = "pending"
    after: float


class InvocationsFail(Timed):
    """From ``at`` on, ``times`` invocations of a function go wrong, the ``nth`` being the first."""

    kind: Literal["invocation"] = "invocation"
    function: str
    """The function's logical id in the template."""
    nth: int = Field(ge=1)
    failure: Unrun
    times: int = Field(default=1, ge=1)


class EnvironmentStops(Timed):
    """The stop parameter is there for some time."""

    kind: Literal["stop"] = "stop"
    seconds: float


Entry = Annotated[
    SnapshotCompletes
    | SnapshotFails
    | OperatorStarts
    | CapacityChanges
    | AlarmIsHeld
    | CallsFail
    | EventTravels
    | EventsAreLate
    | OperatorAborts
    | OperatorCancels
    | PolicyIsWritten
    | HistoryFills
    | OperatorRedrives
    | OperatorAsks
    | EnvironmentStops
    | InTheMiddle
    | ComparisonRuns
    | ReadsLag
    | RefreshesBegin
    | InvocationsFail
    | Foreign
    | Publication,
    Field(discriminator="kind"),
]


_TRAVELLING = SnapshotCompletes | DataIsReady | EventTravels
_INTERFERENCE = (
    CapacityChanges | AlarmIsHeld | OperatorAborts | OperatorAsks | OperatorCancels | InTheMiddle
)


class Schedule(Part):
    """One seed's story: some fleets, and what happens to them."""

    seed: int
    world_seed: int
    fleets: tuple[FleetSetup, ...] = Field(min_length=1)
    entries: tuple[Entry, ...]

    @property
    def disturbed(self) -> bool:
        """Whether AWS is made to fail at all."""
        return any(
            isinstance(entry, CallsFail | InvocationsFail | ReadsLag) for entry in self.entries
        )

    @property
    def lags(self) -> bool:
        """Whether reads ever lag."""
        return any(isinstance(entry, ReadsLag) for entry in self.entries)

    @property
    def signals_arrive(self) -> bool:
        """Whether events arrive in time, and nothing fails that hears them and looks."""
        hearing = ("SignalRolloutFunction", "WatchHealthFunction")
        return not self.lags and not any(
            isinstance(entry, EventTravels | EventsAreLate)
            or (isinstance(entry, CallsFail | InvocationsFail) and entry.function in hearing)
            for entry in self.entries
        )

    @property
    def latest(self) -> float:
        """Seconds by which the latest event is late."""
        travels = (entry for entry in self.entries if isinstance(entry, _TRAVELLING))
        return max((late for entry in travels for late in entry.arrivals), default=PROMPT)

    @property
    def whole(self) -> bool:
        """Whether every fault is over before what it strikes runs out of tries for good."""
        return not any(
            isinstance(entry, CallsFail) and entry.times > most_times(entry.failure)
            for entry in self.entries
        )

    def calm(self, fleet: int) -> bool:
        """Whether nothing happens for which a fleet's good snapshot may be rolled back or refused.

        Faults are no reason: whatever dies on the way, a good snapshot becomes live.
        """
        probe = self.fleets[fleet].probe
        if probe is not None and not probe.kind:
            return False
        return self.whole and not any(
            isinstance(entry, ReadsLag | LaunchesRunShort)
            or (
                isinstance(entry, OfFleet)
                and entry.fleet == fleet
                and (
                    isinstance(entry, _INTERFERENCE | Foreign)
                    or (
                        isinstance(entry, SnapshotCompletes | DataIsReady)
                        and entry.scenario is not Scenario.HEALTHY
                    )
                )
            )
            for entry in self.entries
        )


SDK_TRIES = 3
MOST_FAILED_RUNS = 2
"""Failed runs of a function, for one entry, that surely end well. Lambda tries an event three times
in all, and a dead rollout is taken over three times: with more, an event is lost for good, or the
fleet is held for a person."""


def most_times(failure: Failure) -> int:
    """How often in a row a call may fail so that what it belongs to still ends well by itself."""
    return MOST_FAILED_RUNS * (1 if failure.deadly else SDK_TRIES)
