"""From the event of a completed snapshot to one execution per fleet, or to none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.world.faults import Call
from snaproll.domain.tags import DATA_TIME
from tests.integration.events import MULTI_VOLUME, NOTIFICATION, detail, set_detail
from tests.integration.seen import Seen, outcome, reason

DISPATCH = "snaproll-demo-dispatch-snapshot"


def deliver(stage: Stage, detail_type: str, content: dict[str, Any]) -> None:
    """Put an event of EC2 on the bus, and let everything that it starts begin."""
    stage.world.events.emit("aws.ec2", detail_type, content, [])
    stage.world.run_for(300)


def names(stage: Stage) -> list[str]:
    """The executions so far, by name."""
    return [one.name for one in stage.rollouts()]


def dispatches(stage: Stage) -> int:
    """How often dispatch ran."""
    return sum(run.function == DISPATCH for run in stage.world.awslambda.runs)


# -- what starts a rollout ------------------------------------------------------------------------


def test_a_completed_snapshot_starts_one_execution(stage: Stage, fleet: StagedFleet) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    deliver(stage, NOTIFICATION, detail(snapshot))

    assert names(stage) == [f"sec-prod-{snapshot}-1"]
    assert stage.rollouts()[0].input.value == {
        "fleet": "sec-prod",
        "snapshot": snapshot,
        "trigger": "snapshot",
    }


def test_a_snapshot_that_a_publisher_takes_is_rolled_when_it_completes(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    snapshot = stage.take_snapshot(fleet)
    stage.world.run_until(lambda: bool(stage.rollouts()), limit=timedelta(hours=1))
    stage.finish()

    assert names(stage) == [f"sec-prod-{snapshot}-1"]
    assert seen.serves(snapshot)


def test_a_copy_that_says_when_its_data_was_true_is_rolled(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    copy = stage.complete_snapshot(
        fleet,
        source_id="snap-0fffffffffffffff1",
        tags={DATA_TIME: stage.world.clock.now().isoformat()},
    )
    stage.world.run_for(60)
    stage.finish()

    assert outcome(stage.rollouts()[0]) == "Live"
    assert seen.serves(copy)


def test_a_copy_that_does_not_say_it_is_rejected(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet, source_id="snap-0fffffffffffffff1")

    assert outcome(rollout) == "SnapshotRejected"
    assert f"a copy without the tag {DATA_TIME}" in reason(rollout)
    assert seen.changes() == ["ec2:CreateTags"]


def test_each_snapshot_of_a_set_is_rolled_to_the_fleet_that_it_belongs_to(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a set with a snapshot for each of two fleets, one of no fleet and one that failed
    other = stage.add_fleet("oth-prod", capacity=1)
    first = stage.complete_snapshot(fleet, event=False)
    second = stage.complete_snapshot(other, event=False)
    stranger = stage.world.ec2.add_snapshot().id
    broken = stage.complete_snapshot(fleet, event=False, state="error")

    # When its event arrives
    deliver(
        stage,
        MULTI_VOLUME,
        set_detail(
            (first, "completed"), (stranger, "completed"), (second, "completed"), (broken, "error")
        ),
    )

    # Then each of the two fleets is rolled
    assert names(stage) == [f"sec-prod-{first}-1", f"oth-prod-{second}-1"]


def test_a_snapshot_may_belong_to_more_than_one_fleet(stage: Stage, fleet: StagedFleet) -> None:
    stage.add_fleet("oth-prod", capacity=1, policy={"snapshots": {"tags": dict(fleet.tags)}})

    snapshot = stage.complete_snapshot(fleet)
    stage.world.run_for(60)

    assert sorted(names(stage)) == [f"oth-prod-{snapshot}-1", f"sec-prod-{snapshot}-1"]


# -- what starts none -----------------------------------------------------------------------------


def is_dispatch(call: Call) -> bool:
    """Whether dispatch made a call: others hear of snapshots as well."""
    return call.caller == "DispatchSnapshotFunction"


def test_a_snapshot_of_no_fleet_costs_one_short_call_and_leaves_no_execution(
    stage: Stage, seen: Seen
) -> None:
    stranger = stage.world.ec2.add_snapshot(tags={"GraphId": "other"}).id

    deliver(stage, NOTIFICATION, detail(stranger))

    assert names(stage) == []
    assert dispatches(stage) == 1
    made = [call.operation for call in seen.calls() if is_dispatch(call)]
    assert made == ["Query", "DescribeSnapshots"]


@pytest.mark.parametrize(
    ("detail_type", "content"),
    [
        (NOTIFICATION, {"result": "failed", "cause": "it failed"}),
        (NOTIFICATION, {"event": "shareSnapshot", "source": "012345678901"}),
        (NOTIFICATION, {"event": "lockSnapshot", "source": "012345678901"}),
        (NOTIFICATION, {"event": "copySnapshot", "result": "failed"}),
        ("EBS Copy Snapshot Missed Completion Duration", {"event": "copySnapshot"}),
        ("EBS Volume Notification", {"event": "createVolume"}),
        ("EBS Fast Snapshot Restore State-change Notification", {"state": "enabled"}),
    ],
)
def test_every_other_event_of_a_snapshot_starts_nothing_and_runs_nothing(
    stage: Stage, fleet: StagedFleet, detail_type: str, content: dict[str, Any]
) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    deliver(stage, detail_type, detail(snapshot, **content))

    assert names(stage) == []
    assert dispatches(stage) == 0


def test_a_set_that_failed_starts_nothing(stage: Stage, fleet: StagedFleet) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    deliver(stage, MULTI_VOLUME, set_detail((snapshot, "completed"), result="failed"))

    assert names(stage) == []


@pytest.mark.parametrize("public", [True, False], ids=["public", "shared with us"])
def test_somebody_elses_snapshot_with_the_right_tags_starts_nothing(
    stage: Stage,
    fleet: StagedFleet,
    public: bool,  # noqa: FBT001
) -> None:
    foreign = stage.world.ec2.add_foreign_snapshot(
        owner="999999999999", public=public, shared=not public, tags=dict(fleet.tags)
    )

    deliver(stage, NOTIFICATION, detail(foreign.id))

    assert names(stage) == []


def test_an_owner_that_the_fleet_names_may_publish_to_it(stage: Stage) -> None:
    fleet = stage.add_fleet(
        "sec-prod",
        policy={
            "snapshots": {
                "tags": {"GraphId": "sec-prod", "Environment": ENVIRONMENT},
                "owners": ["self", "999999999999"],
            }
        },
    )
    foreign = stage.world.ec2.add_foreign_snapshot(
        owner="999999999999", shared=True, tags=dict(fleet.tags)
    )

    deliver(stage, NOTIFICATION, detail(foreign.id))

    assert names(stage) == [f"sec-prod-{foreign.id}-1"]


# -- twice, late, and at a bad time ---------------------------------------------------------------


def test_an_event_that_arrives_twice_starts_one_rollout(stage: Stage, fleet: StagedFleet) -> None:
    stage.world.events.delivery = lambda _: (1.0, 2.0)
    snapshot = stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    stage.finish()

    assert names(stage) == [f"sec-prod-{snapshot}-1"]
    assert outcome(stage.rollouts()[0]) == "Live"


def test_a_duplicate_that_arrives_after_the_rollout_starts_nothing(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet)
    before = len(seen.calls())

    deliver(stage, NOTIFICATION, detail(rollout.input.value["snapshot"]))

    assert stage.rollouts() == [rollout]
    assert [call.operation for call in seen.calls()[before:] if is_dispatch(call)] == [
        "Query",
        "DescribeSnapshots",
        "GetParameter",
        "StartExecution",
    ]


@pytest.mark.parametrize("scenario", ["corrupt", "healthy"])
def test_a_duplicate_does_not_try_a_snapshot_again(
    stage: Stage, fleet: StagedFleet, scenario: str
) -> None:
    unencrypted = {"encrypted": False, "kms_key_id": None} if scenario == "healthy" else {}
    rollout = stage.roll(fleet, scenario, **unencrypted)

    deliver(stage, NOTIFICATION, detail(rollout.input.value["snapshot"]))

    assert stage.rollouts() == [rollout]


def test_the_late_event_of_an_older_snapshot_moves_nothing_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a newer snapshot that is live
    older = stage.complete_snapshot(fleet, event=False)
    stage.world.run_for(3600)
    stage.roll(fleet)

    # When the older one's event arrives at last
    deliver(stage, NOTIFICATION, detail(older))
    late = stage.rollouts()[-1]

    # Then its rollout ends at once, and says why
    assert outcome(late) == "Superseded"
    assert "automatic rollouts only move forward" in reason(late)
    assert late.name == f"sec-prod-{older}-1"
    assert not seen.serves(older)


def test_a_snapshot_that_completes_while_another_is_rolled_waits_for_its_end(
    stage: Stage, fleet: StagedFleet
) -> None:
    running = stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    first, second = stage.rollouts()
    stage.finish()

    assert outcome(second) == "Queued"
    assert f"is being rolled onto {running}" in reason(second)
    assert outcome(first) == "Live"


def test_two_snapshots_at_the_same_moment_change_the_fleet_one_after_the_other(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet)
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    stage.finish()

    stage.world.run_for(60)
    stage.finish()

    # Their data is of the same moment: the second one's turn comes, and finds nothing newer in it
    outcomes = [outcome(one) for one in stage.rollouts()]
    assert outcomes == ["Live", "Queued", "Superseded"]
    assert len(seen.calls("StartInstanceRefresh")) == 1


# -- a snapshot that cannot be seen yet -----------------------------------------------------------


def test_a_snapshot_that_ec2_does_not_show_yet_is_dispatched_when_it_does(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given an event that is faster than EC2
    later = "snap-0123456789abcdef0"
    stage.world.events.emit("aws.ec2", NOTIFICATION, detail(later), [])
    stage.world.run_for(30)
    assert names(stage) == []

    # When EC2 shows the snapshot
    stage.complete_snapshot(fleet, event=False, id=later)
    stage.world.run_for(300)

    # Then Lambda's own retry has found it
    assert names(stage) == [f"sec-prod-{later}-1"]


def test_a_snapshot_whose_completion_ec2_does_not_show_yet_goes_live(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given reads that are behind the event by ten seconds
    stage.world.reads.lag(10)
    stage.world.run_for(600)
    begun = stage.world.clock.now() - timedelta(minutes=5)

    # When a snapshot completes that was begun long before
    snapshot = stage.complete_snapshot(fleet, start_time=begun)
    stage.world.run_for(60)
    stage.finish()

    # Then its rollout asked again until it was seen to be complete
    [rollout] = stage.rollouts()
    assert (outcome(rollout), rollout.name) == ("Live", f"sec-prod-{snapshot}-1")


def test_a_pending_snapshot_that_a_person_named_is_rolled_out_once_it_completed(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a rollout that was asked for too early
    snapshot = stage.take_snapshot(fleet)
    early = stage.start({"fleet": fleet.name, "snapshot": snapshot, "reason": "cannot wait"})
    stage.finish()
    assert (outcome(early), '"pending"' in reason(early)) == ("SnapshotRejected", True)

    # When the snapshot completes, and the event of that is lost
    stage.world.events.delivery = lambda event: () if event.detail_type == NOTIFICATION else (1.0,)
    stage.world.run_until(lambda: len(stage.rollouts()) > 1, limit=timedelta(hours=1))
    stage.finish()

    # Then nothing holds that against it
    assert outcome(stage.rollouts()[-1]) == "Live"


def test_one_snapshot_of_a_set_that_cannot_be_seen_does_not_hold_up_the_others(
    stage: Stage, fleet: StagedFleet
) -> None:
    visible = stage.complete_snapshot(fleet, event=False)
    content = set_detail(("snap-0123456789abcdef0", "completed"), (visible, "completed"))

    stage.world.events.emit("aws.ec2", MULTI_VOLUME, content, [])
    stage.world.run_for(5)

    assert names(stage) == [f"sec-prod-{visible}-1"]


def test_an_event_that_can_never_be_handled_is_kept_and_rings_an_alarm(stage: Stage) -> None:
    never = "snap-0123456789abcdef0"

    stage.world.events.emit("aws.ec2", NOTIFICATION, detail(never), [])
    stage.world.run_for(3600)

    queue = stage.stack.outputs["LostEventsQueueUrl"]
    reply = stage.session.client("sqs").receive_message(QueueUrl=queue)
    [message] = reply["Messages"]
    assert never in message["Body"]


# -- fleets whose parameter is wrong --------------------------------------------------------------


def test_a_wrong_fleet_parameter_does_not_block_the_other_fleets_and_is_reported(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a fleet whose parameter cannot be read, beside a good one
    stage.session.client("ssm").put_parameter(
        Name=f"/snaproll/{ENVIRONMENT}/fleets/broken",
        Value=json.dumps({"auto_scaling_group": "asg", "colour": "green"}),
        Type="String",
    )

    # When a snapshot of the good one completes
    rollout = stage.roll(fleet)

    # Then it is rolled, and the broken one is told of by parameter and key
    assert outcome(rollout) == "Live"
    [told] = seen.told("Fleet Configuration Invalid")
    assert told.detail["fleet"] == "broken"
    assert f"/snaproll/{ENVIRONMENT}/fleets/broken is not valid" in told.detail["message"]
    assert "colour is not a known key" in told.detail["message"]
    assert "data_device is missing" in told.detail["message"]
    assert any("Fleet Configuration Invalid: fleet broken" in mail for mail in seen.mails())


def test_a_parameter_whose_name_can_name_no_fleet_is_reported_too(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.session.client("ssm").put_parameter(
        Name=f"/snaproll/{ENVIRONMENT}/fleets/Sec_Prod", Value="{}", Type="String"
    )

    stage.roll(fleet)

    [told] = seen.told("Fleet Configuration Invalid")
    assert "Sec_Prod" in told.detail["message"]


def test_a_set_of_snapshots_reports_a_wrong_parameter_once(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.session.client("ssm").put_parameter(
        Name=f"/snaproll/{ENVIRONMENT}/fleets/broken", Value="{}", Type="String"
    )
    snapshots = [stage.complete_snapshot(fleet, event=False) for _ in range(3)]

    deliver(stage, MULTI_VOLUME, set_detail(*((one, "completed") for one in snapshots)))

    assert len(seen.told("Fleet Configuration Invalid")) == 1


def test_a_parameter_that_stays_wrong_is_reported_once_a_day(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.session.client("ssm").put_parameter(
        Name=f"/snaproll/{ENVIRONMENT}/fleets/broken", Value="{}", Type="String"
    )
    for _ in range(3):
        stage.roll(fleet)
    assert len(seen.told("Fleet Configuration Invalid")) == 1

    stage.world.run_for(86_400)
    stage.roll(fleet)

    assert len(seen.told("Fleet Configuration Invalid")) == 2


def test_more_fleets_than_fit_on_a_page_are_all_found(stage: Stage, fleet: StagedFleet) -> None:
    # Given a dozen fleets before ours in the alphabet
    for number in range(12):
        stage.configure(
            replace(fleet, name=f"aaa-{number}"),
            {"snapshots": {"tags": {"GraphId": f"aaa-{number}"}}},
        )

    snapshot = stage.complete_snapshot(fleet)
    stage.world.run_for(60)

    assert names(stage) == [f"sec-prod-{snapshot}-1"]
