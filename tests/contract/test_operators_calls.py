"""What an operator does answers alike through both doors, from a stack to a stopped rollout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.wire.cloudformation import CloudFormation
from tests.contract.doors import DOORS, Answer, answer, opened
from tests.contract.scene import FLEET_TEMPLATE, ROOT

Call = tuple[str, str, dict[str, Any]]


def looks(stage: Stage, fleet: StagedFleet) -> Iterator[Call]:
    """Everything that can be looked at."""
    group = {"AutoScalingGroupName": fleet.group}
    machine = {"stateMachineArn": stage.machine}
    yield "autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": [fleet.group]}
    yield "autoscaling", "DescribeAutoScalingInstances", {}
    yield "autoscaling", "DescribeInstanceRefreshes", group
    yield "autoscaling", "DescribeScalingActivities", group
    yield "autoscaling", "DescribeLoadBalancerTargetGroups", group
    yield "autoscaling", "DescribeTags", {}
    yield "cloudwatch", "DescribeAlarms", {}
    yield "ec2", "DescribeInstances", {}
    yield "ec2", "DescribeSnapshots", {"OwnerIds": ["self"]}
    yield "ec2", "DescribeVolumes", {}
    yield "ec2", "DescribeTags", {}
    yield "ec2", "DescribeLaunchTemplates", {}
    yield "ec2", "DescribeLaunchTemplateVersions", {"LaunchTemplateId": fleet.template_id}
    yield "elbv2", "DescribeLoadBalancers", {}
    yield "elbv2", "DescribeTargetGroups", {}
    yield "elbv2", "DescribeTargetHealth", {"TargetGroupArn": fleet.target_group}
    yield "elbv2", "DescribeTargetGroupAttributes", {"TargetGroupArn": fleet.target_group}
    yield "events", "ListRules", {}
    yield "kms", "DescribeKey", {"KeyId": fleet.key}
    yield "kms", "GetKeyPolicy", {"KeyId": fleet.key, "PolicyName": "default"}
    yield "lambda", "ListFunctions", {}
    yield "sns", "ListTopics", {}
    yield "sqs", "ListQueues", {}
    yield "ssm", "GetParametersByPath", {"Path": "/snaproll/demo/fleets"}
    yield "ssm", "GetParameter", {"Name": "/snaproll/demo/fleets/sec"}
    yield "dynamodb", "Scan", {"TableName": "snaproll-demo-ledger"}
    yield "dynamodb", "DescribeTable", {"TableName": "snaproll-demo-ledger"}
    yield "stepfunctions", "ListStateMachines", {}
    yield "stepfunctions", "DescribeStateMachine", machine
    yield "stepfunctions", "ListExecutions", machine
    yield "cloudformation", "DescribeStacks", {}


def rolls(stage: Stage) -> Iterator[Call]:
    """Publish, and start, stop and redrive by hand; time passes in between."""
    fleet = stage.fleets["sec"]
    tags = [{"Key": key, "Value": value} for key, value in fleet.tags.items()]
    machine = stage.machine
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:by-hand"
    yield (
        "ec2",
        "CreateSnapshot",
        {
            "VolumeId": fleet.volume,
            "TagSpecifications": [{"ResourceType": "snapshot", "Tags": tags}],
        },
    )
    stage.world.run_for(1500)
    yield from looks(stage, fleet)
    start = {"stateMachineArn": machine, "name": "by-hand", "input": json.dumps({"fleet": "sec"})}
    yield "stepfunctions", "StartExecution", start
    yield "stepfunctions", "StartExecution", start | {"input": "{}"}
    yield "stepfunctions", "StopExecution", {"executionArn": execution, "error": "Operator"}
    yield "stepfunctions", "DescribeExecution", {"executionArn": execution}
    yield "stepfunctions", "RedriveExecution", {"executionArn": execution}
    stage.world.run_for(60)
    yield "stepfunctions", "GetExecutionHistory", {"executionArn": execution, "maxResults": 10}
    yield "stepfunctions", "GetExecutionHistory", {"executionArn": execution, "reverseOrder": True}
    stage.finish()
    yield from looks(stage, fleet)


def changes(stage: Stage) -> Iterator[Call]:
    """Write parameters, change groups, and be refused."""
    fleet = stage.fleets["sec"]
    group = {"AutoScalingGroupName": fleet.group}
    name = "/snaproll/demo/fleets/sec"
    yield "ssm", "PutParameter", {"Name": name, "Value": "{}", "Type": "String"}
    yield "ssm", "PutParameter", {"Name": name, "Value": "{}", "Overwrite": True}
    yield "autoscaling", "SetDesiredCapacity", group | {"DesiredCapacity": 99}
    yield "autoscaling", "SetDesiredCapacity", group | {"DesiredCapacity": 5}
    yield "autoscaling", "RollbackInstanceRefresh", group
    yield "autoscaling", "CancelInstanceRefresh", group
    yield "autoscaling", "StartInstanceRefresh", group
    yield "autoscaling", "StartInstanceRefresh", group
    yield "autoscaling", "SuspendProcesses", group | {"ScalingProcesses": ["Launch"]}
    yield "autoscaling", "DescribeAutoScalingGroups", {}
    yield "ec2", "DeleteSnapshot", {"SnapshotId": "snap-0123456789abcdef0"}
    yield "ec2", "DescribeSnapshots", {"SnapshotIds": ["snap-0123456789abcdef0"]}
    yield (
        "ec2",
        "CreateTags",
        {
            "Resources": [fleet.first_snapshot],
            "Tags": [{"Key": "checked", "Value": "yes & <no>"}],
        },
    )
    yield "ec2", "DescribeTags", {"Filters": [{"Name": "key", "Values": ["checked"]}]}
    yield (
        "cloudwatch",
        "SetAlarmState",
        {
            "AlarmName": fleet.alarm,
            "StateValue": "ALARM",
            "StateReason": 'drill, "really"',
        },
    )
    yield "cloudwatch", "DescribeAlarms", {"StateValue": "ALARM"}
    yield (
        "dynamodb",
        "PutItem",
        {
            "TableName": "snaproll-demo-ledger",
            "Item": {
                "pk": {"S": "FLEET#x"},
                "sk": {"S": "STATE"},
                "n": {"N": "1"},
                "b": {"B": b"\x00"},
            },
            "ConditionExpression": "attribute_not_exists(pk)",
        },
    )
    yield (
        "dynamodb",
        "PutItem",
        {
            "TableName": "snaproll-demo-ledger",
            "Item": {"pk": {"S": "FLEET#x"}, "sk": {"S": "STATE"}},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    )
    function = stage.stack.functions["PlanRolloutFunction"]
    yield "lambda", "Invoke", {"FunctionName": function, "Payload": b'{"wrong": true}'}
    yield (
        "events",
        "PutEvents",
        {"Entries": [{"Source": "me", "DetailType": "Anything", "Detail": "{}"}]},
    )
    yield "stepfunctions", "SendTaskSuccess", {"taskToken": "none", "output": "{}"}


def stacks(stage: Stage) -> Iterator[Call]:
    """Create, look at, update and delete a stack."""
    ec2 = stage.session.client("ec2")
    subnets: Any = ec2.describe_subnets()["Subnets"][:2]
    values = {
        "Fleet": "two",
        "Environment": "demo",
        "SnapshotTagValue": "two",
        "LiveSnapshot": "/snaproll/demo/live/two/snapshot",
        "VpcId": subnets[0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
    }
    parameters = [{"ParameterKey": key, "ParameterValue": text} for key, text in values.items()]
    stack = {"StackName": "two"}
    create = stack | {"TemplateBody": FLEET_TEMPLATE.read_text(), "Parameters": parameters}
    yield "cloudformation", "CreateStack", create
    first = {"Value": stage.fleets["sec"].first_snapshot, "Type": "String"}
    yield "ssm", "PutParameter", {"Name": "/snaproll/demo/live/two/snapshot"} | first
    yield "cloudformation", "CreateStack", create
    yield "cloudformation", "CreateStack", create | {"Capabilities": ["CAPABILITY_IAM"]}
    yield "cloudformation", "CreateStack", create | {"Capabilities": ["CAPABILITY_IAM"]}
    stage.world.run_for(120)
    yield "cloudformation", "DescribeStacks", stack
    yield "cloudformation", "DescribeStackEvents", stack
    yield "cloudformation", "DescribeStackResources", stack
    yield "cloudformation", "ListStackResources", stack
    yield "cloudformation", "ValidateTemplate", {"TemplateBody": FLEET_TEMPLATE.read_text()}
    same = [{"ParameterKey": key, "UsePreviousValue": True} for key in values]
    again = stack | {"UsePreviousTemplate": True, "Parameters": same}
    yield "cloudformation", "UpdateStack", again
    more = [*same, {"ParameterKey": "MaxSize", "ParameterValue": "12"}]
    yield "cloudformation", "UpdateStack", again | {"Parameters": more}
    yield "cloudformation", "UpdateStack", again | {"Parameters": more}
    stage.world.run_for(120)
    yield "cloudformation", "DescribeStackEvents", stack
    yield "cloudformation", "DeleteStack", stack
    stage.world.run_for(600)
    yield "cloudformation", "DescribeStacks", stack
    yield "cloudformation", "ListStacks", {}


def conversation(door: str) -> list[Answer]:
    """Let an operator do all of it, one thing after the other, in a world of its own."""
    stage = Stage()
    stage.world.add_service(CloudFormation(stage.world, ROOT))
    with opened(door, stage.world) as way:
        stage.add_fleet("sec")
        return [answer(way, *call) for part in (rolls, changes, stacks) for call in part(stage)]


def test_an_operator_is_answered_alike_through_both_doors() -> None:
    direct, wire = (conversation(door) for door in DOORS)

    assert [one.operation for one in wire] == [one.operation for one in direct]
    for behind_wire, behind_hook in zip(wire, direct, strict=True):
        assert behind_wire == behind_hook


def test_the_conversation_meets_refusals_and_successes() -> None:
    answers = conversation("direct")

    assert {"AlreadyExistsException", "ParameterAlreadyExists"} <= {one.error for one in answers}
    assert sum(one.error is None for one in answers) > sum(one.error is not None for one in answers)
