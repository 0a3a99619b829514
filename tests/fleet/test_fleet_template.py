"""What the fleet's template promises, read from the file and from what it becomes in a world."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from embedded import direct, plain
from embedded.deploy import Stack, deploy
from embedded.translate import translate
from embedded.wire.cloudformation.requests import LONGEST_BODY
from embedded.world.access.conditions import hold
from embedded.world.world import World
from tests.fleet.machine import Machine
from tools.fleet import SCRIPT, TEMPLATE, with_user_data

USER_DATA_BYTES: Final = 16 * 1024
"""EC2 user guide, "Run commands when you launch an EC2 instance": before it is encoded."""
LIVE: Final = "/snaproll/prod/live/sec/snapshot"
VARIABLE: Final = "${ec2:SourceInstanceARN}"
GIVEN: Final = {
    "Fleet": "sec",
    "LiveSnapshot": LIVE,
    "SnapshotTagValue": "sec",
    "ContainerImage": "111122223333.dkr.ecr.us-east-1.amazonaws.com/api:7",
    "ContainerRepositoryArn": "arn:aws:ecr:us-east-1:111122223333:repository/api",
    "NotificationTopicArn": "arn:aws:sns:us-east-1:111122223333:alarms",
    "RegistryTable": "registry",
    "DataInitializationRate": "200",
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    translated: dict[str, Any] = translate(TEMPLATE)
    return translated


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    plain.attach(world)
    first = world.ec2.add_snapshot(size_gib=100, tags={})
    ssm: Any = direct.session(world).client("ssm")
    ssm.put_parameter(Name=LIVE, Value=first.id, Type="String")
    return world


@pytest.fixture(scope="module")
def stack(world: World) -> Stack:
    subnets: Any = direct.session(world).client("ec2").describe_subnets()["Subnets"][:2]
    network = {
        "VpcId": subnets[0]["VpcId"],
        "SubnetIds": ",".join(one["SubnetId"] for one in subnets),
    }
    return deploy(world, TEMPLATE, {**GIVEN, **network}, name="fleet-sec")


def of_type(stack: Stack, kind: str) -> dict[str, Any]:
    """The resolved properties of every resource of a type, by logical id."""
    return {name: it.properties for name, it in stack.resources.items() if it.type == kind}


def launch_data(stack: Stack) -> Any:
    return stack.resources["ReplicaTemplate"].properties["LaunchTemplateData"]


# -- parameters -----------------------------------------------------------------------------------


def test_every_parameter_says_what_it_is_and_what_is_allowed(template: dict[str, Any]) -> None:
    bounds = {"AllowedPattern", "AllowedValues", "MinValue"}
    looked_up = ("AWS::EC2::", "List<AWS::EC2::", "AWS::SSM::Parameter::Value<AWS::EC2::")

    for name, rules in template["Parameters"].items():
        assert rules["Description"].endswith("."), name
        # CloudFormation itself checks what names something of EC2.
        assert bounds & rules.keys() or rules["Type"].startswith(looked_up), name
        assert "AllowedPattern" not in rules or "ConstraintDescription" in rules, name


def test_every_parameter_is_shown_in_a_group(template: dict[str, Any]) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]

    shown = [name for group in groups for name in group["Parameters"]]
    assert sorted(shown) == sorted(template["Parameters"])


def test_no_text_can_end_the_quotes_that_user_data_puts_around_it(template: dict[str, Any]) -> None:
    parts = template["Resources"]["ReplicaTemplate"]["Properties"]["LaunchTemplateData"]
    settings = parts["UserData"]["Fn::Base64"]["Fn::Join"][1][0]["Fn::Sub"]
    texts = {
        name: rules
        for name in re.findall(r"\$\{(\w+)\}", settings)
        if (rules := template["Parameters"].get(name)) and rules["Type"] == "String"
    }

    assert "StartCommand" in texts
    for name, rules in texts.items():
        for bad in ("'", "a'b", "a\nb", "/a'b"):
            allowed = rules.get("AllowedValues")
            fits = bad in allowed if allowed else re.fullmatch(rules["AllowedPattern"], bad)
            assert not fits, (name, bad)


def test_the_longest_names_make_a_load_balancers_name_that_is_not_too_long(
    template: dict[str, Any],
) -> None:
    rules = template["Parameters"]
    longest = ["a" * 18, "b" * 13]

    for name, text in zip(("Fleet", "Environment"), longest, strict=True):
        assert re.fullmatch(rules[name]["AllowedPattern"], text)
        assert not re.fullmatch(rules[name]["AllowedPattern"], text + "a")
    assert len("-".join(longest)) == 32
    assert not re.fullmatch(rules["Environment"]["AllowedPattern"], "internal")


# -- user data ------------------------------------------------------------------------------------


def test_the_template_carries_the_script_as_it_is_now() -> None:
    template = TEMPLATE.read_text(encoding="utf-8")

    assert with_user_data(template, SCRIPT.read_text(encoding="utf-8")) == template


def test_a_template_without_a_place_for_the_script_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_user_data("Resources: {}\n", "true\n")


def test_the_template_fits_into_a_request() -> None:
    assert TEMPLATE.stat().st_size <= LONGEST_BODY


def test_what_is_deployed_boots_a_replica(stack: Stack, tmp_path: Path) -> None:
    user_data = base64.b64decode(launch_data(stack)["UserData"])
    script = tmp_path / "user-data"
    script.write_bytes(user_data)

    boot = Machine(tmp_path).boot_with(script)

    assert len(user_data) <= USER_DATA_BYTES
    assert boot.code == 0, boot.complaint
    assert boot.log[-1]["fleet"] == "sec"
    assert boot.called("systemd-run")[0][-1] == GIVEN["ContainerImage"]


# -- replicas -------------------------------------------------------------------------------------


def test_replicas_ask_for_their_metadata_by_token_only(stack: Stack) -> None:
    options = launch_data(stack)["MetadataOptions"]

    assert options == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_the_data_volume_is_the_live_snapshot_and_the_other_is_encrypted(
    stack: Stack, world: World
) -> None:
    root, data = (one["Ebs"] for one in launch_data(stack)["BlockDeviceMappings"])

    assert root["Encrypted"] is True
    assert data["SnapshotId"] == world.ssm.parameters[LIVE].values[-1]
    assert "Encrypted" not in data
    assert (data["VolumeType"], data["Iops"], data["Throughput"]) == ("gp3", "3000", "125")
    assert data["VolumeInitializationRate"] == "200"
    assert root["DeleteOnTermination"] is data["DeleteOnTermination"] is True


def test_the_group_follows_its_targets_health_and_pins_a_number(stack: Stack) -> None:
    (group,) = of_type(stack, "AWS::AutoScaling::AutoScalingGroup").values()

    assert group["HealthCheckType"] == "ELB"
    assert group["LaunchTemplate"]["Version"] == "1"
    assert group["MinSize"] == "0"
    assert group["DefaultInstanceWarmup"] == "120"


def test_group_and_template_opt_in_by_tags(stack: Stack) -> None:
    wanted = {"snaproll:fleet": "sec", "snaproll:environment": "prod"}
    (group,) = of_type(stack, "AWS::AutoScaling::AutoScalingGroup").values()
    (specified,) = stack.resources["ReplicaTemplate"].properties["TagSpecifications"]

    for tags in (group["Tags"], specified["Tags"]):
        assert wanted.items() <= {one["Key"]: one["Value"] for one in tags}.items()


def test_unhealthy_is_who_fails_five_checks_thirty_seconds_apart(stack: Stack) -> None:
    (targets,) = of_type(stack, "AWS::ElasticLoadBalancingV2::TargetGroup").values()

    assert (targets["HealthCheckIntervalSeconds"], targets["UnhealthyThresholdCount"]) == (
        "30",
        "5",
    )


def test_every_name_that_people_see_holds_fleet_and_environment(stack: Stack) -> None:
    names = {
        "AWS::AutoScaling::AutoScalingGroup": "AutoScalingGroupName",
        "AWS::CloudWatch::Alarm": "AlarmName",
        "AWS::CloudWatch::Dashboard": "DashboardName",
        "AWS::EC2::LaunchTemplate": "LaunchTemplateName",
        "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
        "AWS::Logs::LogGroup": "LogGroupName",
        "AWS::SSM::Parameter": "Name",
    }

    for kind, member in names.items():
        for properties in of_type(stack, kind).values():
            assert {"prod", "sec"} <= set(re.split("[-/]", properties[member])), kind


# -- who may what ---------------------------------------------------------------------------------


def statements(stack: Stack) -> list[Any]:
    return [one for policy in stack.roles["ReplicaRole"].policies for one in policy["Statement"]]


def test_a_replica_writes_nothing_but_its_own_item_its_logs_and_its_metrics(stack: Stack) -> None:
    reading = re.compile(r":(Describe|Get|BatchGet)")
    writing = {
        action: statement
        for statement in statements(stack)
        for action in (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
        if not reading.search(action)
    }

    assert writing.keys() == {
        *("dynamodb:PutItem", "logs:CreateLogStream", "logs:PutLogEvents"),
        "cloudwatch:PutMetricData",
    }
    item = writing["dynamodb:PutItem"]
    assert item["Resource"] == "arn:aws:dynamodb:us-east-1:111122223333:table/registry"
    assert item["Condition"] == {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [VARIABLE]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    metrics = writing["cloudwatch:PutMetricData"]
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "snaproll/replicas"}}


def test_a_replica_may_write_under_its_own_arn_and_no_other(stack: Stack) -> None:
    (statement,) = [one for one in statements(stack) if one["Action"] == "dynamodb:PutItem"]
    own, others = (f"arn:aws:ec2:us-east-1:111122223333:instance/i-{n}" for n in (1, 2))
    # What EC2 makes of the variable for the first of them
    filled = json.loads(json.dumps(statement["Condition"]).replace(VARIABLE, own))

    def may(*keys: str) -> bool:
        return hold(filled, {"dynamodb:leadingkeys": frozenset(keys)} if keys else {})

    assert may(own)
    assert not may(others)
    assert not may(own, others)
    assert not may()


def test_replicas_admit_the_load_balancer_and_nobody_else(stack: Stack) -> None:
    (rule,) = of_type(stack, "AWS::EC2::SecurityGroupIngress").values()

    assert rule["GroupId"] == stack.physical_id("ReplicaSecurityGroup")
    assert rule["SourceSecurityGroupId"] == stack.physical_id("BalancerSecurityGroup")
    assert "SecurityGroupIngress" not in stack.resources["ReplicaSecurityGroup"].properties


# -- alarms, dashboard, outputs -------------------------------------------------------------------


def test_alarms_watch_everything_that_a_fleet_suffers_from(stack: Stack) -> None:
    alarms = of_type(stack, "AWS::CloudWatch::Alarm")

    assert {one["MetricName"] for one in alarms.values()} == {
        *("UnHealthyHostCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime"),
        *("RequestCountPerTarget", "CPUUtilization", "mem_used_percent", "NetworkOut", "DataAge"),
    }
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == [GIVEN["NotificationTopicArn"]], name
        assert alarm["TreatMissingData"] != "breaching", name


def test_the_metrics_of_replicas_are_those_that_the_agent_sends(stack: Stack) -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    own = [
        one["MetricName"]
        for one in of_type(stack, "AWS::CloudWatch::Alarm").values()
        if one["Namespace"] == "snaproll/replicas"
    ]

    assert own
    assert all(f'"{metric}"' in script for metric in own)
    assert "METRICS='snaproll/replicas'" in TEMPLATE.read_text(encoding="utf-8")


def test_the_dashboard_is_json_and_shows_every_metric_with_an_alarm(stack: Stack) -> None:
    (dashboard,) = of_type(stack, "AWS::CloudWatch::Dashboard").values()
    shown = json.dumps(json.loads(dashboard["DashboardBody"]))
    watched = {one["MetricName"] for one in of_type(stack, "AWS::CloudWatch::Alarm").values()}

    per_target = {"RequestCountPerTarget"}  # the number of all requests is shown
    assert [metric for metric in watched - per_target if f'"{metric}"' not in shown] == []


def test_the_endpoint_is_an_output_and_a_parameter(stack: Stack, world: World) -> None:
    parameter = world.ssm.parameters["/snaproll/prod/live/sec/endpoint"]

    assert parameter.values[-1] == stack.outputs["Endpoint"]
    assert stack.outputs["EndpointParameterName"] == parameter.name
    assert stack.outputs["Endpoint"].startswith("http://")
    assert stack.outputs["LiveSnapshotParameterName"] == LIVE


def test_the_fleet_scales_by_its_processors(stack: Stack) -> None:
    (policy,) = of_type(stack, "AWS::AutoScaling::ScalingPolicy").values()

    assert policy["PolicyType"] == "TargetTrackingScaling"
    assert policy["TargetTrackingConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": "60",
    }
