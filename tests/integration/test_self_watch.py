"""The control plane watches itself: what people are mailed when it is what has failed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from tests.integration.seen import Seen, outcome

DIED = f"snaproll-{ENVIRONMENT}-rollout-died"
STOPPED = f"snaproll-{ENVIRONMENT}-comparison-stopped"
LOST = f"snaproll-{ENVIRONMENT}-lost-events"


def alarms_mailed(seen: Seen, name: str) -> int:
    """How many mails came of an alarm."""
    return sum(name in mail for mail in seen.mails())


def deny(stage: Stage, function: str, operation: str) -> None:
    """Take a permission from a function."""

    def interfere(call: Call) -> None:
        if call.caller == f"{function}Function" and call.operation == operation:
            raise AwsError("AccessDeniedException", "injected", http_status=400)

    stage.world.faults.before_effect(interfere)


# -- executions that die --------------------------------------------------------------------------


def test_a_rollout_that_dies_is_told_although_another_goes_on_by_itself(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a function that lacks a permission for some seconds
    deny(stage, "StartRefresh", "StartInstanceRefresh")
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    stage.world.faults.clear()
    stage.finish()

    # Then the fleet was rolled all the same, and somebody is told to look
    stage.world.run_for(600)
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert alarms_mailed(seen, DIED) == 1


def test_a_control_plane_that_cannot_even_plan_is_told(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a first step that fails, so that no rollout ever holds a fleet
    deny(stage, "PlanRollout", "DescribeSnapshots")
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)

    assert stage.rollouts()[0].error == "AccessDeniedError"
    assert alarms_mailed(seen, DIED) == 1


@pytest.mark.parametrize(
    ("scenario", "attributes"),
    [("healthy", {}), ("corrupt", {}), ("healthy", {"encrypted": False, "kms_key_id": None})],
)
def test_an_outcome_is_no_death(
    stage: Stage, fleet: StagedFleet, seen: Seen, scenario: str, attributes: dict[str, object]
) -> None:
    stage.roll(fleet, scenario, **attributes)
    stage.world.run_for(900)

    assert alarms_mailed(seen, DIED) == 0


def test_what_a_person_mistyped_or_aborted_is_no_death(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.start({"fleet": fleet.name, "snapshot": "yesterday's"})
    stage.start({"fleet": "no-such-fleet"})
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    stage.session.client("stepfunctions").stop_execution(executionArn=stage.rollouts()[-1].arn)
    stage.finish()
    stage.world.run_for(900)

    assert alarms_mailed(seen, DIED) == 0


# -- the comparison -------------------------------------------------------------------------------


@pytest.mark.usefixtures("fleet")
def test_a_comparison_that_runs_is_no_news_from_the_deployment_on(stage: Stage, seen: Seen) -> None:
    stage.world.run_for(timedelta(hours=6).total_seconds())

    assert stage.world.cloudwatch.alarm_state(STOPPED) == "OK"
    assert alarms_mailed(seen, STOPPED) == 0


def test_a_comparison_that_does_not_run_any_more_is_told_within_two_hours(
    stage: Stage, seen: Seen
) -> None:
    # Given a comparison that ran
    stage.world.run_for(3600)

    # When somebody disables its schedule
    events = stage.session.client("events")
    (schedule,) = [
        rule["Name"]
        for rule in events.list_rules()["Rules"]
        if "ScheduleExpression" in rule and "ReconcileFleets" in rule["Name"]
    ]
    events.disable_rule(Name=schedule)
    stage.world.run_for(timedelta(hours=2).total_seconds())

    assert stage.world.cloudwatch.alarm_state(STOPPED) == "INSUFFICIENT_DATA"
    assert alarms_mailed(seen, STOPPED) == 1


# -- events ---------------------------------------------------------------------------------------


def test_an_event_that_could_not_be_handled_is_told(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a function that fails every try of an event
    deny(stage, "DispatchSnapshot", "StartExecution")
    stage.complete_snapshot(fleet)
    stage.world.run_for(1800)

    # Then the event waits in the queue, and its alarm was mailed
    assert stage.world.cloudwatch.alarm_state(LOST) == "ALARM"
    assert alarms_mailed(seen, LOST) == 1


def test_a_comparison_that_fails_is_told_as_a_lost_event(stage: Stage, seen: Seen) -> None:
    deny(stage, "ReconcileFleets", "GetParametersByPath")
    stage.world.run_for(3600)

    assert alarms_mailed(seen, LOST) == 1
