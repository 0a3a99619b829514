"""What rollouts take in the embedded AWS: transitions, calls, money, and the machine's own time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from embedded.scenarios.costs import cost_of
from embedded.scenarios.stage import Stage
from embedded.states.execution import Execution
from embedded.world.faults import Call
from tests.integration.seen import results_of

TWO_HOURS = {
    "refresh": {
        "min_healthy": 90,
        "max_healthy": 110,
        "checkpoints": [10, 50, 100],
        "checkpoint_wait": "10m",
        "bake": "30m",
    }
}
"""A policy with which ten instances take about two hours."""


@dataclass(frozen=True)
class HealthyRollout:
    """A rollout of about two hours that ends well."""

    duration: timedelta
    transitions: int
    history_events: int
    cost_usd: float


def healthy_rollout(capacity: int = 10) -> HealthyRollout:
    """Play one and count."""
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("bench", capacity=capacity, policy=TWO_HOURS)
    first = len(stage.world.calls)
    rollout = stage.roll(fleet)
    return HealthyRollout(
        duration=_took(rollout),
        transitions=rollout.transitions,
        history_events=len(rollout.history),
        cost_usd=cost_of(rollout, _ours(stage.world.calls[first:])).total,
    )


def _took(rollout: Execution) -> timedelta:
    if rollout.stopped_at is None or rollout.error is not None:
        raise RuntimeError(f"{rollout.name} did not end well: {rollout.error} {rollout.cause}")
    return rollout.stopped_at - rollout.started_at


def _ours(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.caller != "operator"]


@dataclass(frozen=True)
class Latency:
    """From an event's delivery to a call, in seconds: emulated, and of this machine's own time."""

    emulated: float
    machine: float


def event_to_refresh() -> Latency:
    """From a completed snapshot's event reaching its rule to StartInstanceRefresh, warm."""
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("bench")
    stage.roll(fleet)
    stage.complete_snapshot(fleet)
    return _latency(stage, lambda call: call.operation == "StartInstanceRefresh")


def signal_to_rollback() -> Latency:
    """From an alarm event reaching its rule to RollbackInstanceRefresh, warm."""
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("bench")
    stage.roll(fleet)
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    stage.session.client("cloudwatch").set_alarm_state(
        AlarmName=fleet.alarm, StateValue="ALARM", StateReason="benchmark"
    )
    return _latency(stage, lambda call: call.operation == "RollbackInstanceRefresh")


def _latency(stage: Stage, last: Callable[[Call], bool]) -> Latency:
    seen = _until(stage, lambda call: call.operation == "Invoke", len(stage.world.calls))
    began = time.perf_counter()
    end = _until(stage, last, seen.number)
    return Latency((end.at - seen.at).total_seconds(), time.perf_counter() - began)


def _until(stage: Stage, wanted: Callable[[Call], bool], since: int) -> Call:
    while True:
        for call in stage.world.calls[since:]:
            if wanted(call):
                return call
        since = len(stage.world.calls)
        if stage.world.step() is None:
            raise RuntimeError("nothing makes the call that is waited for")


@dataclass(frozen=True)
class AssessmentCalls:
    """Most AWS calls of one run of ``WatchHealth``, and of the step that acts on a bad verdict."""

    capacity: int
    waiting: int
    """Of a look after which the rollout waits on."""
    deciding: int
    """Of a look that ends the waiting."""
    rolling_back: int


def assessment_calls(capacity: int) -> AssessmentCalls:
    """Count the calls of every look of a rollout that is rolled back."""
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("bench", capacity=capacity)
    first = len(stage.world.calls)
    rollout = stage.roll(fleet, "degrades")
    calls = stage.world.calls[first:]
    looks: dict[bool, list[int]] = {True: [], False: []}
    answers = results_of(rollout, "WatchHealth")
    for answer, look in zip(answers, _invocations(calls, "WatchHealthFunction"), strict=True):
        looks[answer["verdict"] == "wait"].append(len(look))
    return AssessmentCalls(
        capacity,
        waiting=max(looks[True]),
        deciding=max(looks[False]),
        rolling_back=max(map(len, _invocations(calls, "RollBackFunction"))),
    )


def _invocations(calls: list[Call], caller: str) -> Iterator[list[Call]]:
    """Divide a function's calls into invocations: the world runs one handler at a time."""
    present: list[Call] = []
    for before, call in zip([None, *calls], calls, strict=False):
        if call.caller == caller:
            if present and before is not None and before.caller != caller:
                yield present
                present = []
            present.append(call)
    if present:
        yield present


def clients_used() -> dict[str, set[str]]:
    """The services that each function called in a good, a bad and a rejected rollout."""
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("bench")
    stage.roll(fleet)
    stage.roll(fleet, "corrupt")
    stage.roll(fleet, encrypted=False, kms_key_id=None)
    used: dict[str, set[str]] = {}
    for call in stage.world.calls:
        if call.caller.endswith("Function"):
            used.setdefault(_folder(call.caller), set()).add(call.service)
    return used


def _folder(logical_id: str) -> str:
    """``WatchHealthFunction`` is deployed from ``functions/watch_health``."""
    words = re.findall("[A-Z][a-z]+", logical_id.removesuffix("Function"))
    return "_".join(word.lower() for word in words)
