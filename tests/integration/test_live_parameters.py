"""What is live stands in Parameter Store, for the fleet's own stack and for whoever reads it."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from tests.integration.seen import outcome

PATIENCE = timedelta(days=1)


def published(stage: Stage, fleet: StagedFleet, what: str) -> str | None:
    """A live parameter of a fleet, None while there is none."""
    reply = stage.session.client("ssm").get_parameters_by_path(
        Path=f"/snaproll/{ENVIRONMENT}/live/{fleet.name}"
    )
    values = {one["Name"].rpartition("/")[2]: one["Value"] for one in reply["Parameters"]}
    return values.get(what)


def writes(stage: Stage) -> list[Call]:
    return [
        call
        for call in stage.world.calls
        if call.operation == "PutParameter" and "/live/" in call.params["Name"]
    ]


def test_a_promotion_publishes_the_snapshot_and_when_its_data_was_true(
    stage: Stage, fleet: StagedFleet
) -> None:
    at = stage.world.clock.now().replace(microsecond=0)
    paris = at.astimezone(timezone(timedelta(hours=1)))

    rollout = stage.roll(fleet, tags={"snaproll:data-time": paris.isoformat()})

    assert outcome(rollout) == "Live"
    assert published(stage, fleet, "snapshot") == rollout.input.value["snapshot"]
    assert published(stage, fleet, "data-time") == at.isoformat()


def test_without_a_tag_the_data_time_is_when_the_snapshot_was_begun(
    stage: Stage, fleet: StagedFleet
) -> None:
    rollout = stage.roll(fleet)

    (taken,) = stage.session.client("ec2").describe_snapshots(
        SnapshotIds=[rollout.input.value["snapshot"]]
    )["Snapshots"]
    begun = taken["StartTime"].replace(microsecond=0)
    assert published(stage, fleet, "data-time") == begun.isoformat()


def test_a_fleet_that_snaproll_never_rolled_has_nothing_published(
    stage: Stage, fleet: StagedFleet
) -> None:
    rollout = stage.roll(fleet, "corrupt")

    assert outcome(rollout) == "RolledBack"
    assert published(stage, fleet, "snapshot") is None
    assert writes(stage) == []


def test_a_rollback_leaves_what_is_published_as_it_was(stage: Stage, fleet: StagedFleet) -> None:
    good = stage.roll(fleet)
    before = writes(stage)

    bad = stage.roll(fleet, "corrupt")

    assert outcome(bad) == "RolledBack"
    assert published(stage, fleet, "snapshot") == good.input.value["snapshot"]
    assert writes(stage) == before


def test_a_promotion_that_is_run_again_writes_nothing_twice(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a promotion whose last write fails at first
    failures = [AwsError("InternalServerError", "try again", http_status=500)] * 3

    def fail(call: Call) -> None:
        if (call.caller, call.operation) == ("PromoteReleaseFunction", "PutItem") and failures:
            raise failures.pop()

    stage.world.faults.before_effect(fail)

    # When it is tried again
    rollout = stage.roll(fleet)

    # Then each parameter has been written once
    assert outcome(rollout) == "Live"
    assert failures == []
    assert len(writes(stage)) == 2


def go_back_from_half_a_promotion(stage: Stage, fleet: StagedFleet) -> None:
    """Roll a release that is published and never entered into the ledger, and go back from it."""

    def deny(call: Call) -> None:
        if (call.caller, call.operation) == ("PromoteReleaseFunction", "PutItem"):
            raise AwsError("AccessDeniedException", "no")

    stage.world.faults.before_effect(deny)
    before = len(stage.rollouts())
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: len(stage.rollouts()) > before, limit=PATIENCE)
    dying = stage.rollouts()[-1]
    stage.world.run_until(lambda: not dying.running, limit=PATIENCE)
    assert published(stage, fleet, "snapshot") == dying.input.value["snapshot"]
    stage.world.faults.clear()
    # Whoever takes the rollout over finds the fleet bad.
    cloudwatch: Any = stage.session.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[fleet.alarm])["MetricAlarms"]
    kept = ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period")
    cloudwatch.put_metric_alarm(
        **{name: alarm[name] for name in kept},
        EvaluationPeriods=1,
        Threshold=0,
        # No unhealthy instance is enough
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    # CloudWatch itself would say so some minutes later.
    cloudwatch.set_alarm_state(AlarmName=fleet.alarm, StateValue="ALARM", StateReason="a test")
    stage.world.run_until(lambda: len(stage.rollouts()) > before + 1, limit=PATIENCE)
    stage.finish()
    assert outcome(stage.rollouts()[before + 1]) == "RolledBack"


def test_a_promotion_that_never_ended_is_taken_back_with_its_release(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a live release
    good = stage.roll(fleet)

    # When a later one is published, never entered into the ledger, and gone back from
    go_back_from_half_a_promotion(stage, fleet)

    # Then what is published is what the fleet serves
    assert published(stage, fleet, "snapshot") == good.input.value["snapshot"]


def test_a_promotion_that_never_ended_is_taken_back_to_what_is_live_and_not_to_drift(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a live release, on whose group somebody saved the first version again
    good = stage.roll(fleet)
    template = stage.world.ec2.template(fleet.template_id)
    live = template.default_number
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group,
        LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": "1"},
    )

    # When a later one is published, never entered into the ledger, and gone back from
    go_back_from_half_a_promotion(stage, fleet)

    # Then what is published, and the template's default, are what the ledger calls live
    assert published(stage, fleet, "snapshot") == good.input.value["snapshot"]
    assert template.default_number == live != 1
