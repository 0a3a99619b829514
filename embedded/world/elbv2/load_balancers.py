"""Load balancers and listeners through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.elbv2.balancers import RANGES, Listener, LoadBalancer, check_name
from embedded.world.elbv2.shapes import attribute_shapes, page_of, tags_of_request
from embedded.world.elbv2.stores import BalancerStore, GroupStore
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.world import World

SUBNETS_NEEDED = 2


class LoadBalancers(Service):
    """The operations on load balancers and listeners."""

    name = "elbv2"

    def __init__(self, world: World, store: BalancerStore, groups: GroupStore) -> None:
        super().__init__(world)
        self._store = store
        self._groups = groups

    # -- load balancers ----------------------------------------------------------------------------

    @operation(
        "CreateLoadBalancer",
        unmodelled=("CustomerOwnedIpv4Pool", "EnablePrefixForIpv6SourceNat", "IpamPools"),
    )
    def create_load_balancer(self, params: Params) -> Reply:
        """Make an Application Load Balancer, active at once."""
        name = params["Name"]
        check_name(name, "load balancer")
        if params.get("Type", "application") != "application":
            raise NotEmulatedError(f"load balancers of type {params['Type']}")
        known = next((item for item in self._store.balancers() if item.name == name), None)
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
            tags=tags_of_request(params),
        )
        self._store.put(balancer)
        return {"LoadBalancers": [balancer.describe()]}

    @operation("DescribeLoadBalancers")
    def describe_load_balancers(self, params: Params) -> Reply:
        """Load balancers by ARN, by name, or all."""
        if params.get("LoadBalancerArns"):
            found = [self._store.get(arn) for arn in params["LoadBalancerArns"]]
        elif params.get("Names"):
            by_name = {balancer.name: balancer for balancer in self._store.balancers()}
            found = []
            for name in params["Names"]:
                if name not in by_name:
                    raise AwsError("LoadBalancerNotFound", f"Load balancers '[{name}]' not found")
                found.append(by_name[name])
        else:
            found = self._store.balancers()
        return page_of("LoadBalancers", [balancer.describe() for balancer in found], params)

    @operation("DeleteLoadBalancer")
    def delete_load_balancer(self, params: Params) -> Reply:
        """Delete a load balancer and its listeners; deleting it twice is fine."""
        balancer = self._store.find(params["LoadBalancerArn"])
        if balancer is None:
            return {}
        if balancer.attributes["deletion_protection.enabled"] == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{balancer.arn}' cannot be deleted because deletion protection "
                "is enabled",
            )
        self._store.remove(balancer)
        self._link()
        return {}

    @operation("DescribeLoadBalancerAttributes")
    def describe_load_balancer_attributes(self, params: Params) -> Reply:
        """A load balancer's attributes; none of them changes what the world does."""
        return attribute_shapes(self._store.get(params["LoadBalancerArn"]).attributes)

    @operation("ModifyLoadBalancerAttributes")
    def modify_load_balancer_attributes(self, params: Params) -> Reply:
        """Change attributes."""
        balancer = self._store.get(params["LoadBalancerArn"])
        balancer.attributes |= {item["Key"]: item["Value"] for item in params["Attributes"]}
        return attribute_shapes(balancer.attributes)

    # -- listeners ---------------------------------------------------------------------------------

    @operation("CreateListener", unmodelled=("AlpnPolicy", "MutualAuthentication"))
    def create_listener(self, params: Params) -> Reply:
        """Make a listener; the target groups that it forwards to come into use."""
        balancer = self._store.get(params["LoadBalancerArn"])
        port = params.get("Port")
        if port is None or params.get("Protocol") not in ("HTTP", "HTTPS"):
            raise AwsError("ValidationError", "A listener needs a port and HTTP or HTTPS.")
        lowest, highest = RANGES["Port"]
        if not lowest <= port <= highest:
            raise AwsError("ValidationError", f"Port '{port}' is not valid")
        if any(
            (item.load_balancer_arn, item.port) == (balancer.arn, port)
            for item in self._store.listeners()
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
            tags=tags_of_request(params),
        )
        self._check_association(listener)
        self._store.put_listener(listener)
        self._link()
        return {"Listeners": [listener.describe()]}

    def _check_association(self, listener: Listener) -> None:
        for arn in listener.target_groups():
            if set(self._groups.group(arn).load_balancers) - {listener.load_balancer_arn}:
                raise AwsError(
                    "TargetGroupAssociationLimit",
                    f"Target group '{arn}' is already associated with another load balancer",
                )

    @operation("DescribeListeners")
    def describe_listeners(self, params: Params) -> Reply:
        """Listeners by ARN or of a load balancer."""
        if params.get("ListenerArns"):
            found = [self._store.listener(arn) for arn in params["ListenerArns"]]
        elif params.get("LoadBalancerArn"):
            arn = self._store.get(params["LoadBalancerArn"]).arn
            found = [item for item in self._store.listeners() if item.load_balancer_arn == arn]
        else:
            raise AwsError(
                "ValidationError", "Either listener ARNs or a load balancer ARN must be specified"
            )
        return page_of("Listeners", [listener.describe() for listener in found], params)

    @operation("DeleteListener")
    def delete_listener(self, params: Params) -> Reply:
        """Delete a listener; target groups that nothing else uses fall out of use."""
        self._store.remove_listener(self._store.listener(params["ListenerArn"]))
        self._link()
        return {}

    def _link(self) -> None:
        """Tell every target group which load balancers forward to it now."""
        for group in self._groups.groups():
            used = {
                listener.load_balancer_arn: None
                for listener in self._store.listeners()
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
            return self._store.get(arn).tags
        if ":listener/" in arn:
            return self._store.listener(arn).tags
        return self._groups.group(arn).tags
