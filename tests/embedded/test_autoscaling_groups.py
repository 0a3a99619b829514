"""Auto Scaling groups without a refresh: capacity, launches, instances, tags, descriptions."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from embedded.world.errors import AwsError, NotEmulatedError
from tests.embedded.fleets import Fleet

MODEL = ServiceModel(Loader().load_service_model("autoscaling", "service-2"), "autoscaling")


def refusal(fleet: Fleet, operation: str, **params: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        fleet.call(operation, **params)
    return caught.value


# -- capacity --------------------------------------------------------------------------------------


def test_a_group_launches_its_desired_capacity_balanced_over_its_zones() -> None:
    fleet = Fleet(desired=4)

    zones = Counter(member.instance.zone for member in fleet.group.instances.values())

    assert zones == {"us-east-1a": 2, "us-east-1b": 2}


def test_a_terminated_instance_is_replaced() -> None:
    fleet = Fleet(desired=2)
    lost = next(iter(fleet.group.instances))

    fleet.world.call("ec2", "TerminateInstances", {"InstanceIds": [lost]})
    fleet.run(minutes=1)
    fleet.settle_down()

    assert lost not in fleet.group.instances
    assert len(fleet.group.instances) == 2
    assert any("EC2 health check" in activity["Cause"] for activity in fleet.activities())


def test_scaling_in_takes_the_oldest_template_version_first() -> None:
    fleet = Fleet(desired=2, AvailabilityZones=["us-east-1a"])
    version = fleet.release()
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))
    fleet.call("SetDesiredCapacity", DesiredCapacity=4)
    fleet.settle_down()

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run(minutes=10)

    assert fleet.versions() == [version, version]


def test_a_protected_instance_is_not_scaled_in() -> None:
    fleet = Fleet(desired=2)
    kept = list(fleet.group.instances)
    fleet.call("SetInstanceProtection", InstanceIds=kept, ProtectedFromScaleIn=True)

    fleet.call("SetDesiredCapacity", DesiredCapacity=0)
    fleet.run(minutes=10)

    assert list(fleet.group.instances) == kept


@pytest.mark.parametrize("desired", [-1, 100])
def test_the_desired_capacity_stays_within_the_bounds(desired: int) -> None:
    fleet = Fleet(desired=1)

    assert refusal(fleet, "SetDesiredCapacity", DesiredCapacity=desired).code == "ValidationError"


def test_a_smaller_maximum_pulls_the_desired_capacity_down() -> None:
    fleet = Fleet(desired=4)

    fleet.call("UpdateAutoScalingGroup", MaxSize=2)

    assert fleet.describe()["DesiredCapacity"] == 2


def test_a_new_template_on_the_group_replaces_nothing() -> None:
    fleet = Fleet(desired=2)
    version = fleet.release()

    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))
    fleet.run(hours=1)

    assert fleet.saved_version() == str(version)
    assert fleet.versions() == [1, 1]


# -- launching -------------------------------------------------------------------------------------


def test_a_refused_launch_is_a_failed_activity_and_tried_again_later_and_later() -> None:
    fleet = Fleet(desired=1)
    version = fleet.version_of("snap-00000000000000bad")
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run(minutes=10)

    failed = fleet.activities("Failed")
    assert "does not exist" in failed[0]["StatusMessage"]
    assert failed[0]["StatusMessage"].endswith("Launching EC2 instance failed.")
    gaps = [newer["StartTime"] - older["StartTime"] for newer, older in pairwise(failed)]
    assert gaps == [timedelta(minutes=4), timedelta(minutes=2), timedelta(minutes=1)]


def test_a_launch_that_dies_because_of_its_key_is_a_cancelled_activity() -> None:
    fleet = Fleet(desired=1)
    key = fleet.world.call("kms", "CreateKey", {})["KeyMetadata"]
    snapshot = fleet.world.ec2.add_snapshot(kms_key_id=key["Arn"])
    fleet.world.call("kms", "DisableKey", {"KeyId": key["KeyId"]})
    version = fleet.version_of(snapshot.id)
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(version))

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run(seconds=45)

    assert (
        "Client.InternalError: Client error on launch"
        in (fleet.activities("Cancelled")[0]["StatusMessage"])
    )


def test_a_zone_without_capacity_is_passed_over() -> None:
    fleet = Fleet(desired=2)
    fleet.world.ec2.capacity["us-east-1a"] = 0

    fleet.call("SetDesiredCapacity", DesiredCapacity=4)
    fleet.run(minutes=5)

    zones = Counter(member.instance.zone for member in fleet.group.instances.values())
    assert zones == {"us-east-1a": 1, "us-east-1b": 3}
    assert "sufficient" in fleet.activities("Failed")[0]["StatusMessage"]


def test_a_mixed_instances_policy_tries_its_overrides_in_order() -> None:
    fleet = Fleet(desired=1)
    fleet.world.ec2.capacity["r6g.large"] = 0
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": fleet.launch_template(1),
            "Overrides": [{"InstanceType": "r6g.large"}, {"InstanceType": "r7g.large"}],
        }
    }
    fleet.call("UpdateAutoScalingGroup", MixedInstancesPolicy=policy)

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.settle_down()

    types = sorted(item["InstanceType"] for item in fleet.describe()["Instances"])
    assert types == ["r6g.large", "r7g.large"]
    assert "LaunchTemplate" not in fleet.describe()


def test_an_override_can_bring_its_own_template_version() -> None:
    fleet = Fleet(desired=1)
    version = fleet.release()
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": fleet.launch_template(1),
            "Overrides": [
                {
                    "InstanceType": "r7g.large",
                    "LaunchTemplateSpecification": fleet.launch_template(version),
                }
            ],
        }
    }
    fleet.call("UpdateAutoScalingGroup", MixedInstancesPolicy=policy)

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.settle_down()

    assert fleet.versions() == [1, version]


def test_an_omitted_template_version_means_the_default() -> None:
    fleet = Fleet(desired=1, LaunchTemplate={"LaunchTemplateName": "replicas"})
    version = fleet.release()
    fleet.world.call(
        "ec2",
        "ModifyLaunchTemplate",
        {"LaunchTemplateId": fleet.template_id, "DefaultVersion": str(version)},
    )

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.settle_down()

    assert fleet.describe()["LaunchTemplate"]["Version"] == "$Default"
    assert fleet.versions() == [1, version]


def test_tags_that_propagate_reach_the_instances() -> None:
    fleet = Fleet(
        desired=1,
        Tags=[
            {"Key": "fleet", "Value": "sec", "PropagateAtLaunch": True},
            {"Key": "note", "Value": "-", "PropagateAtLaunch": False},
        ],
    )

    (member,) = fleet.group.instances.values()

    assert member.instance.tags["fleet"] == "sec"
    assert "note" not in member.instance.tags


def test_a_target_group_that_is_gone_makes_launches_fail() -> None:
    fleet = Fleet(desired=1)
    call = fleet.world.call
    balancer = call("elbv2", "DescribeLoadBalancers", {})["LoadBalancers"][0]
    call("elbv2", "DeleteLoadBalancer", {"LoadBalancerArn": balancer["LoadBalancerArn"]})
    call("elbv2", "DeleteTargetGroup", {"TargetGroupArn": fleet.target_group_arn})

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run(minutes=10)
    fleet.call("SetDesiredCapacity", DesiredCapacity=0)
    fleet.run(minutes=10)

    assert "not found" in fleet.activities("Failed")[0]["StatusMessage"]
    assert not fleet.group.instances


def test_launches_and_terminations_are_told_as_events() -> None:
    fleet = Fleet(desired=1)
    seen = fleet.listen("EC2 Instance ")

    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.settle_down()
    launched = next(reversed(fleet.group.instances))
    fleet.call("SetDesiredCapacity", DesiredCapacity=0)
    fleet.run(minutes=10)

    assert [event["type"] for event in seen] == [
        "Launch Successful",
        "Terminate Successful",
        "Terminate Successful",
    ]
    assert seen[0]["resources"] == [
        fleet.group.arn,
        f"arn:aws:ec2:us-east-1:111122223333:instance/{launched}",
    ]
    detail = seen[0]["detail"]
    assert detail["StatusCode"] == "InProgress"
    assert detail["EC2InstanceId"] == launched
    assert detail["Description"] == f"Launching a new EC2 instance: {launched}"
    assert detail["Details"] == {"Availability Zone": "us-east-1b"}
    assert (detail["Origin"], detail["Destination"]) == ("EC2", "AutoScalingGroup")


def test_a_refused_launch_is_told_as_an_unsuccessful_one() -> None:
    fleet = Fleet(desired=0)
    seen = fleet.listen("EC2 Instance ")
    fleet.world.ec2.capacity.update({"us-east-1a": 0, "us-east-1b": 0})

    fleet.call("SetDesiredCapacity", DesiredCapacity=1)

    assert [event["type"] for event in seen] == ["Launch Unsuccessful"] * 2
    assert seen[0]["detail"]["StatusCode"] == "Failed"
    assert "sufficient" in seen[0]["detail"]["StatusMessage"]


# -- creating, deleting ----------------------------------------------------------------------------


def test_a_group_needs_a_template_that_exists() -> None:
    fleet = Fleet(desired=0)

    error = refusal(fleet, "UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(9))

    assert error.code == "ValidationError"
    assert "valid fully-formed launch template" in error.message


def test_a_group_cannot_be_made_twice() -> None:
    fleet = Fleet(desired=0)

    error = refusal(
        fleet,
        "CreateAutoScalingGroup",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate=fleet.launch_template(1),
        AvailabilityZones=["us-east-1a"],
    )

    assert error.code == "AlreadyExists"


@pytest.mark.parametrize(
    "unmodelled",
    [
        {"LifecycleHookSpecificationList": [{"LifecycleHookName": "x"}]},
        {"InstanceMaintenancePolicy": {"MinHealthyPercentage": 90, "MaxHealthyPercentage": 110}},
        {"MaxInstanceLifetime": 86_400},
        {"TerminationPolicies": ["NewestInstance"]},
        {"HealthCheckType": "EC2,VPC_LATTICE"},
    ],
)
def test_what_is_not_modelled_is_refused(unmodelled: dict[str, Any]) -> None:
    with pytest.raises(NotEmulatedError):
        Fleet(desired=0, **unmodelled)


@pytest.mark.parametrize(
    "override", [{"WeightedCapacity": "2"}, {"InstanceRequirements": {"VCpuCount": {"Min": 1}}}]
)
def test_weights_and_attribute_based_types_are_refused(override: dict[str, Any]) -> None:
    fleet = Fleet(desired=0)
    policy = {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": fleet.launch_template(1),
            "Overrides": [override],
        }
    }

    with pytest.raises(NotEmulatedError):
        fleet.call("UpdateAutoScalingGroup", MixedInstancesPolicy=policy)


def test_a_group_with_instances_is_deleted_by_force_only() -> None:
    fleet = Fleet(desired=1)

    assert refusal(fleet, "DeleteAutoScalingGroup").code == "ResourceInUse"
    fleet.call("DeleteAutoScalingGroup", ForceDelete=True)

    assert fleet.describe()["Status"] == "Delete in progress"
    fleet.run(minutes=10)
    assert fleet.name not in fleet.world.autoscaling.groups


def test_a_group_that_a_service_manages_cannot_be_changed() -> None:
    fleet = Fleet(desired=0, Operator={"Principal": "ecs.amazonaws.com"})

    assert refusal(fleet, "UpdateAutoScalingGroup", MaxSize=3).code == "AccessDenied"


# -- instances -------------------------------------------------------------------------------------


def test_standby_takes_an_instance_out_and_launches_another() -> None:
    fleet = Fleet(desired=2)
    chosen = next(iter(fleet.group.instances))

    fleet.call("EnterStandby", InstanceIds=[chosen], ShouldDecrementDesiredCapacity=False)
    fleet.run(minutes=10)

    states = Counter(member.lifecycle for member in fleet.group.instances.values())
    assert states == {"Standby": 1, "InService": 2}


def test_leaving_standby_raises_the_desired_capacity_again() -> None:
    fleet = Fleet(desired=2)
    chosen = next(iter(fleet.group.instances))
    fleet.call("EnterStandby", InstanceIds=[chosen], ShouldDecrementDesiredCapacity=True)
    assert fleet.group.desired == 1

    fleet.call("ExitStandby", InstanceIds=[chosen])
    fleet.settle_down()

    assert fleet.group.desired == 2
    assert chosen in fleet.group.instances


def test_terminating_an_instance_by_hand_replaces_it_unless_capacity_is_lowered() -> None:
    fleet = Fleet(desired=2)
    first, second = list(fleet.group.instances)

    fleet.world.call(
        "autoscaling",
        "TerminateInstanceInAutoScalingGroup",
        {"InstanceId": first, "ShouldDecrementDesiredCapacity": False},
    )
    fleet.world.call(
        "autoscaling",
        "TerminateInstanceInAutoScalingGroup",
        {"InstanceId": second, "ShouldDecrementDesiredCapacity": True},
    )
    fleet.run(minutes=1)
    fleet.settle_down()

    assert fleet.group.desired == 1
    assert not {first, second} & fleet.group.instances.keys()


def test_an_instance_drains_before_it_is_terminated() -> None:
    fleet = Fleet(desired=1)
    (member,) = fleet.group.instances.values()

    fleet.call("SetDesiredCapacity", DesiredCapacity=0)
    fleet.run(seconds=299)

    assert member.lifecycle == "Terminating"
    assert member.instance.state == "running"
    activity = fleet.activities()[0]
    assert activity["StatusCode"] == "WaitingForELBConnectionDraining"
    assert activity["Description"].endswith("Waiting For ELB Connection Draining.")
    assert "shrinking the capacity from 1 to 0" in activity["Cause"]
    fleet.run(seconds=60)
    assert member.instance.state == "terminated"


# -- suspended processes ---------------------------------------------------------------------------


def test_with_launch_suspended_nothing_is_launched_until_it_is_resumed() -> None:
    fleet = Fleet(desired=1)
    fleet.call("SuspendProcesses", ScalingProcesses=["Launch"])
    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run(minutes=10)
    assert len(fleet.group.instances) == 1

    fleet.call("ResumeProcesses")
    fleet.settle_down()

    assert len(fleet.group.instances) == 2


def test_with_terminate_suspended_nothing_is_scaled_in() -> None:
    fleet = Fleet(desired=2)
    fleet.call("SuspendProcesses", ScalingProcesses=["Terminate"])

    fleet.call("SetDesiredCapacity", DesiredCapacity=0)
    fleet.run(minutes=10)

    assert len(fleet.group.instances) == 2


def test_with_add_to_load_balancer_suspended_instances_are_never_registered() -> None:
    fleet = Fleet(desired=1)
    fleet.call("SuspendProcesses", ScalingProcesses=["AddToLoadBalancer"])
    fleet.call("SetDesiredCapacity", DesiredCapacity=2)
    fleet.run(minutes=10)

    fleet.call("ResumeProcesses", ScalingProcesses=["AddToLoadBalancer"])
    fleet.run(minutes=10)

    health = fleet.world.call(
        "elbv2", "DescribeTargetHealth", {"TargetGroupArn": fleet.target_group_arn}
    )
    assert len(health["TargetHealthDescriptions"]) == 1
    assert [member.lifecycle for member in fleet.group.instances.values()] == ["InService"] * 2


def test_an_unknown_process_cannot_be_suspended() -> None:
    fleet = Fleet(desired=0)

    assert refusal(fleet, "SuspendProcesses", ScalingProcesses=["Lunch"]).code == "ValidationError"


# -- describing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeAutoScalingGroups", {}),
        ("DescribeAutoScalingInstances", {}),
        ("DescribeScalingActivities", {}),
        ("DescribeTags", {}),
        ("DescribePolicies", {}),
        ("DescribeLoadBalancerTargetGroups", {"AutoScalingGroupName": "replicas"}),
        ("DescribeInstanceRefreshes", {"AutoScalingGroupName": "replicas"}),
    ],
)
def test_answers_have_the_shapes_of_botocore(operation: str, params: dict[str, Any]) -> None:
    fleet = Fleet(
        desired=2,
        DefaultInstanceWarmup=30,
        VPCZoneIdentifier="subnet-a,subnet-b",
        Tags=[{"Key": "a", "Value": "b", "PropagateAtLaunch": True}],
    )
    fleet.call("PutScalingPolicy", PolicyName="cpu", PolicyType="TargetTrackingScaling")
    fleet.call("SuspendProcesses", ScalingProcesses=["AZRebalance"])
    fleet.start(fleet.release(), AutoRollback=True, CheckpointPercentages=[50, 100], BakeTime=60)
    fleet.run(minutes=4)
    fleet.call("RollbackInstanceRefresh")

    reply = fleet.world.call("autoscaling", operation, params)

    shape = MODEL.operation_model(operation).output_shape
    assert shape is not None
    assert any(reply.values())
    assert not ParamValidator().validate(reply, shape).generate_report()


def test_groups_are_found_by_tag() -> None:
    fleet = Fleet(desired=0, Tags=[{"Key": "snaproll:fleet", "Value": "sec"}])

    def found(name: str, value: str) -> int:
        reply = fleet.world.call(
            "autoscaling",
            "DescribeAutoScalingGroups",
            {"Filters": [{"Name": name, "Values": [value]}]},
        )
        return len(reply["AutoScalingGroups"])

    assert found("tag:snaproll:fleet", "sec") == 1
    assert found("tag:snaproll:fleet", "other") == 0
    assert found("tag-key", "snaproll:fleet") == 1
    assert found("tag-value", "sec") == 1


def test_groups_that_do_not_exist_are_left_out() -> None:
    fleet = Fleet(desired=0)

    reply = fleet.world.call(
        "autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": ["nobody"]}
    )

    assert reply == {"AutoScalingGroups": []}


def test_instances_can_be_left_out() -> None:
    fleet = Fleet(desired=1)

    reply = fleet.world.call(
        "autoscaling", "DescribeAutoScalingGroups", {"IncludeInstances": False}
    )

    assert reply["AutoScalingGroups"][0]["Instances"] == []


def test_activities_come_in_pages_those_in_progress_first() -> None:
    fleet = Fleet(desired=3)
    fleet.call("SetDesiredCapacity", DesiredCapacity=4)

    first = fleet.call("DescribeScalingActivities", MaxRecords=2)
    second = fleet.call("DescribeScalingActivities", MaxRecords=2, NextToken=first["NextToken"])

    assert [item["StatusCode"] for item in first["Activities"]] == ["PreInService", "Successful"]
    assert len(second["Activities"]) == 2
    assert "NextToken" not in second


def test_a_foreign_page_token_is_refused() -> None:
    fleet = Fleet(desired=0)

    assert refusal(fleet, "DescribeScalingActivities", NextToken="x").code == "InvalidNextToken"


def test_tags_are_set_listed_and_removed() -> None:
    fleet = Fleet(desired=0)
    tag = {"ResourceId": fleet.name, "ResourceType": "auto-scaling-group", "Key": "k", "Value": "v"}

    fleet.world.call("autoscaling", "CreateOrUpdateTags", {"Tags": [tag]})
    listed = fleet.world.call(
        "autoscaling", "DescribeTags", {"Filters": [{"Name": "key", "Values": ["k"]}]}
    )
    fleet.world.call("autoscaling", "DeleteTags", {"Tags": [tag]})

    assert listed["Tags"] == [{**tag, "PropagateAtLaunch": False}]
    assert fleet.describe()["Tags"] == []


def test_a_scaling_policy_is_kept_and_described() -> None:
    fleet = Fleet(desired=0)

    arn = fleet.call("PutScalingPolicy", PolicyName="cpu")["PolicyARN"]

    policies = fleet.world.call("autoscaling", "DescribePolicies", {"PolicyNames": ["cpu"]})
    assert [policy["PolicyARN"] for policy in policies["ScalingPolicies"]] == [arn]


def test_what_the_world_does_not_model_can_be_shown_to_a_preflight() -> None:
    fleet = Fleet(desired=0)
    fleet.group.describe_extra["WarmPoolConfiguration"] = {"MinSize": 1}

    assert fleet.describe()["WarmPoolConfiguration"] == {"MinSize": 1}
    with pytest.raises(NotEmulatedError):
        fleet.start(1)


def test_every_launch_is_remembered_with_its_snapshots() -> None:
    fleet = Fleet(desired=2)

    launches = fleet.world.autoscaling.launches

    assert [launch.template_version for launch in launches] == [1, 1]
    assert all(list(launch.snapshots) == ["/dev/xvdf"] for launch in launches)


def test_no_more_groups_may_be_named_than_the_page_holds() -> None:
    fleet = Fleet(desired=1)
    names = [f"group-{number}" for number in range(51)]

    error = refusal(fleet, "DescribeAutoScalingGroups", AutoScalingGroupNames=names)
    reply = fleet.call("DescribeAutoScalingGroups", AutoScalingGroupNames=names, MaxRecords=100)

    assert error.code == "ValidationError"
    assert reply["AutoScalingGroups"] == []
