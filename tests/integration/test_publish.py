"""From a writer's data to a snapshot: triggers, modes, tags, and what is told."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.scenarios.writers import Publishing
from snaproll.domain.publishes import PublishOutcome
from tests.integration.seen import Seen, outcome, reason, result_of, states_of

WEEK = timedelta(days=7)


def tags_of(stage: Stage, snapshot: str) -> dict[str, str]:
    """The tags that a snapshot carries."""
    found = stage.world.ec2.snapshot(snapshot)
    assert found is not None
    return found.tags


def snapshots_of(stage: Stage, volume: str) -> list[str]:
    """Ids of the snapshots that were taken of a volume."""
    reply = stage.session.client("ec2").describe_snapshots(
        OwnerIds=["self"], Filters=[{"Name": "volume-id", "Values": [volume]}]
    )
    return [one["SnapshotId"] for one in reply["Snapshots"]]


def told(stage: Stage, detail_type: str) -> list[Any]:
    """The details of the domain events of a type."""
    return [
        event.detail
        for event in stage.world.events.seen
        if event.source == "snaproll" and event.detail_type == detail_type
    ]


# -- what asks for a snapshot ---------------------------------------------------------------------


def test_data_that_is_ready_is_published_and_rolled_out(
    stage: Stage, fleet: StagedFleet, seen: Seen, publishing: Publishing
) -> None:
    # Given a writer
    writer = publishing.add_writer(fleet)

    # When it says that its data is ready
    publish = publishing.publish(writer.name)
    stage.world.run_for(60)
    stage.finish()

    # Then a snapshot of its volume is taken, and its own event starts the fleet's rollout
    (snapshot,) = snapshots_of(stage, writer.volume)
    assert outcome(publish) == "Published"
    assert publish.output is not None
    assert publish.output.value["fleets"] == [fleet.name]
    assert [outcome(one) for one in stage.rollouts()] == ["Live"]
    assert seen.serves(snapshot)


def test_a_snapshot_has_all_its_tags_from_the_first_moment(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet, {"tags": {"Team": "filings"}})

    publishing.publish(writer.name, data_time="2026-01-05T08:30:00+00:00")

    (call,) = [one for one in stage.world.calls if one.operation == "CreateSnapshot"]
    (specification,) = call.params["TagSpecifications"]
    assert {tag["Key"]: tag["Value"] for tag in specification["Tags"]} == {
        **fleet.tags,
        "Team": "filings",
        "snaproll:writer": writer.name,
        "snaproll:environment": "demo",
        "snaproll:publish": f"{writer.name}-1",
        "snaproll:publish-mode": "publish",
        "snaproll:data-time": "2026-01-05T08:30:00+00:00",
    }
    assert not [
        one
        for one in stage.world.calls
        if one.operation == "CreateTags" and one.caller == "TakeSnapshotFunction"
    ]


def test_an_event_without_a_data_time_is_of_the_time_that_it_was_sent(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    sent_at = stage.world.clock.now()

    publishing.publish(writer.name)

    (snapshot,) = snapshots_of(stage, writer.volume)
    labelled = datetime.fromisoformat(tags_of(stage, snapshot)["snaproll:data-time"])
    assert abs(labelled - sent_at) <= timedelta(seconds=1)


def test_an_event_that_is_delivered_twice_publishes_once(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a bus that delivers everything twice
    writer = publishing.add_writer(fleet)
    stage.world.events.delivery = lambda _: (1.0, 90.0)

    # When the data is ready
    publish = publishing.publish(writer.name)
    stage.world.run_for(3600)

    # Then one execution ran, which is named after the event
    assert [one.name for one in publishing.publishes()] == [publish.name]
    assert len(snapshots_of(stage, writer.volume)) == 1


def test_the_same_data_announced_twice_is_published_once(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    at = "2026-01-05T08:30:00+00:00"

    first, second = (publishing.publish(writer.name, data_time=at) for _ in range(2))

    assert (outcome(first), outcome(second)) == ("Published", "Skipped")
    assert "holds this data already" in reason(second)
    assert len(snapshots_of(stage, writer.volume)) == 1


@pytest.mark.parametrize(
    ("detail", "problem"),
    [
        ({"environment": None}, "environment"),
        ({"data_time": "2026-01-05T08:30:00"}, "data_time"),
        ({"colour": "red"}, "colour is not a known key"),
    ],
)
def test_an_event_that_says_too_little_or_too_much_waits_in_the_queue_and_somebody_hears_of_it(
    stage: Stage,
    fleet: StagedFleet,
    publishing: Publishing,
    detail: dict[str, Any],
    problem: str,
) -> None:
    writer = publishing.add_writer(fleet)
    content = {"environment": "demo", **detail}
    if content["environment"] is None:
        del content["environment"]

    reply = stage.session.client("events").put_events(
        Entries=[
            {
                "Source": "snaproll.writer",
                "DetailType": "Data Materialized",
                "Detail": json.dumps({"writer": writer.name, **content}),
            }
        ]
    )
    stage.world.run_for(3600)

    assert reply["FailedEntryCount"] == 0
    assert publishing.publishes() == []
    url = stage.stack.outputs["LostEventsQueueUrl"]
    messages = stage.session.client("sqs").receive_message(QueueUrl=url)["Messages"]
    assert problem in messages[0]["Body"]


def test_an_event_for_another_environment_is_not_heard(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)

    publishing.materialize(writer.name, environment="prod")
    stage.world.run_for(600)

    assert publishing.publishes() == []
    assert not [call for call in stage.world.calls if call.caller == "RequestPublishFunction"]


def test_nothing_is_published_on_a_schedule_unless_it_is_asked_for(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    publishing.add_writer(fleet)

    stage.world.run_for(WEEK.total_seconds())

    assert publishing.publishes() == []


def test_the_schedule_publishes_every_writer_that_does_not_stay_away() -> None:
    # Given a stack that publishes every Sunday, and two writers, of which one stays away
    stage = Stage(parameters={"PublishOnSchedule": "true"})
    publishing = Publishing(stage)
    fleet, other = stage.add_fleet("sec"), stage.add_fleet("other")
    publishing.add_writer(fleet)
    publishing.add_writer(other, {"on_schedule": False})

    # When a week passes
    stage.world.run_for(WEEK.total_seconds())
    stage.finish()

    # Then one publish ran, named after the tick, and its snapshot is as of its beginning
    (publish,) = publishing.publishes()
    assert publish.name == "sec-scheduled-20260111T0300Z"
    assert outcome(publish) == "Published"
    (snapshot,) = snapshots_of(stage, fleet.volume)
    found = stage.world.ec2.snapshot(snapshot)
    assert found is not None
    assert tags_of(stage, snapshot)["snaproll:data-time"] == found.start_time.isoformat()


def test_a_person_publishes_with_one_line(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)

    publish = publishing.start({"writer": writer.name})
    publishing.finish()

    assert outcome(publish) == "Published"
    (begun,) = told(stage, "Publish Started")
    assert begun["link"].endswith(publish.arn)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"writer": "sec", "mode": "twice"}, "mode = 'twice'"),
        ({"writer": "sec", "data_time": "2030-01-01T00:00:00Z"}, "lies ahead"),
        ({"fleet": "sec"}, "writer is missing"),
        ({"writer": "nobody"}, "/snaproll/demo/writers/nobody does not exist"),
    ],
)
def test_a_request_that_makes_no_sense_says_so_and_somebody_is_mailed(
    stage: Stage,
    fleet: StagedFleet,
    publishing: Publishing,
    content: dict[str, str],
    problem: str,
) -> None:
    publishing.configure("sec", {"volume": {"id": fleet.volume}, "fleets": [fleet.name]})

    publish = publishing.start(content)
    publishing.finish()
    stage.world.run_for(60)

    assert problem in (publish.cause or "")
    (failed,) = told(stage, "Publish Failed")
    assert problem in failed["message"]
    assert publish.arn in failed["link"]


def test_a_parameter_that_makes_no_sense_is_named_with_key_and_value(
    fleet: StagedFleet, publishing: Publishing
) -> None:
    policy = {"volume": {"id": fleet.volume, "device": "/dev/xvdf"}, "fleets": [fleet.name]}
    publishing.configure("sec", {**policy, "complete_within": "never"})

    publish = publishing.start({"writer": "sec"})
    publishing.finish()

    assert publish.error == "InvalidWriterConfigurationError"
    cause = publish.cause or ""
    assert "/snaproll/demo/writers/sec is not valid" in cause
    assert "complete_within = 'never': must be a duration" in cause
    assert "device says nothing beside id" in cause


# -- modes ----------------------------------------------------------------------------------------


def test_a_snapshot_only_is_taken_and_no_fleet_follows(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    # Given a writer
    writer = publishing.add_writer(fleet)

    # When a snapshot only is asked for
    publish = publishing.start({"writer": writer.name, "mode": "snapshot_only"})
    publishing.finish()
    stage.world.run_for(3600)

    # Then it carries none of the fleet's tags, and nothing is rolled
    (snapshot,) = snapshots_of(stage, writer.volume)
    assert outcome(publish) == "SnapshotTaken"
    assert "no fleet selects it" in reason(publish)
    tags = tags_of(stage, snapshot)
    assert not fleet.tags.keys() & tags.keys()
    assert tags["snaproll:publish-mode"] == "snapshot_only"
    assert stage.rollouts() == []
    assert [one["snapshot"] for one in told(stage, "Snapshot Taken")] == [snapshot]


def test_a_fleet_that_would_take_any_snapshot_keeps_a_snapshot_only_from_being_taken(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    stage.configure(fleet, {"snapshots": {"tags": {"snaproll:writer": writer.name}}})

    publish = publishing.start({"writer": writer.name, "mode": "snapshot_only"})
    publishing.finish()

    assert outcome(publish) == "WriterNotReady"
    assert "would take even a snapshot that is not to be published" in reason(publish)
    assert snapshots_of(stage, writer.volume) == []


def test_what_was_published_is_told_with_everything_that_somebody_may_want_to_know(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)

    publish = publishing.publish(writer.name)

    (event,) = told(stage, "Snapshot Published")
    (snapshot,) = snapshots_of(stage, writer.volume)
    assert event["version"] == 1
    assert event["outcome"] == PublishOutcome.PUBLISHED
    assert (event["snapshot"], event["volume"]) == (snapshot, writer.volume)
    assert event["fleets"] == [fleet.name]
    assert event["link"].endswith(publish.arn)
    assert "what follows is their rollout" in event["message"]


def test_two_followers_get_the_tags_of_both(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    other = stage.add_fleet("other")
    stage.configure(other, {"snapshots": {"tags": {"For": "others"}}})
    writer = publishing.add_writer(fleet, {"fleets": [fleet.name, other.name]})

    publish = publishing.publish(writer.name)

    assert publish.output is not None
    assert sorted(publish.output.value["fleets"]) == sorted([fleet.name, other.name])


# -- waiting until it is whole --------------------------------------------------------------------


def test_the_end_of_the_snapshot_wakes_the_publish_within_seconds(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)

    publish = publishing.publish(writer.name)

    (snapshot,) = snapshots_of(stage, writer.volume)
    found = stage.world.ec2.snapshot(snapshot)
    assert found is not None
    assert found.completion_time is not None
    ended = publish.history[-1].at
    assert ended - found.completion_time <= timedelta(seconds=10)


def test_a_snapshot_whose_event_is_lost_is_seen_all_the_same(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    stage.world.events.delivery = lambda event: () if event.source == "aws.ec2" else (1.0,)

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "Published"
    assert states_of(publish).count("InspectSnapshot") < 10


def test_a_snapshot_that_fails_is_reported_with_the_reason(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    stage.world.ec2.fail_next_snapshot("the volume burned down")

    publish = publishing.publish(writer.name)
    stage.world.run_for(60)

    assert outcome(publish) == "SnapshotFailed"
    assert "the volume burned down" in reason(publish)
    (failed,) = told(stage, "Publish Failed")
    assert failed["outcome"] == "SnapshotFailed"
    assert stage.rollouts() == []


def test_a_snapshot_that_takes_too_long_is_reported_and_kept(
    stage: Stage, fleet: StagedFleet, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet, {"complete_within": "5m"})

    publish = publishing.publish(writer.name)

    assert outcome(publish) == "SnapshotFailed"
    assert "still pending after 5m" in reason(publish)
    assert len(snapshots_of(stage, writer.volume)) == 1


def test_a_failure_is_mailed_with_its_execution(
    stage: Stage, fleet: StagedFleet, seen: Seen, publishing: Publishing
) -> None:
    writer = publishing.add_writer(fleet)
    stage.world.ec2.fail_next_snapshot("the volume burned down")

    publish = publishing.publish(writer.name)

    (mail,) = seen.mails()
    assert f"Publish Failed: writer {writer.name} (demo)" in mail
    assert publish.arn in mail


def test_each_check_of_the_writer_is_reported(fleet: StagedFleet, publishing: Publishing) -> None:
    writer = publishing.add_writer(fleet)

    publish = publishing.publish(writer.name)

    report = result_of(publish, "InspectWriter")
    assert [one["name"] for one in report["checks"]] == [
        *("volume-found", "opted-in", "usable", "encrypted", "attached"),
        *("followers", "key-allowed", "kept-apart"),
    ]
    assert {one["result"] for one in report["checks"]} == {"passed"}
