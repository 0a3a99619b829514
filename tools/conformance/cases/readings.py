"""Reads about things that are not there, and pages: any account can answer these."""

from __future__ import annotations

from typing import Final

from tools.conformance.answers import NotCheckedError
from tools.conformance.checks import check
from tools.conformance.place import Place

EC2_ERRORS: Final = "EC2 API reference, 'Error codes'"
EC2_PAGES: Final = "EC2 API reference, 'Query requests', pagination; botocore paginators"
AUTO_SCALING_ERRORS: Final = "Auto Scaling API reference, 'Common errors': ValidationError"


@check("ec2:DescribeSnapshots", source=f"{EC2_ERRORS}: InvalidSnapshot.NotFound")
def a_snapshot_that_is_not_there_is_an_error_when_it_is_named(place: Place) -> None:
    answer = place.ask("ec2:DescribeSnapshots", SnapshotIds=[place.made_up("snap")])
    answer.must_refuse("InvalidSnapshot.NotFound", status=400)


@check("ec2:DescribeSnapshots", source=f"{EC2_ERRORS}: InvalidSnapshotID.Malformed")
def a_malformed_snapshot_id_has_an_error_of_its_own(place: Place) -> None:
    answer = place.ask("ec2:DescribeSnapshots", SnapshotIds=["snap-none"])
    answer.must_refuse("InvalidSnapshotID.Malformed", status=400)


@check("ec2:DescribeSnapshots", source="EC2 API reference, DescribeSnapshots, 'Filters'")
def a_snapshot_that_is_filtered_for_and_is_not_there_is_left_out(place: Place) -> None:
    wanted = [{"Name": "snapshot-id", "Values": [place.made_up("snap")]}]
    answer = place.ask("ec2:DescribeSnapshots", OwnerIds=["self"], Filters=wanted)
    answer.must_hold("Snapshots", [])


@check("ec2:DescribeSnapshots", source=f"{EC2_PAGES}: MaxResults is 5 at least")
def snapshots_come_in_pages_with_what_a_gate_reads(place: Place) -> None:
    page = place.glance("ec2:DescribeSnapshots", OwnerIds=["self"], MaxResults=5)
    page.must_reply(
        *(f"Snapshots[].{name}" for name in ("SnapshotId", "State", "StartTime", "OwnerId")),
        *(f"Snapshots[].{name}" for name in ("VolumeId", "VolumeSize", "Encrypted")),
    )


@check("ec2:DescribeVolumes", source=f"{EC2_ERRORS}: InvalidVolume.NotFound")
def a_volume_that_is_not_there_is_an_error_when_it_is_named(place: Place) -> None:
    answer = place.ask("ec2:DescribeVolumes", VolumeIds=[place.made_up("vol")])
    answer.must_refuse("InvalidVolume.NotFound", status=400)


@check("ec2:DescribeVolumes", source="EC2 API reference, DescribeVolumes, 'Filters'")
def volumes_that_no_tag_selects_are_an_empty_list(place: Place) -> None:
    wanted = [{"Name": "tag:snaproll:conformance", "Values": [place.name("none")]}]
    place.ask("ec2:DescribeVolumes", Filters=wanted).must_hold("Volumes", [])


@check("ec2:DescribeInstances", source="EC2 API reference, DescribeInstances, 'Filters'")
def instances_that_are_filtered_for_and_gone_are_left_out(place: Place) -> None:
    wanted = [{"Name": "instance-id", "Values": [place.made_up("i")]}]
    place.ask("ec2:DescribeInstances", Filters=wanted).must_hold("Reservations", [])


@check("ec2:DescribeLaunchTemplates", source=f"{EC2_ERRORS}: InvalidLaunchTemplateId.NotFound")
def a_launch_template_that_is_not_there_is_an_error(place: Place) -> None:
    answer = place.ask("ec2:DescribeLaunchTemplates", LaunchTemplateIds=[place.made_up("lt")])
    answer.must_refuse("InvalidLaunchTemplateId.NotFound", status=400)


@check(
    "ec2:DescribeLaunchTemplateVersions",
    source=f"{EC2_ERRORS}: InvalidLaunchTemplateId.NotFound",
)
def versions_of_a_launch_template_that_is_not_there_are_an_error(place: Place) -> None:
    answer = place.ask(
        "ec2:DescribeLaunchTemplateVersions",
        LaunchTemplateId=place.made_up("lt"),
        Versions=["1"],
    )
    answer.must_refuse("InvalidLaunchTemplateId.NotFound", status=400)


