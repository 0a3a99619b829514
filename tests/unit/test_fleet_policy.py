"""The fleet parameter: what it defaults to, and what it refuses in which words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from snaproll.domain.fleet import (
    PRESETS,
    Fleet,
    FleetPolicy,
    Preset,
    RefreshPolicy,
    is_fleet_name,
)
from snaproll.explain import explain
from tests.unit.builders import KEY, fleet, policy_json

PARAMETER = "The parameter /snaproll/prod/fleets/sec-prod"

DOCUMENTED = {
    "auto_scaling_group": "replicas-prod-asg",
    "data_device": "/dev/xvdf",
    "snapshots": {
        "tags": {"GraphId": "sec", "Environment": "prod"},
        "owners": ["self"],
        "kms_keys": [KEY],
        "max_age": "7d",
    },
    "refresh": {
        "preset": "balanced",
        "min_healthy": 100,
        "max_healthy": 150,
        "warmup": "5m",
        "checkpoints": [10, 50, 100],
        "checkpoint_wait": "10m",
        "bake": "30m",
        "protected_instances": "wait",
        "standby_instances": "wait",
    },
    "health": {
        "alarms": ["replicas-prod-5xx"],
        "no_data": "wait",
        "no_data_limit": "30m",
        "unhealthy_grace": "10m",
        "probe": None,
    },
    "on_drift": "alert",
}
"""Every key that a fleet parameter may have, as the documentation shows it."""


def refusal(value: dict[str, Any]) -> str:
    """What the owner of a wrong parameter reads."""
    with pytest.raises(ValidationError) as refused:
        FleetPolicy.model_validate_json(json.dumps(value))
    return explain(PARAMETER, refused.value)


def test_the_documented_parameter_is_valid_and_survives_a_round_trip() -> None:
    policy = FleetPolicy.model_validate_json(json.dumps(DOCUMENTED))

    assert policy.model_dump(mode="json") == DOCUMENTED


def test_what_is_left_out_has_safe_defaults() -> None:
    policy = FleetPolicy.model_validate(
        {"auto_scaling_group": "asg", "data_device": "/dev/sdf", "snapshots": {"tags": {"a": "b"}}}
    )

    assert policy.model_dump(mode="json") == {
        "auto_scaling_group": "asg",
        "data_device": "/dev/sdf",
        "snapshots": {"tags": {"a": "b"}, "owners": ["self"], "kms_keys": [], "max_age": None},
        "refresh": {
            "preset": "balanced",
            "min_healthy": 100,
            "max_healthy": 150,
            "warmup": "5m",
            "checkpoints": [10, 50, 100],
            "checkpoint_wait": "10m",
            "bake": "30m",
            "protected_instances": "wait",
            "standby_instances": "wait",
        },
        "health": {
            "alarms": [],
            "no_data": "wait",
            "no_data_limit": "30m",
            "unhealthy_grace": "10m",
            "probe": None,
        },
        "on_drift": "alert",
    }


@pytest.mark.parametrize("preset", Preset)
def test_a_preset_gives_what_the_section_leaves_out(preset: Preset) -> None:
    policy = RefreshPolicy.model_validate({"preset": preset.value, "bake": "3h"})

    dumped = policy.model_dump(mode="json")
    assert dumped == {**dumped, **PRESETS[preset], "bake": "3h"}


def test_a_preset_survives_being_passed_from_step_to_step() -> None:
    policy = RefreshPolicy.model_validate({"preset": "fast", "max_healthy": 120})

    assert RefreshPolicy.model_validate_json(policy.model_dump_json()) == policy


WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "an unknown key",
        {"colour": "green"},
        ["colour is not a known key"],
    ),
    (
        "an unknown key inside a section",
        {"refresh": {"min_heathy": 90}},
        ["refresh.min_heathy is not a known key"],
    ),
    (
        "a preset that does not exist",
        {"refresh": {"preset": "careful"}},
        ["refresh.preset = 'careful'", "cautious"],
    ),
    ("a preset that is a list", {"refresh": {"preset": ["fast"]}}, ["refresh.preset = ['fast']"]),
    (
        "no tags at all",
        {"snapshots": {"tags": {}}},
        ["snapshots.tags = {}", "at least 1"],
    ),
    (
        "a tag that is no text",
        {"snapshots": {"tags": {"GraphId": 5}}},
        ["snapshots.tags.GraphId = 5", "string"],
    ),
    (
        "nobody's snapshots",
        {"snapshots": {"tags": {"a": "b"}, "owners": []}},
        ["snapshots.owners = []", "at least 1"],
    ),
    (
        "an owner that is no account",
        {"snapshots": {"tags": {"a": "b"}, "owners": ["amazon"]}},
        ["snapshots.owners.0 = 'amazon'", "self"],
    ),
    (
        "an owner in other digits",
        {"snapshots": {"tags": {"a": "b"}, "owners": ["\N{DEVANAGARI DIGIT ONE}" * 12]}},
        ["snapshots.owners.0"],
    ),
    (
        "a key that is an alias",
        {"snapshots": {"tags": {"a": "b"}, "kms_keys": ["alias/data"]}},
        ["snapshots.kms_keys.0 = 'alias/data'", "kms"],
    ),
    (
        "an age that is a number",
        {"snapshots": {"tags": {"a": "b"}, "max_age": 7}},
        ["snapshots.max_age = 7", '"7d"'],
    ),
    ("too much health", {"refresh": {"min_healthy": 101}}, ["refresh.min_healthy = 101", "100"]),
    ("negative health", {"refresh": {"min_healthy": -1}}, ["refresh.min_healthy = -1", "0"]),
    ("a maximum below 100", {"refresh": {"max_healthy": 90}}, ["refresh.max_healthy = 90", "100"]),
    ("a maximum above 200", {"refresh": {"max_healthy": 201}}, ["refresh.max_healthy", "200"]),
    (
        "a spread that Auto Scaling does not take",
        {"refresh": {"min_healthy": 40, "max_healthy": 150}},
        ["refresh", "max_healthy 150 minus min_healthy 40 must be at most 100"],
    ),
    (
        "checkpoints out of order",
        {"refresh": {"checkpoints": [50, 10, 100]}},
        ["checkpoints [50, 10, 100] must be ascending"],
    ),
    (
        "a checkpoint twice",
        {"refresh": {"checkpoints": [50, 50, 100]}},
        ["checkpoints [50, 50, 100] must be ascending, none twice"],
    ),
    (
        "checkpoints at which the refresh would stop for good",
        {"refresh": {"checkpoints": [10, 50]}},
        ["checkpoints [10, 50] must end with 100"],
    ),
    (
        "a checkpoint at nothing",
        {"refresh": {"checkpoints": [0, 100]}},
        ["refresh.checkpoints.0 = 0", "1"],
    ),
    (
        "a pause longer than Auto Scaling takes",
        {"refresh": {"checkpoint_wait": "2d1s"}},
        ["checkpoint_wait must be at most 2d"],
    ),
    (
        "a bake that leaves no room for the last look",
        {"refresh": {"bake": "2d"}},
        ["bake must be at most 1d23h50m"],
    ),
    (
        "more alarms than Auto Scaling takes",
        {"health": {"alarms": [f"alarm-{n}" for n in range(11)]}},
        ["health.alarms", "at most 10"],
    ),
    (
        "an alarm twice",
        {"health": {"alarms": ["errors", "errors"]}},
        ["alarms ['errors', 'errors'] must name each alarm once"],
    ),
    (
        "no time to become healthy",
        {"health": {"unhealthy_grace": "0s"}},
        ["unhealthy_grace must be at least 1m"],
    ),
    (
        "an unknown meaning of no data",
        {"health": {"no_data": "shrug"}},
        ["health.no_data = 'shrug'", "'wait', 'ignore' or 'bad'"],
    ),
    ("an alarm without a name", {"health": {"alarms": [""]}}, ["health.alarms.0 = ''", "1"]),
    (
        "a probe by its name alone",
        {"health": {"probe": "my-function"}},
        ["health.probe = 'my-function'", "must be a JSON object"],
    ),
    (
        "a probe by its ARN",
        {"health": {"probe": {"function": "arn:aws:lambda:us-east-1:111122223333:function:x"}}},
        ["health.probe.function"],
    ),
    (
        "a probe that may take longer than a function runs",
        {"health": {"probe": {"function": "snaproll-probe-x", "timeout": "16m"}}},
        ["timeout must be from 1s to 15m"],
    ),
    (
        "pauses that a probe's tries do not fit into twice",
        {
            "health": {"probe": {"function": "snaproll-probe-x"}},
            "refresh": {"checkpoint_wait": "8m"},
        },
        ["checkpoint_wait must be at least 9m", "the probe may take 4m30s with its tries"],
    ),
    (
        "a bake that leaves no time for the probe",
        {
            "health": {"probe": {"function": "snaproll-probe-x"}},
            "refresh": {"bake": "1d23h50m"},
        },
        ["bake must be at most 1d23h45m30s with this probe"],
    ),
    ("no group", {"auto_scaling_group": ""}, ["auto_scaling_group = ''", "1"]),
    ("a device that is a path", {"data_device": "/data"}, ["data_device = '/data'", "xvd"]),
    (
        "an unknown reaction to drift",
        {"on_drift": "ignore"},
        ["on_drift = 'ignore'", "'alert' or 'heal'"],
    ),
]


@pytest.mark.parametrize(
    ("sections", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_a_wrong_value_is_refused_by_place_value_and_what_is_allowed(
    sections: dict[str, Any], said: list[str]
) -> None:
    text = refusal(policy_json(**sections))

    assert text.startswith(f"{PARAMETER} is not valid: ")
    assert all(part in text for part in said), text


PROBE = {"function": "snaproll-probe-x"}


@pytest.mark.parametrize(
    "sections",
    [
        {"refresh": {"min_healthy": 50, "max_healthy": 150}},
        {"refresh": {"checkpoints": []}},
        {"refresh": {"checkpoints": [100]}},
        {"refresh": {"checkpoint_wait": "2d"}},
        {"refresh": {"bake": "1d23h50m"}},
        {"health": {"unhealthy_grace": "1m"}},
        {"health": {"probe": {**PROBE, "timeout": "1s"}}},
        {
            "health": {"probe": {**PROBE, "timeout": "15m", "tries": 1}},
            "refresh": {"checkpoint_wait": "30m"},
        },
        {"health": {"probe": PROBE}, "refresh": {"checkpoint_wait": "9m"}},
        {"health": {"probe": PROBE}, "refresh": {"checkpoint_wait": "1s", "checkpoints": [100]}},
        {"health": {"probe": PROBE}, "refresh": {"checkpoint_wait": "1s", "checkpoints": []}},
        {"health": {"probe": PROBE}, "refresh": {"bake": "1d23h45m30s"}},
    ],
    ids=str,
)
def test_a_value_may_be_as_large_or_small_as_is_allowed(sections: dict[str, Any]) -> None:
    FleetPolicy.model_validate_json(json.dumps(policy_json(**sections)))


@pytest.mark.parametrize("timeout", ["0s", "15m1s"])
def test_a_probe_may_not_take_no_time_or_longer_than_functions_run(timeout: str) -> None:
    text = refusal(policy_json(health={"probe": {**PROBE, "timeout": timeout}}))

    assert "timeout must be from 1s to 15m" in text


@pytest.mark.parametrize("key", ["auto_scaling_group", "data_device", "snapshots"])
def test_a_required_key_that_is_missing_is_named(key: str) -> None:
    value = policy_json()
    del value[key]

    assert f"{key} is missing" in refusal(value)


def test_every_fault_of_a_parameter_is_told_at_once() -> None:
    text = refusal(policy_json(colour="green", data_device="", refresh={"bake": "soon"}))

    assert "colour is not a known key" in text
    assert "data_device = ''" in text
    assert "refresh.bake = 'soon'" in text


@pytest.mark.parametrize("text", ["", "{", "[]", '"sec-prod"', "null"])
def test_a_parameter_that_is_no_json_object_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FleetPolicy.model_validate_json(text)

    assert explain(PARAMETER, refused.value).startswith(f"{PARAMETER} is not valid: the whole")


def test_a_policy_never_changes_under_the_one_who_read_it() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        fleet().policy.refresh.min_healthy = 0  # type: ignore[misc]


@pytest.mark.parametrize("name", ["a", "sec-prod", "sec-prod-2", "0", "a" * 40, "a-" * 19 + "ab"])
def test_a_fleet_name_is_short_and_fits_into_an_execution_name(name: str) -> None:
    assert is_fleet_name(name)
    assert Fleet(name=name, policy=fleet().policy).name == name


@pytest.mark.parametrize(
    "name",
    ["", "-sec", "sec-", "Sec", "sec_prod", "sec.prod", "a" * 41, "sec prod", "sec\n", "séc"],
)
def test_what_cannot_be_in_an_execution_name_is_no_fleet_name(name: str) -> None:
    assert not is_fleet_name(name)
    with pytest.raises(ValidationError):
        Fleet(name=name, policy=fleet().policy)


@pytest.mark.parametrize(
    ("min_healthy", "capacity", "floor"),
    [(100, 4, 4), (90, 4, 4), (90, 10, 9), (90, 11, 10), (0, 10, 0), (50, 1, 1), (100, 0, 0)],
)
def test_the_floor_is_a_share_of_the_capacity_rounded_up(
    min_healthy: int, capacity: int, floor: int
) -> None:
    assert RefreshPolicy(min_healthy=min_healthy, max_healthy=100).floor(capacity) == floor


@given(st.integers(0, 100), st.integers(0, 1000))
def test_the_floor_never_asks_for_more_than_there_is(min_healthy: int, capacity: int) -> None:
    floor = RefreshPolicy(min_healthy=min_healthy, max_healthy=100).floor(capacity)

    assert min_healthy * capacity <= floor * 100 < min_healthy * capacity + 100
    assert floor <= capacity


def test_the_bake_given_to_aws_is_longer_than_ours_so_that_the_last_look_falls_inside() -> None:
    longest = fleet(refresh={"bake": "1d23h50m"}).policy

    assert fleet().policy.bake_given_to_aws == timedelta(minutes=40)
    assert longest.bake_given_to_aws == timedelta(days=2)


def test_a_probe_has_time_for_all_its_tries_before_aws_ends_the_bake() -> None:
    probe = {"function": "snaproll-probe-x", "timeout": "30s", "tries": 4}
    policy = fleet(health={"probe": probe}, refresh={"checkpoint_wait": "11m"}).policy

    # Four answers, and pauses of 30 s, 1 min and 2 min between them
    assert policy.bake_given_to_aws == timedelta(minutes=40) + timedelta(minutes=5, seconds=30)


def test_pauses_may_be_short_where_the_probe_is_asked_about_the_whole_fleet_alone() -> None:
    probe = {"function": "snaproll-probe-x"}

    assert fleet(
        health={"probe": probe}, refresh={"checkpoints": [100], "checkpoint_wait": "1m"}
    ).policy.health.probe
