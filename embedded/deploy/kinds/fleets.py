"""Groups, launch templates, load balancers, target groups, alarms.

Properties go to the API under its own names, so what is supported is what the API's input has;
what the world does not model of it, the world refuses.
"""

from __future__ import annotations

from typing import Any, Final

from embedded.deploy.errors import DeploymentError
from embedded.deploy.shapes import as_text
from embedded.deploy.site import Change, Kind, Made, Site, place, renamed, without
from embedded.deploy.stack import Resource

ASG_MEMBERS: Final = frozenset({
    "AutoScalingGroupName", "CapacityRebalance", "Cooldown", "DefaultInstanceWarmup",
    "DesiredCapacity", "HealthCheckGracePeriod", "HealthCheckType", "InstanceMaintenancePolicy",
    "LaunchTemplate", "MaxInstanceLifetime", "MaxSize", "MinSize", "MixedInstancesPolicy",
    "NewInstancesProtectedFromScaleIn", "ServiceLinkedRoleARN", "Tags", "TargetGroupARNs",
    "TerminationPolicies", "VPCZoneIdentifier",
})  # fmt: skip
TARGET_GROUP_NAME_LENGTH: Final = 32
ROLLING: Final = ("AutoScalingRollingUpdate", "AutoScalingReplacingUpdate")
"""Update policies with which CloudFormation replaces instances itself."""
REPLACING_INSTANCES: Final = frozenset({
    "LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier", "AvailabilityZones",
})  # fmt: skip
SIZES: Final = frozenset({"DesiredCapacity", "MaxSize", "MinSize"})


