"""Fleets that are scaled in to zero: a release is staged, and its first instances are watched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.contracts.announcements import RolloutEvent
from snaproll.domain.ledger import Outcome, Trigger
from tests.integration.seen import Seen, outcome, reason, states_of

SOON = timedelta(minutes=5)
COMPARISON = timedelta(minutes=16)
"""A little more than the time between two comparisons."""


def scale(stage: Stage, fleet: StagedFleet, desired: int) -> None:
    """Change a group's desired capacity, as a person or a scaling policy would."""
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=desired
    )


def members(stage: Stage, fleet: StagedFleet) -> int:
    """How many instances a group has, in whatever state."""
    return len(stage.describe(fleet)["Instances"])


def scale_in_to_zero(stage: Stage, fleet: StagedFleet) -> None:
    """Scale a group in to zero, and let its instances go."""
    scale(stage, fleet, 0)
    stage.world.run_until(lambda: members(stage, fleet) == 0, limit=timedelta(hours=1))


def scale_out(stage: Stage, fleet: StagedFleet, desired: int) -> Execution:
    """Scale a group out from zero, and let the watch of its first instances begin."""
    before = len(stage.rollouts())
    scale(stage, fleet, desired)
    stage.world.run_until(lambda: len(stage.rollouts()) > before, limit=timedelta(minutes=20))
    return stage.rollouts()[-1]


def snapshot_of(rollout: Execution) -> str:
    """The snapshot that a rollout is of."""
    snapshot: str = rollout.input.value["snapshot"]
    return snapshot


def saved_snapshot(seen: Seen) -> str:
    """The snapshot that the version saved on the group carries."""
    mappings = seen.versions[seen.saved]["BlockDeviceMappings"]
    [snapshot] = [one["Ebs"]["SnapshotId"] for one in mappings if one["DeviceName"] == DATA_DEVICE]
    return str(snapshot)


@pytest.fixture
def staged(stage: Stage, fleet: StagedFleet, seen: Seen) -> Execution:
    """A rollout of a good snapshot to a fleet without instances."""
    del seen  # which counts from before the rollout
    scale_in_to_zero(stage, fleet)
    return stage.roll(fleet)


# -- staging --------------------------------------------------------------------------------------


def test_a_release_for_a_fleet_without_instances_is_staged_and_says_so(
    staged: Execution, seen: Seen
) -> None:
    assert outcome(staged) == "Staged"
    assert staged.status == "SUCCEEDED"
    assert reason(staged) == (
        f"{snapshot_of(staged)} on fleet sec-prod is staged: the group sec-prod-replicas has no "
        f"instances and saves {seen.fleet.template_id} version 2, unproven: its first scale-out "
        f"is watched and proves it, or rolls it back."
    )


def test_a_staged_release_is_saved_and_neither_live_nor_the_default(
    staged: Execution, seen: Seen
) -> None:
    state = seen.state

    assert (seen.saved, seen.default, seen.latest) == (2, 1, 2)
    assert (state.live, state.claim) == (None, None)
    assert state.staged is not None
    assert state.staged.release.snapshot == snapshot_of(staged)
    assert state.staged.target.snapshot == seen.fleet.first_snapshot
    assert state.expected_snapshots() == {snapshot_of(staged)}
    assert seen.role(snapshot_of(staged)) is None


def test_staging_starts_no_refresh(staged: Execution, seen: Seen) -> None:
    assert outcome(staged) == "Staged"
    assert seen.refreshes == []
    assert seen.changes() == [
        "ec2:CreateLaunchTemplateVersion",
        "ec2:CreateTags",
        "autoscaling:UpdateAutoScalingGroup",
    ]
    assert seen.role(seen.fleet.first_snapshot) == "rollback-target"


@pytest.mark.usefixtures("staged")
def test_the_checks_that_make_no_sense_without_instances_are_told_as_such(seen: Seen) -> None:
    [record] = seen.records
    left_out = {one.name for one in record.checks if one.result.value == "not_checked"}

    assert record.outcome is Outcome.STAGED
    assert left_out == {"fleet-healthy", "alarms-ok", "alarms-have-data"}


def test_everybody_is_told_that_it_is_staged(staged: Execution, seen: Seen) -> None:
    [event] = seen.told("Release Staged")
    told = RolloutEvent.model_validate(event.detail)

    assert told.outcome is Outcome.STAGED
    assert told.message == reason(staged)
    [mail] = seen.mails()
    assert "Release Staged: fleet sec-prod (demo)" in mail


