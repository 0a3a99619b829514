"""Networks: made in moto, because nothing in the world travels through them.

Most types differ only in the names of their operations, which a table gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from embedded.deploy.errors import DeploymentError
from embedded.deploy.site import Change, Kind, Made, Site, place, renamed, without
from embedded.deploy.stack import Resource


@dataclass(frozen=True)
class _Form:
    """How one type of resource is made and deleted through the API of EC2."""

    create: str
    """The operation that makes it."""
    answer: str
    """The member of the reply that holds it, or its id."""
    identity: str
    """What its id is called, in the reply and in the template's GetAtt."""
    delete: str
    properties: frozenset[str]
    tagged_as: str | None = None
    """Its type in TagSpecifications."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the API calls the properties that it calls otherwise."""
    attributes: tuple[str, ...] = ()
    """Members of the reply that GetAtt gives."""
    switches: Mapping[str, str] = field(default_factory=dict)
    """Properties that are set afterwards one at a time, and the operation that sets them."""

    def kind(self) -> Kind:
        """Give the kind that this form describes; every change makes a new resource."""
        tags = {"Tags"} if self.tagged_as else set()
        return Kind(
            self._make,
            self.properties | self.switches.keys() | tags,
            remove=self._remove,
        )

    def _make(self, site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
        where = place(logical_id)
        params = renamed(without(properties, "Tags", *self.switches), self.names)
        if self.tagged_as and (tags := properties.get("Tags")):
            params["TagSpecifications"] = [{"ResourceType": self.tagged_as, "Tags": tags}]
        reply: Any = site.call("ec2", self.create, params, where)[self.answer]
        if not isinstance(reply, dict):
            return Made(reply, {self.identity: reply})
        made: str = reply[self.identity]
        for name, operation in self.switches.items():
            if name in properties:
                value = {"Value": properties[name]}
                site.call("ec2", operation, {self.identity: made, name: value}, where)
        found = {name: reply[name] for name in self.attributes if name in reply}
        return Made(made, {self.identity: made, **found})

    def _remove(self, site: Site, resource: Resource) -> bool:
        params = {self.identity: resource.physical_id}
        site.call("ec2", self.delete, params, place(resource.logical_id))
        return True


FORMS: Final = {
    "AWS::EC2::VPC": _Form(
        "CreateVpc", "Vpc", "VpcId", "DeleteVpc",
        frozenset({"CidrBlock", "InstanceTenancy"}),
        tagged_as="vpc",
        attributes=("CidrBlock",),
        switches={
            "EnableDnsHostnames": "ModifyVpcAttribute",
            "EnableDnsSupport": "ModifyVpcAttribute",
        },
    ),
    "AWS::EC2::Subnet": _Form(
        "CreateSubnet", "Subnet", "SubnetId", "DeleteSubnet",
        frozenset({"AvailabilityZone", "CidrBlock", "VpcId"}),
        tagged_as="subnet",
        attributes=("AvailabilityZone", "CidrBlock", "VpcId"),
        switches={"MapPublicIpOnLaunch": "ModifySubnetAttribute"},
    ),
    "AWS::EC2::InternetGateway": _Form(
        "CreateInternetGateway", "InternetGateway", "InternetGatewayId", "DeleteInternetGateway",
        frozenset(),
        tagged_as="internet-gateway",
    ),
    "AWS::EC2::RouteTable": _Form(
        "CreateRouteTable", "RouteTable", "RouteTableId", "DeleteRouteTable",
        frozenset({"VpcId"}),
        tagged_as="route-table",
    ),
    "AWS::EC2::SubnetRouteTableAssociation": _Form(
        "AssociateRouteTable", "AssociationId", "AssociationId", "DisassociateRouteTable",
        frozenset({"RouteTableId", "SubnetId"}),
    ),
    "AWS::EC2::NatGateway": _Form(
        "CreateNatGateway", "NatGateway", "NatGatewayId", "DeleteNatGateway",
        frozenset({"AllocationId", "ConnectivityType", "SubnetId"}),
        tagged_as="natgateway",
    ),
}  # fmt: skip


def _address(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = without(properties, "Tags")
    if tags := properties.get("Tags"):
        params["TagSpecifications"] = [{"ResourceType": "elastic-ip", "Tags": tags}]
    reply = site.call("ec2", "AllocateAddress", params, place(logical_id))
    found = {"AllocationId": reply["AllocationId"], "PublicIp": reply["PublicIp"]}
    return Made(reply["PublicIp"], found)


def _release_address(site: Site, resource: Resource) -> bool:
    params = {"AllocationId": resource.attributes["AllocationId"]}
    site.call("ec2", "ReleaseAddress", params, place(resource.logical_id))
    return True


def _attach_gateway(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    site.call("ec2", "AttachInternetGateway", properties, place(logical_id))
    return Made(f"{properties['InternetGatewayId']}|{properties['VpcId']}")


def _detach_gateway(site: Site, resource: Resource) -> bool:
    site.call("ec2", "DetachInternetGateway", resource.properties, place(resource.logical_id))
    return True


def _route(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    site.call("ec2", "CreateRoute", properties, place(logical_id))
    return Made(f"{properties['RouteTableId']}|{properties['DestinationCidrBlock']}")


def _remove_route(site: Site, resource: Resource) -> bool:
    params = {name: resource.properties[name] for name in ("RouteTableId", "DestinationCidrBlock")}
    site.call("ec2", "DeleteRoute", params, place(resource.logical_id))
    return True


# -- security groups -------------------------------------------------------------------------------

PEERS: Final = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
}
"""How a rule of a template names the other side, and where the API has it."""
RULE_MEMBERS: Final = frozenset({"Description", "FromPort", "IpProtocol", "ToPort", *PEERS})
EVERYTHING: Final = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
"""The rule that a new group has for outgoing traffic."""


def _security_group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    params: dict[str, Any] = {
        "GroupName": properties.get("GroupName") or site.name(logical_id, longest=255),
        "Description": properties["GroupDescription"],
    }
    if "VpcId" in properties:
        params["VpcId"] = properties["VpcId"]
    if tags := properties.get("Tags"):
        params["TagSpecifications"] = [{"ResourceType": "security-group", "Tags": tags}]
    group = site.call("ec2", "CreateSecurityGroup", params, where)["GroupId"]
    _write_rules(site, group, {}, properties, where)
    return Made(group, {"GroupId": group, "Id": group, "VpcId": properties.get("VpcId", "")})


def _write_rules(
    site: Site, group: str, before: Mapping[str, Any], after: Mapping[str, Any], where: str
) -> None:
    """Put the rules of ``after`` in the place of those of ``before``."""
    for name, direction in (("SecurityGroupIngress", "Ingress"), ("SecurityGroupEgress", "Egress")):
        old = [_rule(rule, f"{where}.{name}") for rule in before.get(name, [])]
        new = [_rule(rule, f"{where}.{name}") for rule in after.get(name, [])]
        if direction == "Egress":
            # Without rules in the template a group keeps the one that lets everything out.
            old, new = old or [EVERYTHING], new or [EVERYTHING]
        if old == new:
            continue
        if old:
            params = {"GroupId": group, "IpPermissions": old}
            site.call("ec2", f"RevokeSecurityGroup{direction}", params, where)
        if new:
            params = {"GroupId": group, "IpPermissions": new}
            site.call("ec2", f"AuthorizeSecurityGroup{direction}", params, where)


def _rule(rule: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give a template's rule as the API has it."""
    if unknown := sorted(rule.keys() - RULE_MEMBERS):
        raise DeploymentError(f"{where}.{unknown[0]}", "this property is not supported")
    permission = {name: rule[name] for name in ("FromPort", "IpProtocol", "ToPort") if name in rule}
    for name, (member, key) in PEERS.items():
        if name in rule:
            peer = {key: rule[name]}
            if "Description" in rule:
                peer["Description"] = rule["Description"]
            permission[member] = [peer]
    return permission


def _update_security_group(site: Site, change: Change) -> Made:
    group = change.before.physical_id
    where = place(change.logical_id)
    _write_rules(site, group, change.before.properties, change.properties, where)
    return Made(group, change.before.attributes)


def _remove_security_group(site: Site, resource: Resource) -> bool:
    params = {"GroupId": resource.physical_id}
    site.call("ec2", "DeleteSecurityGroup", params, place(resource.logical_id))
    return True


def _single_rule(direction: str) -> Kind:
    """Give the kind of a rule that is a resource of its own."""

    def make(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
        where = place(logical_id)
        permission = _rule(without(properties, "GroupId"), where)
        params = {"GroupId": properties["GroupId"], "IpPermissions": [permission]}
        site.call("ec2", f"AuthorizeSecurityGroup{direction}", params, where)
        return Made(site.name(logical_id))

    def remove(site: Site, resource: Resource) -> bool:
        where = place(resource.logical_id)
        permission = _rule(without(dict(resource.properties), "GroupId"), where)
        params = {"GroupId": resource.properties["GroupId"], "IpPermissions": [permission]}
        site.call("ec2", f"RevokeSecurityGroup{direction}", params, where)
        return True

    return Kind(make, RULE_MEMBERS | {"GroupId"}, remove=remove)


KINDS: Final[dict[str, Kind]] = {
    **{name: form.kind() for name, form in FORMS.items()},
    "AWS::EC2::EIP": Kind(
        _address,
        frozenset({"Domain", "Tags"}),
        remove=_release_address,
    ),
    "AWS::EC2::VPCGatewayAttachment": Kind(
        _attach_gateway,
        frozenset({"InternetGatewayId", "VpcId"}),
        remove=_detach_gateway,
    ),
    "AWS::EC2::Route": Kind(
        _route,
        frozenset({"DestinationCidrBlock", "GatewayId", "NatGatewayId", "RouteTableId"}),
        remove=_remove_route,
    ),
    "AWS::EC2::SecurityGroup": Kind(
        _security_group,
        frozenset({
            "GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress",
            "Tags", "VpcId",
        }),
        remove=_remove_security_group,
        update=_update_security_group,
        replacing=frozenset({"GroupDescription", "GroupName", "Tags", "VpcId"}),
        name_property="GroupName",
    ),
    "AWS::EC2::SecurityGroupIngress": _single_rule("Ingress"),
    "AWS::EC2::SecurityGroupEgress": _single_rule("Egress"),
}  # fmt: skip
