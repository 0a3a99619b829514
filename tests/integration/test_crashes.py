"""Every call of a function that changes anything may fail, stay unanswered, or be its last line.

The calls are recorded in undisturbed rollouts. Then each is disturbed once, in each way, and the
rollout has to end in the very same picture: one template version, one refresh, one record, no claim
that is stuck.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError, FunctionDiedError
from embedded.world.faults import Call
from tests.integration.seen import READING, Seen, outcome, states_of

BRISK = {
    "refresh": {"warmup": "1m", "checkpoints": [50, 100], "checkpoint_wait": "2m", "bake": "5m"}
}
"""A policy under which nothing takes long."""
SERVER_FAULTS = {"dynamodb": "InternalServerError", "ec2": "InternalError"}
STARTED_BY_EVENTS = {"DispatchSnapshotFunction", "SignalRolloutFunction"}
REPEATED = {"AwaitSignalFunction", "SignalRolloutFunction"}
"""Functions that run many times in a rollout, of which the first runs are disturbed."""
FIRST_RUNS = 2


class Way(StrEnum):
    """How a call goes wrong."""

    FAILS = "fails each time that the SDK tries it"
    UNANSWERED_ONCE = "has its effect, is not answered, and is tried again by the SDK"
    DIES_BEFORE = "is not reached, because the function dies"
    DIES_AFTER = "is the last that the function makes before it dies"
    NEVER_ANSWERED = "has its effect and is not answered, however often the step is retried"


WAYS_OF_READING = (Way.DIES_BEFORE,)
"""A call that changes nothing is the same before and after its effect, and so is its failure."""


@dataclass(frozen=True)
class Point:
    """One call of a function: the n-th of its kind, counted from 1."""

    function: str
    operation: str
    nth: int

    def __str__(self) -> str:
        return f"{self.function} {self.operation} {self.nth}"


# -- what is played -------------------------------------------------------------------------------


def good(stage: Stage, fleet: StagedFleet) -> Execution:
    """A good snapshot."""
    return stage.roll(fleet)


def corrupt(stage: Stage, fleet: StagedFleet) -> Execution:
    """A snapshot that is rolled back by its refresh."""
    return stage.roll(fleet, "corrupt")


def unencrypted(stage: Stage, fleet: StagedFleet) -> Execution:
    """A snapshot that the gate rejects."""
    return stage.roll(fleet, **UNFIT)


def refused(stage: Stage, fleet: StagedFleet) -> Execution:
    """A snapshot whose refresh is not started: the group is moved once its version is made."""
    somebodys = stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        SourceVersion="1",
        LaunchTemplateData=Seen(stage, fleet).versions[1],  # type: ignore[arg-type]
    )["LaunchTemplateVersion"]["VersionNumber"]

    def move(call: Call) -> None:
        if call.operation == "CreateLaunchTemplateVersion" and call.caller.endswith("Function"):
            stage.session.client("autoscaling").update_auto_scaling_group(
                AutoScalingGroupName=fleet.group,
                LaunchTemplate={
                    "LaunchTemplateId": fleet.template_id,
                    "Version": str(somebodys),
                },
            )

    stage.world.faults.after_effect(move)
    return stage.roll(fleet)


def bad_after_success(stage: Stage, fleet: StagedFleet) -> Execution:
    """A snapshot that AWS has saved already when it turns out to be bad: a refresh goes back."""
    # Looked at in the model itself: a description after every step of the world takes its time.
    refreshes = stage.world.autoscaling.groups[fleet.group].refreshes
    limit, before = timedelta(hours=3), stage.world.events.delivery
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(refreshes) and refreshes[-1].status == "Baking", limit=limit)
    stage.world.events.delivery = lambda event: (
        () if event.source == "aws.autoscaling" else before(event)
    )
    stage.world.run_until(lambda: refreshes[-1].status == "Successful", limit=limit)
    stage.session.client("cloudwatch").set_alarm_state(
        AlarmName=fleet.alarm, StateValue="ALARM", StateReason="the test says so"
    )
    stage.finish()
    return stage.rollouts()[-1]


UNFIT: dict[str, Any] = {"encrypted": False, "kms_key_id": None}
PLAYS: dict[str, Callable[[Stage, StagedFleet], Execution]] = {
    "good": good,
    "corrupt": corrupt,
    "unencrypted": unencrypted,
    "refused": refused,
    "bad after success": bad_after_success,
}


def lose_events_of_executions(stage: Stage) -> None:
    """Let a person be faster than recovery."""
    stage.world.events.delivery = lambda event: () if event.source == "aws.states" else (1.0,)


def scene(play: str) -> Seen:
    """A fleet to play on: for a good snapshot one that was rolled before, with one to retire."""
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("sec", capacity=2, policy=BRISK)
    if play == "good":
        assert outcome(stage.roll(fleet)) == "Live"
    stage.world.run_for(60)
    return Seen(stage, fleet)


# -- what is compared -----------------------------------------------------------------------------


def picture(seen: Seen, rollout: Execution) -> dict[str, Any]:
    """Everything that a rollout leaves, except when."""
    stage, state = seen.stage, seen.state
    newest = rollout.input.value["snapshot"]
    watches = seen.ledger.watches()
    return {
        "outcome": outcome(rollout),
        "executions": [one.name for one in stage.rollouts()],
        "served": stage.served(seen.fleet),
        "saved": seen.saved,
        "default": seen.default,
        "versions": {
            number: mapping["Ebs"]["SnapshotId"]
            for number, data in seen.versions.items()
            for mapping in data["BlockDeviceMappings"]
            if mapping["DeviceName"] == DATA_DEVICE
        },
        "refreshes": [
            (one["Status"], one["DesiredConfiguration"]["LaunchTemplate"]["Version"])
            for one in seen.refreshes
        ],
        "live": state.live,
        "previous": state.previous,
        "left in the ledger": (state.claim, state.waiting, state.hold, watches),
        "condemned": seen.ledger.condemned("sec"),
        "roles": {one: seen.role(one) for one in {newest, *_snapshots_of(seen)}},
        "records": [(record.snapshot, record.outcome, record.execution) for record in seen.records],
        "told": {event.detail_type for event in seen.told()},
    }


def _snapshots_of(seen: Seen) -> set[str]:
    return {seen.fleet.first_snapshot, *(record.snapshot for record in seen.records)}


@cache
def undisturbed(play: str) -> tuple[list[Call], dict[str, Any]]:
    """A rollout that nothing disturbs: its calls, and the picture it leaves."""
    seen = scene(play)
    rollout = PLAYS[play](seen.stage, seen.fleet)
    seen.stage.world.run_for(300)
    return seen.calls(), picture(seen, rollout)


def points(play: str) -> list[Point]:
    """The calls of functions that change anything, of those that run often only the first."""
    calls, _ = undisturbed(play)
    changing = {call.caller for call in calls if not call.operation.startswith(READING)}
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for call in calls:
        kind = (call.caller, call.operation)
        counts[kind] += 1
        often = call.caller in REPEATED and counts[kind] > FIRST_RUNS
        if call.caller in changing and not often:
            found.append(Point(*kind, counts[kind]))
    return found


def ways(point: Point) -> tuple[Way, ...]:
    """How a call is disturbed."""
    if point.operation.startswith(READING):
        return WAYS_OF_READING
    if point.function in STARTED_BY_EVENTS:
        return tuple(way for way in Way if way is not Way.NEVER_ANSWERED)
    return tuple(Way)


DONE_THE_SAME = {
    "DispatchSnapshotFunction",
    "ClaimFleetFunction",
    "UpdateLaunchTemplateFunction",
    "AwaitSignalFunction",
    "SignalRolloutFunction",
}
"""Functions that do the same in every play."""
TAGS_THE_SAME = ("StartRefreshFunction", "CreateTags")
"""So is the target tagged before each refresh; one that never starts has nothing else to play."""


def cases() -> Iterator[tuple[str, Point, Way]]:
    """Every call in every way; of functions that do the same in every play, in the first only."""
    known: set[Point] = set()
    for play in PLAYS:
        fresh = [point for point in points(play) if point not in known]
        yield from ((play, point, way) for point in fresh for way in ways(point))
        known |= {
            point
            for point in fresh
            if point.function in DONE_THE_SAME or (point.function, point.operation) == TAGS_THE_SAME
        }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Record the calls and make a test of each disturbance; nothing of this runs at import."""
    if "point" in metafunc.fixturenames:
        found = list(cases())
        names = [f"{play}: {point} {way}" for play, point, way in found]
        metafunc.parametrize(("play", "point", "way"), found, ids=names)