def test_an_unfit_snapshot_is_not_staged(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    scale_in_to_zero(stage, fleet)

    rollout = stage.roll(fleet, encrypted=False, kms_key_id=None)

    assert outcome(rollout) == "SnapshotRejected"
    assert (seen.saved, seen.state.staged) == (1, None)


def test_the_comparison_leaves_a_staged_release_alone_while_there_are_no_instances(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    stage.world.run_for(3 * COMPARISON.total_seconds())

    assert stage.rollouts() == [staged]
    assert len(seen.mails()) == 1


# -- the first scale-out --------------------------------------------------------------------------


def test_the_first_scale_out_of_a_good_release_makes_it_live(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    # When the fleet is scaled out
    watch = scale_out(stage, seen.fleet, 4)
    stage.finish()

    # Then the same release is watched, and proven
    assert watch.name == f"sec-prod-{snapshot_of(staged)}-2"
    assert outcome(watch) == "Live"
    assert seen.serves(snapshot_of(staged))
    assert (seen.saved, seen.default, seen.latest) == (2, 2, 2)
    state = seen.state
    assert state.live is not None
    assert state.live.snapshot == snapshot_of(staged)
    assert state.previous is not None
    assert state.previous.snapshot == seen.fleet.first_snapshot
    assert (state.staged, state.claim) == (None, None)
    assert seen.records[-1].trigger is Trigger.SCALE_OUT
    assert seen.refreshes == []


@pytest.mark.usefixtures("staged")
def test_the_first_instances_bake_before_their_release_is_live(stage: Stage, seen: Seen) -> None:
    watch = scale_out(stage, seen.fleet, 2)
    stage.world.run_until(lambda: stage.healthy(seen.fleet) > 0, limit=timedelta(hours=1))
    served = stage.world.clock.now()
    stage.finish()

    assert outcome(watch) == "Live"
    assert stage.world.clock.now() - served >= timedelta(minutes=15)


@pytest.mark.usefixtures("staged")
def test_a_launch_wakes_the_watch_within_seconds(stage: Stage, seen: Seen) -> None:
    scale(stage, seen.fleet, 1)
    stage.world.run_until(
        lambda: bool([one for one in stage.world.events.seen if "Launch" in one.detail_type][4:]),
        limit=SOON,
    )
    stage.world.run_for(3)

    assert len(stage.rollouts()) == 2


@pytest.mark.usefixtures("staged")
def test_the_comparison_finds_instances_whose_launch_event_was_lost(
    stage: Stage, seen: Seen
) -> None:
    stage.world.events.delivery = lambda event: () if "Launch" in event.detail_type else (1.0,)
    watch = scale_out(stage, seen.fleet, 2)
    stage.finish()

    assert outcome(watch) == "Live"


def test_a_bad_release_is_rolled_back_by_its_first_scale_out_and_quarantined(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a corrupt snapshot that is staged
    scale_in_to_zero(stage, fleet)
    bad = snapshot_of(stage.roll(fleet, "corrupt"))

    # When the fleet is scaled out
    watch = scale_out(stage, fleet, 4)
    stage.finish()

    # Then the version before is saved first, every instance goes back to it, and the bad one goes
    assert outcome(watch) == "RolledBack"
    assert seen.serves(fleet.first_snapshot)
    assert (seen.saved, seen.default, list(seen.versions)) == (1, 1, [1])
    assert seen.state.staged is None
    assert seen.ledger.quarantine(fleet.name, bad) is not None
    changes = [one for one in seen.changes() if one.startswith("autoscaling")]
    assert changes == [
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:StartInstanceRefresh",
    ]


def test_a_release_that_degrades_during_its_first_bake_is_rolled_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.configure(fleet, {"refresh": {"bake": "2h"}})
    scale_in_to_zero(stage, fleet)
    bad = snapshot_of(stage.roll(fleet, "degrades"))

    watch = scale_out(stage, fleet, 4)
    stage.finish()

    assert outcome(watch) == "RolledBack"
    assert seen.serves(fleet.first_snapshot)
    assert seen.ledger.quarantine(fleet.name, bad) is not None


def test_a_release_that_cannot_be_launched_is_rolled_back_without_blame(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    # Given that the staged snapshot has gone meanwhile
    stage.session.client("ec2").delete_snapshot(SnapshotId=snapshot_of(staged))

    # When the fleet is scaled out
    watch = scale_out(stage, seen.fleet, 2)
    stage.finish()

    # Then what was proven serves again, and nothing is held against data that nobody ran
    assert outcome(watch) == "RolledBack"
    assert "none has been healthy" in reason(watch)
    assert seen.serves(seen.fleet.first_snapshot)
    assert seen.ledger.quarantine("sec-prod", snapshot_of(staged)) is None


def test_a_fleet_that_scales_in_again_before_the_bake_is_over_stays_staged(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    # Given first instances that serve, and have not baked
    watch = scale_out(stage, seen.fleet, 2)
    stage.world.run_until(lambda: stage.healthy(seen.fleet) == 2, limit=timedelta(hours=1))
    before = seen.state.staged
    assert before is not None

    # When the fleet scales in to zero
    scale_in_to_zero(stage, seen.fleet)
    stage.finish()

    # Then nothing is proven, nothing is lost, and nobody is told what they know already
    assert outcome(watch) == "Staged"
    after = seen.state.staged
    assert after is not None
    assert (after.release, after.since) == (before.release, before.since)
    assert (seen.saved, seen.default, seen.state.live) == (2, 1, None)
    assert len(seen.mails()) == 1

    # And the next scale-out is watched again
    second = scale_out(stage, seen.fleet, 2)
    stage.finish()
    assert outcome(second) == "Live"
    assert seen.serves(snapshot_of(staged))


def test_a_hold_does_not_leave_first_instances_unwatched(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    stage.start({"fleet": "sec-prod", "hold": "a look at it", "by": "ann"})
    stage.finish()

    watch = scale_out(stage, seen.fleet, 2)
    stage.finish()

    assert outcome(watch) == "Live"
    assert seen.state.hold is not None
    assert seen.state.live is not None
    assert seen.state.live.snapshot == snapshot_of(staged)


def test_an_alarm_that_fires_because_there_were_no_instances_condemns_nothing(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given an alarm on the number of healthy hosts, which fires while there are none
    group = fleet.target_group.rsplit(":", 1)[-1]
    balancer = stage.session.client("elbv2").describe_load_balancers(Names=["sec-prod-lb"])
    loader = balancer["LoadBalancers"][0]["LoadBalancerArn"].split("loadbalancer/", 1)[-1]
    stage.session.client("cloudwatch").put_metric_alarm(
        AlarmName="sec-prod-empty",
        Namespace="AWS/ApplicationELB",
        MetricName="HealthyHostCount",
        Dimensions=[
            {"Name": "LoadBalancer", "Value": loader},
            {"Name": "TargetGroup", "Value": group},
        ],
        Statistic="Minimum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
    )
    stage.configure(fleet, {"health": {"alarms": [fleet.alarm, "sec-prod-empty"]}})
    scale_in_to_zero(stage, fleet)
    stage.world.run_for(600)
    assert stage.world.cloudwatch.alarm_state("sec-prod-empty") == "ALARM"
    assert outcome(stage.roll(fleet)) == "Staged"

    # When the fleet is scaled out
    watch = scale_out(stage, fleet, 2)
    stage.finish()

    # Then the alarm has time to become quiet
    assert outcome(watch) == "Live"
    assert seen.state.staged is None


# -- newer snapshots, and people ------------------------------------------------------------------


def test_a_newer_snapshot_replaces_the_one_that_is_staged(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    newer = stage.roll(seen.fleet)

    assert outcome(newer) == "Staged"
    assert saved_snapshot(seen) == snapshot_of(newer)
    state = seen.state
    assert state.staged is not None
    assert state.staged.release.snapshot == snapshot_of(newer)
    # What it goes back to is still what was proven, and the one that never was is gone
    assert state.staged.target.snapshot == seen.fleet.first_snapshot
    assert set(seen.versions) == {1, 3}
    assert state.staged.replaced is None
    assert seen.ledger.condemned("sec-prod") == frozenset()
    assert snapshot_of(staged) != snapshot_of(newer)


@pytest.mark.usefixtures("staged")
def test_a_bad_one_that_replaced_a_staged_one_goes_back_to_what_was_proven(
    stage: Stage, seen: Seen
) -> None:
    assert outcome(stage.roll(seen.fleet, "corrupt")) == "Staged"

    watch = scale_out(stage, seen.fleet, 2)
    stage.finish()

    assert outcome(watch) == "RolledBack"
    assert seen.serves(seen.fleet.first_snapshot)
    assert list(seen.versions) == [1]


@pytest.mark.usefixtures("staged")
def test_a_late_event_of_a_snapshot_older_than_the_staged_one_is_superseded(
    stage: Stage, seen: Seen
) -> None:
    late = stage.world.clock.now() - timedelta(minutes=30)

    rollout = stage.roll(seen.fleet, start_time=late)

    assert outcome(rollout) == "Superseded"
    assert "older than the staged release" in reason(rollout)


def test_a_newer_snapshot_waits_while_the_first_instances_are_watched(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    watch = scale_out(stage, seen.fleet, 2)
    newer = stage.complete_snapshot(seen.fleet)
    stage.world.run_for(60)
    waiting = stage.rollouts()[-1]
    stage.finish()
    stage.world.run_for(60)
    stage.finish()

    assert outcome(waiting) == "Queued"
    assert outcome(watch) == "Live"
    assert snapshot_of(watch) == snapshot_of(staged)
    assert seen.serves(newer)


def test_a_newer_snapshot_that_comes_before_the_watch_waits_and_starts_it(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    # Given first instances whose launch nobody heard of
    stage.world.events.delivery = lambda event: () if "Launch" in event.detail_type else (1.0,)
    scale(stage, seen.fleet, 2)
    newer = stage.complete_snapshot(seen.fleet)
    stage.world.run_for(30)

    # Then it is queued, and the watch began
    assert outcome(stage.rollouts()[1]) == "Queued"
    watch = stage.rollouts()[2]
    assert snapshot_of(watch) == snapshot_of(staged)
    stage.finish()
    stage.world.run_for(60)
    stage.finish()
    assert outcome(watch) == "Live"
    assert seen.serves(newer)


def test_a_person_goes_back_from_what_is_staged_to_what_was_proven(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    back = stage.start({"fleet": "sec-prod", "snapshot": "previous", "reason": "wrong numbers"})
    stage.finish()

    assert outcome(back) == "Staged"
    assert "held" in reason(back)
    assert saved_snapshot(seen) == seen.fleet.first_snapshot
    assert seen.state.hold is not None
    watch = scale_out(stage, seen.fleet, 2)
    stage.finish()
    assert outcome(watch) == "Live"
    assert seen.serves(seen.fleet.first_snapshot)
    assert snapshot_of(staged) not in stage.served(seen.fleet)


def test_a_persons_repair_stops_the_watch_of_first_instances(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    watch = scale_out(stage, seen.fleet, 2)
    stage.world.run_for(60)
    better = stage.complete_snapshot(seen.fleet, event=False)
    stage.start({"fleet": "sec-prod", "snapshot": better, "reason": "the other one is wrong"})
    stage.finish()
    stage.world.run_for(60)
    stage.finish()

    assert outcome(watch) == "RolledBack"
    assert seen.ledger.quarantine("sec-prod", snapshot_of(staged)) is None
    assert seen.serves(better)


def test_a_person_who_asks_for_what_is_staged_is_told_that_it_is(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    asked = stage.start({"fleet": "sec-prod"})
    stage.finish()

    assert outcome(asked) == "Staged"
    assert seen.state.staged is not None
    assert seen.state.staged.release.snapshot == snapshot_of(staged)
    assert (seen.saved, seen.latest) == (2, 2)


# -- what dies, and what comes in between ---------------------------------------------------------


def test_an_abort_of_the_watch_takes_the_fleet_back_and_holds_it(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    watch = scale_out(stage, seen.fleet, 2)
    stage.world.run_until(lambda: stage.healthy(seen.fleet) == 2, limit=timedelta(hours=1))

    stage.session.client("stepfunctions").stop_execution(executionArn=watch.arn)
    stage.world.run_for(3600)
    stage.finish()

    assert outcome(stage.rollouts()[-1]) == "RolledBack"
    assert seen.serves(seen.fleet.first_snapshot)
    assert (seen.state.staged, seen.state.claim) == (None, None)
    assert seen.state.hold is not None
    assert seen.ledger.quarantine("sec-prod", snapshot_of(staged)) is None


@pytest.mark.parametrize("desired", [0, 3])
def test_a_watch_that_dies_is_taken_over(
    staged: Execution, stage: Stage, seen: Seen, desired: int
) -> None:
    # Given a watch whose execution dies of a permission that is missing
    def refuse(call: Call) -> None:
        if call.operation == "DescribeTargetHealth" and call.caller == "WatchHealthFunction":
            raise AwsError("AccessDenied", "injected", http_status=403)

    stage.world.faults.before_effect(refuse)
    watch = scale_out(stage, seen.fleet, 3)
    stage.world.run_until(lambda: not watch.running, limit=timedelta(hours=1))
    assert watch.status == "FAILED"

    # When the permission is there, whatever became of the fleet meanwhile
    stage.world.faults.clear()
    scale(stage, seen.fleet, desired)
    stage.world.run_for(300)
    stage.finish()

    assert outcome(stage.rollouts()[-1]) == ("Live" if desired else "Staged")
    assert seen.state.claim is None
    assert (seen.state.staged is None) == bool(desired)
    assert saved_snapshot(seen) == snapshot_of(staged)


def scale_at(stage: Stage, fleet: StagedFleet, *, before: bool, desired: int) -> None:
    """Scale a group out right before, or right after, a release is saved on it."""
    done: list[bool] = []

    def interfere(call: Call) -> None:
        if call.operation == "UpdateAutoScalingGroup" and not done:
            done.append(True)
            scale(stage, fleet, desired)

    faults = stage.world.faults
    (faults.before_effect if before else faults.after_effect)(interfere)


@pytest.mark.parametrize("before", [True, False], ids=["before the save", "after the save"])
def test_a_fleet_that_is_scaled_out_while_a_release_is_staged_is_watched_at_once(
    stage: Stage, fleet: StagedFleet, seen: Seen, *, before: bool
) -> None:
    # Given instances that come on either side of the save
    scale_in_to_zero(stage, fleet)
    scale_at(stage, fleet, before=before, desired=2)

    # When a release is staged
    rollout = stage.roll(fleet)

    # Then the fleet goes back if instances of the version before came, and is proven otherwise
    assert "Staged" not in states_of(rollout)
    if before:
        assert outcome(rollout) == "RolledBack"
        assert "another version than the staged one" in reason(rollout)
        assert seen.serves(fleet.first_snapshot)
        assert seen.ledger.condemned(fleet.name) == frozenset()
    else:
        assert outcome(rollout) == "Live"
        assert seen.serves(snapshot_of(rollout))
    assert seen.state.staged is None


def test_somebody_who_saves_another_version_meanwhile_ends_the_staging(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    # Given a staged release that somebody took back by hand
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=seen.fleet.group,
        LaunchTemplate={"LaunchTemplateId": seen.fleet.template_id, "Version": "1"},
    )

    # When the fleet is scaled out
    watch = scale_out(stage, seen.fleet, 2)
    stage.finish()

    # Then no refresh is started to what somebody did not want
    assert outcome(watch) == "FleetNotReady"
    assert "somebody changed it after it was staged" in reason(watch)
    assert seen.refreshes == []
    assert seen.state.staged is None
    stage.world.run_for(600)
    assert seen.serves(seen.fleet.first_snapshot)
    assert seen.ledger.quarantine("sec-prod", snapshot_of(staged)) is None


def test_a_replaced_version_that_an_instance_still_used_goes_with_its_successor(
    staged: Execution, stage: Stage, seen: Seen
) -> None:
    # Given a last instance of the staged release that is still leaving when a newer one comes
    watch = scale_out(stage, seen.fleet, 1)
    stage.world.run_until(lambda: stage.healthy(seen.fleet) == 1, limit=timedelta(hours=1))
    newer = stage.complete_snapshot(seen.fleet, "corrupt", event=False)
    scale(stage, seen.fleet, 0)
    stage.start({"fleet": "sec-prod", "snapshot": newer})
    stage.world.run_until(lambda: not watch.running, limit=timedelta(hours=1))
    stage.finish()

    # When the newer one turns out to be bad
    scale_out(stage, seen.fleet, 1)
    stage.finish()

    # Then neither is left for $Latest to bring back
    assert outcome(stage.rollouts()[-1]) == "RolledBack"
    assert list(seen.versions) == [1]
    assert seen.serves(seen.fleet.first_snapshot)
    assert snapshot_of(staged) != newer
