"""A bad snapshot is rolled back by itself, whoever notices that it is bad, and whenever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.faults import Call
from snaproll.aws.ledger import Change
from snaproll.contracts.announcements import RolloutEvent, console_link
from snaproll.domain.ledger import FleetState, Outcome
from tests.integration.seen import Seen, outcome, reason, states_of

SOON = timedelta(minutes=5)


def snapshot_of(rollout: Execution) -> str:
    """The snapshot that a rollout is of."""
    snapshot: str = rollout.input.value["snapshot"]
    return snapshot


def begin(stage: Stage, fleet: StagedFleet, scenario: str = "healthy") -> Execution:
    """Complete a snapshot, and let its rollout come to where it watches the refresh."""
    before = len(stage.rollouts())
    stage.complete_snapshot(fleet, scenario)
    stage.world.run_until(lambda: len(stage.rollouts()) > before, limit=SOON)
    rollout = stage.rollouts()[-1]
    stage.world.run_until(lambda: "AwaitSignal" in states_of(rollout), limit=SOON)
    return rollout


def run_until(stage: Stage, seen: Seen, status: str) -> None:
    """Let time pass until the newest refresh has a status."""
    stage.world.run_until(
        lambda: bool(seen.refreshes) and seen.refreshes[-1]["Status"] == status,
        limit=timedelta(hours=6),
    )


def set_alarm(
    stage: Stage, fleet: StagedFleet, state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
) -> None:
    """Let the fleet's alarm take a state."""
    stage.session.client("cloudwatch").set_alarm_state(
        AlarmName=fleet.alarm, StateValue=state, StateReason="the test says so"
    )


def is_whole(seen: Seen, snapshot: str, version: int) -> bool:
    """Whether the fleet is where it was: instances, group, template and ledger agree."""
    state = seen.state
    return (
        seen.serves(snapshot)
        and (seen.saved, seen.default, seen.latest) == (version, version, version)
        and list(seen.versions) == [version]
        and state.claim is None
    )


# -- instances that never serve -------------------------------------------------------------------


@pytest.fixture
def corrupt(stage: Stage, fleet: StagedFleet, seen: Seen) -> Execution:
    """A rollout of a snapshot whose instances never answer their health check."""
    del seen  # which counts from before the rollout
    return stage.roll(fleet, "corrupt")


def test_a_corrupt_snapshot_is_rolled_back_and_leaves_the_fleet_as_it_was(
    corrupt: Execution, seen: Seen
) -> None:
    assert outcome(corrupt) == "RolledBack"
    assert is_whole(seen, seen.fleet.first_snapshot, version=1)
    assert seen.state.live is None


def test_the_fleet_never_falls_below_its_floor_on_the_way(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet, "corrupt")

    healthy = set()
    while rollout.running:
        stage.world.step()
        healthy.add(stage.healthy(fleet))

    assert min(healthy) == seen.stage.describe(fleet)["DesiredCapacity"]


def test_the_refresh_itself_goes_back_so_that_there_is_only_one(
    corrupt: Execution, seen: Seen
) -> None:
    assert outcome(corrupt) == "RolledBack"
    assert [one["Status"] for one in seen.refreshes] == ["RollbackSuccessful"]
    assert len(seen.calls("RollbackInstanceRefresh")) == 1
    assert len(seen.calls("StartInstanceRefresh")) == 1


def test_a_corrupt_snapshot_is_quarantined_on_the_evidence_of_its_instances(
    corrupt: Execution, seen: Seen
) -> None:
    quarantine = seen.ledger.quarantine("sec-prod", snapshot_of(corrupt))

    assert quarantine is not None
    assert quarantine.execution == corrupt.arn
    assert "did not become healthy within 10m" in quarantine.reason
    assert seen.role(snapshot_of(corrupt)) == "rolled-back"


