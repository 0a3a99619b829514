"""The operations of Elastic Load Balancing, and what the rest of the world asks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from embedded.world.elbv2.balancers import (
    RANGES,
    Listener,
    LoadBalancer,
    check_name,
    health_check,
)
from embedded.world.elbv2.groups import (
    StateWatcher,
    TargetGroup,
    check_attribute,
    check_combination,
)
from embedded.world.elbv2.targets import HealthCheck, TargetState
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.ec2 import Instance
    from embedded.world.world import World

PAGE = 400
SUBNETS_NEEDED = 2


class ElasticLoadBalancing(Service):
    """Application Load Balancers in front of instances."""

    name = "elbv2"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._groups: dict[str, TargetGroup] = {}
        self._balancers: dict[str, LoadBalancer] = {}
        self._listeners: dict[str, Listener] = {}
        self._routing_watchers: list[Callable[[TargetGroup], None]] = []

    # -- what the world uses -----------------------------------------------------------------------

    def register(self, target_group_arn: str, instance_id: str) -> None:
        """Register a running instance.

        Raises
        ------
        AwsError
            ``TargetGroupNotFound``, or ``InvalidTarget`` for an instance that is not running.
        """
        self.group(target_group_arn).register(self.world.ec2.instance(instance_id))

    def deregister(
        self, target_group_arn: str, instance_id: str, drained: Callable[[], None]
    ) -> None:
        """Drain an instance; ``drained`` is called when its deregistration is complete."""
        self.group(target_group_arn).deregister(instance_id, drained)

    def state_of(self, target_group_arn: str, instance_id: str) -> TargetState:
        """An instance's state in a target group, ``unused`` when it is not registered."""
        return self.group(target_group_arn).state_of(instance_id)

    def watch(self, target_group_arn: str, callback: StateWatcher) -> None:
        """Call back with (instance id, state) on every change in a target group."""
        self.group(target_group_arn).watchers.append(callback)

    def group(self, target_group_arn: str) -> TargetGroup:
        """The target group of that ARN.

        Raises
        ------
        AwsError
            ``TargetGroupNotFound``.
        """
        if target_group_arn not in self._groups:
            raise AwsError("TargetGroupNotFound", f"Target groups '{target_group_arn}' not found")
        return self._groups[target_group_arn]

    def groups(self) -> list[TargetGroup]:
        """Every target group, oldest first."""
        return list(self._groups.values())

    def set_traffic(self, target_group_arn: str, requests_per_minute: float) -> None:
        """Let this many requests a minute come to a target group; 0 for none."""
        group = self.group(target_group_arn)
        group.traffic = requests_per_minute
        group.routing_changed()

    def watch_routing(self, callback: Callable[[TargetGroup], None]) -> None:
        """Call back whenever a metric of any target group may have changed."""
        self._routing_watchers.append(callback)
        for group in self._groups.values():
            group.routing_watchers.append(callback)

    def balancer_suffix(self, load_balancer_arn: str) -> str:
        """The ``LoadBalancer`` dimension of a load balancer's metrics."""
        return self._balancer(load_balancer_arn).suffix

    # -- target groups -----------------------------------------------------------------------------

    @operation("CreateTargetGroup")
    def create_target_group(self, params: Params) -> Reply:
        """Make a target group of instances; an equal request again gives the same group."""
        check_name(params["Name"], "target group")
        if params.get("TargetType", "instance") != "instance":
            raise NotEmulatedError(f"targets of type {params['TargetType']}")
        if params.get("Protocol") not in ("HTTP", "HTTPS") or "Port" not in params:
            raise NotEmulatedError("target groups other than HTTP and HTTPS with a port")
        check = health_check(params, HealthCheck())
        known = next((item for item in self.groups() if item.name == params["Name"]), None)
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
            tags=_tags(params),
        )
        group.routing_watchers.extend(self._routing_watchers)
        self._groups[group.arn] = group
        return {"TargetGroups": [self._describe_group(group)]}

    @operation("DescribeTargetGroups")
    def describe_target_groups(self, params: Params) -> Reply:
        """Target groups by ARN, by name, of a load balancer, or all."""
        if params.get("TargetGroupArns"):
            found = [self.group(arn) for arn in params["TargetGroupArns"]]
        elif params.get("Names"):
            found = [self._named(name) for name in params["Names"]]
        else:
            found = self.groups()
        balancer = params.get("LoadBalancerArn")
        if balancer:
            self._balancer(balancer)
            found = [group for group in found if balancer in group.load_balancers]
        return _page("TargetGroups", [self._describe_group(group) for group in found], params)

    @operation("ModifyTargetGroup")
    def modify_target_group(self, params: Params) -> Reply:
        """Change health check settings; a decision already under way keeps its date."""
        group = self.group(params["TargetGroupArn"])
        changed = health_check(params, group.check)
        vars(group.check).update(vars(changed))
        return {"TargetGroups": [self._describe_group(group)]}

    @operation("DeleteTargetGroup")
    def delete_target_group(self, params: Params) -> Reply:
        """Delete a target group that no listener uses; deleting it twice is fine."""
        group = self._groups.get(params["TargetGroupArn"])
        if group is not None and group.load_balancers:
            raise AwsError(
                "ResourceInUse",
                f"Target group '{group.arn}' is currently in use by a listener or a rule",
            )
        self._groups.pop(params["TargetGroupArn"], None)
        return {}

    @operation("DescribeTargetGroupAttributes")
    def describe_target_group_attributes(self, params: Params) -> Reply:
        """A target group's attributes, defaults included."""
        return _attributes(self.group(params["TargetGroupArn"]).attributes)

    @operation("ModifyTargetGroupAttributes")
    def modify_target_group_attributes(self, params: Params) -> Reply:
        """Change attributes, all or none; drains under way keep the delay they began with."""
        group = self.group(params["TargetGroupArn"])
        asked = {item["Key"]: item["Value"] for item in params["Attributes"]}
        for key, value in asked.items():
            check_attribute(key, value)
        changed = {**group.attributes, **asked}
        check_combination(changed)
        group.attributes = changed
        group.routing_changed()
        return _attributes(changed)

    def _named(self, name: str) -> TargetGroup:
        found = next((group for group in self.groups() if group.name == name), None)
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
        group = self.group(params["TargetGroupArn"])
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
        group = self.group(params["TargetGroupArn"])
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
        group = self.group(params["TargetGroupArn"])
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

    # -- load balancers ----------------------------------------------------------------------------

    @operation("CreateLoadBalancer")
    def create_load_balancer(self, params: Params) -> Reply:
        """Make an Application Load Balancer, active at once."""
        name = params["Name"]
        check_name(name, "load balancer")
        if params.get("Type", "application") != "application":
            raise NotEmulatedError(f"load balancers of type {params['Type']}")
        known = next((item for item in self._balancers.values() if item.name == name), None)
        if known is not None:
            if known.request != params:
                raise AwsError(
                    "DuplicateLoadBalancerName",
                    f"A load balancer with the same name '{name}' exists, but with different "
                    "settings",
                )
            return {"LoadBalancers": [known.describe()]}
        mapped = [mapping["SubnetId"] for mapping in params.get("SubnetMappings", [])]
        subnets = [*params.get("Subnets", []), *mapped]
        if len(subnets) < SUBNETS_NEEDED:
            raise AwsError(
                "ValidationError",
                "At least two subnets in two different Availability Zones must be specified",
            )
        suffix = self.world.new_uuid().replace("-", "")[:16]
        balancer = LoadBalancer(
            arn=self.world.arn("elasticloadbalancing", f"loadbalancer/app/{name}/{suffix}"),
            name=name,
            dns_name=f"{name}-{int(suffix[:8], 16)}.{self.world.region}.elb.amazonaws.com",
            created=self.world.clock.now(),
            scheme=params.get("Scheme", "internet-facing"),
            subnets=subnets,
            zones=[f"{self.world.region}{'abcdef'[index % 6]}" for index in range(len(subnets))],
            security_groups=list(params.get("SecurityGroups", [])),
            request=copied(params),
            tags=_tags(params),
        )
        self._balancers[balancer.arn] = balancer
        return {"LoadBalancers": [balancer.describe()]}

    @operation("DescribeLoadBalancers")
    def describe_load_balancers(self, params: Params) -> Reply:
        """Load balancers by ARN, by name, or all."""
        if params.get("LoadBalancerArns"):
            found = [self._balancer(arn) for arn in params["LoadBalancerArns"]]
        elif params.get("Names"):
            by_name = {balancer.name: balancer for balancer in self._balancers.values()}
            found = []
            for name in params["Names"]:
                if name not in by_name:
                    raise AwsError("LoadBalancerNotFound", f"Load balancers '[{name}]' not found")
                found.append(by_name[name])
        else:
            found = list(self._balancers.values())
        return _page("LoadBalancers", [balancer.describe() for balancer in found], params)

    @operation("DeleteLoadBalancer")
    def delete_load_balancer(self, params: Params) -> Reply:
        """Delete a load balancer and its listeners; deleting it twice is fine."""
        balancer = self._balancers.get(params["LoadBalancerArn"])
        if balancer is None:
            return {}
        if balancer.attributes["deletion_protection.enabled"] == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection "
                "is enabled",
            )
        del self._balancers[balancer.arn]
        self._listeners = {
            arn: listener
            for arn, listener in self._listeners.items()
            if listener.load_balancer_arn != balancer.arn
        }
        self._link()
        return {}

    @operation("DescribeLoadBalancerAttributes")
    def describe_load_balancer_attributes(self, params: Params) -> Reply:
        """A load balancer's attributes; none of them changes what the world does."""
        return _attributes(self._balancer(params["LoadBalancerArn"]).attributes)

    @operation("ModifyLoadBalancerAttributes")
    def modify_load_balancer_attributes(self, params: Params) -> Reply:
        """Change attributes."""
        balancer = self._balancer(params["LoadBalancerArn"])
        balancer.attributes |= {item["Key"]: item["Value"] for item in params["Attributes"]}
        return _attributes(balancer.attributes)

    def _balancer(self, arn: str) -> LoadBalancer:
        if arn not in self._balancers:
            raise AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return self._balancers[arn]

    # -- listeners ---------------------------------------------------------------------------------

    @operation("CreateListener")
    def create_listener(self, params: Params) -> Reply:
        """Make a listener; the target groups that it forwards to come into use."""
        balancer = self._balancer(params["LoadBalancerArn"])
        port = params.get("Port")
        if port is None or params.get("Protocol") not in ("HTTP", "HTTPS"):
            raise AwsError("ValidationError", "A listener needs a port and HTTP or HTTPS.")
        lowest, highest = RANGES["Port"]
        if not lowest <= port <= highest:
            raise AwsError("ValidationError", f"Port '{port}' is not valid")
        if any(
            (item.load_balancer_arn, item.port) == (balancer.arn, port)
            for item in self._listeners.values()
        ):
            raise AwsError(
                "DuplicateListener", "A listener already exists on this port for this load balancer"
            )
        listener = Listener(
            arn=balancer.arn.replace(":loadbalancer/", ":listener/")
            + "/"
            + self.world.new_uuid().replace("-", "")[:16],
            load_balancer_arn=balancer.arn,
            protocol=params["Protocol"],
            port=port,
            actions=copied(params["DefaultActions"]),
            certificates=copied(params.get("Certificates", [])),
            tags=_tags(params),
        )
        self._check_association(listener)
        self._listeners[listener.arn] = listener
        self._link()
        return {"Listeners": [listener.describe()]}

    def _check_association(self, listener: Listener) -> None:
        for arn in listener.target_groups():
            if set(self.group(arn).load_balancers) - {listener.load_balancer_arn}:
                raise AwsError(
                    "TargetGroupAssociationLimit",
                    f"Target group '{arn}' is already associated with another load balancer",
                )

    @operation("DescribeListeners")
    def describe_listeners(self, params: Params) -> Reply:
        """Listeners by ARN or of a load balancer."""
        if params.get("ListenerArns"):
            found = [self._listener(arn) for arn in params["ListenerArns"]]
        elif params.get("LoadBalancerArn"):
            arn = self._balancer(params["LoadBalancerArn"]).arn
            found = [item for item in self._listeners.values() if item.load_balancer_arn == arn]
        else:
            raise AwsError(
                "ValidationError", "Either listener ARNs or a load balancer ARN must be specified"
            )
        return _page("Listeners", [listener.describe() for listener in found], params)

    @operation("DeleteListener")
    def delete_listener(self, params: Params) -> Reply:
        """Delete a listener; target groups that nothing else uses fall out of use."""
        del self._listeners[self._listener(params["ListenerArn"]).arn]
        self._link()
        return {}

    def _listener(self, arn: str) -> Listener:
        if arn not in self._listeners:
            raise AwsError("ListenerNotFound", f"Listener '{arn}' not found")
        return self._listeners[arn]

    def _link(self) -> None:
        """Tell every target group which load balancers forward to it now."""
        for group in self._groups.values():
            used = {
                listener.load_balancer_arn: None
                for listener in self._listeners.values()
                if group.arn in listener.target_groups()
            }
            if list(used) != group.load_balancers:
                group.used_by(list(used))

    # -- tags --------------------------------------------------------------------------------------

    @operation("AddTags")
    def add_tags(self, params: Params) -> Reply:
        """Add tags to load balancers, listeners and target groups."""
        tags = {tag["Key"]: tag.get("Value", "") for tag in params["Tags"]}
        for present in [self._tags_of(arn) for arn in params["ResourceArns"]]:
            present.update(tags)
        return {}

    @operation("RemoveTags")
    def remove_tags(self, params: Params) -> Reply:
        """Remove tags by key."""
        for present in [self._tags_of(arn) for arn in params["ResourceArns"]]:
            for key in params["TagKeys"]:
                present.pop(key, None)
        return {}

    @operation("DescribeTags")
    def describe_tags(self, params: Params) -> Reply:
        """The tags of up to 20 resources."""
        return {
            "TagDescriptions": [
                {
                    "ResourceArn": arn,
                    "Tags": [
                        {"Key": key, "Value": value} for key, value in self._tags_of(arn).items()
                    ],
                }
                for arn in params["ResourceArns"]
            ]
        }

    def _tags_of(self, arn: str) -> dict[str, str]:
        if ":loadbalancer/" in arn:
            return self._balancer(arn).tags
        if ":listener/" in arn:
            return self._listener(arn).tags
        return self.group(arn).tags


def _tags(params: Params) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in params.get("Tags", [])}


def _attributes(attributes: dict[str, str]) -> Reply:
    return {"Attributes": [{"Key": key, "Value": value} for key, value in attributes.items()]}


def _page(member: str, shapes: list[Reply], params: Params) -> Reply:
    start = int(params.get("Marker", "0"))
    end = start + min(params.get("PageSize", PAGE), PAGE)
    reply: Reply = {member: shapes[start:end]}
    if end < len(shapes):
        reply["NextMarker"] = str(end)
    return reply
