"""IAM, log groups and dashboards: recorded on the stack, and acted upon by nothing in the world.

Where people will look (the wire door), roles, profiles and log groups are made in moto as well.
"""

from __future__ import annotations

import json
from typing import Any, Final

from embedded.deploy.errors import DeploymentError
from embedded.deploy.site import Change, Kind, Made, Site, place
from embedded.deploy.stack import Resource, Role

ROLE_LENGTH: Final = 64
ROLE_PARAMS: Final = ("Description", "MaxSessionDuration", "Path", "PermissionsBoundary", "Tags")


def _role(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("RoleName") or site.name(logical_id, longest=ROLE_LENGTH)
    made = _recorded_role(site, logical_id, properties, name)
    if site.on_view:
        where = place(logical_id)
        trust = json.dumps(properties["AssumeRolePolicyDocument"])
        params = {"RoleName": name, "AssumeRolePolicyDocument": trust}
        params |= {member: properties[member] for member in ROLE_PARAMS if member in properties}
        site.call("iam", "CreateRole", params, where)
        _show_policies(site, name, properties, where)
    return made


def _recorded_role(site: Site, logical_id: str, properties: dict[str, Any], name: str) -> Made:
    path = properties.get("Path", "/")
    arn = f"arn:aws:iam::{site.world.account}:role{path}{name}"
    site.stack.roles[logical_id] = Role(
        name,
        arn,
        properties["AssumeRolePolicyDocument"],
        [policy["PolicyDocument"] for policy in properties.get("Policies", [])],
        tuple(properties.get("ManagedPolicyArns", [])),
    )
    site.world.access.put_role(arn, site.stack.roles[logical_id].policies)
    return Made(name, {"Arn": arn, "RoleId": name})


def _show_policies(site: Site, name: str, properties: dict[str, Any], where: str) -> None:
    """Write a role's inline policies into IAM.

    Attached ones are not: moto has few of AWS's managed policies, and refuses the others.
    """
    for policy in properties.get("Policies", []):
        params = {
            "RoleName": name,
            "PolicyName": policy["PolicyName"],
            # AWS takes a document without a version for one of 2008; moto takes none.
            "PolicyDocument": json.dumps({"Version": "2012-10-17", **policy["PolicyDocument"]}),
        }
        site.call("iam", "PutRolePolicy", params, where)


def _update_role(site: Site, change: Change) -> Made:
    name = change.before.physical_id
    where = place(change.logical_id)
    if others := sorted(change.changed.intersection(ROLE_PARAMS)):
        raise DeploymentError(f"{where}.{others[0]}", "roles cannot be changed in this here")
    if site.on_view:
        _hide_policies(site, change.before)
        trust = json.dumps(change.properties["AssumeRolePolicyDocument"])
        site.call(
            "iam", "UpdateAssumeRolePolicy", {"RoleName": name, "PolicyDocument": trust}, where
        )
        _show_policies(site, name, change.properties, where)
    return _recorded_role(site, change.logical_id, change.properties, name)


def _hide_policies(site: Site, resource: Resource) -> None:
    for policy in resource.properties.get("Policies", []):
        params = {"RoleName": resource.physical_id, "PolicyName": policy["PolicyName"]}
        site.call("iam", "DeleteRolePolicy", params, place(resource.logical_id))


def _remove_role(site: Site, resource: Resource) -> bool:
    role = site.stack.roles.pop(resource.logical_id, None)
    if role is not None:
        site.world.access.remove_role(role.arn)
    if site.on_view:
        _hide_policies(site, resource)
        name = {"RoleName": resource.physical_id}
        site.call("iam", "DeleteRole", name, place(resource.logical_id))
    return True


def _policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    _record_policy(site, properties)
    return Made(properties.get("PolicyName") or site.name(logical_id))


def _managed_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    _record_policy(site, properties)
    name = properties.get("ManagedPolicyName") or site.name(logical_id)
    arn = f"arn:aws:iam::{site.world.account}:policy{properties.get('Path', '/')}{name}"
    return Made(arn, {"PolicyArn": arn})


def _record_policy(site: Site, properties: dict[str, Any]) -> None:
    for role in site.stack.roles.values():
        if role.name in properties.get("Roles", []):
            role.policies.append(properties["PolicyDocument"])
            site.world.access.put_role(role.arn, role.policies)


def _instance_profile(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("InstanceProfileName") or site.name(logical_id)
    path = properties.get("Path", "/")
    arn = f"arn:aws:iam::{site.world.account}:instance-profile{path}{name}"
    for role in site.stack.roles.values():
        if role.name in properties.get("Roles", []):
            site.world.access.put_profile(name, role.arn)
    if site.on_view:
        where = place(logical_id)
        profile = {"InstanceProfileName": name}
        site.call("iam", "CreateInstanceProfile", profile | {"Path": path}, where)
        for role in properties.get("Roles", []):
            site.call("iam", "AddRoleToInstanceProfile", profile | {"RoleName": role}, where)
    return Made(name, {"Arn": arn})


def _remove_instance_profile(site: Site, resource: Resource) -> bool:
    if site.on_view:
        where = place(resource.logical_id)
        profile = {"InstanceProfileName": resource.physical_id}
        for role in resource.properties.get("Roles", []):
            site.call("iam", "RemoveRoleFromInstanceProfile", profile | {"RoleName": role}, where)
        site.call("iam", "DeleteInstanceProfile", profile, where)
    return True


def _log_group(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    name = properties.get("LogGroupName") or site.name(logical_id)
    if site.on_view:
        site.call("logs", "CreateLogGroup", {"logGroupName": name}, place(logical_id))
    return Made(name, {"Arn": site.world.arn("logs", f"log-group:{name}:*")})


def _remove_log_group(site: Site, resource: Resource) -> bool:
    if site.on_view:
        params = {"logGroupName": resource.physical_id}
        site.call("logs", "DeleteLogGroup", params, place(resource.logical_id))
    return True


def _named(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    return Made(properties.get("DashboardName") or site.name(logical_id))


KINDS: Final[dict[str, Kind]] = {
    "AWS::IAM::Role": Kind(
        _role,
        frozenset({
            "AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "MaxSessionDuration",
            "Path", "PermissionsBoundary", "Policies", "RoleName", "Tags",
        }),
        remove=_remove_role,
        update=_update_role,
        replacing=frozenset({"Path", "RoleName"}),
        name_property="RoleName",
    ),
    "AWS::IAM::Policy": Kind(_policy, frozenset({"PolicyDocument", "PolicyName", "Roles"})),
    "AWS::IAM::ManagedPolicy": Kind(
        _managed_policy,
        frozenset({"ManagedPolicyName", "Path", "PolicyDocument", "Roles"}),
        {"Description": "a text for people"},
    ),
    "AWS::IAM::InstanceProfile": Kind(
        _instance_profile,
        frozenset({"InstanceProfileName", "Path", "Roles"}),
        remove=_remove_instance_profile,
        name_property="InstanceProfileName",
    ),
    "AWS::Logs::LogGroup": Kind(
        _log_group,
        frozenset({"LogGroupName"}),
        {
            "KmsKeyId": "log records are kept in memory, unencrypted",
            "RetentionInDays": "log records are kept as long as the world",
            "LogGroupClass": "log records are kept in memory",
            "Tags": "nothing selects log groups by tag",
            "DeletionProtectionEnabled": "log groups hold nothing that could be lost",
        },
        remove=_remove_log_group,
        name_property="LogGroupName",
    ),
    "AWS::CloudWatch::Dashboard": Kind(
        _named,
        frozenset({"DashboardName", "DashboardBody"}),
    ),
}  # fmt: skip
