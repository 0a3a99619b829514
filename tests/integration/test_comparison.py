"""The scheduled comparison: many fleets, what is live, refreshes nobody watches, and the stop."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.domain.ledger import Outcome
from snaproll.steps import reconcile
from tests.integration.seen import Seen, outcome
from tests.integration.test_drift import live_on, pass_time

COMPARISON = timedelta(minutes=16)
STOP = f"/snaproll/{ENVIRONMENT}/stop"


# -- what is live ---------------------------------------------------------------------------------


def delete_live(stage: Stage, seen: Seen) -> None:
    stage.session.client("ec2").delete_snapshot(SnapshotId=live_on(seen))


def archive_live(stage: Stage, seen: Seen) -> None:
    stage.session.client("ec2").modify_snapshot_tier(
        SnapshotId=live_on(seen), StorageTier="archive"
    )


def disable_key(stage: Stage, seen: Seen) -> None:
    stage.session.client("kms").disable_key(KeyId=seen.fleet.key)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (delete_live, "it is gone"),
        (archive_live, "from which no volume can be made"),
        (disable_key, "is not usable: Disabled"),
    ],
)
def test_a_live_snapshot_that_cannot_be_launched_any_more_calls_a_person_once(
    stage: Stage, fleet: StagedFleet, seen: Seen, spoil: object, said: str
) -> None:
    stage.roll(fleet)

    assert callable(spoil)
    spoil(stage, seen)
    pass_time(stage, timedelta(days=4))

    [told] = seen.told("Needs Attention")
    assert said in told.detail["message"]
    assert live_on(seen) in told.detail["message"]
    assert sum("Needs Attention" in mail for mail in seen.mails()) == 1


def test_a_key_that_is_usable_again_and_lost_again_calls_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    for _ in range(2):
        disable_key(stage, seen)
        pass_time(stage, COMPARISON)
        stage.session.client("kms").enable_key(KeyId=fleet.key)
        pass_time(stage, COMPARISON)

    assert len(seen.told("Needs Attention")) == 2


# -- refreshes ------------------------------------------------------------------------------------


def test_a_refresh_of_a_rollout_that_was_given_up_calls_a_person(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that died four times while its refresh went on
    stage.roll(fleet)
    stage.configure(fleet, {"refresh": {"checkpoints": [25, 100], "checkpoint_wait": "5h"}})

    def deny(call: Call) -> None:
        if (call.caller, call.operation) == ("WatchHealthFunction", "DescribeTargetHealth"):
            raise AwsError("AccessDenied", "no", http_status=403)

    stage.world.faults.before_effect(deny)
    stage.complete_snapshot(fleet)
    pass_time(stage, timedelta(hours=1, minutes=30))
    assert seen.records[-1].outcome is Outcome.NEEDS_ATTENTION
    refresh = seen.refreshes[-1]["InstanceRefreshId"]

    # When it goes on
    pass_time(stage, timedelta(hours=1))

    # Then a person is told which refresh nobody watches, once
    told = [one for one in seen.told("Needs Attention") if refresh in one.detail["message"]]
    assert len([one for one in told if "nobody judges it" in one.detail["message"]]) == 1


def test_somebodys_own_refresh_is_named_as_the_cause(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    reply = stage.session.client("autoscaling").start_instance_refresh(
        AutoScalingGroupName=fleet.group,
        DesiredConfiguration={
            "LaunchTemplate": {"LaunchTemplateId": fleet.template_id, "Version": "1"}
        },
        Preferences={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150, "BakeTime": 7200},
    )

    stage.world.run_for(COMPARISON.total_seconds())

    [told] = seen.told("Drift Detected")
    assert f"somebody's instance refresh {reply['InstanceRefreshId']}" in told.detail["cause"]


# -- many fleets ----------------------------------------------------------------------------------


@pytest.fixture
def many(stage: Stage, fleet: StagedFleet) -> dict[str, StagedFleet]:
    """Five fleets, by name."""
    others = [stage.add_fleet(f"fleet-{number}", capacity=1) for number in range(4)]
    return {one.name: one for one in [fleet, *others]}


@pytest.mark.parametrize("page", [1, 2, 100])
def test_every_fleet_is_compared_however_many_there_are(
    stage: Stage, many: dict[str, StagedFleet], monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    # Given a snapshot of each fleet, whose event was lost
    monkeypatch.setattr(reconcile, "PAGE", page)
    stage.world.dynamodb.batch_limit = 7
    new = {name: stage.complete_snapshot(one, event=False) for name, one in many.items()}

    pass_time(stage, COMPARISON)

    assert all(stage.served(many[name]).keys() == {new[name]} for name in many)


def test_a_fleet_that_cannot_be_compared_keeps_no_other_from_it(
    stage: Stage, many: dict[str, StagedFleet]
) -> None:
    # Given a fleet whose ledger item nobody can read
    table = stage.stack.outputs["LedgerTableName"]
    stage.session.client("dynamodb").put_item(
        TableName=table,
        Item={
            "pk": {"S": "FLEET#fleet-0"},
            "sk": {"S": "STATE"},
            "revision": {"N": "1"},
            "schema_version": {"N": "99"},
        },
    )
    rest = {name: one for name, one in many.items() if name != "fleet-0"}
    new = {name: stage.complete_snapshot(one, event=False) for name, one in rest.items()}

    # When the comparison comes
    pass_time(stage, COMPARISON)

    # Then all others are rolled, and the failure is seen where people look for lost events
    assert all(stage.served(rest[name]).keys() == {new[name]} for name in rest)
    failed = [one for one in stage.world.awslambda.dropped if "reconcile" in one.function]
    assert failed
    error = failed[0].invocation.error if failed[0].invocation else None
    assert error is not None
    assert error.error_type == "ComparisonFailedError"
    assert "fleet-0" in error.error_message
    assert "fleet-1" not in error.error_message


def test_an_idle_fleet_takes_one_call_of_its_own_and_one_for_its_key(
    stage: Stage, many: dict[str, StagedFleet]
) -> None:
    for one in many.values():
        stage.roll(one)
    pass_time(stage, COMPARISON)
    before = len(stage.world.calls)

    stage.world.run_for(900)

    calls = Counter(
        call.operation
        for call in stage.world.calls[before:]
        if call.caller == "ReconcileFleetsFunction"
    )
    assert calls == {
        "Query": 1,
        "GetParametersByPath": 1,
        "BatchGetItem": 1,
        "DescribeAutoScalingGroups": 1,
        "GetParameter": 1,
        "DescribeSnapshots": 1 + len(many),
        "DescribeKey": len(many),
    }


# -- the stop -------------------------------------------------------------------------------------


@pytest.fixture
def stopped(stage: Stage) -> None:
    """The environment is stopped."""
    stage.session.client("ssm").put_parameter(Name=STOP, Value="an audit", Type="String")


def go_on(stage: Stage) -> None:
    """The stop ends, and the next comparison comes."""
    stage.session.client("ssm").delete_parameter(Name=STOP)
    pass_time(stage, COMPARISON)


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("asked", [{}, {"snapshot": "live"}, {"reason": "now"}])
def test_a_person_starts_nothing_while_all_is_stopped(
    stage: Stage, fleet: StagedFleet, seen: Seen, asked: dict[str, str]
) -> None:
    stage.complete_snapshot(fleet, event=False)

    answered = stage.start({"fleet": fleet.name, **asked})
    stage.finish()

    assert outcome(answered) == "Stopped"
    assert seen.changes() == []


def test_what_waited_behind_a_rollout_waits_until_the_stop_ends(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout, and a person's request behind it, when all is stopped
    first = stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    wanted = stage.complete_snapshot(fleet, event=False)
    stage.start({"fleet": fleet.name, "snapshot": wanted})
    stage.world.run_for(60)
    stage.session.client("ssm").put_parameter(Name=STOP, Value="an audit", Type="String")

    # When what runs has ended
    pass_time(stage, timedelta(hours=2))

    # Then it was watched to its end, nothing else started, and the request is not forgotten
    assert seen.serves(first)
    assert len(stage.rollouts()) == 2
    go_on(stage)
    assert seen.serves(wanted)


def test_resuming_starts_nothing_while_all_is_stopped(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.start({"fleet": fleet.name, "hold": "a look", "by": "ann"})
    new = stage.complete_snapshot(fleet, event=False)
    stage.world.run_for(60)
    stage.session.client("ssm").put_parameter(Name=STOP, Value="an audit", Type="String")

    stage.start({"fleet": fleet.name, "resume": "it is over", "by": "ann"})
    pass_time(stage, timedelta(hours=1))
    assert seen.serves(fleet.first_snapshot)

    go_on(stage)
    assert seen.serves(new)


def test_a_rollout_that_dies_while_all_is_stopped_is_gone_on_with(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a stop, a rollout that is aborted in it, and an event of that which is lost
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    stage.session.client("ssm").put_parameter(Name=STOP, Value="an audit", Type="String")
    stage.world.events.delivery = lambda event: () if event.source == "aws.states" else (1.0,)
    stage.session.client("stepfunctions").stop_execution(executionArn=stage.rollouts()[-1].arn)

    pass_time(stage, COMPARISON)

    assert outcome(stage.rollouts()[-1]) == "RolledBack"
    assert seen.serves(fleet.first_snapshot)
    assert seen.state.claim is None
