"""Fleets that scale while they are rolled: out, in, to zero, and without capacity."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.states.execution import Execution
from snaproll.domain.ledger import Outcome
from tests.integration.seen import Seen, outcome, reason

SOON = timedelta(minutes=5)
LONG = timedelta(hours=6)


def scale(stage: Stage, fleet: StagedFleet, desired: int) -> None:
    """Change a group's desired capacity, as a person or a scaling policy would."""
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=desired
    )


def begin(stage: Stage, fleet: StagedFleet, seen: Seen) -> str:
    """Complete a snapshot and let its refresh begin; the snapshot."""
    snapshot = stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(seen.refreshes), limit=SOON)
    return snapshot


def run_until(stage: Stage, seen: Seen, status: str) -> None:
    """Let time pass until the newest refresh has a status."""
    stage.world.run_until(lambda: seen.refreshes[-1]["Status"] == status, limit=LONG)


def the_rollout(stage: Stage) -> Execution:
    """The one rollout, played to its end."""
    stage.finish()
    [rollout] = stage.rollouts()
    return rollout


# -- scaling out and in ---------------------------------------------------------------------------


@pytest.mark.parametrize("desired", [2, 7], ids=["in", "out"])
@pytest.mark.parametrize("status", ["InProgress", "Baking"])
def test_a_fleet_that_scales_during_its_rollout_becomes_live_all_the_same(
    stage: Stage, fleet: StagedFleet, seen: Seen, status: str, desired: int
) -> None:
    snapshot = begin(stage, fleet, seen)
    run_until(stage, seen, status)
    stage.world.run_for(120)

    scale(stage, fleet, desired)

    assert outcome(the_rollout(stage)) == "Live"
    stage.world.run_for(1200)
    assert seen.serves(snapshot)
    assert sum(stage.served(fleet).values()) == desired


