"""Hostile input to the functions in a world: refused by name, and nothing was changed before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import given

from embedded.scenarios.stage import ENVIRONMENT, Stage
from embedded.states.execution import Execution
from embedded.world.awslambda.function import Invocation
from snaproll import errors
from tests.hostile import hostile, tried
from tests.integration.events import MULTI_VOLUME, NOTIFICATION, detail, envelope, set_detail
from tests.integration.seen import READING, outcome, reason, states_of

PREFIX: Final = f"snaproll-{ENVIRONMENT}-"
LONGEST_MESSAGE: Final = 20_000
REFUSALS: Final = (errors.InputError, errors.ClaimLostError, errors.LedgerUnreadableError)
"""Errors that say that nothing was done."""
MOST: Final = 3
"""Payloads of a function that are spoiled; they differ little."""


class Played:
    """A world in which a good and a bad snapshot were rolled, and one is being rolled."""

    def __init__(self) -> None:
        self.stage = Stage()
        fleet = self.stage.add_fleet("sec-prod", capacity=2)
        stage, empty = self.stage, self.stage.add_fleet("empty-prod", capacity=0)
        stage.roll(fleet)
        stage.roll(fleet, "corrupt")
        stage.roll(fleet, source_id="snap-0fffffffffffffff1")
        stage.roll(empty)
        for content in (
            {"fleet": fleet.name, "dry_run": True, "snapshot": fleet.first_snapshot},
            {"fleet": fleet.name, "hold": "looked at", "by": "somebody"},
            {"fleet": fleet.name, "resume": "fine", "by": "somebody"},
        ):
            stage.start(content)
            stage.finish()
        stage.complete_snapshot(fleet)
        stage.world.run_until(
            lambda: any("AwaitSignal" in states_of(one) for one in stage.rollouts() if one.running),
            limit=timedelta(hours=1),
        )
        self.examples = {name: each[-MOST:] for name, each in self._payloads().items()}
        self.examples |= self._events(fleet.group, fleet.alarm)

    def _payloads(self) -> dict[str, list[Any]]:
        """What the machine gave each function."""
        found: dict[str, list[Any]] = {}
        for task in (it for one in self.stage.rollouts() for it in scheduled(one)):
            name = task["FunctionName"].rsplit(":", 1)[-1]
            found.setdefault(name, []).append(task["Payload"])
        return found

    def _events(self, group: str, alarm: str) -> dict[str, list[Any]]:
        """What EventBridge gives the others."""
        snapshot, account = "snap-0123456789abcdef0", self.stage.world.account

        def event(source: str, kind: str, content: dict[str, Any]) -> dict[str, Any]:
            return {**envelope(account, kind, content), "source": source}

        ended = {"executionArn": self.stage.rollouts()[-1].arn, "status": "FAILED", "name": "n"}
        died = event("aws.states", "Step Functions Execution Status Change", ended)
        tick = event("aws.events", "Scheduled Event", {})
        written = {"name": f"/snaproll/{ENVIRONMENT}/fleets/sec-prod", "operation": "Update"}
        ready = {"environment": ENVIRONMENT, "writer": "sec", "data_time": "2026-01-05T09:00:00Z"}
        events = {
            "dispatch-snapshot": [
                envelope(account, NOTIFICATION, detail(snapshot)),
                envelope(account, MULTI_VOLUME, set_detail((snapshot, "completed"))),
            ],
            "signal-publish": [envelope(account, NOTIFICATION, detail(snapshot))],
            "recover-rollout": [died],
            "recover-publish": [died, tick],
            "reconcile-fleets": [tick],
            "request-publish": [event("snaproll.writer", "Data Materialized", ready), tick],
            "index-fleet": [event("aws.ssm", "Parameter Store Change", written)],
            "signal-rollout": [
                event(
                    "aws.autoscaling",
                    "EC2 Instance Launch Successful",
                    {"AutoScalingGroupName": group},
                ),
                event("aws.cloudwatch", "CloudWatch Alarm State Change", {"alarmName": alarm}),
            ],
        }
        return {f"{PREFIX}{name}": each for name, each in events.items()}

    def invoke(self, function: str, payload: Any) -> tuple[Invocation, list[str]]:
        """Run a function; what came of it, and what it changed."""
        before = len(self.stage.world.calls)
        invocation = self.stage.world.awslambda.invoke(function, payload, caller="somebody")
        made = self.stage.world.calls[before:]
        return invocation, [it.operation for it in made if not it.operation.startswith(READING)]


def scheduled(execution: Execution) -> Iterator[dict[str, Any]]:
    """What an execution's tasks were given."""
    for event in execution.history:
        if event.type == "TaskScheduled":
            yield event.details["parameters"].value


