"""Fleets and the control plane as CloudFormation stacks, ours and other people's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.embedded.stacks import ROOT, Account


@pytest.fixture
def account() -> Account:
    return Account()


def somebodys_fleet(image: str = "ami-0123456789abcdef0", **group: Any) -> dict[str, Any]:
    """Declare a fleet that is not ours: with a network of its own, and no names."""
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}},
        "Gateway": {"Type": "AWS::EC2::InternetGateway"},
        "Attachment": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}},
        },
        "Routes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        "Out": {
            "Type": "AWS::EC2::Route",
            "DependsOn": "Attachment",
            "Properties": {
                "RouteTableId": {"Ref": "Routes"},
                "DestinationCidrBlock": "0.0.0.0/0",
                "GatewayId": {"Ref": "Gateway"},
            },
        },
        **{
            f"Subnet{number}": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {
                    "VpcId": {"Ref": "Vpc"},
                    "CidrBlock": f"10.1.{number}.0/24",
                    "AvailabilityZone": {"Fn::Select": [number, {"Fn::GetAZs": ""}]},
                },
            }
            for number in (0, 1)
        },
        "Associated": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"SubnetId": {"Ref": "Subnet0"}, "RouteTableId": {"Ref": "Routes"}},
        },
        "Firewall": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "all",
                "VpcId": {"Ref": "Vpc"},
                "SecurityGroupIngress": [
                    {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "10.0.0.0/8"}
                ],
            },
        },
        "Balancer": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {
                "Subnets": [{"Ref": "Subnet0"}, {"Ref": "Subnet1"}],
                "SecurityGroups": [{"Ref": "Firewall"}],
            },
        },
        "Listener": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"},
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": "Targets"}}],
            },
        },
        "Targets": {
            "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
            "Properties": {"Port": 80, "Protocol": "HTTP", "VpcId": {"Ref": "Vpc"}},
        },
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {"LaunchTemplateData": {"ImageId": image, "InstanceType": "t4g.small"}},
        },
        "Group": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": {
                "MinSize": "0",
                "MaxSize": "3",
                "DesiredCapacity": "2",
                "VPCZoneIdentifier": [{"Ref": "Subnet0"}, {"Ref": "Subnet1"}],
                "TargetGroupARNs": [{"Ref": "Targets"}],
                "HealthCheckType": "ELB",
                "HealthCheckGracePeriod": 300,
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Template"},
                    "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
                },
                **group,
            },
        },
    }


def group_of(account: Account) -> Any:
    return account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]


def test_somebodys_fleet_with_a_network_of_its_own_serves(account: Account) -> None:
    status = account.create(somebodys_fleet())
    account.world.run_for(900)

    health = account.client("elbv2").describe_target_health(
        TargetGroupArn=account.physical_id("Targets")
    )["TargetHealthDescriptions"]

    assert status == "CREATE_COMPLETE"
    assert [target["TargetHealth"]["State"] for target in health] == ["healthy"] * 2
    (vpc,) = account.client("ec2").describe_vpcs(VpcIds=[account.physical_id("Vpc")])["Vpcs"]
    assert vpc["CidrBlock"] == "10.1.0.0/16"


def test_a_new_image_makes_a_new_version_that_the_group_takes_over(account: Account) -> None:
    account.create(somebodys_fleet())

    status = account.update(somebodys_fleet(image="ami-0fedcba9876543210"))

    assert status == "UPDATE_COMPLETE"
    assert group_of(account)["LaunchTemplate"]["Version"] == "2"


def test_a_stack_update_of_the_group_takes_the_newest_version_whoever_made_it(
    account: Account,
) -> None:
    # Given a version that the stack knows nothing of
    account.create(somebodys_fleet())
    account.client("ec2").create_launch_template_version(
        LaunchTemplateId=account.physical_id("Template"),
        SourceVersion="1",
        LaunchTemplateData={"InstanceType": "t4g.large"},
    )

    # When something else of the group is changed
    account.update(somebodys_fleet(MaxSize="4"))

    # Then the group has that version
    assert group_of(account)["LaunchTemplate"]["Version"] == "2"


def test_an_update_that_would_replace_instances_itself_is_refused(account: Account) -> None:
    resources = somebodys_fleet()
    account.create(resources)
    rolling = somebodys_fleet(image="ami-0fedcba9876543210")
    rolling["Group"]["UpdatePolicy"] = {"AutoScalingRollingUpdate": {"MaxBatchSize": 1}}

    assert account.update(rolling) == "UPDATE_ROLLBACK_COMPLETE"
    assert group_of(account)["LaunchTemplate"]["Version"] == "1"


def test_deleting_a_fleet_waits_for_its_instances(account: Account) -> None:
    account.create(somebodys_fleet())
    account.world.run_for(900)

    account.delete()

    assert account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    states = {
        instance["State"]["Name"]
        for reservation in account.client("ec2").describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }
    assert states <= {"terminated"}


def test_the_control_plane_is_created_and_deleted_but_for_its_ledger(account: Account) -> None:
    # Longer than a request takes
    s3 = account.client("s3")
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="it", Body=(ROOT / "template.yaml").read_bytes())
    account.cloudformation.create_stack(
        StackName="it",
        TemplateURL="https://templates.s3.amazonaws.com/it",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    assert account.settled() == "CREATE_COMPLETE"
    roles = account.client("iam").list_roles()["Roles"]
    assert any(role["RoleName"].startswith("it-PlanRollout") for role in roles)

    account.delete()

    assert account.client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert account.client("iam").list_roles()["Roles"] == []
    assert account.client("dynamodb").list_tables()["TableNames"] == ["snaproll-prod-ledger"]
