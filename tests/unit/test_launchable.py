"""Why no instance could be launched from a snapshot, for candidate and target alike."""

from __future__ import annotations

from typing import Any

import pytest

from snaproll.domain.key_access import Access
from snaproll.domain.launchable import Key, key_checks, trouble_with
from snaproll.domain.snapshot import Snapshot
from tests.unit.builders import KEY, NOW, SNAPSHOT, good_snapshot

GOOD_KEY = Key(KEY, "Enabled", Access.ADMITTED, "its policy admits it")


def trouble(snapshot: Snapshot | None = None, key: Key | None = GOOD_KEY) -> str | None:
    return trouble_with(SNAPSHOT, snapshot or good_snapshot(), key)


@pytest.mark.parametrize("key", [GOOD_KEY, None, Key(KEY, "Updating")])
def test_nothing_speaks_against_a_good_snapshot(key: Key | None) -> None:
    assert trouble(key=key) is None


def test_a_snapshot_that_is_gone_cannot_be_launched() -> None:
    assert trouble_with(SNAPSHOT, None, GOOD_KEY) == (
        f"{SNAPSHOT} cannot be launched: it is gone, or no longer shared with this account"
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"state": "error"}, 'its state is "error"'),
        ({"storage_tier": "archive"}, 'it is in the tier "archive"'),
        ({"restore_expires": NOW}, f"it is only restored from the archive until {NOW}"),
    ],
)
def test_a_snapshot_of_which_no_volume_can_be_made_cannot_be_launched(
    changes: dict[str, Any], why: str
) -> None:
    found = trouble(good_snapshot(**changes))

    assert found is not None
    assert found.startswith(f"{SNAPSHOT} cannot be launched: {why}")


def test_a_key_that_does_not_decrypt_is_told_with_all_that_is_wrong() -> None:
    found = trouble(good_snapshot(state="error"), Key(KEY, "Disabled", Access.REFUSED, "no grant"))

    assert found is not None
    assert 'not "completed"; its key ' in found
    assert f"its key {KEY} is not usable: Disabled; its key {KEY} does not admit" in found


@pytest.mark.parametrize(
    ("access", "says"),
    [
        (Access.ADMITTED, "its key admits the group's service-linked role: as said"),
        (
            Access.UNKNOWN,
            "whether its key admits the group's service-linked role cannot be told: as said",
        ),
    ],
)
def test_a_key_of_which_nothing_is_known_is_not_said_to_admit_the_group(
    access: Access, says: str
) -> None:
    admits = key_checks(Key(KEY, "Enabled", access, "as said"))[1]

    assert (admits.name, admits.reason) == ("key-admits-group", says)
