"""Target groups and their targets through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.elbv2.balancers import check_name, health_check
from embedded.world.elbv2.groups import TargetGroup, check_attribute, check_combination
from embedded.world.elbv2.shapes import attribute_shapes, page_of, tags_of_request
from embedded.world.elbv2.stores import BalancerStore, GroupStore
from embedded.world.elbv2.targets import HealthCheck
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.ec2 import Instance
    from embedded.world.world import World


class TargetGroups(Service):
    """The operations on target groups and targets."""

    name = "elbv2"

    def __init__(self, world: World, store: GroupStore, balancers: BalancerStore) -> None:
        super().__init__(world)
        self._store = store
        self._balancers = balancers

    # -- target groups -----------------------------------------------------------------------------

    @operation("CreateTargetGroup", unmodelled=("TargetControlPort",))
    def create_target_group(self, params: Params) -> Reply:
        """Make a target group of instances; an equal request again gives the same group."""
        check_name(params["Name"], "target group")
        if params.get("TargetType", "instance") != "instance":
            raise NotEmulatedError(f"targets of type {params['TargetType']}")
        if params.get("Protocol") not in ("HTTP", "HTTPS") or "Port" not in params:
            raise NotEmulatedError("target groups other than HTTP and HTTPS with a port")
        check = health_check(params, HealthCheck())
        known = next((item for item in self._store.groups() if item.name == params["Name"]), None)
        if known is not None:
            if (known.protocol, known.port, known.check) != (
                params["Protocol"],
                params["Port"],
                check,
            ):
                raise AwsError(
                    "DuplicateTargetGroupName",
                    f"A target group with the same name '{known.name}' exists, but with "
                    "different settings",
                )
            return {"TargetGroups": [self._describe_group(known)]}
        suffix = self.world.new_uuid().replace("-", "")[:16]
        group = TargetGroup(
            arn=self.world.arn("elasticloadbalancing", f"targetgroup/{params['Name']}/{suffix}"),
            name=params["Name"],
            clock=self.world.clock,
            protocol=params["Protocol"],
            port=params["Port"],
            vpc_id=params.get("VpcId", "vpc-00000000000000001"),
            check=check,
            tags=tags_of_request(params),
        )
        self._store.put(group)
        return {"TargetGroups": [self._describe_group(group)]}

    @operation("DescribeTargetGroups")
    def describe_target_groups(self, params: Params) -> Reply:
        """Target groups by ARN, by name, of a load balancer, or all."""
        if params.get("TargetGroupArns"):
            found = [self._store.group(arn) for arn in params["TargetGroupArns"]]
        elif params.get("Names"):
            found = [self._named(name) for name in params["Names"]]
        else:
            found = self._store.groups()
        balancer = params.get("LoadBalancerArn")
        if balancer:
            self._balancers.get(balancer)
            found = [group for group in found if balancer in group.load_balancers]
        return page_of("TargetGroups", [self._describe_group(group) for group in found], params)

    @operation("ModifyTargetGroup")
    def modify_target_group(self, params: Params) -> Reply:
        """Change health check settings; a decision already under way keeps its date."""
        group = self._store.group(params["TargetGroupArn"])
        changed = health_check(params, group.check)
        vars(group.check).update(vars(changed))
        return {"TargetGroups": [self._describe_group(group)]}

    @operation("DeleteTargetGroup")
    def delete_target_group(self, params: Params) -> Reply:
        """Delete a target group that no listener uses; deleting it twice is fine."""
        group = self._store.find(params["TargetGroupArn"])
        if group is not None and group.load_balancers:
            raise AwsError(
                "ResourceInUse",
                f"Target group '{group.arn}' is currently in use by a listener or a rule",
            )
        self._store.remove(params["TargetGroupArn"])
        return {}

    @operation("DescribeTargetGroupAttributes")
    def describe_target_groupattribute_shapes(self, params: Params) -> Reply:
        """A target group's attributes, defaults included."""
        return attribute_shapes(self._store.group(params["TargetGroupArn"]).attributes)

    @operation("ModifyTargetGroupAttributes")
    def modify_target_groupattribute_shapes(self, params: Params) -> Reply:
        """Change attributes, all or none; drains under way keep the delay they began with."""
        group = self._store.group(params["TargetGroupArn"])
        asked = {item["Key"]: item["Value"] for item in params["Attributes"]}
        for key, value in asked.items():
            check_attribute(key, value)
        changed = {**group.attributes, **asked}
        check_combination(changed)
        group.attributes = changed
        group.routing_changed()
        return attribute_shapes(changed)

    def _named(self, name: str) -> TargetGroup:
        found = next((group for group in self._store.groups() if group.name == name), None)
        if found is None:
            raise AwsError("TargetGroupNotFound", f"Target groups '{name}' not found")
        return found

    def _describe_group(self, group: TargetGroup) -> Reply:
        check = group.check
        return {
            "TargetGroupArn": group.arn,
            "TargetGroupName": group.name,
            "Protocol": group.protocol,
            "Port": group.port,
            "VpcId": group.vpc_id,
            "HealthCheckProtocol": check.protocol,
            "HealthCheckPort": check.port,
            "HealthCheckEnabled": True,
            "HealthCheckIntervalSeconds": check.interval,
            "HealthCheckTimeoutSeconds": check.timeout,
            "HealthyThresholdCount": check.healthy_threshold,
            "UnhealthyThresholdCount": check.unhealthy_threshold,
            "HealthCheckPath": check.path,
            "Matcher": {"HttpCode": check.codes},
            "LoadBalancerArns": list(group.load_balancers),
            "TargetType": "instance",
            "ProtocolVersion": "HTTP1",
            "IpAddressType": "ipv4",
        }

    # -- targets -----------------------------------------------------------------------------------

    @operation("RegisterTargets")
    def register_targets(self, params: Params) -> Reply:
        """Register instances, all or none."""
        group = self._store.group(params["TargetGroupArn"])
        instances = [self._target_instance(target["Id"]) for target in params["Targets"]]
        for instance in instances:
            if instance.state != "running":
                group.register(instance)
        for instance in instances:
            group.register(instance)
        return {}

    @operation("DeregisterTargets")
    def deregister_targets(self, params: Params) -> Reply:
        """Begin to drain instances."""
        group = self._store.group(params["TargetGroupArn"])
        ids = [target["Id"] for target in params["Targets"]]
        unknown = [instance_id for instance_id in ids if instance_id not in group.targets]
        if unknown:
            raise AwsError(
                "InvalidTarget",
                f"The following targets are not registered: '{', '.join(unknown)}'",
            )
        for instance_id in ids:
            group.deregister(instance_id, lambda: None)
        return {}

    @operation("DescribeTargetHealth")
    def describe_target_health(self, params: Params) -> Reply:
        """The health of a group's targets, draining ones included, in one answer."""
        group = self._store.group(params["TargetGroupArn"])
        ids = [target["Id"] for target in params.get("Targets", [])] or list(group.targets)
        anomalies = {"AnomalyDetection", "All"}.intersection(params.get("Include", []))
        return {
            "TargetHealthDescriptions": [
                self._describe_target(group, instance_id, anomalies=bool(anomalies))
                for instance_id in ids
            ]
        }

    def _target_instance(self, instance_id: str) -> Instance:
        try:
            return self.world.ec2.instance(instance_id)
        except AwsError:
            raise AwsError(
                "InvalidTarget", f"The following targets are not valid instances: '{instance_id}'"
            ) from None

    def _describe_target(self, group: TargetGroup, instance_id: str, *, anomalies: bool) -> Reply:
        state, reason, description = group.state_of(instance_id)
        health = {"State": state}
        if reason and description:
            health |= {"Reason": reason, "Description": description}
        shape: Reply = {
            "Target": {"Id": instance_id, "Port": group.port},
            "HealthCheckPort": (
                str(group.port) if group.check.port == "traffic-port" else group.check.port
            ),
            "TargetHealth": health,
            "AdministrativeOverride": {
                "State": "no_override",
                "Reason": "AdministrativeOverride.NoOverride",
                "Description": "No override is currently active on target",
            },
        }
        if anomalies:
            shape["AnomalyDetection"] = {"Result": "normal", "MitigationInEffect": "no"}
        return shape