class Crash:
    """Disturbs one call of one function in one way."""

    def __init__(self, point: Point, way: Way) -> None:
        self._point = point
        self._way = way
        self._met = 0
        self.struck = 0

    def install(self, stage: Stage) -> None:
        """Be in force in a world."""
        stage.world.faults.before_effect(self._before)
        stage.world.faults.after_effect(self._after)

    def _before(self, call: Call) -> None:
        if not self._is_mine(call):
            return
        self._met += call.attempt == 1
        if self._is_due() and self._way is Way.FAILS:
            self.struck += 1
            code = SERVER_FAULTS.get(call.service, "InternalFailure")
            raise AwsError(code, "An internal error occurred", http_status=500)
        if self._is_due() and self._way is Way.DIES_BEFORE:
            self.struck += 1
            raise FunctionDiedError

    def _after(self, call: Call) -> None:
        if not self._is_mine(call) or not self._is_due():
            return
        if self._way in (Way.FAILS, Way.DIES_BEFORE):
            return
        if self._way is Way.UNANSWERED_ONCE and call.attempt > 1:
            return
        self.struck += 1
        if self._way is Way.DIES_AFTER:
            raise FunctionDiedError
        raise ReadTimeoutError(endpoint_url=f"https://{call.service}.us-east-1.amazonaws.com/")

    def _is_mine(self, call: Call) -> bool:
        return (call.caller, call.operation) == (self._point.function, self._point.operation)

    def _is_due(self) -> bool:
        if self._way is Way.NEVER_ANSWERED:
            return self._met >= self._point.nth
        return self._met == self._point.nth