@check(
    "autoscaling:DescribeAutoScalingGroups",
    source="Auto Scaling API reference, DescribeAutoScalingGroups: names that are not there are "
    "left out",
)
def a_group_that_is_not_there_is_left_out(place: Place) -> None:
    answer = place.ask(
        "autoscaling:DescribeAutoScalingGroups", AutoScalingGroupNames=[place.name("none")]
    )
    answer.must_hold("AutoScalingGroups", [])


@check(
    "autoscaling:DescribeAutoScalingGroups",
    source="botocore model DescribeAutoScalingGroups, errors: InvalidNextToken",
)
def a_token_that_auto_scaling_did_not_give_is_refused(place: Place) -> None:
    answer = place.ask("autoscaling:DescribeAutoScalingGroups", NextToken="none")
    answer.must_refuse("InvalidNextToken", "ValidationError", status=400)


@check("autoscaling:DescribeInstanceRefreshes", source=AUTO_SCALING_ERRORS)
def refreshes_of_a_group_that_is_not_there_are_an_error(place: Place) -> None:
    answer = place.ask(
        "autoscaling:DescribeInstanceRefreshes", AutoScalingGroupName=place.name("none")
    )
    answer.must_refuse("ValidationError", status=400)


@check("autoscaling:DescribeScalingActivities", source=AUTO_SCALING_ERRORS)
def activities_of_a_group_that_is_not_there(place: Place) -> None:
    # Whether that is an error or an empty list is not documented: only compared.
    place.ask("autoscaling:DescribeScalingActivities", AutoScalingGroupName=place.name("none"))


@check(
    "cloudwatch:DescribeAlarms",
    source="CloudWatch API reference, DescribeAlarms: names without an alarm are left out",
)
def alarms_that_are_not_there_are_left_out(place: Place) -> None:
    answer = place.ask(
        "cloudwatch:DescribeAlarms",
        AlarmNames=[place.name("none")],
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
    )
    answer.must_reply()
    kinds = ("MetricAlarms", "CompositeAlarms")
    if any((answer.reply or {}).get(kind) for kind in kinds):
        answer.must_hold("MetricAlarms", [])


@check("elbv2:DescribeTargetHealth", source="botocore model DescribeTargetHealth, errors")
def targets_of_a_target_group_that_is_not_there_are_an_error(place: Place) -> None:
    name = f"targetgroup/{place.name('none')}/0123456789abcdef"
    answer = place.ask(
        "elbv2:DescribeTargetHealth", TargetGroupArn=place.arn("elasticloadbalancing", name)
    )
    answer.must_refuse("TargetGroupNotFound", status=400)


@check("kms:DescribeKey", source="botocore model DescribeKey, errors: NotFoundException")
def a_key_that_is_not_there_is_not_found(place: Place) -> None:
    key = place.arn("kms", "key/00000000-0000-4000-8000-000000000000")
    place.ask("kms:DescribeKey", KeyId=key).must_refuse("NotFoundException", status=400)


@check("kms:GetKeyPolicy", source="botocore model GetKeyPolicy, errors: NotFoundException")
def the_policy_of_a_key_that_is_not_there_is_not_found(place: Place) -> None:
    key = place.arn("kms", "key/00000000-0000-4000-8000-000000000000")
    answer = place.ask("kms:GetKeyPolicy", KeyId=key, PolicyName="default")
    answer.must_refuse("NotFoundException", status=400)


@check("kms:ListGrants", source="botocore model ListGrants, errors: NotFoundException")
def grants_of_a_key_that_is_not_there_are_not_found(place: Place) -> None:
    key = place.arn("kms", "key/00000000-0000-4000-8000-000000000000")
    answer = place.ask("kms:ListGrants", KeyId=key)
    answer.must_refuse("NotFoundException", status=400)


