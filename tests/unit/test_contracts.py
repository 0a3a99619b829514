"""What crosses a boundary: the documented events, and what an operator may type."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from snaproll.contracts.announcements import console_link
from snaproll.contracts.events import SnapshotEvent
from snaproll.contracts.requests import RolloutRequest
from snaproll.contracts.signals import SignalEvent
from snaproll.domain.ledger import Trigger
from snaproll.explain import explain
from tests.unit.builders import EXECUTION, SNAPSHOT


def envelope(detail_type: str, detail: dict[str, Any], source: str = "aws.ec2") -> dict[str, Any]:
    """An event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "01234567-0123-0123-0123-012345678901",
        "detail-type": detail_type,
        "source": source,
        "account": "012345678901",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ec2::us-west-2:snapshot/snap-01234567"],
        "detail": detail,
    }


NOTIFICATION = "EBS Snapshot Notification"
MULTI_VOLUME = "EBS Multi-Volume Snapshots Completion Status"

CREATED = {
    "event": "createSnapshot",
    "result": "succeeded",
    "cause": "",
    "request-id": "",
    "snapshot_id": "arn:aws:ec2::us-west-2:snapshot/snap-01234567",
    "source": "arn:aws:ec2::us-west-2:volume/vol-01234567",
    "startTime": "2026-01-01T00:00:00Z",
    "endTime": "2026-01-01T00:10:00Z",
}
COPIED = {
    **CREATED,
    "event": "copySnapshot",
    "source": "arn:aws:ec2::eu-west-1:snapshot/snap-76543210",
    "incremental": "true",
    "transferType": "standard",
}
SET = {
    "event": "createSnapshots",
    "result": "succeeded",
    "cause": "",
    "request-id": "",
    "startTime": "2026-01-01T00:00:00Z",
    "endTime": "2026-01-01T00:10:00Z",
    "snapshots": [
        {
            "snapshot_id": "arn:aws:ec2::us-east-1:snapshot/snap-01234567",
            "source": "arn:aws:ec2::us-east-1:volume/vol-01234567",
            "status": "completed",
        },
        {
            "snapshot_id": "arn:aws:ec2::us-east-1:snapshot/snap-012345678",
            "source": "arn:aws:ec2::us-east-1:volume/vol-012345678",
            "status": "completed",
        },
    ],
}


def with_failed_member() -> dict[str, Any]:
    """The event of a set of which one snapshot could not be taken."""
    good, bad = SET["snapshots"]
    return {**SET, "snapshots": [good, {**bad, "status": "error"}]}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("event", "ids"),
    [
        (envelope(NOTIFICATION, CREATED), ["snap-01234567"]),
        (envelope(NOTIFICATION, COPIED), ["snap-01234567"]),
        (
            envelope(
                NOTIFICATION,
                {**COPIED, "completionDurationStartTime": "2026-01-01T00:00:00Z"},
            ),
            ["snap-01234567"],
        ),
        (envelope(MULTI_VOLUME, SET), ["snap-01234567", "snap-012345678"]),
        (envelope(MULTI_VOLUME, with_failed_member()), ["snap-01234567"]),
        ({**envelope(NOTIFICATION, CREATED), "replay-name": "archive"}, ["snap-01234567"]),
    ],
    ids=["created", "copied", "copied in time", "a set", "a set in part", "with a new member"],
)
def test_the_documented_events_of_completed_snapshots_are_read(
    event: dict[str, Any], ids: list[str]
) -> None:
    assert SnapshotEvent.model_validate(event).root.snapshot_ids == ids


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("a failed one", envelope(NOTIFICATION, {**CREATED, "result": "failed"}), "detail.result"),
    (
        "a failed set",
        envelope(MULTI_VOLUME, {**SET, "result": "failed"}),
        "detail.result",
    ),
    (
        "a shared one",
        envelope(NOTIFICATION, {**CREATED, "event": "shareSnapshot", "source": 12345678901}),
        "detail.event",
    ),
    (
        "a locked one",
        envelope(
            NOTIFICATION,
            {
                "event": "lockSnapshot",
                "result": "succeeded",
                "snapshot_id": CREATED["snapshot_id"],
                "source": "012345678901",
                "lockState": "governance",
            },
        ),
        "detail.event",
    ),
    (
        "a copy that is late",
        envelope("EBS Copy Snapshot Missed Completion Duration", COPIED),
        "EBS Copy Snapshot Missed Completion Duration",
    ),
    (
        "fast restore",
        envelope(
            "EBS Fast Snapshot Restore State-change Notification",
            {"snapshot-id": "snap-01234567", "state": "optimizing"},
        ),
        "EBS Fast Snapshot Restore State-change Notification",
    ),
    ("somebody else's", envelope(NOTIFICATION, CREATED, source="my.tool"), "source = 'my.tool'"),
    ("an empty set", envelope(MULTI_VOLUME, {**SET, "snapshots": []}), "detail.snapshots"),
    (
        "an id that is none",
        envelope(NOTIFICATION, {**CREATED, "snapshot_id": "arn:aws:ec2::us-west-2:volume/vol-1"}),
        "must end with a snapshot id",
    ),
    ("no detail", {**envelope(NOTIFICATION, {}), "detail": None}, "detail"),
    ("half a detail", envelope(NOTIFICATION, {"event": "createSnapshot"}), "result is missing"),
    ("no type", {"source": "aws.ec2", "detail": CREATED}, "detail-type"),
]


