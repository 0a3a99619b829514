"""Parameters, events, commands, alarms, target groups, functions and stacks of a check's own."""

from __future__ import annotations

import json
from typing import Any, Final

from tools.conformance.answers import Answer
from tools.conformance.checks import Need, check
from tools.conformance.place import Place, by

SOURCE: Final = "snaproll.conformance"
"""No rule of snaproll's hears of events from here."""
EVENT_COST: Final = "a handful of custom events: less than $0.001"
_MODEL: Final = "botocore model"


def own_parameter(place: Place, word: str, value: str) -> str:
    """Make a parameter; gives its name."""
    name = f"/{place.name('parameters')}/{word}"
    place.make(
        f"the parameter {name}",
        f"aws ssm delete-parameter --name {name}",
        by("ssm:DeleteParameter", Name=name),
        "ssm:PutParameter",
        Name=name,
        Value=value,
        Type="String",
        Tags=place.tags,
    )
    return name


@check(
    "ssm:PutParameter",
    "ssm:GetParameter",
    "ssm:GetParameters",
    source=f"{_MODEL} PutParameter: ParameterAlreadyExists, Overwrite, Version",
    need=Need.OWN,
)
def a_parameter_is_written_over_only_when_that_is_said(place: Place) -> None:
    name = own_parameter(place, "written", "first")
    again = {"Name": name, "Value": "second", "Type": "String"}
    place.ask("ssm:PutParameter", **again).must_refuse("ParameterAlreadyExists", status=400)
    place.ask("ssm:PutParameter", **again, Overwrite=True).must_hold("Version", 2)
    place.settle()
    read = place.ask("ssm:GetParameter", Name=name)
    read.must_reply("Parameter.LastModifiedDate").must_hold("Parameter.Value", "second")
    place.ask("ssm:GetParameters", Names=[name, f"{name}/none"]).must_hold(
        "Parameters[].Value", "second"
    )


@check(
    "ssm:GetParametersByPath",
    source=f"{_MODEL} GetParametersByPathRequest.MaxResults, Recursive; NextToken",
    need=Need.OWN,
)
def parameters_under_a_path_come_in_pages(place: Place) -> None:
    names = [own_parameter(place, word, word) for word in ("one", "two")]
    own_parameter(place, "two/below", "below")
    place.settle()
    path = names[0].rpartition("/")[0]
    asked: dict[str, Any] = {"Path": path, "Recursive": False, "MaxResults": 1}
    found, token = [], ""
    for _ in range(5):
        page = place.glance(
            "ssm:GetParametersByPath", **asked, **({"NextToken": token} if token else {})
        ).must_reply("Parameters[].Name", "Parameters[].Value", "Parameters[].LastModifiedDate")
        found += [one["Name"] for one in page.at("Parameters")]
        token = (page.reply or {}).get("NextToken", "")
        if not token:
            break
    place.glance("ssm:GetParametersByPath", Path=path, Recursive=True).must_reply()
    if sorted(found) != names:
        Answer("ssm:GetParametersByPath", {"names": sorted(found)}).must_hold("names", names)


@check(
    "ssm:SendCommand",
    source=f"{_MODEL} SendCommand, errors: InvalidInstanceId, InvalidDocument",
    need=Need.OWN,
)
def a_command_to_nobody_or_of_no_document_is_refused(place: Place) -> None:
    instance = [place.made_up("i")]
    place.ask("ssm:SendCommand", DocumentName=place.name("none"), InstanceIds=instance).must_refuse(
        "InvalidDocument", status=400
    )


@check(
    "events:PutEvents",
    source=f"{_MODEL} PutEventsResponse: FailedEntryCount, ErrorCode; at most ten entries",
    need=Need.OWN,
    cost=EVENT_COST,
)
def each_event_is_taken_or_refused_by_itself(place: Place) -> None:
    entry = {"Source": SOURCE, "DetailType": "Checked", "Detail": json.dumps({"run": place.run})}
    place.ask("events:PutEvents", Entries=[entry]).must_hold("FailedEntryCount", 0)
    spoilt = [{**entry, "Detail": "{"}, {**entry, "Source": "aws.ec2"}, entry]
    answer = place.ask("events:PutEvents", Entries=spoilt)
    answer.must_hold("FailedEntryCount", 2).must_reply("Entries")
    place.ask("events:PutEvents", Entries=[entry] * 11).must_refuse(
        "ValidationException", status=400
    )


@check(
    "events:PutRule",
    "events:TestEventPattern",
    source=f"{_MODEL} PutRule, errors: InvalidEventPatternException",
    need=Need.OWN,
)
def a_rule_with_a_pattern_that_is_none_is_refused(place: Place) -> None:
    name = place.name("rule")
    pattern = {"source": ["aws.ec2"], "detail": {"event": ["createSnapshot"]}}
    spoilt = {"source": "aws.ec2"}
    place.ask("events:PutRule", Name=name, EventPattern=json.dumps(spoilt)).must_refuse(
        "InvalidEventPatternException", status=400
    )
    place.make(
        f"the rule {name} (disabled, without targets)",
        f"aws events delete-rule --name {name}",
        by("events:DeleteRule", Name=name),
        "events:PutRule",
        Name=name,
        EventPattern=json.dumps(pattern),
        State="DISABLED",
        Tags=place.tags,
    ).must_reply("RuleArn")
    event = {
        "id": "1",
        "account": place.account,
        "source": "aws.ec2",
        "time": "2026-01-01T00:00:00Z",
        "region": place.region,
        "resources": [],
        "detail-type": "EBS Snapshot Notification",
        "detail": {"event": "createSnapshot"},
    }
    place.ask(
        "events:TestEventPattern", EventPattern=json.dumps(pattern), Event=json.dumps(event)
    ).must_hold("Result", wanted=True)


