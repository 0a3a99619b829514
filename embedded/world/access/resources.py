"""Resources as IAM sees them: their ARNs, and the condition keys that their tags give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.world import World

_TYPES = {"snap": "snapshot", "lt": "launch-template", "i": "instance", "vol": "volume"}
"""The resource type in the ARN, by the prefix of the id."""


def tags_of(tags: Mapping[str, str]) -> dict[str, str]:
    """The keys ``aws:ResourceTag/<key>``; tag keys in conditions are compared without case."""
    return {f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}


def tags_in_request(tags: Iterable[Mapping[str, Any]]) -> dict[str, str | frozenset[str]]:
    """The keys ``aws:TagKeys`` and ``aws:RequestTag/<key>``; none for a request without tags."""
    given = {tag["Key"]: str(tag.get("Value", "")) for tag in tags}
    if not given:
        return {}
    context: dict[str, str | frozenset[str]] = {
        f"aws:requesttag/{key.lower()}": value for key, value in given.items()
    }
    context["aws:tagkeys"] = frozenset(given)
    return context


def ec2_arn(world: World, kind: str, name: str) -> str:
    """An EC2 resource's ARN; snapshots and images carry no account."""
    account = "" if kind in ("snapshot", "image") else world.account
    return f"arn:aws:ec2:{world.region}:{account}:{kind}/{name}"


def tagged_arn(resource_id: str, world: World) -> tuple[str, dict[str, str]]:
    """The ARN of an EC2 resource that can be tagged, and its tags' condition keys.

    One that is not there has no tags: conditions on them fail, as they do on AWS.
    """
    kind = _TYPES[resource_id.split("-", 1)[0]]
    try:
        tags = world.ec2.tags_of(resource_id)
    except AwsError:
        tags = {}
    return ec2_arn(world, kind, resource_id), tags_of(tags)


def template_arn(params: Mapping[str, Any], world: World) -> tuple[str, dict[str, str]]:
    """The launch template that a request names by id or by name, and its tags' condition keys."""
    named = params.get("LaunchTemplateId") or params["LaunchTemplateName"]
    try:
        template = world.ec2.template(named)
    except AwsError:
        return ec2_arn(world, "launch-template", named), {}
    return ec2_arn(world, "launch-template", template.id), tags_of(template.tags)


def group_arn(name: str, world: World) -> str:
    """An Auto Scaling group's ARN; the identifier of one that is not there is unknown."""
    group = world.autoscaling.groups.get(name)
    if group is not None:
        return group.arn
    return world.arn("autoscaling", f"autoScalingGroup:unknown:autoScalingGroupName/{name}")


def group_context(name: str, world: World) -> dict[str, str]:
    """The condition keys that a group's tags give."""
    group = world.autoscaling.groups.get(name)
    return tags_of({key: tag.value for key, tag in group.tags.items()}) if group else {}