@pytest.mark.parametrize(
    ("event", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_every_other_event_is_refused_with_the_place(event: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SnapshotEvent.model_validate(event)

    assert said in explain("The event", refused.value)


# -- execution input ------------------------------------------------------------------------------


def test_a_fleet_is_all_that_an_operator_has_to_type() -> None:
    request = RolloutRequest.model_validate({"fleet": "sec-prod"})

    assert request.snapshot == "latest"
    assert request.trigger is Trigger.PERSON
    assert not request.dry_run


@pytest.mark.parametrize(
    "content",
    [
        {"snapshot": SNAPSHOT},
        {"snapshot": "latest"},
        {"reason": "the last one was taken too early"},
        {"dry_run": True},
        {"trigger": "snapshot"},
    ],
    ids=lambda content: next(iter(content)),
)
def test_an_operator_may_also_say(content: dict[str, Any]) -> None:
    request = RolloutRequest.model_validate({"fleet": "sec-prod", **content})

    assert request.model_dump(mode="json", include=set(content)) == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "fleet is missing"),
        ({"fleet": ""}, "fleet = ''"),
        ({"fleet": "SEC"}, "fleet = 'SEC'"),
        ({"fleet": 5}, "fleet = 5"),
        ({"fleet": "sec", "snapshot": "vol-01234567"}, "vol-01234567"),
        ({"fleet": "sec", "snapshot": "snap-XYZ"}, "snap-XYZ"),
        ({"fleet": "sec", "snapshot": None}, "snapshot"),
        ({"fleet": "sec", "fleets": ["a"]}, "fleets is not a known key"),
        ({"fleet": "sec", "reason": ""}, "reason = ''"),
        ({"fleet": "sec", "reason": "x" * 1001}, "reason"),
        ({"fleet": "sec", "dry_run": "perhaps"}, "dry_run = 'perhaps'"),
        ("sec", "must be a JSON object"),
        (None, "must be a JSON object"),
    ],
)
def test_what_no_rollout_can_be_planned_from_is_refused_with_the_place(
    content: Any, said: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        RolloutRequest.model_validate(content)

    assert said in explain("The execution input", refused.value)


# -- signals --------------------------------------------------------------------------------------


def test_a_refresh_event_concerns_its_group_and_no_alarm() -> None:
    event = SignalEvent.model_validate(
        envelope(
            "EC2 Auto Scaling Instance Refresh Checkpoint Reached",
            {
                "InstanceRefreshId": "ab00cf8f-9126-4f3c-8010-dbb8cad6fb86",
                "AutoScalingGroupName": "my-asg",
                "CheckpointPercentage": "50",
                "CheckpointDelay": "300",
            },
            source="aws.autoscaling",
        )
    )

    assert (event.group, event.alarm) == ("my-asg", None)


def test_an_alarm_event_concerns_its_alarm_and_no_group() -> None:
    event = SignalEvent.model_validate(
        envelope(
            "CloudWatch Alarm State Change",
            {"alarmName": "replicas-prod-5xx", "state": {"value": "ALARM"}},
            source="aws.cloudwatch",
        )
    )

    assert (event.group, event.alarm) == (None, "replicas-prod-5xx")


@pytest.mark.parametrize(
    "detail", [{}, {"AutoScalingGroupName": 5}, {"alarmName": None}], ids=["nothing", "5", "null"]
)
@pytest.mark.parametrize("source", ["aws.autoscaling", "aws.cloudwatch"])
def test_an_event_that_names_neither_concerns_nobody(detail: dict[str, Any], source: str) -> None:
    event = SignalEvent.model_validate(envelope("Something", detail, source=source))

    assert (event.group, event.alarm) == (None, None)


def test_a_mail_links_the_execution_in_its_own_region() -> None:
    assert console_link(EXECUTION) == (
        "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1"
        f"#/v2/executions/details/{EXECUTION}"
    )