def test_the_reason_says_what_was_bad_and_what_is_served_now(
    corrupt: Execution, seen: Seen
) -> None:
    text = reason(corrupt)

    assert f"{snapshot_of(corrupt)} on fleet sec-prod was rolled back" in text
    assert "1 of 1 new instances did not become healthy within 10m" in text
    assert f"The fleet serves {seen.fleet.first_snapshot} again." in text
    assert "quarantined" in text


def test_events_and_mail_tell_of_the_rollback_when_it_begins_and_when_it_is_over(
    corrupt: Execution, seen: Seen
) -> None:
    assert [event.detail_type for event in seen.told()] == [
        "Rollout Started",
        "Rollback Started",
        "Rolled Back",
    ]
    told = RolloutEvent.model_validate(seen.told("Rolled Back")[0].detail)
    assert told.outcome is Outcome.ROLLED_BACK
    assert told.message == reason(corrupt)
    begun, over = seen.mails()
    assert "Rollback Started: fleet sec-prod (demo)" in begun
    assert "Rolled Back: fleet sec-prod (demo)" in over
    assert console_link(corrupt.arn) in over


def test_the_record_keeps_the_checks_and_both_versions(corrupt: Execution, seen: Seen) -> None:
    [record] = seen.records

    assert record.outcome is Outcome.ROLLED_BACK
    assert record.source is not None
    assert record.candidate is not None
    assert (record.source.version, record.candidate.version) == (1, 2)
    assert record.message == reason(corrupt)
    assert record.checks


def test_a_quarantined_snapshot_is_never_chosen_by_itself_again(
    corrupt: Execution, stage: Stage, seen: Seen
) -> None:
    # Given that the corrupt snapshot is the newest, and one before it that was never rolled
    earlier = stage.complete_snapshot(
        seen.fleet, event=False, start_time=corrupt.started_at - timedelta(minutes=1)
    )

    # When a person asks for the newest
    rollout = stage.start({"fleet": "sec-prod"})
    stage.finish()

    # Then it is not the quarantined one
    assert outcome(rollout) == "Live"
    assert seen.serves(earlier)


def test_a_quarantined_snapshot_is_rejected_even_by_name(
    corrupt: Execution, stage: Stage, seen: Seen
) -> None:
    rollout = stage.start({"fleet": "sec-prod", "snapshot": snapshot_of(corrupt)})
    stage.finish()

    assert outcome(rollout) == "SnapshotRejected"
    assert "it is quarantined: 1 of 1 new instances did not become healthy" in reason(rollout)
    assert seen.serves(seen.fleet.first_snapshot)


def test_the_next_good_snapshot_is_rolled_as_if_nothing_had_been(
    corrupt: Execution, stage: Stage, seen: Seen
) -> None:
    assert outcome(corrupt) == "RolledBack"

    rollout = stage.roll(seen.fleet)

    assert outcome(rollout) == "Live"
    assert seen.serves(snapshot_of(rollout))


def test_a_slow_snapshot_is_rolled_back_when_it_is_slower_than_the_grace(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet, "slow")

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)


def test_a_slow_snapshot_becomes_live_when_its_owner_gives_it_time(stage: Stage) -> None:
    # Given a fleet that gives its instances an hour, as its group does
    patient = stage.add_fleet(
        "slow", capacity=2, policy={"health": {"unhealthy_grace": "1h", "alarms": []}}
    )
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=patient.group, HealthCheckGracePeriod=3600
    )

    assert outcome(stage.roll(patient, "slow")) == "Live"


def test_a_flapping_snapshot_does_not_become_live(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet, "flapping")

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)


# -- instances that serve for a while -------------------------------------------------------------


@pytest.mark.parametrize("minutes", [5, 15, 20, 25, 30, 35, 40])
def test_a_snapshot_that_degrades_before_its_bake_is_over_is_rolled_back(
    stage: Stage, fleet: StagedFleet, seen: Seen, minutes: int
) -> None:
    # Given a snapshot whose instances fail so long after their first answer
    stage.world.ec2.behaviour = replace(
        stage.world.ec2.behaviour, degrade_after_seconds=minutes * 60
    )

    # When it is rolled
    rollout = stage.roll(fleet, "degrades")

    # Then its instances gave the evidence that condemns it
    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.ledger.quarantine("sec-prod", snapshot_of(rollout)) is not None


