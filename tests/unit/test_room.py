"""Whether a group's maximum size leaves room to replace its instances."""

from __future__ import annotations

import pytest

from snaproll.domain.room import without_room
from tests.unit.builders import OLD, fleet, group, members


@pytest.mark.parametrize(
    ("instances", "maximum", "fits"),
    [(4, 4, False), (4, 5, True), (1, 1, False), (1, 2, True), (0, 0, True)],
)
def test_one_instance_more_than_the_floor_has_to_fit(
    instances: int,
    maximum: int,
    fits: bool,  # noqa: FBT001 - a column of the table
) -> None:
    found = without_room(fleet().policy.refresh, group(members(instances, OLD), maximum=maximum))

    assert (found is None) is fits


def test_the_ceiling_is_one_above_the_floor_at_least() -> None:
    tight = fleet(refresh={"min_healthy": 100, "max_healthy": 100}).policy.refresh

    assert [tight.ceiling(capacity) for capacity in (1, 4)] == [2, 5]
    assert fleet().policy.refresh.ceiling(4) == 6


def test_what_does_not_fit_is_told_with_the_size_that_would() -> None:
    found = without_room(fleet().policy.refresh, group(members(4, OLD), maximum=4))

    assert found is not None
    assert "Raise the maximum size to 5 or more" in found
