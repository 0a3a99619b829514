"""What Auto Scaling's dry run of RunInstances asks of whoever changes a group's configuration.

Sources: Auto Scaling user guide, "Launch template permissions" (creating or updating a group with
a launch template and starting an instance refresh with a desired configuration make the dry run
with the caller's credentials); Service Authorization Reference, "Amazon EC2", RunInstances; EC2
user guide, "Control access to launching instances".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from embedded.world.access.policy import Demand
from embedded.world.access.resources import ec2_arn, tags_in_request, template_arn
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.world import World

_MADE = ("instance", "volume", "network-interface")
"""What a launch makes anew: the resource has no id yet."""


def launch_demands(params: Mapping[str, Any], group: str, world: World) -> Iterator[Demand]:
    """What a request needs besides its own action, for each template that it would launch."""
    asked = params.get("DesiredConfiguration", params)
    named = list(_specifications(asked))
    for specification in named:
        yield from _run_instances(specification, group, world)


def _specifications(asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "LaunchTemplate" in asked:
        yield asked["LaunchTemplate"]
    mixed = asked.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    if "LaunchTemplateSpecification" in mixed:
        yield mixed["LaunchTemplateSpecification"]
    for override in mixed.get("Overrides", []):
        if "LaunchTemplateSpecification" in override:
            yield override["LaunchTemplateSpecification"]


def _run_instances(specification: Mapping[str, Any], group: str, world: World) -> Iterator[Demand]:
    arn, tags = template_arn(specification, world)
    through = {"ec2:launchtemplate": arn}
    yield Demand("ec2:RunInstances", arn, {**tags, **through})
    data = _data(specification, world)
    if data is None:
        return
    own = {**through, "ec2:islaunchtemplateresource": "true"}
    other = {**through, "ec2:islaunchtemplateresource": "false"}
    for kind, name in _named(data):
        yield Demand("ec2:RunInstances", ec2_arn(world, kind, name), own)
    for kind in _MADE:
        yield Demand("ec2:RunInstances", ec2_arn(world, kind, "*"), own)
    for subnet in _subnets(group, world):
        # The group chooses the subnet, not the template.
        yield Demand("ec2:RunInstances", ec2_arn(world, "subnet", subnet), other)
    for tagging in data.get("TagSpecifications", []):
        context = tags_in_request(tagging.get("Tags", []))
        resource = ec2_arn(world, tagging["ResourceType"], "*")
        yield Demand("ec2:CreateTags", resource, {**context, "ec2:createaction": "RunInstances"})
    if "IamInstanceProfile" in data:
        role = world.access.role_of_profile(data["IamInstanceProfile"])
        yield Demand("iam:PassRole", role, {"iam:passedtoservice": "ec2.amazonaws.com"})


def _data(specification: Mapping[str, Any], world: World) -> Mapping[str, Any] | None:
    named = specification.get("LaunchTemplateId") or specification["LaunchTemplateName"]
    try:
        template = world.ec2.template(named)
        number = template.number_of(specification.get("Version", "$Default"))
        data: Mapping[str, Any] = template.version(number).data
    except AwsError:
        # The call itself will say so.
        return None
    return data


def _named(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Resources that the template itself names, by type and name."""
    if "ImageId" in data:
        yield "image", data["ImageId"]
    groups = set(data.get("SecurityGroupIds", []))
    for interface in data.get("NetworkInterfaces", []):
        groups |= set(interface.get("Groups", []))
    for name in sorted(groups) or ["*"]:
        yield "security-group", name
    if "KeyName" in data:
        yield "key-pair", data["KeyName"]
    for device in data.get("BlockDeviceMappings", []):
        snapshot = device.get("Ebs", {}).get("SnapshotId")
        if snapshot:
            yield "snapshot", snapshot


def _subnets(group: str, world: World) -> list[str]:
    found = world.autoscaling.groups.get(group)
    return found.subnets.split(",") if found and found.subnets else ["*"]
