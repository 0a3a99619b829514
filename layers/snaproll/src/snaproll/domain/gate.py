"""The gate: what a snapshot must pass before anything of a fleet is touched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from snaproll.domain.checks import Check, Report, check, failed, failures, not_checked, passed
from snaproll.domain.duration import format_duration
from snaproll.domain.fleet import Fleet
from snaproll.domain.launchable import Key, key_checks, material_checks
from snaproll.domain.snapshot import Snapshot, data_time, lies_ahead, matches

_REMEDY = {
    "encrypted": (
        "Publish an encrypted copy: aws ec2 copy-snapshot --source-region <Region> "
        "--source-snapshot-id {snapshot} --encrypted, with the same tags."
    ),
    "exists": "Check the id, the account and the Region.",
    "not-quarantined": "Publish a new snapshot; this one was bad on instances that ran it.",
}


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """Everything the gate looks at.

    ``snapshot`` is None when EC2 shows none of that id; ``key`` is None when the snapshot names
    none; ``device_size_gib`` is the volume size that the fleet's launch template fixes for the
    data device, None when it leaves the size to the snapshot; ``live_data_time`` is that of the
    live release, None when none is known; ``by_hand`` tells that a person asked for this very
    snapshot with a reason, and so for data that may be older than what is live, or than the limit;
    ``again`` tells that it is what is live.
    """

    snapshot_id: str
    snapshot: Snapshot | None
    key: Key | None
    account: str
    device_size_gib: int | None
    live_data_time: datetime | None
    quarantined_because: str | None
    now: datetime
    by_hand: bool = False
    again: bool = False


def judge(fleet: Fleet, evidence: GateEvidence) -> Report:
    """Judge a snapshot; every check is reported, not only the first that fails."""
    checks = _checks(fleet, evidence)
    found = failures(checks)
    if not found:
        message = f"{evidence.snapshot_id} passed all {len(checks)} checks of {fleet.name}'s gate."
    else:
        reasons = "; ".join(one.reason for one in found)
        remedies = [_REMEDY[one.name] for one in found if one.name in _REMEDY]
        message = " ".join(
            [
                f"{evidence.snapshot_id} was rejected for fleet {fleet.name}: {reasons}.",
                "Nothing was changed.",
                *(remedy.format(snapshot=evidence.snapshot_id) for remedy in remedies),
            ]
        )
    return Report(passed=not found, message=message, checks=checks)


_NOT_ITS_FAULT = frozenset(
    {
        "exists",
        "pending",
        "not-quarantined",
        "newer-than-live",
        "age",
        "key-usable",
        "key-admits-group",
    }
)
"""Checks that can fail for a snapshot that is, was or may again be fit to serve."""


def unfit(report: Report) -> bool:
    """Whether a rejected snapshot itself is at fault, and so is to be remembered and marked."""
    return any(one.name not in _NOT_ITS_FAULT for one in failures(report.checks))


def _checks(fleet: Fleet, evidence: GateEvidence) -> list[Check]:
    snapshot = evidence.snapshot
    exists = check(
        "exists",
        fine=snapshot is not None,
        good="it exists",
        bad=f"no snapshot {evidence.snapshot_id} is visible to this account in this Region",
    )
    quarantine = check(
        "not-quarantined",
        fine=evidence.quarantined_because is None,
        good="it is not quarantined",
        bad=f"it is quarantined: {evidence.quarantined_because}",
    )
    if snapshot is None:
        others = (
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
        )
        return [
            exists,
            quarantine,
            *(not_checked(name, "there is no snapshot") for name in others),
        ]
    return [
        exists,
        quarantine,
        *_material_checks(fleet, snapshot, evidence),
        *_encryption_checks(fleet, snapshot, evidence.key),
        *_time_checks(fleet, snapshot, evidence),
    ]


def _material_checks(fleet: Fleet, snapshot: Snapshot, evidence: GateEvidence) -> list[Check]:
    owners = {
        evidence.account if owner == "self" else owner for owner in fleet.policy.snapshots.owners
    }
    wanted = fleet.policy.snapshots.tags
    missing = ", ".join(
        f"{key}={value}" for key, value in wanted.items() if snapshot.tags.get(key) != value
    )
    size = evidence.device_size_gib
    return [
        *material_checks(snapshot),
        check(
            "owner",
            fine=snapshot.owner in owners,
            good=f"its owner {snapshot.owner} is allowed",
            bad=f"its owner {snapshot.owner} is none of {', '.join(sorted(owners))}",
        ),
        check(
            "tags",
            fine=matches(snapshot, wanted),
            good="it carries the fleet's tags",
            bad=f"it lacks the tags {missing}",
        ),
        check(
            "fits-volume",
            fine=size is None or snapshot.size_gib <= size,
            good="it fits the data volume",
            bad=(
                f"it needs a volume of {snapshot.size_gib} GiB and the launch template fixes "
                f"{fleet.policy.data_device} at {size} GiB"
            ),
        ),
    ]


def _encryption_checks(fleet: Fleet, snapshot: Snapshot, key: Key | None) -> list[Check]:
    encrypted = check(
        "encrypted",
        fine=snapshot.encrypted,
        good="it is encrypted",
        bad="it is not encrypted",
    )
    unknown = ("key-allowed", "key-usable", "key-admits-group")
    if not snapshot.encrypted:
        return [encrypted, *(not_checked(name, "it is not encrypted") for name in unknown)]
    if key is None:
        return [
            encrypted,
            failed("key-allowed", "EC2 does not say which key encrypts it"),
            *(not_checked(name, "it names no key") for name in unknown[1:]),
        ]
    allowed = fleet.policy.snapshots.kms_keys
    return [
        encrypted,
        check(
            "key-allowed",
            fine=not allowed or key.arn in allowed,
            good="its key is allowed",
            bad=f"its key {key.arn} is none of the fleet's kms_keys",
        ),
        *key_checks(key),
    ]


def _time_checks(fleet: Fleet, snapshot: Snapshot, evidence: GateEvidence) -> list[Check]:
    when = data_time(snapshot)
    if when.at is not None and not lies_ahead(when.at, evidence.now):
        return _age_checks(fleet, when.at, when.why, evidence)
    ahead = f"its data time by {when.why}, {when.at.isoformat()}, lies ahead" if when.at else ""
    return [
        failed("data-time", ahead or when.why),
        not_checked("newer-than-live", "its data time is unknown"),
        not_checked("age", "its data time is unknown"),
    ]


def _age_checks(fleet: Fleet, at: datetime, by: str, evidence: GateEvidence) -> list[Check]:
    dated = passed("data-time", f"its data is of {at.isoformat()} by {by}")
    if evidence.by_hand or evidence.again:
        why = "it is live already" if evidence.again else "a person asked for this snapshot"
        return [dated, not_checked("newer-than-live", why), not_checked("age", why)]
    live, oldest = evidence.live_data_time, fleet.policy.snapshots.max_age
    return [
        dated,
        check(
            "newer-than-live",
            fine=live is None or at > live,
            good="its data is newer than the live release's",
            bad=(
                f"its data is of {at.isoformat()}, not newer than the live release's "
                f"of {live.isoformat() if live else ''} (to go back all the same, name it with "
                f"a reason)"
            ),
        ),
        check(
            "age",
            fine=oldest is None or evidence.now - at <= oldest,
            good="it is young enough",
            bad=(
                f"its data is of {at.isoformat()}, older than the fleet's max_age of "
                f"{format_duration(oldest) if oldest else ''}"
            ),
        ),
    ]
