"""The operations on what hangs on groups: tags and scaling policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.autoscaling.group_operations import put_tag
from embedded.world.autoscaling.groups import Group, Tag
from embedded.world.autoscaling.requests import invalid, page, paged
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.autoscaling.registry import Registry
    from embedded.world.world import World


class AttachmentOperations(Service):
    """Tags and scaling policies of groups."""

    name = "autoscaling"

    def __init__(self, world: World, registry: Registry) -> None:
        super().__init__(world)
        self._registry = registry

    # -- tags --------------------------------------------------------------------------------------

    @operation("CreateOrUpdateTags")
    def create_or_update_tags(self, params: Params) -> Reply:
        """Set tags; instances that run already do not get them."""
        for tag in params["Tags"]:
            put_tag(self._tagged(tag), tag)
        return {}

    @operation("DeleteTags")
    def delete_tags(self, params: Params) -> Reply:
        """Remove tags; one that is not there is no error."""
        for tag in params["Tags"]:
            self._tagged(tag).tags.pop(tag["Key"], None)
        return {}

    @operation("DescribeTags")
    def describe_tags(self, params: Params) -> Reply:
        """Tags that meet every filter."""
        chosen = [
            (group, tag)
            for _, group in sorted(self._registry.groups.items())
            for tag in group.tags.values()
            if all(_meets(group, tag, condition) for condition in params.get("Filters", []))
        ]
        found, token = page(chosen, params, default=50)
        return paged("Tags", [tag.describe(group.name) for group, tag in found], token)

    def _tagged(self, tag: Params) -> Group:
        if tag.get("ResourceType", "auto-scaling-group") != "auto-scaling-group":
            raise invalid("ResourceType must be auto-scaling-group.")
        if "ResourceId" not in tag:
            raise invalid("ResourceId must be the name of an Auto Scaling group.")
        return self._registry.changeable(tag["ResourceId"])

    # -- policies ----------------------------------------------------------------------------------

    @operation("PutScalingPolicy")
    def put_scaling_policy(self, params: Params) -> Reply:
        """Keep a scaling policy. It never scales, and makes no alarms: load is not modelled."""
        group = self._registry.changeable(params["AutoScalingGroupName"])
        key = (group.name, params["PolicyName"])
        known = self._registry.policies.get(key)
        arn = (
            known["PolicyARN"]
            if known
            else self.world.arn(
                "autoscaling",
                f"scalingPolicy:{self.world.new_uuid()}:autoScalingGroupName/{group.name}:"
                f"policyName/{params['PolicyName']}",
            )
        )
        policy = {"PolicyType": "SimpleScaling", "Enabled": True, "Alarms": [], **copied(params)}
        self._registry.policies[key] = {**policy, "PolicyARN": arn}
        return {"PolicyARN": arn, "Alarms": []}

    @operation("DeletePolicy")
    def delete_policy(self, params: Params) -> Reply:
        """Forget a scaling policy, named with its group or by its ARN."""
        for key, policy in list(self._registry.policies.items()):
            by_name = key == (params.get("AutoScalingGroupName"), params["PolicyName"])
            if by_name or policy["PolicyARN"] == params["PolicyName"]:
                del self._registry.policies[key]
                return {}
        raise invalid(f"Policy not found: {params['PolicyName']}")

    @operation("DescribePolicies")
    def describe_policies(self, params: Params) -> Reply:
        """Scaling policies by group, name or type."""
        name, types = params.get("AutoScalingGroupName"), params.get("PolicyTypes")
        names = params.get("PolicyNames")
        chosen = [
            policy
            for (group_name, policy_name), policy in sorted(self._registry.policies.items())
            if (name is None or group_name == name)
            and (not names or policy_name in names or policy["PolicyARN"] in names)
            and (not types or policy["PolicyType"] in types)
        ]
        found, token = page(chosen, params, default=50)
        return paged("ScalingPolicies", [copied(policy) for policy in found], token)


def _meets(group: Group, tag: Tag, condition: Params) -> bool:
    name, values = condition.get("Name", ""), condition.get("Values", [])
    read = {
        "auto-scaling-group": group.name,
        "key": tag.key,
        "value": tag.value,
        "propagate-at-launch": "true" if tag.propagate else "false",
    }
    if name not in read:
        raise NotEmulatedError(f"the filter {name!r} of autoscaling:DescribeTags")
    return read[name] in values
