"""What is known about one EBS snapshot, and when its data was true."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from snaproll.domain.tags import DATA_TIME
from snaproll.model import FIRST_YEAR, LAST_YEAR

SNAPSHOT_ID = r"^snap-[0-9a-f]{8,17}$"

_COPY_VOLUME_ID = "vol-ffffffff"
"""What copies carry in practice; the API model calls a copy's volume id arbitrary."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far ahead a publisher's clock may be."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot as EC2 describes it (API model ``Snapshot``).

    ``start_time`` is the instant the snapshot shows for a snapshot of a volume; ``size_gib`` is
    the size of the volume it was taken from, in GiB; ``copied`` tells that it was made by
    CopySnapshot, in which case ``start_time`` says when the *copy* began.
    """

    id: str
    state: str
    owner: str
    start_time: datetime
    size_gib: int
    encrypted: bool
    kms_key: str | None = None
    storage_tier: str = "standard"
    restore_expires: datetime | None = None
    copied: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    state_message: str | None = None


@dataclass(frozen=True, slots=True)
class DataTime:
    """When the data in a snapshot was true; ``at`` is None when nobody can tell, and ``why``."""

    at: datetime | None
    why: str


def is_snapshot_id(text: str) -> bool:
    """Whether a text is the id of a snapshot."""
    return re.fullmatch(SNAPSHOT_ID, text) is not None


def snapshot_id_in(arn: str) -> str | None:
    """The snapshot id at the end of an ARN.

    EBS events write snapshot ARNs in more than one form (the Region stands where the account
    should), so only the part behind the last slash is trusted.
    Source: EBS user guide, "EventBridge for Amazon EBS".
    """
    tail = arn.rpartition("/")[2]
    return tail if is_snapshot_id(tail) else None


def was_copied(volume_id: str | None, transfer_type: str | None) -> bool:
    """Whether a snapshot is a copy: only copies have a transfer type (API model ``Snapshot``)."""
    return transfer_type is not None or volume_id in (None, "", _COPY_VOLUME_ID)


def data_time(snapshot: Snapshot) -> DataTime:
    """When the data was true: the publisher's tag, else the start of a snapshot of a volume."""
    tag = snapshot.tags.get(DATA_TIME)
    if tag is not None:
        try:
            at = datetime.fromisoformat(tag)
        except ValueError:
            return DataTime(None, f'its tag {DATA_TIME} is "{tag}", not an ISO 8601 time')
        if at.tzinfo is None:
            return DataTime(None, f'its tag {DATA_TIME} "{tag}" has no time zone')
        utc = _in_utc(at)
        if utc is None:
            far = f"is not in the years {FIRST_YEAR} to {LAST_YEAR}"
            return DataTime(None, f'its tag {DATA_TIME} "{tag}" {far}')
        return DataTime(utc, f"its tag {DATA_TIME}")
    if snapshot.copied:
        return DataTime(
            None, f"it is a copy without the tag {DATA_TIME}, so its data time is unknown"
        )
    return DataTime(snapshot.start_time, "its start time")


def _in_utc(at: datetime) -> datetime | None:
    """The instant in UTC, if it is one that can be calculated with."""
    years = range(FIRST_YEAR, LAST_YEAR + 1)
    if at.year not in years:
        return None
    utc = at.astimezone(UTC)
    return utc if utc.year in years else None


def lies_ahead(at: datetime, now: datetime) -> bool:
    """Whether a data time cannot be true yet: live, it would keep every later snapshot out."""
    return at > now + CLOCK_TOLERANCE


def matches(snapshot: Snapshot, tags: Mapping[str, str]) -> bool:
    """Whether a snapshot carries every one of these tags."""
    return all(snapshot.tags.get(key) == value for key, value in tags.items())
