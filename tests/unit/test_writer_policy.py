"""A writer's parameter: what is refused, and that it says what is allowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from snaproll.domain.writer import WriterPolicy

VOLUME = {"id": "vol-0123456789abcdef0"}
REGISTRY = {"table": "instances", "key": {"role": "writer"}, "attribute": "volume_id"}
LABELS = {"Role": "writer"}


def policy(**members: Any) -> WriterPolicy:
    """A plain policy with some members replaced."""
    return WriterPolicy.model_validate({"volume": VOLUME, "fleets": ["sec"], **members})


def refused(says: str, **members: Any) -> None:
    with pytest.raises(ValidationError) as error:
        policy(**members)
    assert [one["msg"] for one in error.value.errors()] == [f"Value error, {says}"]


@pytest.mark.parametrize(
    "volume",
    [
        VOLUME,
        {"tags": LABELS},
        {"instance_tags": LABELS, "device": "/dev/xvdf"},
        {"registry": REGISTRY},
        {"registry": REGISTRY, "device": "/dev/xvdf"},
    ],
)
def test_a_volume_is_found_in_one_of_four_ways(volume: dict[str, Any]) -> None:
    assert policy(volume=volume).volume.model_dump(exclude_none=True) == volume


@pytest.mark.parametrize(
    "volume",
    [
        {},
        {"device": "/dev/xvdf"},
        {**VOLUME, "tags": LABELS},
        {"registry": REGISTRY, "instance_tags": LABELS, "device": "/dev/xvdf"},
    ],
)
def test_none_or_two_ways_are_refused(volume: dict[str, Any]) -> None:
    refused("exactly one of id, tags, instance_tags and registry must be given", volume=volume)


def test_the_tags_of_an_instance_need_the_device() -> None:
    says = "instance_tags needs device: which of the instance's volumes it is"

    refused(says, volume={"instance_tags": LABELS})


@pytest.mark.parametrize("volume", [VOLUME, {"tags": LABELS}])
def test_a_device_beside_the_volumes_own_name_is_refused(volume: dict[str, Any]) -> None:
    (way,) = volume

    refused(
        f"device says nothing beside {way}; leave it out", volume={**volume, "device": "/dev/xvdf"}
    )


@pytest.mark.parametrize("hook", [{}, {"function": "quiesce", "document": "Quiesce"}])
def test_a_hook_is_a_function_or_a_document(hook: dict[str, str]) -> None:
    refused("exactly one of function and document must be given", quiesce=hook)


@pytest.mark.parametrize("limit", ["30s", "15m"])
def test_a_writer_may_stand_still_for_half_a_minute_to_a_quarter_of_an_hour(limit: str) -> None:
    assert policy(quiesce={"function": "quiesce", "limit": limit}).quiesce is not None


@pytest.mark.parametrize("limit", ["29s", "15m1s"])
def test_a_writer_may_not_stand_still_for_less_or_longer(limit: str) -> None:
    refused(
        "limit must be 30s at least and 15m at most",
        quiesce={"function": "quiesce", "limit": limit},
    )


@pytest.mark.parametrize(
    ("within", "given"), [("1m", timedelta(minutes=1)), ("7d", timedelta(days=7))]
)
def test_a_snapshot_has_a_minute_to_a_week(within: str, given: timedelta) -> None:
    assert policy(complete_within=within).complete_within == given


@pytest.mark.parametrize("within", ["59s", "7d1s"])
def test_a_snapshot_has_not_less_and_no_longer(within: str) -> None:
    refused("complete_within must be 1m at least and 7d at most", complete_within=within)


@pytest.mark.parametrize("key", ["aws:createdBy", "snaproll:data-time"])
def test_tags_that_others_write_are_refused_by_name(key: str) -> None:
    says = f"tags ['{key}'] begin with a prefix that is reserved"

    refused(says, tags={"Team": "data", key: "x"})


def test_other_tags_are_kept() -> None:
    assert policy(tags={"Team": "data"}).tags == {"Team": "data"}


def test_somebody_must_follow() -> None:
    refused("fleets or tags must say who the snapshots are for", fleets=[])
    assert policy(fleets=[], tags={"Team": "data"}).fleets == []


def test_a_fleet_follows_once() -> None:
    refused("fleets ['sec', 'sec'] must name each fleet once", fleets=["sec", "sec"])