def _launch_template(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("LaunchTemplateName", site.name(logical_id, longest=128))
    reply = site.call("ec2", "CreateLaunchTemplate", params, place(logical_id))
    template = reply["LaunchTemplate"]
    return Made(template["LaunchTemplateId"], _template_attributes(template))


def _template_attributes(template: dict[str, Any]) -> dict[str, str]:
    return {
        "LaunchTemplateId": template["LaunchTemplateId"],
        "LatestVersionNumber": str(template["LatestVersionNumber"]),
        "DefaultVersionNumber": str(template["DefaultVersionNumber"]),
    }


def _read_launch_template(site: Site, resource: Resource) -> dict[str, str]:
    """Look up the newest version, which others may have made.

    CloudFormation's reference does not say whether LatestVersionNumber is what it was when the
    stack last made a version or what it is now; now is the harsher answer for who rolls fleets.
    """
    described = site.call(
        "ec2",
        "DescribeLaunchTemplates",
        {"LaunchTemplateIds": [resource.physical_id]},
        place(resource.logical_id),
    )
    return _template_attributes(described["LaunchTemplates"][0])


def _update_launch_template(site: Site, change: Change) -> Made:
    """Make a new version of nothing but what the template says; the default stays where it is.

    Template reference, AWS::EC2::LaunchTemplate: a change of LaunchTemplateData makes a new
    version.
    """
    where = place(change.logical_id)
    params = {
        "LaunchTemplateId": change.before.physical_id,
        **without(change.properties, "LaunchTemplateName", "TagSpecifications"),
    }
    site.call("ec2", "CreateLaunchTemplateVersion", params, where)
    return Made(change.before.physical_id, _read_launch_template(site, change.before))


def _remove_launch_template(site: Site, resource: Resource) -> bool:
    params = {"LaunchTemplateId": resource.physical_id}
    site.call("ec2", "DeleteLaunchTemplate", params, place(resource.logical_id))
    return True


def _group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = _group_params(properties)
    params.setdefault("AutoScalingGroupName", site.name(logical_id, longest=255))
    site.call("autoscaling", "CreateAutoScalingGroup", params, place(logical_id))
    name = params["AutoScalingGroupName"]
    described = site.call(
        "autoscaling",
        "DescribeAutoScalingGroups",
        {"AutoScalingGroupNames": [name]},
        place(logical_id),
    )
    arn = described["AutoScalingGroups"][0]["AutoScalingGroupARN"]
    return Made(name, {"AutoScalingGroupARN": arn})


def _group_params(properties: dict[str, Any]) -> dict[str, Any]:
    params = renamed(properties, {"Cooldown": "DefaultCooldown"})
    if "VPCZoneIdentifier" in params:
        params["VPCZoneIdentifier"] = ",".join(params["VPCZoneIdentifier"])
    return params


def _update_group(site: Site, change: Change) -> Made:
    """Write every property again, not just those that changed.

    CloudFormation hands the whole desired state to the resource type, so what others changed in
    the meantime is written over: the launch template version of a rolled fleet too.
    """
    where = place(change.logical_id)
    if any(name in change.policy for name in ROLLING) and change.changed & REPLACING_INSTANCES:
        raise DeploymentError(where, "its UpdatePolicy replaces instances; that is not supported")
    params = _group_params(change.properties)
    scheduled = change.policy.get("AutoScalingScheduledAction", {})
    if as_text(scheduled.get("IgnoreUnmodifiedGroupSizeProperties", False), where) == "true":
        params = without(params, *(SIZES - change.changed))
    name = change.before.physical_id
    tags, arns = params.pop("Tags", []), params.pop("TargetGroupARNs", [])
    if arns != change.before.properties.get("TargetGroupARNs", []):
        raise DeploymentError(f"{where}.TargetGroupARNs", "this cannot be changed here")
    site.call(
        "autoscaling", "UpdateAutoScalingGroup", params | {"AutoScalingGroupName": name}, where
    )
    if "Tags" in change.changed:
        _retag_group(site, name, tags, change)
    return Made(name, change.before.attributes)


def _retag_group(site: Site, name: str, tags: list[dict[str, Any]], change: Change) -> None:
    where = place(change.logical_id)
    owner = {"ResourceId": name, "ResourceType": "auto-scaling-group"}
    kept = {tag["Key"] for tag in tags}
    old = [tag for tag in change.before.properties.get("Tags", []) if tag["Key"] not in kept]
    if old:
        gone = [owner | {"Key": tag["Key"]} for tag in old]
        site.call("autoscaling", "DeleteTags", {"Tags": gone}, where)
    if tags:
        given = [owner | tag for tag in tags]
        site.call("autoscaling", "CreateOrUpdateTags", {"Tags": given}, where)


def _remove_group(site: Site, resource: Resource) -> bool:
    """Take a group down to nothing, wait, and delete it."""
    where = place(resource.logical_id)
    name = {"AutoScalingGroupName": resource.physical_id}
    described = site.call(
        "autoscaling",
        "DescribeAutoScalingGroups",
        {"AutoScalingGroupNames": [resource.physical_id]},
        where,
    )
    groups = described["AutoScalingGroups"]
    if not groups:
        return True
    if groups[0]["DesiredCapacity"] or groups[0]["MinSize"]:
        nothing = {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0}
        site.call("autoscaling", "UpdateAutoScalingGroup", name | nothing, where)
        return False
    if groups[0]["Instances"]:
        return False
    site.call("autoscaling", "DeleteAutoScalingGroup", name, where)
    return True


def _target_group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    params = without(properties, "TargetGroupAttributes")
    params.setdefault("Name", site.name(logical_id, longest=TARGET_GROUP_NAME_LENGTH))
    made = site.call("elbv2", "CreateTargetGroup", params, where)["TargetGroups"][0]
    arn = made["TargetGroupArn"]
    if attributes := properties.get("TargetGroupAttributes"):
        site.call(
            "elbv2",
            "ModifyTargetGroupAttributes",
            {"TargetGroupArn": arn, "Attributes": attributes},
            where,
        )
    return Made(
        arn,
        {
            "TargetGroupArn": arn,
            "TargetGroupFullName": arn.rsplit(":", 1)[-1],
            "TargetGroupName": params["Name"],
        },
    )


def _update_target_group(site: Site, change: Change) -> Made:
    where = place(change.logical_id)
    arn = {"TargetGroupArn": change.before.physical_id}
    checks = {
        name: value
        for name, value in change.properties.items()
        if name.startswith(("HealthCheck", "Healthy", "Unhealthy")) or name == "Matcher"
    }
    site.call("elbv2", "ModifyTargetGroup", arn | checks, where)
    if attributes := change.properties.get("TargetGroupAttributes"):
        site.call("elbv2", "ModifyTargetGroupAttributes", arn | {"Attributes": attributes}, where)
    _retag(site, change)
    return Made(change.before.physical_id, change.before.attributes)


def _retag(site: Site, change: Change) -> None:
    if "Tags" not in change.changed:
        return
    where = place(change.logical_id)
    arns = {"ResourceArns": [change.before.physical_id]}
    if old := change.before.properties.get("Tags"):
        site.call("elbv2", "RemoveTags", arns | {"TagKeys": [tag["Key"] for tag in old]}, where)
    if tags := change.properties.get("Tags"):
        site.call("elbv2", "AddTags", arns | {"Tags": tags}, where)


def _remove_target_group(site: Site, resource: Resource) -> bool:
    params = {"TargetGroupArn": resource.physical_id}
    site.call("elbv2", "DeleteTargetGroup", params, place(resource.logical_id))
    return True


def _load_balancer(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    params = without(properties, "LoadBalancerAttributes")
    params.setdefault("Name", site.name(logical_id, longest=TARGET_GROUP_NAME_LENGTH))
    made = site.call("elbv2", "CreateLoadBalancer", params, where)["LoadBalancers"][0]
    arn = made["LoadBalancerArn"]
    if attributes := properties.get("LoadBalancerAttributes"):
        site.call(
            "elbv2",
            "ModifyLoadBalancerAttributes",
            {"LoadBalancerArn": arn, "Attributes": attributes},
            where,
        )
    return Made(
        arn,
        {
            "LoadBalancerArn": arn,
            "LoadBalancerFullName": arn.split("loadbalancer/", 1)[-1],
            "LoadBalancerName": params["Name"],
            "DNSName": made.get("DNSName", ""),
            "CanonicalHostedZoneID": made.get("CanonicalHostedZoneId", ""),
        },
    )


def _update_load_balancer(site: Site, change: Change) -> Made:
    attributes = change.properties.get("LoadBalancerAttributes", [])
    if attributes and "LoadBalancerAttributes" in change.changed:
        site.call(
            "elbv2",
            "ModifyLoadBalancerAttributes",
            {"LoadBalancerArn": change.before.physical_id, "Attributes": attributes},
            place(change.logical_id),
        )
    _retag(site, change)
    return Made(change.before.physical_id, change.before.attributes)


def _remove_load_balancer(site: Site, resource: Resource) -> bool:
    params = {"LoadBalancerArn": resource.physical_id}
    site.call("elbv2", "DeleteLoadBalancer", params, place(resource.logical_id))
    return True


def _remove_listener(site: Site, resource: Resource) -> bool:
    params = {"ListenerArn": resource.physical_id}
    site.call("elbv2", "DeleteListener", params, place(resource.logical_id))
    return True


def _listener(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    made = site.call("elbv2", "CreateListener", properties, place(logical_id))["Listeners"][0]
    return Made(made["ListenerArn"], {"ListenerArn": made["ListenerArn"]})


def _alarm(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("AlarmName", site.name(logical_id, longest=255))
    site.call("cloudwatch", "PutMetricAlarm", params, place(logical_id))
    name = params["AlarmName"]
    return Made(name, {"Arn": site.world.arn("cloudwatch", f"alarm:{name}")})


def _update_alarm(site: Site, change: Change) -> Made:
    params = without(change.properties, "Tags") | {"AlarmName": change.before.physical_id}
    site.call("cloudwatch", "PutMetricAlarm", params, place(change.logical_id))
    return Made(change.before.physical_id, change.before.attributes)


def _remove_alarm(site: Site, resource: Resource) -> bool:
    params = {"AlarmNames": [resource.physical_id]}
    site.call("cloudwatch", "DeleteAlarms", params, place(resource.logical_id))
    return True


def _scaling_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("PolicyName", site.name(logical_id, longest=255))
    arn = site.call("autoscaling", "PutScalingPolicy", params, place(logical_id))["PolicyARN"]
    return Made(arn, {"Arn": arn, "PolicyName": params["PolicyName"]})


def _remove_scaling_policy(site: Site, resource: Resource) -> bool:
    params = {"PolicyName": resource.physical_id}
    site.call("autoscaling", "DeletePolicy", params, place(resource.logical_id))
    return True


KINDS: Final[dict[str, Kind]] = {
    "AWS::EC2::LaunchTemplate": Kind(
        _launch_template,
        frozenset({
            "LaunchTemplateData", "LaunchTemplateName", "TagSpecifications", "VersionDescription",
        }),
        remove=_remove_launch_template,
        update=_update_launch_template,
        replacing=frozenset({"LaunchTemplateName", "TagSpecifications"}),
        name_property="LaunchTemplateName",
        read=_read_launch_template,
    ),
    "AWS::AutoScaling::AutoScalingGroup": Kind(
        _group,
        ASG_MEMBERS | {"AvailabilityZones"},
        remove=_remove_group,
        update=_update_group,
        replacing=frozenset({"AutoScalingGroupName"}),
        name_property="AutoScalingGroupName",
    ),
    "AWS::AutoScaling::ScalingPolicy": Kind(
        _scaling_policy,
        frozenset({
            "AdjustmentType", "AutoScalingGroupName", "Cooldown", "EstimatedInstanceWarmup",
            "MetricAggregationType", "MinAdjustmentMagnitude", "PolicyType",
            "PredictiveScalingConfiguration", "ScalingAdjustment", "StepAdjustments",
            "TargetTrackingConfiguration",
        }),
        remove=_remove_scaling_policy,
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Kind(
        _target_group,
        frozenset({
            "HealthCheckEnabled", "HealthCheckIntervalSeconds", "HealthCheckPath",
            "HealthCheckPort", "HealthCheckProtocol", "HealthCheckTimeoutSeconds",
            "HealthyThresholdCount", "IpAddressType", "Matcher", "Name", "Port", "Protocol",
            "ProtocolVersion", "Tags", "TargetGroupAttributes", "TargetType",
            "UnhealthyThresholdCount", "VpcId",
        }),
        remove=_remove_target_group,
        update=_update_target_group,
        replacing=frozenset({
            "IpAddressType", "Name", "Port", "Protocol", "ProtocolVersion", "TargetType", "VpcId",
        }),
        name_property="Name",
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Kind(
        _load_balancer,
        frozenset({
            "IpAddressType", "LoadBalancerAttributes", "Name", "Scheme", "SecurityGroups",
            "Subnets", "Tags", "Type",
        }),
        remove=_remove_load_balancer,
        update=_update_load_balancer,
        # AWS changes subnets, security groups and the address type in place; the world cannot.
        replacing=frozenset({
            "IpAddressType", "Name", "Scheme", "SecurityGroups", "Subnets", "Type",
        }),
        name_property="Name",
    ),
    "AWS::ElasticLoadBalancingV2::Listener": Kind(
        _listener,
        frozenset({
            "AlpnPolicy", "Certificates", "DefaultActions", "LoadBalancerArn", "Port", "Protocol",
            "SslPolicy",
        }),
        remove=_remove_listener,
    ),
    "AWS::CloudWatch::Alarm": Kind(
        _alarm,
        frozenset({
            "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName",
            "ComparisonOperator", "DatapointsToAlarm", "Dimensions", "EvaluationPeriods",
            "ExtendedStatistic", "InsufficientDataActions", "MetricName", "Metrics", "Namespace",
            "OKActions", "Period", "Statistic", "Tags", "Threshold", "TreatMissingData", "Unit",
        }),
        remove=_remove_alarm,
        update=_update_alarm,
        replacing=frozenset({"AlarmName", "Tags"}),
        name_property="AlarmName",
    ),
}  # fmt: skip