def test_a_call_that_goes_wrong_changes_nothing_of_how_a_rollout_ends(
    play: str, point: Point, way: Way
) -> None:
    # Given a call that goes wrong
    seen = scene(play)
    if way is Way.NEVER_ANSWERED:
        lose_events_of_executions(seen.stage)
    crash = Crash(point, way)
    crash.install(seen.stage)

    # When the rollout is played, and redriven if its retries were used up
    rollout = PLAYS[play](seen.stage, seen.fleet)
    if rollout.error == "AwsUnavailableError":
        assert way is Way.NEVER_ANSWERED
        assert states_of(rollout)[-1] == point.function.removesuffix("Function")
        seen.stage.world.faults.clear()
        seen.stage.session.client("stepfunctions").redrive_execution(executionArn=rollout.arn)
        seen.stage.finish()
    seen.stage.world.run_for(300)

    # Then it leaves what it leaves when nothing goes wrong
    assert crash.struck
    assert picture(seen, rollout) == undisturbed(play)[1]


def test_every_function_that_changes_anything_is_disturbed() -> None:
    disturbed = {
        point.function
        for play in PLAYS
        for point in points(play)
        if not point.operation.startswith(READING)
    }

    changing = {
        f"{name}Function"
        for name in (
            "DispatchSnapshot",
            "ClaimFleet",
            "RecordRejection",
            "UpdateLaunchTemplate",
            "StartRefresh",
            "AwaitSignal",
            "SignalRollout",
            "PromoteRelease",
            "RollBack",
            "QuarantineSnapshot",
            "DeleteTemplateVersion",
            "ReleaseFleet",
        )
    }
    assert disturbed == changing


@pytest.mark.parametrize(
    ("play", "ending"),
    [
        ("good", "Live"),
        ("corrupt", "RolledBack"),
        ("unencrypted", "SnapshotRejected"),
        ("refused", "FleetNotReady"),
        ("bad after success", "RolledBack"),
    ],
)
def test_an_undisturbed_play_ends_as_it_should(play: str, ending: str) -> None:
    assert undisturbed(play)[1]["outcome"] == ending
