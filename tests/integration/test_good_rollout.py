"""A good snapshot becomes live, and everybody who wants to know is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.states.execution import Execution
from snaproll.contracts.announcements import RolloutEvent, console_link
from snaproll.domain.checks import CheckResult
from snaproll.domain.ledger import Outcome, Trigger
from tests.integration.seen import Seen, outcome, reason, states_of

DOCUMENTED = {
    "refresh": {"checkpoints": [10, 50, 100], "checkpoint_wait": "10m", "bake": "30m"},
}
MOST_TRANSITIONS = 120


@pytest.fixture
def rollout(stage: Stage, fleet: StagedFleet, seen: Seen) -> Execution:
    """A rollout of a good snapshot, played to its end."""
    del seen  # which counts from before the rollout
    return stage.roll(fleet)


def snapshot_of(rollout: Execution) -> str:
    """The snapshot that a rollout is of."""
    snapshot: str = rollout.input.value["snapshot"]
    return snapshot


def test_every_instance_serves_the_new_snapshot(rollout: Execution, seen: Seen) -> None:
    assert outcome(rollout) == "Live"
    assert seen.serves(snapshot_of(rollout))


def test_the_new_version_is_saved_and_default_and_newest(rollout: Execution, seen: Seen) -> None:
    assert outcome(rollout) == "Live"
    assert (seen.saved, seen.default, seen.latest) == (2, 2, 2)


def test_the_new_version_differs_in_the_snapshot_alone(rollout: Execution, seen: Seen) -> None:
    before, after = seen.versions[1], seen.versions[2]

    for mapping in after["BlockDeviceMappings"]:
        if mapping["DeviceName"] == DATA_DEVICE:
            assert mapping["Ebs"]["SnapshotId"] == snapshot_of(rollout)
            mapping["Ebs"]["SnapshotId"] = seen.fleet.first_snapshot
    assert after == before


def test_the_ledger_says_what_is_live_and_what_was_before(rollout: Execution, seen: Seen) -> None:
    state = seen.state

    assert state.claim is None
    assert state.waiting is None
    assert state.live is not None
    assert state.live.snapshot == snapshot_of(rollout)
    assert state.live.template.version == 2
    assert state.previous is not None
    assert state.previous.snapshot == seen.fleet.first_snapshot
    assert state.previous.template.version == 1


def test_the_ledger_keeps_a_full_record(rollout: Execution, seen: Seen) -> None:
    [record] = seen.records

    assert record.outcome is Outcome.LIVE
    assert record.fleet == seen.fleet.name
    assert record.snapshot == snapshot_of(rollout)
    assert record.execution == rollout.arn
    assert record.trigger is Trigger.SNAPSHOT
    # Step Functions tells the start in milliseconds.
    assert rollout.started_at - record.started_at < timedelta(milliseconds=1)
    assert record.ended_at == rollout.stopped_at
    assert record.source is not None
    assert record.candidate is not None
    assert (record.source.version, record.candidate.version) == (1, 2)
    assert record.refresh_id == seen.refreshes[0]["InstanceRefreshId"]
    assert len(record.checks) > 30
    assert {check.result for check in record.checks} == {CheckResult.PASSED}
    assert record.message == reason(rollout)


def test_snapshots_are_tagged_with_what_they_are_to_the_fleet(
    rollout: Execution, seen: Seen
) -> None:
    assert seen.role(snapshot_of(rollout)) == "live"
    assert seen.role(seen.fleet.first_snapshot) == "previous"


def test_the_snapshot_before_the_previous_one_loses_its_tag(
    rollout: Execution, stage: Stage, seen: Seen
) -> None:
    second = snapshot_of(stage.roll(seen.fleet))

    assert seen.role(second) == "live"
    assert seen.role(snapshot_of(rollout)) == "previous"
    assert seen.role(seen.fleet.first_snapshot) is None


def test_the_execution_is_named_by_fleet_snapshot_and_attempt(rollout: Execution) -> None:
    assert rollout.name == f"sec-prod-{snapshot_of(rollout)}-1"


def test_domain_events_tell_its_beginning_and_its_end(rollout: Execution, seen: Seen) -> None:
    assert [event.detail_type for event in seen.told()] == ["Rollout Started", "Release Live"]

    told = RolloutEvent.model_validate(seen.told("Release Live")[0].detail)
    assert told.version == 1
    assert told.environment == "demo"
    assert told.fleet == "sec-prod"
    assert told.snapshot == snapshot_of(rollout)
    assert told.execution == rollout.arn
    assert told.outcome is Outcome.LIVE
    assert told.candidate is not None
    assert told.candidate.template.version == 2
    assert told.target is not None
    assert told.target.snapshot == seen.fleet.first_snapshot
    assert told.message == reason(rollout)


def test_the_mail_says_it_in_words_and_links_the_execution(rollout: Execution, seen: Seen) -> None:
    [mail] = seen.mails()

    assert "Release Live: fleet sec-prod (demo)" in mail
    assert f"{snapshot_of(rollout)} on fleet sec-prod is live" in mail
    assert console_link(rollout.arn) in mail


def test_the_outcome_names_fleet_and_snapshot_and_why(rollout: Execution) -> None:
    assert reason(rollout) == (
        f"{snapshot_of(rollout)} on fleet sec-prod is live: 4 of 4 instances were healthy on it "
        f"through the bake of 15m."
    )


def test_the_refresh_names_every_preference_and_the_version_by_number(
    rollout: Execution, seen: Seen
) -> None:
    assert outcome(rollout) == "Live"
    [start] = seen.calls("StartInstanceRefresh")

    assert start.params == {
        "AutoScalingGroupName": "sec-prod-replicas",
        "Strategy": "Rolling",
        "DesiredConfiguration": {
            "LaunchTemplate": {"LaunchTemplateId": seen.fleet.template_id, "Version": "2"}
        },
        "Preferences": {
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": 150,
            "InstanceWarmup": 300,
            "SkipMatching": True,
            "ScaleInProtectedInstances": "Wait",
            "StandbyInstances": "Wait",
            "BakeTime": 25 * 60,
            "AutoRollback": True,
            "CheckpointPercentages": [25, 100],
            "CheckpointDelay": 300,
            "AlarmSpecification": {"Alarms": ["sec-prod-unhealthy"]},
        },
    }


def test_the_group_keeps_the_proven_version_saved_until_aws_calls_the_refresh_successful(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout whose refresh runs
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(seen.refreshes), limit=timedelta(minutes=5))

    # Then the old version stays saved, and the ledger calls nothing live, while it does
    saved = set()
    while seen.refreshes[0]["Status"] != "Successful":
        saved.add((seen.saved, seen.default, seen.state.live))
        stage.world.step()
    assert saved == {(1, 1, None)}


def test_the_change_is_limited_to_what_a_rollout_needs(rollout: Execution, seen: Seen) -> None:
    assert outcome(rollout) == "Live"
    assert seen.changes() == [
        "ec2:CreateLaunchTemplateVersion",
        "ec2:CreateTags",
        "autoscaling:StartInstanceRefresh",
        "ec2:ModifyLaunchTemplate",
        "ec2:CreateTags",
        "ec2:CreateTags",
        "ssm:PutParameter",
        "ssm:PutParameter",
    ]


@pytest.mark.parametrize("capacity", [1, 4, 10])
def test_a_healthy_rollout_of_about_two_hours_stays_within_its_transitions(
    stage: Stage, capacity: int
) -> None:
    # Given a fleet with the documented policy
    fleet = stage.add_fleet("docs", capacity=capacity, policy=DOCUMENTED)

    # When a good snapshot is rolled
    rollout = stage.roll(fleet)

    # Then the bill is small, and so is the history
    assert outcome(rollout) == "Live"
    assert rollout.stopped_at is not None
    assert rollout.stopped_at - rollout.started_at > timedelta(minutes=45)
    assert rollout.transitions <= MOST_TRANSITIONS
    assert len(rollout.history) < 600


def test_a_look_makes_six_calls_however_large_the_fleet(stage: Stage) -> None:
    fleet = stage.add_fleet("big", capacity=60)
    seen = Seen(stage, fleet)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    looks = states_of(rollout).count("WatchHealth")
    calls = [call for call in seen.calls() if call.caller == "WatchHealthFunction"]
    assert len(calls) <= 6 * looks


def test_two_fleets_are_rolled_side_by_side_without_touching_each_other(
    stage: Stage, fleet: StagedFleet
) -> None:
    other = stage.add_fleet("oth-prod", capacity=2)

    stage.complete_snapshot(fleet)
    stage.complete_snapshot(other)
    stage.world.run_until(lambda: len(stage.rollouts()) == 2, limit=timedelta(minutes=5))
    stage.finish()

    assert [outcome(one) for one in stage.rollouts()] == ["Live", "Live"]
    for one, rollout in zip((fleet, other), stage.rollouts(), strict=True):
        assert Seen(stage, one).serves(snapshot_of(rollout))


def test_a_person_starts_a_rollout_of_the_newest_snapshot_by_naming_the_fleet(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given snapshots whose events were lost
    stage.complete_snapshot(fleet, event=False)
    stage.world.run_for(60)
    newest = stage.complete_snapshot(fleet, event=False)

    # When a person types the fleet's name
    rollout = stage.start({"fleet": "sec-prod"})
    stage.finish()

    # Then the newest becomes live, and the record says that a person asked
    assert outcome(rollout) == "Live"
    assert seen.serves(newest)
    assert seen.records[0].trigger is Trigger.PERSON


def test_a_person_may_name_the_snapshot(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    wanted = stage.complete_snapshot(fleet, event=False)
    stage.world.run_for(60)
    stage.complete_snapshot(fleet, event=False)

    rollout = stage.start({"fleet": "sec-prod", "snapshot": wanted})
    stage.finish()

    assert outcome(rollout) == "Live"
    assert seen.serves(wanted)


def test_a_scale_out_during_the_rollout_does_not_look_like_a_loss(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(seen.refreshes), limit=timedelta(minutes=5))
    stage.world.run_for(600)
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=7
    )
    stage.finish()

    assert outcome(stage.rollouts()[-1]) == "Live"
    assert sum(stage.served(fleet).values()) == 7


def test_a_scale_in_during_the_rollout_does_not_look_like_a_loss(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(seen.refreshes), limit=timedelta(minutes=5))
    stage.world.run_for(600)
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=2
    )
    stage.finish()

    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.serves(stage.rollouts()[-1].input.value["snapshot"])


def test_a_policy_that_changes_meanwhile_takes_effect_with_the_next_rollout(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a running rollout whose fleet parameter is broken under it
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(seen.refreshes), limit=timedelta(minutes=5))
    stage.configure(fleet, {"refresh": {"bake": "for ever"}})

    # When it goes on
    stage.finish()

    # Then it ends by the policy that it began with
    assert outcome(stage.rollouts()[-1]) == "Live"
