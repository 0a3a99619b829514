"""Load balancers and listeners as the world holds them, and the limits on their settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded.world.elbv2.targets import HealthCheck
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply

RANGES = {
    "HealthCheckIntervalSeconds": (5, 300),
    "HealthCheckTimeoutSeconds": (2, 120),
    "HealthyThresholdCount": (2, 10),
    "UnhealthyThresholdCount": (2, 10),
    "Port": (1, 65_535),
}
"""botocore, elbv2 CreateTargetGroup; botocore itself checks no upper bounds."""
BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "deletion_protection.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http2.enabled": "true",
}


@dataclass
class LoadBalancer:
    """An Application Load Balancer."""

    arn: str
    name: str
    dns_name: str
    created: datetime
    scheme: str
    subnets: list[str]
    zones: list[str]
    security_groups: list[str]
    request: Params
    tags: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=lambda: dict(BALANCER_ATTRIBUTES))

    @property
    def suffix(self) -> str:
        """The ``LoadBalancer`` dimension of its metrics: ``app/name/id``."""
        return self.arn.partition(":loadbalancer/")[2]

    def describe(self) -> Reply:
        """The load balancer as elbv2's ``LoadBalancer`` shape."""
        return {
            "LoadBalancerArn": self.arn,
            "LoadBalancerName": self.name,
            "DNSName": self.dns_name,
            "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
            "CreatedTime": self.created,
            "Scheme": self.scheme,
            "VpcId": "vpc-00000000000000001",
            "State": {"Code": "active"},
            "Type": "application",
            "AvailabilityZones": [
                {"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []}
                for zone, subnet in zip(self.zones, self.subnets, strict=True)
            ],
            "SecurityGroups": list(self.security_groups),
            "IpAddressType": "ipv4",
        }


@dataclass
class Listener:
    """A listener and its default actions."""

    arn: str
    load_balancer_arn: str
    protocol: str
    port: int
    actions: list[dict[str, Any]]
    certificates: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def describe(self) -> Reply:
        """The listener as elbv2's ``Listener`` shape."""
        shape: Reply = {
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.load_balancer_arn,
            "Protocol": self.protocol,
            "Port": self.port,
            "DefaultActions": [dict(action) for action in self.actions],
        }
        if self.certificates:
            shape["Certificates"] = [dict(certificate) for certificate in self.certificates]
        return shape

    def target_groups(self) -> set[str]:
        """The ARNs of the target groups that it forwards to."""
        found: set[str] = set()
        for action in self.actions:
            if "TargetGroupArn" in action:
                found.add(action["TargetGroupArn"])
            forwards = action.get("ForwardConfig", {}).get("TargetGroups", [])
            found |= {group["TargetGroupArn"] for group in forwards}
        return found


def check_name(name: str, what: str) -> None:
    """Refuse a name that is not 1 to 32 letters, digits and inner hyphens.

    Raises
    ------
    AwsError
        ``ValidationError``.
    """
    if not re.fullmatch(r"(?!-)[A-Za-z0-9-]{1,32}(?<!-)", name) or name.startswith("internal-"):
        raise AwsError("ValidationError", f"The {what} name '{name}' is not valid")


def health_check(params: Params, base: HealthCheck) -> HealthCheck:
    """The settings that a request asks for, on top of others.

    Raises
    ------
    AwsError
        ``ValidationError`` for a value out of range.
    """
    for member, (lowest, highest) in RANGES.items():
        if member in params and not lowest <= params[member] <= highest:
            raise AwsError(
                "ValidationError",
                f"{member} '{params[member]}' must be between {lowest} and {highest} inclusive",
            )
    if params.get("HealthCheckEnabled") is False:
        raise NotEmulatedError("target groups without health checks")
    matcher = params.get("Matcher", {})
    if "GrpcCode" in matcher:
        raise NotEmulatedError("gRPC health checks")
    check = HealthCheck(
        protocol=params.get("HealthCheckProtocol", base.protocol),
        port=str(params.get("HealthCheckPort", base.port)),
        path=params.get("HealthCheckPath", base.path),
        interval=params.get("HealthCheckIntervalSeconds", base.interval),
        timeout=params.get("HealthCheckTimeoutSeconds", base.timeout),
        healthy_threshold=params.get("HealthyThresholdCount", base.healthy_threshold),
        unhealthy_threshold=params.get("UnhealthyThresholdCount", base.unhealthy_threshold),
        codes=matcher.get("HttpCode", base.codes),
    )
    if check.timeout >= check.interval:
        raise AwsError(
            "ValidationError",
            f"Health check timeout '{check.timeout}' must be smaller than the interval "
            f"'{check.interval}'",
        )
    return check
