"""Evidence against the data condemns a snapshot; a failure of the infrastructure never does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.ec2 import LaunchRefusal
from tests.integration.seen import Seen, outcome, reason

Disturb = Callable[[Stage, str], None]


def is_refused(refusal: LaunchRefusal) -> Disturb:
    def disturb(stage: Stage, _: str) -> None:
        stage.world.ec2.refusal = refusal

    return disturb


def has_no_room(stage: Stage, _: str) -> None:
    stage.world.ec2.capacity["r7g.large"] = 0


def is_deleted(stage: Stage, snapshot: str) -> None:
    stage.session.client("ec2").delete_snapshot(SnapshotId=snapshot)


def key_is_disabled(stage: Stage, snapshot: str) -> None:
    described = stage.session.client("ec2").describe_snapshots(SnapshotIds=[snapshot])
    stage.session.client("kms").disable_key(KeyId=described["Snapshots"][0]["KmsKeyId"])


def key_of_its_own(stage: Stage, fleet: StagedFleet) -> str:
    """Another key with the policy of the fleet's."""
    kms = stage.session.client("kms")
    policy = kms.get_key_policy(KeyId=fleet.key, PolicyName="default")["Policy"]
    assert json.loads(policy)
    return kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]


def begin(stage: Stage, fleet: StagedFleet) -> Execution:
    """Roll a good snapshot, under a key of its own, until the refresh has been started."""
    stage.complete_snapshot(fleet, kms_key_id=key_of_its_own(stage, fleet))
    refreshes = stage.world.autoscaling.groups[fleet.group].refreshes
    stage.world.run_until(lambda: bool(refreshes), limit=timedelta(minutes=5))
    return stage.rollouts()[-1]


FAILURES: list[tuple[str, Disturb, str]] = [
    ("there is no capacity", has_no_room, 'capacity ("We currently do not have sufficient'),
    ("a quota is used up", is_refused(LaunchRefusal.VCPU_QUOTA), 'quota ("You have requested more'),
    (
        "a subnet is full",
        is_refused(LaunchRefusal.NO_ADDRESSES),
        'addresses ("There are not',
    ),
    ("EC2 throttles", is_refused(LaunchRefusal.THROTTLED), 'throttling ("Request limit exceeded'),
    ("its key is disabled", key_is_disabled, 'an instance: key ("'),
    ("its snapshot is gone", is_deleted, "snapshot (\"The snapshot 'snap-"),
]


@pytest.mark.parametrize(
    ("disturb", "said"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES]
)
def test_no_snapshot_is_condemned_because(
    stage: Stage, fleet: StagedFleet, seen: Seen, disturb: Disturb, said: str
) -> None:
    # Given a good snapshot, none of whose instances can be launched
    rollout = begin(stage, fleet)
    disturb(stage, rollout.input.value["snapshot"])

    # When Auto Scaling has tried for its hour
    stage.finish()

    # Then the fleet is as before, the activities say why, and the snapshot may be tried again
    assert outcome(rollout) == "RolledBack"
    assert said in reason(rollout)
    assert seen.serves(fleet.first_snapshot)
    assert seen.ledger.condemned(fleet.name) == frozenset()
    trouble = seen.state.trouble
    assert trouble is not None
    assert trouble.retry_after > stage.world.clock.now()


def test_a_failure_of_the_infrastructure_is_tried_again_when_its_time_has_come(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)
    has_no_room(stage, "")
    stage.finish()
    assert outcome(rollout) == "RolledBack"

    # When there is room again, and the comparison comes by after the back-off
    stage.world.ec2.capacity.clear()
    stage.world.run_for(2 * 3600)
    stage.finish()

    assert seen.serves(rollout.input.value["snapshot"])


def test_a_capacity_shortage_that_passes_is_waited_for(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = begin(stage, fleet)
    has_no_room(stage, "")
    stage.world.run_for(1800)
    stage.world.ec2.capacity.clear()
    stage.finish()

    assert outcome(rollout) == "Live"
    assert seen.state.trouble is None


def test_a_rollback_that_fails_tells_a_person_everything_at_once(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a bad release half way, and no room for the way back
    stage.configure(fleet, {"refresh": {"checkpoints": [50, 100], "min_healthy": 50}})
    rollout = begin(stage, fleet)
    stage.world.run_for(900)
    has_no_room(stage, "")
    stage.session.client("cloudwatch").set_alarm_state(
        AlarmName=fleet.alarm, StateValue="ALARM", StateReason="the test says so"
    )
    stage.finish()

    # Then one mail says what, where, from what to what, how it stands, why, and what to do
    assert outcome(rollout) == "NeedsAttention"
    [mail] = [one for one in seen.mails() if "Needs Attention" in one]
    for part in (
        fleet.group,
        f"from {fleet.template_id} version 1 to {fleet.template_id} version 2",
        "the rollback ended as RollbackFailed",
        "do not have sufficient r7g.large capacity",
        rollout.arn,
        "then resume the fleet",
    ):
        assert part in mail
    for member in stage.describe(fleet)["Instances"]:
        assert member["InstanceId"] in mail
    assert seen.state.hold is not None
    assert seen.ledger.condemned(fleet.name) <= {rollout.input.value["snapshot"]}