def test_a_scale_out_during_a_refresh_launches_what_is_being_rolled_out(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a refresh that waits at its first checkpoint
    snapshot = begin(stage, fleet, seen)
    stage.world.run_until(lambda: stage.served(fleet).get(snapshot, 0) == 1, limit=LONG)

    before = len(stage.world.autoscaling.launches)

    # When the fleet is scaled out
    scale(stage, fleet, 6)
    stage.world.run_for(60)

    # Then the new instances run the candidate, which the group does not save yet
    launched = stage.world.autoscaling.launches[before:]
    assert launched
    assert {one.snapshots[DATA_DEVICE] for one in launched} == {snapshot}
    assert seen.saved == 1


@pytest.mark.parametrize("status", ["InProgress", "Baking"])
def test_a_bad_snapshot_is_rolled_back_whole_from_a_fleet_that_was_scaled_out(
    stage: Stage, fleet: StagedFleet, seen: Seen, status: str
) -> None:
    begin(stage, fleet, seen)
    run_until(stage, seen, status)
    scale(stage, fleet, 6)
    stage.world.run_for(300)

    stage.session.client("cloudwatch").set_alarm_state(
        AlarmName=fleet.alarm, StateValue="ALARM", StateReason="the test says so"
    )

    assert outcome(the_rollout(stage)) == "RolledBack"
    stage.world.run_for(1200)
    assert stage.served(fleet) == {fleet.first_snapshot: 6}


# -- to zero --------------------------------------------------------------------------------------


def test_a_fleet_that_is_scaled_out_to_its_maximum_meanwhile_calls_a_person_and_says_what_to_do(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout under way that keeps every instance in service
    begin(stage, fleet, seen)
    run_until(stage, seen, "InProgress")

    # When the fleet is scaled out until nothing can be launched before something is terminated
    most = stage.world.autoscaling.groups[fleet.group].maximum
    scale(stage, fleet, most)

    # Then neither the refresh nor Auto Scaling's own rollback gets on, and the message says why
    rollout = the_rollout(stage)
    assert outcome(rollout) == "NeedsAttention"
    assert f"maximum size of group {fleet.group} is {most}. Raise" in reason(rollout)


def test_what_waits_for_a_fleet_that_needs_a_person_starts_when_it_is_resumed(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that will get stuck, and a person's repair that waits for it to go back
    begin(stage, fleet, seen)
    run_until(stage, seen, "InProgress")
    most = stage.world.autoscaling.groups[fleet.group].maximum
    scale(stage, fleet, most)
    run_until(stage, seen, "RollbackInProgress")
    good = stage.complete_snapshot(fleet, event=False)
    stage.start({"fleet": fleet.name, "snapshot": good, "reason": "the numbers are wrong"})
    stage.world.run_until(lambda: seen.state.claim is None, limit=LONG)
    stage.finish()

    # Then nothing begins on the fleet that is not whole, and the mail says what waits
    assert [record.outcome for record in seen.records] == [Outcome.NEEDS_ATTENTION]
    assert f"{good} waits until then." in seen.records[-1].message
    assert seen.state.successor is None

    # When there is room again, and a person resumes the fleet
    stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=fleet.group, MaxSize=most + 2
    )
    stage.start({"fleet": fleet.name, "resume": "the maximum is raised", "by": "ann"})
    stage.world.run_for(60)
    stage.finish()

    # Then what waited is rolled out
    assert seen.records[-1].outcome is Outcome.LIVE
    assert seen.serves(good)


@pytest.mark.parametrize("status", ["InProgress", "Baking"])
def test_a_fleet_that_scales_in_to_zero_during_its_rollout_ends_staged(
    stage: Stage, fleet: StagedFleet, seen: Seen, status: str
) -> None:
    # Given a refresh that runs
    snapshot = begin(stage, fleet, seen)
    run_until(stage, seen, status)
    stage.world.run_for(60)

    # When the fleet is scaled in to zero
    scale(stage, fleet, 0)
    rollout = the_rollout(stage)

    # Then AWS has saved what nobody proved, and the ledger says just that
    assert outcome(rollout) == "Staged"
    assert [one["Status"] for one in seen.refreshes] == ["Successful"]
    assert (seen.saved, seen.default, seen.state.live) == (2, 1, None)
    assert seen.state.staged is not None
    assert seen.state.staged.release.snapshot == snapshot
    assert seen.state.staged.target.snapshot == fleet.first_snapshot
    assert seen.records[-1].outcome is Outcome.STAGED

    # And the next instances prove it
    scale(stage, fleet, 2)
    stage.world.run_for(120)
    stage.finish()
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.serves(snapshot)


def test_a_fleet_that_comes_back_from_zero_within_the_bake_bakes_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that bakes
    snapshot = begin(stage, fleet, seen)
    run_until(stage, seen, "Baking")

    # When it is scaled in to zero, and out again shortly before the bake is over
    scale(stage, fleet, 0)
    stage.world.run_for(20 * 60)
    assert seen.refreshes[-1]["Status"] == "Baking"
    scale(stage, fleet, 2)
    stage.world.run_until(lambda: stage.healthy(fleet) == 2, limit=timedelta(hours=1))
    served = stage.world.clock.now()
    rollout = the_rollout(stage)

    # Then the new instances had to serve through a bake of their own
    assert outcome(rollout) == "Live"
    assert stage.world.clock.now() - served >= timedelta(minutes=14)
    assert seen.serves(snapshot)


def test_a_refresh_that_somebody_cancels_on_a_fleet_without_instances_is_taken_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet that was scaled in to zero while it bakes
    begin(stage, fleet, seen)
    run_until(stage, seen, "Baking")
    scale(stage, fleet, 0)
    stage.world.run_for(600)

    # When somebody cancels the refresh
    stage.session.client("autoscaling").cancel_instance_refresh(AutoScalingGroupName=fleet.group)
    rollout = the_rollout(stage)

    # Then nothing is left of the candidate, without a refresh of no instances
    assert outcome(rollout) == "RolledBack"
    assert len(seen.refreshes) == 1
    assert (seen.saved, list(seen.versions)) == (1, [1])
    assert (seen.state.live, seen.state.staged) == (None, None)
    assert seen.ledger.condemned(fleet.name) == frozenset()


def test_a_hold_that_rolls_back_on_a_fleet_without_instances_takes_it_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    begin(stage, fleet, seen)
    run_until(stage, seen, "Baking")
    scale(stage, fleet, 0)
    stage.world.run_for(600)

    stage.start({"fleet": fleet.name, "hold": "no", "by": "ann", "running": "roll_back"})
    stage.finish()

    assert outcome(stage.rollouts()[0]) == "RolledBack"
    assert (seen.saved, list(seen.versions)) == (1, [1])


# -- instances that do not come -------------------------------------------------------------------


def test_a_shortage_at_the_first_scale_out_takes_the_release_back_and_blames_no_data(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a staged release, and no capacity in any zone
    scale(stage, fleet, 0)
    stage.world.run_until(lambda: not stage.describe(fleet)["Instances"], limit=timedelta(hours=1))
    assert outcome(stage.roll(fleet)) == "Staged"
    for zone in "abc":
        stage.world.ec2.capacity[f"{stage.world.region}{zone}"] = 0

    # When the fleet is scaled out, and capacity comes back half an hour later
    scale(stage, fleet, 2)
    stage.world.run_for(30 * 60)
    stage.world.ec2.capacity.clear()
    stage.finish()

    # Then what was proven serves, and the snapshot may be tried again
    watch = stage.rollouts()[1]
    assert outcome(watch) == "RolledBack"
    assert "none has been healthy" in reason(watch)
    assert seen.ledger.condemned(fleet.name) == frozenset()
    stage.world.run_for(3600)
    stage.finish()
    assert outcome(stage.rollouts()[-1]) == "Live"
