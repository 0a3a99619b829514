"""IAM and the other kinds that are recorded on the stack but do nothing in the world."""

from __future__ import annotations

from typing import Any, Final

from embedded.deploy.site import Kind, Made, Site
from embedded.deploy.stack import Role

ROLE_LENGTH: Final = 64
NO_NETWORK: Final = "there is no network in this world"


def _role(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("RoleName") or site.name(logical_id, longest=ROLE_LENGTH)
    path = properties.get("Path", "/")
    arn = f"arn:aws:iam::{site.world.account}:role{path}{name}"
    site.stack.roles[logical_id] = Role(
        name,
        arn,
        properties["AssumeRolePolicyDocument"],
        [policy["PolicyDocument"] for policy in properties.get("Policies", [])],
        tuple(properties.get("ManagedPolicyArns", [])),
    )
    return Made(name, {"Arn": arn, "RoleId": name})


def _policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    for role in site.stack.roles.values():
        if role.name in properties.get("Roles", []):
            role.policies.append(properties["PolicyDocument"])
    name = properties.get("PolicyName") or properties.get("ManagedPolicyName")
    return Made(name or site.name(logical_id))


def _instance_profile(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("InstanceProfileName") or site.name(logical_id)
    path = properties.get("Path", "/")
    arn = f"arn:aws:iam::{site.world.account}:instance-profile{path}{name}"
    return Made(name, {"Arn": arn})


def _log_group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("LogGroupName") or site.name(logical_id)
    return Made(name, {"Arn": site.world.arn("logs", f"log-group:{name}:*")})


def _security_group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    del logical_id
    group = site.world.new_id("sg")
    return Made(group, {"GroupId": group, "VpcId": properties.get("VpcId", "")})


def _named(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    del properties
    return Made(site.name(logical_id))


KINDS: Final[dict[str, Kind]] = {
    "AWS::IAM::Role": Kind(
        _role,
        frozenset({
            "AssumeRolePolicyDocument", "ManagedPolicyArns", "Path", "Policies", "RoleName",
        }),
        {
            "Description": "a text for people",
            "MaxSessionDuration": "sessions are not modelled",
            "PermissionsBoundary": "permissions are not enforced",
            "Tags": "nothing selects roles by tag",
        },
    ),
    "AWS::IAM::Policy": Kind(_policy, frozenset({"PolicyDocument", "PolicyName", "Roles"})),
    "AWS::IAM::ManagedPolicy": Kind(
        _policy,
        frozenset({"ManagedPolicyName", "PolicyDocument", "Roles"}),
        {"Description": "a text for people", "Path": "nothing selects policies by path"},
    ),
    "AWS::IAM::InstanceProfile": Kind(
        _instance_profile,
        frozenset({"InstanceProfileName", "Path"}),
        {"Roles": "instances run no code that would use a role"},
    ),
    "AWS::Logs::LogGroup": Kind(
        _log_group,
        frozenset({"LogGroupName"}),
        {
            "KmsKeyId": "log records are kept in memory, unencrypted",
            "RetentionInDays": "log records are kept as long as the world",
            "LogGroupClass": "log records are kept in memory",
            "Tags": "nothing selects log groups by tag",
            "DeletionProtectionEnabled": "stacks are not deleted",
        },
    ),
    "AWS::CloudWatch::Dashboard": Kind(
        _named,
        frozenset({"DashboardName", "DashboardBody"}),
    ),
    "AWS::EC2::SecurityGroup": Kind(
        _security_group,
        frozenset({"VpcId"}),
        {
            "GroupDescription": "a text for people",
            "GroupName": "nothing selects security groups by name",
            "SecurityGroupEgress": NO_NETWORK,
            "SecurityGroupIngress": NO_NETWORK,
            "Tags": "nothing selects security groups by tag",
        },
    ),
}  # fmt: skip
