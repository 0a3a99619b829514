"""Groups, launch templates, load balancers, target groups, alarms.

Properties go to the API under its own names, so what is supported is what the API's input has;
what the world does not model of it, the world refuses.
"""

from __future__ import annotations

from typing import Any, Final

from embedded.deploy.site import Kind, Made, Site, place, renamed, without

ASG_MEMBERS: Final = frozenset({
    "AutoScalingGroupName", "CapacityRebalance", "Cooldown", "DefaultInstanceWarmup",
    "DesiredCapacity", "HealthCheckGracePeriod", "HealthCheckType", "InstanceMaintenancePolicy",
    "LaunchTemplate", "MaxInstanceLifetime", "MaxSize", "MinSize", "MixedInstancesPolicy",
    "NewInstancesProtectedFromScaleIn", "ServiceLinkedRoleARN", "Tags", "TargetGroupARNs",
    "TerminationPolicies", "VPCZoneIdentifier",
})  # fmt: skip
TARGET_GROUP_NAME_LENGTH: Final = 32


def _launch_template(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("LaunchTemplateName", site.name(logical_id, longest=128))
    reply = site.call("ec2", "CreateLaunchTemplate", params, place(logical_id))
    template = reply["LaunchTemplate"]
    return Made(
        template["LaunchTemplateId"],
        {
            "LaunchTemplateId": template["LaunchTemplateId"],
            "LatestVersionNumber": str(template["LatestVersionNumber"]),
            "DefaultVersionNumber": str(template["DefaultVersionNumber"]),
        },
    )


def _group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = renamed(properties, {"Cooldown": "DefaultCooldown"})
    params.setdefault("AutoScalingGroupName", site.name(logical_id, longest=255))
    if "VPCZoneIdentifier" in params:
        params["VPCZoneIdentifier"] = ",".join(params["VPCZoneIdentifier"])
    if zones := params.pop("AvailabilityZones", None):
        params["AvailabilityZones"] = zones
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


def _listener(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    made = site.call("elbv2", "CreateListener", properties, place(logical_id))["Listeners"][0]
    return Made(made["ListenerArn"], {"ListenerArn": made["ListenerArn"]})


def _alarm(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("AlarmName", site.name(logical_id, longest=255))
    site.call("cloudwatch", "PutMetricAlarm", params, place(logical_id))
    name = params["AlarmName"]
    return Made(name, {"Arn": site.world.arn("cloudwatch", f"alarm:{name}")})


KINDS: Final[dict[str, Kind]] = {
    "AWS::EC2::LaunchTemplate": Kind(
        _launch_template,
        frozenset({
            "LaunchTemplateData", "LaunchTemplateName", "TagSpecifications", "VersionDescription",
        }),
    ),
    "AWS::AutoScaling::AutoScalingGroup": Kind(_group, ASG_MEMBERS | {"AvailabilityZones"}),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Kind(
        _target_group,
        frozenset({
            "HealthCheckEnabled", "HealthCheckIntervalSeconds", "HealthCheckPath",
            "HealthCheckPort", "HealthCheckProtocol", "HealthCheckTimeoutSeconds",
            "HealthyThresholdCount", "IpAddressType", "Matcher", "Name", "Port", "Protocol",
            "ProtocolVersion", "Tags", "TargetGroupAttributes", "TargetType",
            "UnhealthyThresholdCount", "VpcId",
        }),
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Kind(
        _load_balancer,
        frozenset({
            "IpAddressType", "LoadBalancerAttributes", "Name", "Scheme", "SecurityGroups",
            "Subnets", "Tags", "Type",
        }),
    ),
    "AWS::ElasticLoadBalancingV2::Listener": Kind(
        _listener,
        frozenset({
            "AlpnPolicy", "Certificates", "DefaultActions", "LoadBalancerArn", "Port", "Protocol",
            "SslPolicy",
        }),
    ),
    "AWS::CloudWatch::Alarm": Kind(
        _alarm,
        frozenset({
            "ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName",
            "ComparisonOperator", "DatapointsToAlarm", "Dimensions", "EvaluationPeriods",
            "ExtendedStatistic", "InsufficientDataActions", "MetricName", "Metrics", "Namespace",
            "OKActions", "Period", "Statistic", "Tags", "Threshold", "TreatMissingData", "Unit",
        }),
    ),
}  # fmt: skip