@check(
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:ListGrants",
    source="KMS developer guide, 'AWS managed keys'; EBS user guide, 'Default KMS key'",
)
def the_key_that_aws_manages_for_ebs_shows_its_state_policy_and_grants(place: Place) -> None:
    described = place.glance("kms:DescribeKey", KeyId="alias/aws/ebs")
    if described.code == "NotFoundException":
        raise NotCheckedError("this Region has no key aws/ebs yet; AWS makes it at its first use")
    described.must_reply("KeyMetadata.Arn", "KeyMetadata.KeyState")
    described.must_hold("KeyMetadata.KeyManager", "AWS")
    arn = described.at("KeyMetadata.Arn")
    policy = place.glance("kms:GetKeyPolicy", KeyId=arn, PolicyName="default")
    policy.must_reply("Policy")
    place.glance("kms:ListGrants", KeyId=arn, Limit=1).must_reply("Grants")


@check(
    "lambda:GetFunctionConfiguration",
    source="botocore model GetFunctionConfiguration, errors: ResourceNotFoundException (404)",
)
def a_function_that_is_not_there_is_not_found(place: Place) -> None:
    answer = place.ask("lambda:GetFunctionConfiguration", FunctionName=place.name("none"))
    answer.must_refuse("ResourceNotFoundException", status=404)


@check("ssm:GetParameter", source="botocore model GetParameter, errors: ParameterNotFound")
def a_parameter_that_is_not_there_is_not_found(place: Place) -> None:
    answer = place.ask("ssm:GetParameter", Name=f"/{place.name('none')}")
    answer.must_refuse("ParameterNotFound", status=400)


@check("ssm:GetParameters", source="botocore model GetParametersResult: InvalidParameters")
def parameters_that_are_not_there_are_named_as_invalid(place: Place) -> None:
    name = f"/{place.name('none')}"
    answer = place.ask("ssm:GetParameters", Names=[name])
    answer.must_hold("InvalidParameters", [name])


@check("ssm:GetParametersByPath", source="Systems Manager API reference, GetParametersByPath")
def a_path_without_parameters_is_an_empty_list(place: Place) -> None:
    answer = place.ask("ssm:GetParametersByPath", Path=f"/{place.name('none')}")
    answer.must_hold("Parameters", [])


@check(
    "ssm:GetCommandInvocation",
    source="botocore model GetCommandInvocation, errors: InvocationDoesNotExist",
)
def a_command_that_was_never_sent_does_not_exist(place: Place) -> None:
    answer = place.ask(
        "ssm:GetCommandInvocation",
        CommandId="00000000-0000-4000-8000-000000000000",
        InstanceId=place.made_up("i"),
    )
    answer.must_refuse("InvocationDoesNotExist", status=400)


@check(
    "dynamodb:GetItem",
    "dynamodb:Query",
    "dynamodb:BatchGetItem",
    source="botocore models, errors: ResourceNotFoundException",
)
def a_table_that_is_not_there_is_not_found(place: Place) -> None:
    table, key = place.name("none"), {"pk": {"S": "a"}, "sk": {"S": "b"}}
    asked = [
        place.ask("dynamodb:GetItem", TableName=table, Key=key),
        place.ask(
            "dynamodb:Query",
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "a"}},
        ),
        place.ask("dynamodb:BatchGetItem", RequestItems={table: {"Keys": [key]}}),
    ]
    for answer in asked:
        answer.must_refuse("ResourceNotFoundException", status=400)


@check(
    "stepfunctions:DescribeExecution",
    "stepfunctions:GetExecutionHistory",
    source="botocore models, errors: ExecutionDoesNotExist",
)
def an_execution_that_is_not_there_does_not_exist(place: Place) -> None:
    arn = place.arn("states", f"execution:{place.name('none')}:none")
    for call in ("DescribeExecution", "GetExecutionHistory"):
        answer = place.ask(f"stepfunctions:{call}", executionArn=arn)
        answer.must_refuse("ExecutionDoesNotExist", status=400)


@check(
    "stepfunctions:ListExecutions",
    source="botocore model ListExecutions, errors: StateMachineDoesNotExist",
)
def executions_of_a_machine_that_is_not_there_are_an_error(place: Place) -> None:
    arn = place.arn("states", f"stateMachine:{place.name('none')}")
    answer = place.ask("stepfunctions:ListExecutions", stateMachineArn=arn)
    answer.must_refuse("StateMachineDoesNotExist", status=400)


@check(
    "logs:FilterLogEvents",
    source="botocore model FilterLogEvents, errors: ResourceNotFoundException",
)
def a_log_group_that_is_not_there_is_not_found(place: Place) -> None:
    answer = place.ask("logs:FilterLogEvents", logGroupName=place.name("none"))
    answer.must_refuse("ResourceNotFoundException", status=400)
