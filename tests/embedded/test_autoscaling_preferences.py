"""What StartInstanceRefresh refuses, and what it fills in."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.errors import AwsError, NotEmulatedError
from tests.embedded.fleets import Fleet


def refused(fleet: Fleet, version: int | str | None = 1, **preferences: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        fleet.start(version, **preferences)
    assert fleet.group.refreshes == []
    return caught.value


@pytest.mark.parametrize(
    "preferences",
    [
        {"MinHealthyPercentage": -1},
        {"MinHealthyPercentage": 101},
        {"MaxHealthyPercentage": 99},
        {"MaxHealthyPercentage": 201, "MinHealthyPercentage": 101},
        {"InstanceWarmup": -1},
        {"CheckpointDelay": 172_801, "CheckpointPercentages": [100]},
        {"BakeTime": -1},
        {"BakeTime": 172_801},
    ],
)
def test_numbers_out_of_range_are_refused(preferences: dict[str, int]) -> None:
    assert refused(Fleet(desired=1), **preferences).code == "ValidationError"


def test_a_maximum_needs_a_minimum() -> None:
    error = refused(Fleet(desired=1), MinHealthyPercentage=None, MaxHealthyPercentage=120)

    assert "MinHealthyPercentage" in error.message


def test_maximum_and_minimum_may_be_100_apart_at_most() -> None:
    fleet = Fleet(desired=1)

    refused(fleet, MinHealthyPercentage=50, MaxHealthyPercentage=151)

    fleet.start(1, MinHealthyPercentage=50, MaxHealthyPercentage=150)


@pytest.mark.parametrize("percentages", [[0, 100], [50, 101], [50, 50, 100], [50, 20, 100]])
def test_checkpoints_are_unique_ascending_percentages(percentages: list[int]) -> None:
    error = refused(Fleet(desired=1), CheckpointPercentages=percentages)

    assert "CheckpointPercentages" in error.message


def test_a_checkpoint_delay_needs_checkpoints() -> None:
    assert "CheckpointPercentages" in refused(Fleet(desired=1), CheckpointDelay=60).message


def test_at_most_ten_alarms_can_be_named() -> None:
    alarms = {"Alarms": [f"alarm-{number}" for number in range(11)]}

    assert "10 alarms" in refused(Fleet(desired=1), AlarmSpecification=alarms).message


def test_the_defaults_are_those_of_the_api_and_not_of_the_console() -> None:
    fleet = Fleet(desired=1)

    refresh = fleet.start(
        1, MinHealthyPercentage=None, MaxHealthyPercentage=None, InstanceWarmup=None
    )

    assert fleet.described(refresh)["Preferences"] == {
        "MinHealthyPercentage": 90,
        "InstanceWarmup": 300,
        "SkipMatching": False,
        "AutoRollback": False,
        "ScaleInProtectedInstances": "Wait",
        "StandbyInstances": "Wait",
        "BakeTime": 0,
    }


def test_the_checkpoint_delay_is_an_hour_by_default() -> None:
    fleet = Fleet(desired=1)

    refresh = fleet.start(1, CheckpointPercentages=[50, 100])

    assert fleet.described(refresh)["Preferences"]["CheckpointDelay"] == 3600


def test_the_warmup_defaults_to_the_groups_default_warmup_and_then_to_its_grace_period() -> None:
    with_default = Fleet(desired=1, DefaultInstanceWarmup=45)
    without = Fleet(desired=1, HealthCheckGracePeriod=120)

    first = with_default.start(1, InstanceWarmup=None)
    second = without.start(1, InstanceWarmup=None)

    assert with_default.described(first)["Preferences"]["InstanceWarmup"] == 45
    assert without.described(second)["Preferences"]["InstanceWarmup"] == 120


def test_the_desired_configuration_holds_a_template_or_a_policy_but_not_both() -> None:
    fleet = Fleet(desired=1)
    template = fleet.launch_template(1)
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": template}}

    with pytest.raises(AwsError, match="either LaunchTemplate or MixedInstancesPolicy"):
        fleet.call(
            "StartInstanceRefresh",
            DesiredConfiguration={"LaunchTemplate": template, "MixedInstancesPolicy": policy},
        )


def test_the_dry_run_notices_a_template_version_that_does_not_exist() -> None:
    error = refused(Fleet(desired=1), version=7)

    assert error.code == "ValidationError"
    assert "valid fully-formed launch template" in error.message


def test_the_dry_run_does_not_notice_a_missing_snapshot() -> None:
    fleet = Fleet(desired=1)

    refresh = fleet.start(fleet.version_of("snap-00000000000000bad"))

    assert refresh.status == "Pending"


def test_a_group_with_a_mixed_policy_needs_a_whole_policy() -> None:
    fleet = Fleet(desired=1)
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": fleet.launch_template(1),
            "Overrides": [{"InstanceType": "r6g.large"}],
        }
    }
    fleet.call("UpdateAutoScalingGroup", MixedInstancesPolicy=policy)

    assert "mixed instances policy" in refused(fleet, version=1).message


def test_replacing_root_volumes_is_not_modelled() -> None:
    fleet = Fleet(desired=1)

    with pytest.raises(NotEmulatedError):
        fleet.call("StartInstanceRefresh", Strategy="ReplaceRootVolume")


def test_a_refresh_of_an_unknown_group_is_refused() -> None:
    fleet = Fleet(desired=0)

    with pytest.raises(AwsError, match="not found"):
        fleet.world.call("autoscaling", "StartInstanceRefresh", {"AutoScalingGroupName": "nobody"})


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_auto_rollback_is_refused_for_a_group_on_latest_or_default(version: str) -> None:
    fleet = Fleet(desired=1)
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))

    assert "$Latest or $Default" in refused(fleet, version=1, AutoRollback=True).message


def test_auto_rollback_is_refused_without_a_desired_configuration() -> None:
    error = refused(Fleet(desired=1), version=None, AutoRollback=True)

    assert "no desired configuration" in error.message


def test_auto_rollback_is_refused_when_the_image_is_a_parameter() -> None:
    fleet = Fleet(desired=1)
    version = fleet.release(ImageId="resolve:ssm:/images/replica")
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))

    assert "Systems Manager" in refused(fleet, version=1, AutoRollback=True).message
