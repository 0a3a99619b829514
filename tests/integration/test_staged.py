"""Fleets that are scaled in to zero: a release is staged, and its first instances are watched."""

from __future__ import annotations

from datetime import timedelta

import pytest

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.states.execution import Execution
from snaproll.contracts import RolloutEvent
from snaproll.domain.ledger import Outcome, Trigger
from tests.integration.seen import Seen, outcome, reason

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
