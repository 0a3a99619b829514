"""When the data in a snapshot was true, and which snapshot an ARN speaks of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from snaproll.domain.snapshot import (
    DataTime,
    data_time,
    is_snapshot_id,
    lies_ahead,
    snapshot_id_in,
    was_copied,
)
from snaproll.domain.tags import DATA_TIME
from tests.unit.builders import NOW, good_snapshot


def test_a_snapshot_of_a_volume_is_as_old_as_its_start() -> None:
    snapshot = good_snapshot(start_time=NOW)

    assert data_time(snapshot) == DataTime(NOW, "its start time")


@pytest.mark.parametrize("copied", [False, True])
def test_the_publishers_tag_wins_over_the_start_time(copied: bool) -> None:  # noqa: FBT001
    snapshot = good_snapshot(copied=copied, tags={DATA_TIME: "2026-01-05T09:30:00+01:00"})

    at = datetime(2026, 1, 5, 8, 30, tzinfo=UTC)
    assert data_time(snapshot) == DataTime(at, f"its tag {DATA_TIME}")


def test_a_copy_without_the_tag_has_no_data_time() -> None:
    found = data_time(good_snapshot(copied=True))

    assert found.at is None
    assert DATA_TIME in found.why


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("yesterday", "not an ISO 8601 time"),
        ("", "not an ISO 8601 time"),
        ("2026-01-05T09:30:00", "has no time zone"),
        ("2026-01-05", "has no time zone"),
        ("1767600000", "not an ISO 8601 time"),
        # They cannot be told in UTC, or not be calculated with.
        ("0001-01-01T00:00:00+14:00", "is not in the years 1970 to 8999"),
        ("9999-12-31T23:59:59-14:00", "is not in the years 1970 to 8999"),
        ("9000-01-01T00:00:00+14:00", "is not in the years 1970 to 8999"),
        ("8999-12-31T23:00:00-14:00", "is not in the years 1970 to 8999"),
        ("1970-01-01T00:00:00+14:00", "is not in the years 1970 to 8999"),
    ],
)
def test_a_tag_that_is_no_instant_is_not_guessed_at(tag: str, why: str) -> None:
    found = data_time(good_snapshot(tags={DATA_TIME: tag}))

    assert found.at is None
    assert why in found.why
    assert f'"{tag}"' in found.why


@example(datetime(1970, 1, 1, tzinfo=UTC))
@example(datetime(8999, 12, 31, tzinfo=UTC))
@given(st.datetimes(datetime(1971, 1, 1), datetime(8999, 12, 30), timezones=st.timezones()))  # noqa: DTZ001 - the zones are drawn
def test_any_instant_with_a_zone_is_read_as_the_same_instant_in_utc(instant: datetime) -> None:
    found = data_time(good_snapshot(tags={DATA_TIME: instant.isoformat()})).at

    # A zone's offset may have seconds that isoformat keeps, so the instants are the same.
    assert found == datetime.fromisoformat(instant.isoformat())
    assert found is not None
    assert found.tzinfo is UTC


def test_a_publishers_clock_may_be_five_minutes_ahead_and_no_more() -> None:
    ahead = NOW + timedelta(minutes=5)

    assert not lies_ahead(ahead, NOW)
    assert lies_ahead(ahead + timedelta(microseconds=1), NOW)


@pytest.mark.parametrize(
    ("volume_id", "transfer_type", "copied"),
    [
        ("vol-0123456789abcdef0", None, False),
        ("vol-ffffffff", None, True),
        (None, None, True),
        ("", None, True),
        ("vol-0123456789abcdef0", "standard", True),
        ("vol-0123456789abcdef0", "time-based", True),
    ],
)
def test_a_copy_is_told_by_its_transfer_type_or_by_having_no_volume_of_its_own(
    volume_id: str | None,
    transfer_type: str | None,
    copied: bool,  # noqa: FBT001
) -> None:
    assert was_copied(volume_id, transfer_type) is copied


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:ec2::us-west-2:snapshot/snap-01234567",
        "arn:aws:ec2:us-west-2::snapshot/snap-01234567",
        "arn:aws:ec2:us-west-2:111122223333:snapshot/snap-01234567",
        "arn:aws-us-gov:ec2::us-gov-west-1:snapshot/snap-01234567",
        "arn:aws:ec2::us-west-2:snapshot/of/snap-01234567",
        "snap-01234567",
    ],
)
def test_the_id_is_found_in_every_form_of_a_snapshot_arn(arn: str) -> None:
    assert snapshot_id_in(arn) == "snap-01234567"


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "arn:aws:ec2::us-west-2:volume/vol-01234567",
        "arn:aws:ec2::us-west-2:snapshot/",
        "arn:aws:ec2::us-west-2:snapshot/snap-01234567\n",
        "arn:aws:ec2::us-west-2:snapshot/snap-0123456",
        "arn:aws:ec2::us-west-2:snapshot/snap-012345678901234567",
        "arn:aws:ec2::us-west-2:snapshot/SNAP-01234567",
        "arn:aws:ec2::us-west-2:snapshot/snap-01234567;drop",
    ],
)
def test_what_does_not_end_with_a_snapshot_id_names_no_snapshot(arn: str) -> None:
    assert snapshot_id_in(arn) is None


@given(st.integers(8, 17).flatmap(lambda n: st.text("0123456789abcdef", min_size=n, max_size=n)))
def test_a_snapshot_id_has_eight_to_seventeen_digits(digits: str) -> None:
    assert is_snapshot_id(f"snap-{digits}")