def test_two_bad_ones_in_a_row_go_back_to_the_last_proven_release(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a release that was proven, and two bad ones after it
    good = snapshot_of(stage.roll(fleet))
    first, second = stage.roll(fleet, "corrupt"), stage.roll(fleet, "degrades")

    # Then the fleet serves the proven one, and the ledger calls it live
    assert (outcome(first), outcome(second)) == ("RolledBack", "RolledBack")
    assert is_whole_on(seen, good)
    assert seen.ledger.condemned("sec-prod") == {snapshot_of(first), snapshot_of(second)}


def is_whole_on(seen: Seen, snapshot: str) -> bool:
    """Whether the fleet is whole on a release that the ledger calls live."""
    live = seen.state.live
    assert live is not None
    return (
        live.snapshot == snapshot
        and seen.serves(snapshot)
        and seen.saved == seen.default == seen.latest == live.template.version
    )


# -- alarms ---------------------------------------------------------------------------------------


def test_an_alarm_that_fires_before_a_new_instance_served_condemns_nobody(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)
    stage.world.run_for(60)

    set_alarm(stage, fleet, "ALARM")
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.ledger.quarantine("sec-prod", snapshot_of(rollout)) is None


@pytest.mark.parametrize("minutes", [6, 14, 30])
def test_an_alarm_that_fires_rolls_the_release_back(
    stage: Stage, fleet: StagedFleet, seen: Seen, minutes: int
) -> None:
    rollout = begin(stage, fleet)
    stage.world.run_for(minutes * 60)

    set_alarm(stage, fleet, "ALARM")
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.ledger.quarantine("sec-prod", snapshot_of(rollout)) is not None


def test_an_alarm_is_answered_within_two_seconds(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that sleeps for some minutes
    begin(stage, fleet)
    stage.world.run_for(400)

    # When the alarm fires
    set_alarm(stage, fleet, "ALARM")
    fired = stage.world.clock.now()
    stage.world.run_until(
        lambda: seen.refreshes[-1]["Status"].startswith("Rollback"), limit=timedelta(minutes=5)
    )

    # Then the refresh goes back at once, by whoever was first
    assert stage.world.clock.now() - fired <= timedelta(seconds=2)


def test_an_alarm_whose_event_is_lost_is_noticed_at_the_next_look(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given that no refresh event arrives any more, and that AWS does not watch the alarm
    rollout = begin(stage, fleet)
    stage.world.events.delivery = lambda event: () if event.best_effort else (1.0,)
    stage.world.run_for(60)

    set_alarm(stage, fleet, "ALARM")
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)


def test_an_alarm_without_data_stops_nothing_that_runs(stage: Stage, fleet: StagedFleet) -> None:
    rollout = begin(stage, fleet)
    stage.world.run_for(300)

    set_alarm(stage, fleet, "INSUFFICIENT_DATA")
    stage.world.run_for(300)
    set_alarm(stage, fleet, "OK")
    stage.finish()

    assert outcome(rollout) == "Live"


def test_flapping_alarms_of_others_wake_nobody(stage: Stage, fleet: StagedFleet) -> None:
    stage.add_fleet("oth-prod", capacity=1)
    rollout = begin(stage, fleet)
    other = stage.fleets["oth-prod"]

    for _ in range(20):
        set_alarm(stage, other, "ALARM")
        set_alarm(stage, other, "OK")
        stage.world.run_for(20)
    stage.finish()

    assert outcome(rollout) == "Live"
    assert rollout.transitions < 120


# -- AWS, or somebody, was faster -----------------------------------------------------------------


def blind(stage: Stage) -> None:
    """Let nothing wake the rollout, so that AWS is the first to notice."""
    stage.world.events.delivery = lambda event: () if event.best_effort else (3600.0,)


def test_a_rollback_by_aws_itself_is_recognised_and_watched_to_its_end(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)
    blind(stage)
    stage.world.run_for(120)

    set_alarm(stage, fleet, "ALARM")
    run_until(stage, seen, "RollbackInProgress")
    set_alarm(stage, fleet, "OK")
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert "back by itself: The CloudWatch alarm sec-prod-unhealthy" in reason(rollout)
    assert seen.calls("RollbackInstanceRefresh") == []
    assert [one["Status"] for one in seen.refreshes] == ["RollbackSuccessful"]
    assert is_whole(seen, fleet.first_snapshot, version=1)


def test_somebodys_rollback_is_recognised_and_is_no_evidence_against_the_data(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)
    stage.world.run_for(400)

    stage.session.client("autoscaling").rollback_instance_refresh(AutoScalingGroupName=fleet.group)
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.ledger.condemned("sec-prod") == frozenset()
    assert "quarantined" not in reason(rollout)


@pytest.mark.parametrize("wait", [True, False], ids=["and it waits", "and it does not wait"])
def test_a_refresh_that_somebody_cancels_is_taken_back_by_another_refresh(
    stage: Stage,
    fleet: StagedFleet,
    seen: Seen,
    wait: bool,  # noqa: FBT001
) -> None:
    # Given a rollout that has replaced some instances
    rollout = begin(stage, fleet)
    new = snapshot_of(rollout)
    stage.world.run_until(lambda: stage.served(fleet).get(new, 0) >= 1, limit=timedelta(hours=1))

    # When somebody cancels its refresh
    stage.session.client("autoscaling").cancel_instance_refresh(
        AutoScalingGroupName=fleet.group, WaitForTransitioningInstances=wait
    )
    stage.finish()

    # Then the fleet does not stay mixed, and the data is not blamed
    assert outcome(rollout) == "RolledBack"
    assert "somebody cancelled the instance refresh" in reason(rollout)
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert [one["Status"] for one in seen.refreshes] == ["Cancelled", "Successful"]
    assert seen.ledger.condemned("sec-prod") == frozenset()


@pytest.mark.parametrize(
    ("operation", "wait"),
    [("RollbackInstanceRefresh", False), ("DescribeInstanceRefreshes", True)],
    ids=["right before the rollback", "right before the rollback, and it waits"],
)
def test_a_refresh_that_is_cancelled_right_before_it_is_rolled_back_is_gone_back_from_all_the_same(
    stage: Stage,
    fleet: StagedFleet,
    seen: Seen,
    operation: str,
    wait: bool,  # noqa: FBT001
) -> None:
    # Given somebody who is a moment faster than our rollback
    rollout = begin(stage, fleet)
    new, done = snapshot_of(rollout), list[int]()
    stage.world.run_until(lambda: stage.served(fleet).get(new, 0) >= 1, limit=timedelta(hours=1))

    def cancel(call: Call) -> None:
        if (call.caller, call.operation) == ("RollBackFunction", operation) and not done:
            done.append(call.number)
            stage.session.client("autoscaling").cancel_instance_refresh(
                AutoScalingGroupName=fleet.group, WaitForTransitioningInstances=wait
            )

    stage.world.faults.before_effect(cancel)

    # When the release turns out to be bad
    set_alarm(stage, fleet, "ALARM")
    stage.finish()

    # Then the fleet is whole again, by another refresh
    assert done
    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert [one["Status"] for one in seen.refreshes] == ["Cancelled", "Successful"]


# -- after AWS called it successful ---------------------------------------------------------------


def bad_right_after_success(stage: Stage, fleet: StagedFleet, seen: Seen) -> Execution:
    """A release that AWS has just saved on the group when its alarm fires.

    Only the alarm's own events arrive: what AWS says of the refresh is lost, as it may be.
    """
    rollout = begin(stage, fleet)
    run_until(stage, seen, "Baking")
    stage.world.events.delivery = lambda event: () if event.best_effort else (1.0,)
    run_until(stage, seen, "Successful")
    assert seen.saved == 2
    set_alarm(stage, fleet, "ALARM")
    return rollout


def test_a_bad_look_after_aws_called_it_successful_is_answered_by_a_refresh_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = bad_right_after_success(stage, fleet, seen)
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert [one["Status"] for one in seen.refreshes] == ["Successful", "Successful"]
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.state.live is None


def test_the_group_gets_its_old_version_back_before_the_refresh_back_starts(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    bad_right_after_success(stage, fleet, seen)
    stage.finish()

    [update] = seen.calls("UpdateAutoScalingGroup")
    _, back = seen.calls("StartInstanceRefresh")
    assert update.number < back.number
    target = {"LaunchTemplateId": fleet.template_id, "Version": "1"}
    assert update.params == {"AutoScalingGroupName": fleet.group, "LaunchTemplate": target}
    assert back.params["DesiredConfiguration"] == {"LaunchTemplate": target}
    assert (
        back.params["Preferences"].keys()
        & {
            "AutoRollback",
            "AlarmSpecification",
            "BakeTime",
            "CheckpointPercentages",
        }
        == set()
    )


def test_an_instance_that_scales_out_while_it_goes_back_serves_the_old_snapshot(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    bad_right_after_success(stage, fleet, seen)
    stage.world.run_until(lambda: len(seen.refreshes) == 2, limit=SOON)
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=6
    )
    stage.finish()
    stage.world.run_for(1800)

    assert stage.served(fleet) == {fleet.first_snapshot: 6}


# -- what Auto Scaling cannot do ------------------------------------------------------------------


def no_more_instances(stage: Stage) -> None:
    """Let every launch fail for want of capacity."""
    for zone in "abc":
        stage.world.ec2.capacity[f"{stage.world.region}{zone}"] = 0


def test_missing_capacity_rolls_back_and_condemns_nobody(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given that no instance can be launched any more
    no_more_instances(stage)

    # When a good snapshot is rolled
    rollout = stage.roll(fleet)

    # Then Auto Scaling gives up, and the snapshot may be tried again
    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.ledger.condemned("sec-prod") == frozenset()


def test_a_rollback_that_cannot_be_finished_calls_a_person_and_holds_the_fleet(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that is half way through, and then no capacity for a way back
    rollout = begin(stage, fleet)
    new = snapshot_of(rollout)
    stage.world.run_until(lambda: stage.served(fleet).get(new, 0) >= 3, limit=timedelta(hours=1))
    no_more_instances(stage)
    set_alarm(stage, fleet, "ALARM")
    stage.finish(limit=timedelta(days=3))

    # Then a person is called, and no automatic rollout starts meanwhile
    assert outcome(rollout) == "NeedsAttention"
    assert "needs a person" in reason(rollout)
    assert console_link(rollout.arn) in reason(rollout)
    assert seen.state.hold is not None
    assert seen.state.claim is None
    assert "Needs Attention" in [event.detail_type for event in seen.told()]
    after = stage.roll(fleet)
    assert outcome(after) == "Held"
    assert reason(rollout) in reason(after)


def test_a_group_that_disappears_calls_a_person(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)

    stage.session.client("autoscaling").delete_auto_scaling_group(
        AutoScalingGroupName=fleet.group, ForceDelete=True
    )
    stage.finish()

    assert outcome(rollout) == "NeedsAttention"
    assert seen.records[-1].outcome is Outcome.NEEDS_ATTENTION


def test_a_fleet_scaled_to_nothing_meanwhile_proves_no_release(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)
    stage.world.run_for(400)

    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=0
    )
    stage.finish(limit=timedelta(days=20))

    assert outcome(rollout) != "Live"
    assert seen.state.live is None
    assert seen.state.claim is None


def test_a_snapshot_that_disappears_while_it_is_rolled_condemns_nobody(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)

    stage.session.client("ec2").delete_snapshot(SnapshotId=snapshot_of(rollout))
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)
    assert seen.ledger.condemned("sec-prod") == frozenset()


def test_a_rollback_target_that_disappeared_calls_a_person_and_says_why(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that is mostly new, and a snapshot deleted that it would be rolled back to
    rollout = begin(stage, fleet)
    new = snapshot_of(rollout)
    stage.world.run_until(lambda: stage.served(fleet).get(new, 0) >= 3, limit=timedelta(hours=1))
    stage.session.client("ec2").delete_snapshot(SnapshotId=fleet.first_snapshot)

    # When it has to go back
    set_alarm(stage, fleet, "ALARM")
    stage.finish()

    # Then the reason is why it cannot, and none is begun
    assert outcome(rollout) == "NeedsAttention"
    assert f"{fleet.first_snapshot} cannot be launched: it is gone" in reason(rollout)
    assert seen.state.hold is not None


def test_a_foreign_refresh_in_the_way_of_a_rollback_calls_a_person(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given somebody who cancels our refresh and starts one to a version of their own
    rollout = begin(stage, fleet)
    stage.world.run_for(700)
    autoscaling = stage.session.client("autoscaling")
    autoscaling.cancel_instance_refresh(
        AutoScalingGroupName=fleet.group, WaitForTransitioningInstances=False
    )
    theirs = stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        LaunchTemplateData=seen.versions[1],  # type: ignore[arg-type]
    )["LaunchTemplateVersion"]["VersionNumber"]
    autoscaling.start_instance_refresh(
        AutoScalingGroupName=fleet.group,
        DesiredConfiguration={
            "LaunchTemplate": {
                "LaunchTemplateId": fleet.template_id,
                "Version": str(theirs),
            }
        },
    )
    stage.finish()

    # Then it is left alone, and both what was wrong and what stood in the way are told
    assert outcome(rollout) == "NeedsAttention"
    assert "somebody cancelled the instance refresh" in reason(rollout)
    assert "Auto Scaling refused to" in reason(rollout)
    assert seen.refreshes[-1]["DesiredConfiguration"]["LaunchTemplate"]["Version"] == str(theirs)
    assert not seen.refreshes[-1]["Status"].startswith("Rollback")


def test_a_refresh_that_is_paused_for_weeks_ends_and_does_not_fill_the_history(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given somebody who suspends what the refresh needs, and forgets it
    rollout = begin(stage, fleet)
    stage.world.run_for(200)
    stage.session.client("autoscaling").suspend_processes(
        AutoScalingGroupName=fleet.group, ScalingProcesses=["InstanceRefresh"]
    )

    # When Auto Scaling's own fourteen days are over, and fourteen more for the way back
    stage.finish(limit=timedelta(days=40))

    # Then a person is called, and the history has had room
    assert outcome(rollout) == "NeedsAttention"
    assert "14 days" in reason(rollout)
    assert len(rollout.history) < 15_000
    assert seen.state.claim is None


POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("without checkpoints", {"checkpoints": []}),
    ("one at a time", {"max_healthy": 100}),
    ("twice as many", {"max_healthy": 200}),
    ("with no floor", {"min_healthy": 0, "max_healthy": 100, "checkpoints": []}),
    ("without warm-up", {"warmup": "0s"}),
    ("without a bake", {"bake": "0s"}),
]


@pytest.mark.parametrize(
    "sections", [policy for _, policy in POLICIES], ids=[name for name, _ in POLICIES]
)
@pytest.mark.parametrize("capacity", [1, 5])
def test_whatever_the_policy_a_good_one_becomes_live_and_a_bad_one_does_not(
    stage: Stage, sections: dict[str, Any], capacity: int
) -> None:
    fleet = stage.add_fleet("any", capacity=capacity, policy={"refresh": sections})
    seen = Seen(stage, fleet)

    good, bad = stage.roll(fleet), stage.roll(fleet, "corrupt")

    assert (outcome(good), outcome(bad)) == ("Live", "RolledBack")
    assert is_whole_on(seen, snapshot_of(good))
    assert seen.ledger.quarantine("any", snapshot_of(bad)) is not None


# -- the template version of a bad release --------------------------------------------------------


def test_a_version_that_an_instance_still_uses_is_deleted_when_the_instance_is_gone(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a bad instance that takes long to leave
    stage.world.ec2.behaviour = replace(stage.world.ec2.behaviour, shutdown_seconds=1200)

    rollout = stage.roll(fleet, "corrupt")

    assert outcome(rollout) == "RolledBack"
    assert list(seen.versions) == [1]


def test_a_version_that_somebody_made_the_default_is_no_default_any_more(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet, "corrupt")
    stage.session.client("ec2").modify_launch_template(
        LaunchTemplateId=fleet.template_id, DefaultVersion="2"
    )
    stage.finish()

    assert outcome(rollout) == "RolledBack"
    assert is_whole(seen, fleet.first_snapshot, version=1)


def test_a_copy_of_the_bad_version_that_somebody_made_calls_a_person(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet, "corrupt")
    stage.session.client("ec2").create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        LaunchTemplateData=seen.versions[2],  # type: ignore[arg-type]
    )
    stage.finish()

    assert outcome(rollout) == "NeedsAttention"
    assert "version 3" in reason(rollout)
    assert "$Latest brings that snapshot back" in reason(rollout)


# -- losing the claim -----------------------------------------------------------------------------

ANOTHER = "arn:aws:states:us-east-1:111122223333:execution:snaproll-demo-rollout:another"
TAKEN_OVER_AT = [
    "RecordRejection",
    "UpdateLaunchTemplate",
    "StartRefresh",
    "AwaitSignal",
    "WatchHealth",
    "RollBack",
    "QuarantineSnapshot",
    "DeleteTemplateVersion",
    "ReleaseFleet",
]


@pytest.mark.parametrize("state", TAKEN_OVER_AT)
def test_a_rollout_that_lost_its_claim_changes_nothing_more(
    stage: Stage, fleet: StagedFleet, seen: Seen, state: str
) -> None:
    """Another execution takes the fleet over right before a state; the old one must step back."""
    # Given somebody who raises the fence when the state is about to run
    caller, taken = f"{state}Function", list[int]()

    def take_over(call: Call) -> None:
        if call.caller == caller and not taken:
            taken.append(call.number)
            fence_off(seen)

    stage.world.faults.before_effect(take_over)

    # When a rollout comes there
    rollout = stage.roll(
        fleet,
        "corrupt",
        **({"encrypted": False, "kms_key_id": None} if state == "RecordRejection" else {}),
    )

    # Then it ends as superseded, and no change of its was made after the claim was lost
    assert taken
    assert outcome(rollout) == "Superseded"
    assert "no longer has the claim" in reason(rollout)
    assert [call.operation for call in changes_after(seen, taken[0])] == []


def fence_off(seen: Seen) -> None:
    """Write another execution's claim into the ledger, as one that takes over does."""

    def transition(state: FleetState) -> Change:
        assert state.claim is not None
        fence = state.fence + 1
        taken = state.claim.model_copy(update={"execution": ANOTHER, "fence": fence})
        return Change(state.model_copy(update={"claim": taken, "fence": fence}))

    seen.ledger.change(seen.fleet.name, transition)


def changes_after(seen: Seen, number: int) -> list[Call]:
    """Changes to AWS, the snapshots' tags among them, after some call."""
    return [
        call
        for call in seen.calls()
        if call.number > number
        and call.service in {"ec2", "autoscaling"}
        and not call.operation.startswith("Describe")
    ]
