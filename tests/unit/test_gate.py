"""The gate: each check passes and fails for its own reason, and all of them are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.checks import CheckResult, Report
from snaproll.domain.gate import judge, unfit
from snaproll.domain.key_access import Access
from snaproll.domain.launchable import Key
from snaproll.domain.tags import DATA_TIME
from tests.unit.builders import (
    KEY,
    NOW,
    SNAPSHOT,
    TAGS,
    fleet,
    gate_evidence,
    good_snapshot,
)

CHECKS = {
    "exists",
    "not-quarantined",
    "completed",
    "owner",
    "encrypted",
    "key-allowed",
    "key-usable",
    "key-admits-group",
    "storage-tier",
    "permanent",
    "tags",
    "data-time",
    "newer-than-live",
    "age",
    "fits-volume",
}


@dataclass(frozen=True)
class Case:
    """A snapshot that is fine but for one thing."""

    says: str
    check: str
    because: str
    snapshot: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    rule: dict[str, Any] = field(default_factory=dict)


BAD = [
    *(
        Case(f"its state is {state}", "completed", f'"{state}"', snapshot={"state": state})
        for state in ("error", "recoverable", "recovering")
    ),
    Case("its state is pending", "pending", '"pending"', snapshot={"state": "pending"}),
    Case(
        "somebody else owns it",
        "owner",
        "999999999999 is none of 111122223333",
        snapshot={"owner": "999999999999"},
    ),
    Case(
        "our own account is not among the owners that the fleet names",
        "owner",
        "111122223333 is none of 222233334444",
        rule={"owners": ["222233334444"]},
    ),
    Case("it is not encrypted", "encrypted", "not encrypted", snapshot={"encrypted": False}),
    Case(
        "EC2 does not say by which key",
        "key-allowed",
        "which key",
        snapshot={"kms_key": None},
        evidence={"key": None},
    ),
    Case(
        "its key is none of the fleet's",
        "key-allowed",
        KEY,
        rule={"kms_keys": ["arn:aws:kms:us-east-1:111122223333:key/other"]},
    ),
    *(
        Case(
            f"its key is {state}",
            "key-usable",
            state,
            evidence={"key": Key(arn=KEY, state=state)},
        )
        for state in (
            "Disabled",
            "PendingDeletion",
            "PendingImport",
            "Unavailable",
            "Creating",
            "PendingReplicaDeletion",
            "it does not exist",
        )
    ),
    Case(
        "its key does not admit Auto Scaling",
        "key-admits-group",
        "does not admit the group's service-linked role: nothing allows kms:Decrypt",
        evidence={"key": Key(KEY, "Enabled", Access.REFUSED, "nothing allows kms:Decrypt")},
    ),
    Case("it is archived", "storage-tier", '"archive"', snapshot={"storage_tier": "archive"}),
    Case(
        "it is restored only for a while",
        "permanent",
        "until 2026-01-08",
        snapshot={"restore_expires": NOW + timedelta(days=3)},
    ),
    Case("it lacks a tag", "tags", "Environment=prod", snapshot={"tags": {"GraphId": "sec"}}),
    Case(
        "a tag has another value",
        "tags",
        "GraphId=sec",
        snapshot={"tags": {**TAGS, "GraphId": "oth"}},
    ),
    Case("it is a copy of unknown age", "data-time", DATA_TIME, snapshot={"copied": True}),
    Case(
        "its data time is no time",
        "data-time",
        '"now"',
        snapshot={"tags": {**TAGS, DATA_TIME: "now"}},
    ),
    Case(
        "its data time lies ahead, which would block every later snapshot",
        "data-time",
        "2062-01-05T09:00:00+00:00",
        snapshot={"tags": {**TAGS, DATA_TIME: "2062-01-05T09:00:00Z"}},
    ),
    Case(
        "it is older than what is live",
        "newer-than-live",
        "2026-01-05T11:30:00+00:00",
        evidence={"live_data_time": NOW - timedelta(minutes=30)},
    ),
    Case(
        "it is exactly as old as what is live",
        "newer-than-live",
        "not newer",
        evidence={"live_data_time": NOW - timedelta(hours=1)},
    ),
    Case("it is too old", "age", "max_age of 30m", rule={"max_age": "30m"}),
    Case(
        "it does not fit the volume",
        "fits-volume",
        "101 GiB and the launch template fixes /dev/xvdf at 100 GiB",
        snapshot={"size_gib": 101},
    ),
    Case(
        "it is quarantined",
        "not-quarantined",
        "its instances failed",
        evidence={"quarantined_because": "its instances failed"},
    ),
]


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.says)
def test_a_snapshot_is_rejected_when(case: Case) -> None:
    # Given a snapshot with one thing wrong
    sec = fleet(snapshots={"tags": TAGS, **case.rule})

    # When it is judged
    report = judge(sec, gate_evidence(good_snapshot(**case.snapshot), **case.evidence))

    # Then exactly that check fails, and its reason and the message say what is wrong
    failed = [one for one in report.checks if one.result is CheckResult.FAILED]
    assert [one.name for one in failed] == [case.check]
    assert case.because in failed[0].reason
    assert not report.passed
    assert case.because in report.message
    assert "sec-prod" in report.message
    assert SNAPSHOT in report.message
    assert "Nothing was changed" in report.message


GOOD: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("all is well", {}, {}, {}),
    ("nothing is live yet", {}, {"live_data_time": None}, {}),
    ("the template leaves the size open", {"size_gib": 900}, {"device_size_gib": None}, {}),
    ("it fits exactly", {"size_gib": 100}, {"device_size_gib": 100}, {}),
    ("its key is among the fleet's", {}, {}, {"kms_keys": [KEY]}),
    ("its key is being updated", {}, {"key": Key(arn=KEY, state="Updating")}, {}),
    ("it is just young enough", {}, {}, {"max_age": "1h"}),
    ("the fleet names our account", {}, {}, {"owners": ["111122223333"]}),
    (
        "another account's snapshots are allowed",
        {"owner": "222233334444"},
        {},
        {"owners": ["self", "222233334444"]},
    ),
    (
        "a copy says when its data was true",
        {"copied": True, "tags": {**TAGS, DATA_TIME: "2026-01-05T11:00:00Z"}},
        {},
        {},
    ),
    ("it carries more tags than are asked for", {"tags": {**TAGS, "more": "1"}}, {}, {}),
    (
        "the publisher's clock is a minute ahead",
        {"tags": {**TAGS, DATA_TIME: (NOW + timedelta(minutes=1)).isoformat()}},
        {},
        {},
    ),
]


@pytest.mark.parametrize(
    ("snapshot", "evidence", "rule"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD]
)
def test_a_snapshot_passes_when(
    snapshot: dict[str, Any], evidence: dict[str, Any], rule: dict[str, Any]
) -> None:
    sec = fleet(snapshots={"tags": TAGS, **rule})

    report = judge(sec, gate_evidence(good_snapshot(**snapshot), **evidence))

    assert [one for one in report.checks if one.result is not CheckResult.PASSED] == []
    assert report.passed
    assert report.message == f"{SNAPSHOT} passed all {len(CHECKS)} checks of sec-prod's gate."


@pytest.mark.parametrize(
    ("snapshot", "key"),
    [(good_snapshot(), Key(KEY, "Enabled")), (good_snapshot(encrypted=False), None), (None, None)],
    ids=["a good one", "an unencrypted one", "one that does not exist"],
)
def test_every_check_is_reported_once_whatever_fails(snapshot: Any, key: Key | None) -> None:
    report = judge(fleet(), gate_evidence(snapshot, key=key))

    assert sorted(one.name for one in report.checks) == sorted(CHECKS)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    bad = good_snapshot(
        state="error", encrypted=False, kms_key=None, size_gib=500, storage_tier="archive", tags={}
    )

    report = judge(fleet(), gate_evidence(bad, key=None))

    failed = {one.name for one in report.checks if one.result is CheckResult.FAILED}
    assert failed == {"completed", "encrypted", "fits-volume", "storage-tier", "tags"}
    assert all(one.reason in report.message for one in report.checks if one.name in failed)


def test_a_snapshot_that_does_not_exist_leaves_nothing_else_to_check() -> None:
    report = judge(fleet(), gate_evidence(None, key=None))

    results = {one.name: one.result for one in report.checks}
    assert results.pop("exists") is CheckResult.FAILED
    assert results.pop("not-quarantined") is CheckResult.PASSED
    assert set(results.values()) == {CheckResult.NOT_CHECKED}
    assert "Check the id, the account and the Region" in report.message


@pytest.mark.parametrize(
    ("changes", "unchecked"),
    [
        (
            {"encrypted": False, "kms_key": None},
            {"key-allowed", "key-usable", "key-admits-group"},
        ),
        ({"kms_key": None}, {"key-usable", "key-admits-group"}),
        ({"copied": True}, {"newer-than-live", "age"}),
    ],
    ids=["not encrypted", "no key named", "no data time"],
)
def test_what_cannot_be_looked_at_counts_as_not_checked_and_not_as_passed(
    changes: dict[str, Any], unchecked: set[str]
) -> None:
    snapshot = good_snapshot(**changes)
    key = Key(arn=KEY, state="Enabled") if snapshot.kms_key else None

    report = judge(fleet(), gate_evidence(snapshot, key=key))

    found = {one.name for one in report.checks if one.result is CheckResult.NOT_CHECKED}
    assert found == unchecked


def reasons(report: Report) -> dict[str, str]:
    return {one.name: one.reason for one in report.checks}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"by_hand": True}, "a person asked for this snapshot"),
        ({"again": True}, "it is live already"),
        ({"by_hand": True, "again": True}, "it is live already"),
    ],
)
def test_what_a_person_asked_for_or_is_live_already_may_be_old(
    asked: dict[str, Any], why: str
) -> None:
    # Given a snapshot that is older than what is live, and than the fleet takes
    old = good_snapshot(start_time=NOW - timedelta(days=30))
    sec = fleet(snapshots={"tags": TAGS, "max_age": "7d"})

    report = judge(sec, gate_evidence(old, **asked))

    assert report.passed
    assert sorted(one.name for one in report.checks) == sorted(CHECKS)
    unchecked = {one.name for one in report.checks if one.result is CheckResult.NOT_CHECKED}
    assert unchecked == {"newer-than-live", "age"}
    assert {reasons(report)[name] for name in unchecked} == {why}
    assert reasons(report)["data-time"] == (
        f"its data is of {old.start_time.isoformat()} by its start time"
    )


def test_of_what_age_the_data_is_and_who_says_so_is_told() -> None:
    report = judge(fleet(), gate_evidence(good_snapshot()))

    assert (
        reasons(report)["data-time"] == "its data is of 2026-01-05T11:00:00+00:00 by its start time"
    )


def test_why_a_key_was_not_looked_at_is_told() -> None:
    open_one = judge(fleet(), gate_evidence(good_snapshot(encrypted=False), key=None))
    nameless = judge(fleet(), gate_evidence(good_snapshot(kms_key=None), key=None))

    assert reasons(open_one)["key-usable"] == "it is not encrypted"
    assert reasons(nameless)["key-usable"] == "it names no key"


def test_only_the_tags_that_are_missing_are_named() -> None:
    report = judge(fleet(), gate_evidence(good_snapshot(tags={"GraphId": "sec"})))

    assert reasons(report)["tags"] == "it lacks the tags Environment=prod"


def test_an_owner_is_refused_with_all_that_are_allowed() -> None:
    sec = fleet(snapshots={"tags": TAGS, "owners": ["self", "222233334444"]})

    report = judge(sec, gate_evidence(good_snapshot(owner="999999999999")))

    assert reasons(report)["owner"].endswith("is none of 111122223333, 222233334444")


NOT_ITS_FAULT = {
    "pending",
    "key-usable",
    "key-admits-group",
    "newer-than-live",
    "age",
    "not-quarantined",
}


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.says)
def test_a_snapshot_is_unfit_for_what_no_other_day_and_no_other_key_would_change(
    case: Case,
) -> None:
    sec = fleet(snapshots={"tags": TAGS, **case.rule})

    report = judge(sec, gate_evidence(good_snapshot(**case.snapshot), **case.evidence))

    assert unfit(report) is (case.check not in NOT_ITS_FAULT)


def test_a_snapshot_that_is_not_there_or_passes_is_not_unfit() -> None:
    assert not unfit(judge(fleet(), gate_evidence(None, key=None)))
    assert not unfit(judge(fleet(), gate_evidence(good_snapshot())))


def test_an_unencrypted_snapshot_is_told_how_to_become_fit() -> None:
    report = judge(fleet(), gate_evidence(good_snapshot(encrypted=False, kms_key=None), key=None))

    assert (
        f"copy-snapshot --source-region <Region> --source-snapshot-id {SNAPSHOT} --encrypted"
        in (report.message)
    )