@cache
def played() -> Played:
    """The world that the examples share: it costs a second to play."""
    return Played()


FUNCTIONS: Final = [
    *("await-signal", "claim-fleet", "delete-template-version", "dispatch-snapshot"),
    *("index-fleet", "inspect-fleet", "operate-fleet", "plan-rollout", "preview-rollout"),
    *("promote-release", "quarantine-snapshot", "reconcile-fleets", "record-rejection"),
    *("recover-publish", "recover-rollout", "release-fleet", "request-publish", "roll-back"),
    *("signal-publish", "signal-rollout", "stage-release", "start-refresh"),
    *("update-launch-template", "validate-snapshot", "watch-health"),
]


def test_every_function_that_was_run_or_hears_events_is_tried() -> None:
    assert played().examples.keys() == {f"{PREFIX}{name}" for name in FUNCTIONS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_answers_or_refuses_by_name_before_it_changes_anything(name: str) -> None:
    world, function = played(), f"{PREFIX}{name}"

    @tried(12)
    @given(hostile(*world.examples[function]))
    def ask(payload: Any) -> None:
        invocation, changed = world.invoke(function, payload)
        if invocation.error is None:
            return
        kind = getattr(errors, invocation.error.error_type, None)
        assert kind is not None, f"{invocation.error.error_type} from {invocation.error}"
        invocation.error.error_message.encode()
        assert 0 < len(invocation.error.error_message) <= LONGEST_MESSAGE
        if issubclass(kind, REFUSALS):
            assert changed == []

    ask()


def test_whatever_an_operator_types_ends_with_an_outcome_or_a_named_error() -> None:
    world = played()
    typed = [
        {"fleet": "sec-prod", "snapshot": "latest", "reason": "r"},
        {"fleet": "sec-prod", "hold": "h", "by": "me", "until": "2026-02-01T00:00:00Z"},
        envelope(world.stage.world.account, NOTIFICATION, detail("snap-0123456789abcdef0")),
    ]
    (example, *_) = world.examples[f"{PREFIX}plan-rollout"]

    @tried(40)
    @given(hostile(*typed))
    def plan(content: Any) -> None:
        invocation, changed = world.invoke(f"{PREFIX}plan-rollout", {**example, "input": content})

        assert changed == []
        if invocation.error is not None:
            assert hasattr(errors, invocation.error.error_type), invocation.error

    plan()


# -- faults that were found -----------------------------------------------------------------------


@pytest.mark.parametrize("arn", ["", "arn:aws:", ":::::::", "x" * 1000])
def test_an_execution_that_is_none_is_refused_before_the_operation(arn: str) -> None:
    world = played()
    (*_, example) = world.examples[f"{PREFIX}operate-fleet"]
    execution = {**example["execution"], "id": arn}

    invocation, changed = world.invoke(
        f"{PREFIX}operate-fleet", {**example, "execution": execution}
    )

    assert invocation.error is not None
    assert invocation.error.error_type == "InvalidRequestError"
    assert "execution.id" in invocation.error.error_message
    assert changed == []


@pytest.mark.parametrize("name", ["recover-publish", "recover-rollout"])
def test_a_death_of_an_execution_that_is_none_is_refused(name: str) -> None:
    world = played()
    example = world.examples[f"{PREFIX}{name}"][0]
    died = {**example, "detail": {**example["detail"], "executionArn": "arn:aws:"}}

    invocation, changed = world.invoke(f"{PREFIX}{name}", died)

    assert invocation.error is not None
    assert invocation.error.error_type == "InvalidRequestError"
    assert "executionArn" in invocation.error.error_message
    assert changed == []


@pytest.mark.parametrize("at", ["2026-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31"])
def test_a_time_that_cannot_be_compared_is_refused_before_the_look(at: str) -> None:
    world = played()
    (*_, example) = world.examples[f"{PREFIX}watch-health"]

    invocation, _ = world.invoke(
        f"{PREFIX}watch-health", {**example, "memory": {**example["memory"], "progress_at": at}}
    )

    assert invocation.error is not None
    assert invocation.error.error_type == "InvalidRequestError"
    assert "memory.progress_at" in invocation.error.error_message


def test_a_snapshot_whose_data_time_lies_outside_all_calendars_is_rejected() -> None:
    stage = Stage()
    fleet = stage.add_fleet("sec-prod", capacity=1)

    rollout = stage.roll(fleet, tags={"snaproll:data-time": "0001-01-01T00:00:00+14:00"})

    assert outcome(rollout) == "SnapshotRejected"
    assert "is not in the years 1970 to 8999" in reason(rollout)
