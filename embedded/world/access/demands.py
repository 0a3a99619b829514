"""What IAM asks of a role for each call that functions make: actions, resources, condition keys.

Source: the Service Authorization Reference, page of each service. A call that is not listed here
is refused loudly: nobody said yet what IAM judges it by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from embedded.world.access.launching import launch_demands
from embedded.world.access.policy import Demand
from embedded.world.access.resources import (
    group_arn,
    group_context,
    tagged_arn,
    tags_in_request,
    template_arn,
)
from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.faults import Call
    from embedded.world.world import World

_PREFIXES: Final = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}
"""Where IAM calls a service by another name than boto3."""
_TRANSACTED: Final = {
    "Put": "PutItem",
    "Delete": "DeleteItem",
    "Update": "UpdateItem",
    "ConditionCheck": "ConditionCheckItem",
}
"""A transaction takes the rights of what is in it; there is no action of its own."""
_NO_RESOURCE: Final[Mapping[str, tuple[str, ...]]] = {
    "autoscaling": ("Describe",),
    "cloudwatch": ("Describe", "List", "GetMetric", "PutMetricData"),
    "ec2": ("Describe",),
    "elbv2": ("Describe",),
    "ssm": ("DescribeParameters",),
}
"""Calls, by the beginning of their names, whose actions take no resource."""

Demands = Callable[["Call", "World"], Iterator[Demand]]


def takes_no_resource(call: Call) -> bool:
    """Whether the only thing that decides on a call is its action."""
    return call.operation.startswith(_NO_RESOURCE.get(call.service, ()))


def demands_of(call: Call, world: World) -> Iterator[Demand]:
    """All that a role must be allowed for a call to be made.

    Raises
    ------
    NotEmulatedError
        For a call that no function made so far.
    """
    if takes_no_resource(call):
        yield Demand(_action(call), "*", {})
        return
    found = _DEMANDS.get(f"{call.service}:{call.operation}") or _DEMANDS.get(call.service)
    if found is None:
        raise NotEmulatedError(f"what IAM judges {call.service}:{call.operation} by")
    yield from found(call, world)


def _action(call: Call) -> str:
    return f"{_PREFIXES.get(call.service, call.service)}:{call.operation}"


# -- EC2 -------------------------------------------------------------------------------------------


def _tagging(call: Call, world: World) -> Iterator[Demand]:
    context = tags_in_request(call.params.get("Tags", []))
    for resource in call.params["Resources"]:
        arn, tags = tagged_arn(resource, world)
        yield Demand(_action(call), arn, {**tags, **context})


def _template(call: Call, world: World) -> Iterator[Demand]:
    arn, tags = template_arn(call.params, world)
    yield Demand(_action(call), arn, tags)


def _snapshot_of_volume(call: Call, world: World) -> Iterator[Demand]:
    volume, tags = tagged_arn(call.params["VolumeId"], world)
    made = f"arn:aws:ec2:{world.region}::snapshot/*"
    asked = [
        tag
        for specification in call.params.get("TagSpecifications", [])
        for tag in specification.get("Tags", [])
    ]
    context = tags_in_request(asked)
    yield Demand(_action(call), volume, tags)
    yield Demand(_action(call), made, context)
    if asked:
        yield Demand("ec2:CreateTags", made, {**context, "ec2:createaction": call.operation})


def _snapshot(call: Call, world: World) -> Iterator[Demand]:
    arn, tags = tagged_arn(call.params["SnapshotId"], world)
    yield Demand(_action(call), arn, tags)


# -- Auto Scaling ----------------------------------------------------------------------------------


def _group(call: Call, world: World) -> Iterator[Demand]:
    name = call.params["AutoScalingGroupName"]
    yield Demand(_action(call), group_arn(name, world), group_context(name, world))
    yield from launch_demands(call.params, name, world)


# -- everything else -------------------------------------------------------------------------------


def _table(call: Call, world: World) -> Iterator[Demand]:
    if call.operation == "TransactWriteItems":
        for item in call.params["TransactItems"]:
            for kind, write in item.items():
                arn = world.arn("dynamodb", f"table/{write['TableName']}")
                yield Demand(f"dynamodb:{_TRANSACTED[kind]}", arn, {})
        return
    named = call.params.get("RequestItems") or {call.params.get("TableName"): None}
    for table in named:
        arn = world.arn("dynamodb", f"table/{table}")
        index = call.params.get("IndexName")
        yield Demand(_action(call), f"{arn}/index/{index}" if index else arn, {})


def _bus(call: Call, world: World) -> Iterator[Demand]:
    for entry in call.params["Entries"]:
        name = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
        # Each entry is judged by itself (EventBridge user guide, "Using IAM policy conditions").
        context = {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]}
        yield Demand(_action(call), world.arn("events", f"event-bus/{name}"), context)


def _execution(call: Call, _: World) -> Iterator[Demand]:
    yield Demand(_action(call), call.params["executionArn"], {})


def _machine(call: Call, _: World) -> Iterator[Demand]:
    yield Demand(_action(call), call.params["stateMachineArn"], {})


def _token(call: Call, world: World) -> Iterator[Demand]:
    # The resource is the machine whose task waits (developer guide, "Wait for a callback").
    try:
        machine = world.states.machine_of_token(call.params["taskToken"])
    except AwsError:
        # A token that is over belongs to no task any more: the call itself will say so.
        return
    yield Demand(_action(call), machine, {})


def _parameter(call: Call, world: World) -> Iterator[Demand]:
    params = call.params
    names = params.get("Names") or [params.get("Name") or params["Path"]]
    for name in names:
        yield Demand(_action(call), world.ssm.arn_of(name.split(":")[0].rstrip("/")), {})


def _command(call: Call, world: World) -> Iterator[Demand]:
    if call.operation == "GetCommandInvocation":
        yield Demand(_action(call), "*", {})
        return
    document = call.params["DocumentName"]
    # Documents of AWS carry no account.
    own = "" if document.startswith("AWS-") else world.account
    yield Demand(_action(call), f"arn:aws:ssm:{world.region}:{own}:document/{document}", {})
    for instance in call.params.get("InstanceIds", []):
        arn, tags = tagged_arn(instance, world)
        ssm_tags = {key.replace("aws:resourcetag", "ssm:resourcetag"): tags[key] for key in tags}
        yield Demand(_action(call), arn, {**tags, **ssm_tags})


def _key(call: Call, world: World) -> Iterator[Demand]:
    yield Demand(_action(call), world.kms.arn_of(call.params["KeyId"]), {})


def _function(call: Call, world: World) -> Iterator[Demand]:
    name = call.params["FunctionName"]
    arn = name if name.startswith("arn:") else world.arn("lambda", f"function:{name}")
    action = "InvokeFunction" if call.operation == "Invoke" else call.operation
    yield Demand(f"lambda:{action}", arn, {})


def _topic(call: Call, _: World) -> Iterator[Demand]:
    yield Demand(_action(call), call.params["TopicArn"], {})


_DEMANDS: Final[dict[str, Demands]] = {
    "ec2:CreateTags": _tagging,
    "ec2:DeleteTags": _tagging,
    "ec2:CreateLaunchTemplateVersion": _template,
    "ec2:DeleteLaunchTemplateVersions": _template,
    "ec2:ModifyLaunchTemplate": _template,
    "ec2:CreateSnapshot": _snapshot_of_volume,
    "ec2:DeleteSnapshot": _snapshot,
    "autoscaling:StartInstanceRefresh": _group,
    "autoscaling:RollbackInstanceRefresh": _group,
    "autoscaling:CancelInstanceRefresh": _group,
    "autoscaling:SetInstanceProtection": _group,
    "autoscaling:UpdateAutoScalingGroup": _group,
    "dynamodb": _table,
    "events:PutEvents": _bus,
    "stepfunctions:StartExecution": _machine,
    "stepfunctions:ListExecutions": _machine,
    "stepfunctions:DescribeExecution": _execution,
    "stepfunctions:GetExecutionHistory": _execution,
    "stepfunctions:StopExecution": _execution,
    "stepfunctions:SendTaskSuccess": _token,
    "stepfunctions:SendTaskFailure": _token,
    "stepfunctions:SendTaskHeartbeat": _token,
    "ssm:GetParameter": _parameter,
    "ssm:GetParameters": _parameter,
    "ssm:GetParametersByPath": _parameter,
    "ssm:PutParameter": _parameter,
    "ssm:DeleteParameter": _parameter,
    "ssm:SendCommand": _command,
    "ssm:GetCommandInvocation": _command,
    "kms:DescribeKey": _key,
    "kms:ListGrants": _key,
    "kms:GetKeyPolicy": _key,
    "lambda": _function,
    "sns:Publish": _topic,
}
"""By service and operation, or by a service whose operations are all alike."""