@check(
    "lambda:Invoke",
    source=f"{_MODEL} Invoke, errors: ResourceNotFoundException (404)",
    need=Need.OWN,
)
def a_function_that_is_not_there_cannot_be_invoked(place: Place) -> None:
    for kind in ("RequestResponse", "Event"):
        place.ask(
            "lambda:Invoke", FunctionName=place.name("none"), InvocationType=kind
        ).must_refuse("ResourceNotFoundException", status=404)


@check(
    "elbv2:DescribeTargetHealth",
    source=f"{_MODEL} TargetHealth.Reason; that an id which is not registered is no error is not "
    "documented",
    need=Need.OWN,
    cost="nothing: a target group without a load balancer",
)
def an_instance_that_is_not_registered_is_unused(place: Place) -> None:
    _, vpc = place.subnet()
    name = place.name("targets")
    made = place.make(
        f"the target group {name}",
        "aws elbv2 delete-target-group --target-group-arn $(aws elbv2 describe-target-groups "
        f"--names {name} --query 'TargetGroups[0].TargetGroupArn' --output text)",
        lambda here: _no_target_group(here, name),
        "elbv2:CreateTargetGroup",
        Name=name,
        Protocol="HTTP",
        Port=80,
        VpcId=vpc,
        TargetType="instance",
        Tags=place.tags,
    ).must_reply("TargetGroups[].TargetGroupArn")
    arn = made.at("TargetGroups")[0]["TargetGroupArn"]
    place.ask("elbv2:DescribeTargetHealth", TargetGroupArn=arn).must_hold(
        "TargetHealthDescriptions", []
    )
    place.ask(
        "elbv2:DescribeTargetHealth", TargetGroupArn=arn, Targets=[{"Id": place.made_up("i")}]
    )


def _no_target_group(place: Place, name: str) -> None:
    for one in place.call("elbv2:DescribeTargetGroups", Names=[name])["TargetGroups"]:
        place.call("elbv2:DeleteTargetGroup", TargetGroupArn=one["TargetGroupArn"])


@check(
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:DescribeAlarms",
    source=f"{_MODEL} MetricAlarm: StateValue, TreatMissingData; an alarm begins in "
    "INSUFFICIENT_DATA",
    need=Need.OWN,
    cost="one alarm for some minutes: less than $0.001",
)
def an_alarm_begins_without_data(place: Place) -> None:
    name = place.name("alarm")
    place.make(
        f"the alarm {name} (without actions)",
        f"aws cloudwatch delete-alarms --alarm-names {name}",
        by("cloudwatch:DeleteAlarms", AlarmNames=[name]),
        "cloudwatch:PutMetricAlarm",
        AlarmName=name,
        Namespace=SOURCE,
        MetricName="Nothing",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        Tags=place.tags,
    )
    place.settle()
    kinds = ["MetricAlarm", "CompositeAlarm"]
    place.ask("cloudwatch:DescribeAlarms", AlarmNames=[name], AlarmTypes=kinds).must_hold(
        "MetricAlarms[].StateValue", "INSUFFICIENT_DATA"
    )


@check(
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:DescribeStacks",
    source="CloudFormation API reference; what `aws cloudformation deploy` calls",
    need=Need.OWN,
)
def a_stack_is_deployed_through_a_change_set(place: Place) -> None:
    name = place.name("stack")
    stack: dict[str, Any] = {"StackName": name}
    kind = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "checked"}}
    place.ask("cloudformation:DescribeStacks", **stack).must_refuse("ValidationError", status=400)
    place.make(
        f"the stack {name} (of one parameter)",
        f"aws cloudformation delete-stack --stack-name {name}",
        by("cloudformation:DeleteStack", **stack),
        "cloudformation:CreateChangeSet",
        **stack,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": {"Checked": kind}}),
    ).must_reply("Id", "StackId")
    ready = place.ask_until(
        lambda answer: answer.reply is not None and answer.at("Status") == "CREATE_COMPLETE",
        "cloudformation:DescribeChangeSet",
        **stack,
        ChangeSetName="first",
    )
    ready.must_reply("Changes[].ResourceChange.Action")
    place.ask("cloudformation:ExecuteChangeSet", **stack, ChangeSetName="first").must_reply()
    place.ask_until(
        lambda answer: (
            answer.reply is not None and answer.at("Stacks")[0]["StackStatus"] == "CREATE_COMPLETE"
        ),
        "cloudformation:DescribeStacks",
        **stack,
    ).must_reply("Stacks[].StackId")
