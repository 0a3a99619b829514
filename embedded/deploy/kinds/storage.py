"""Tables, volumes, parameters, keys."""

from __future__ import annotations

import json
from typing import Any, Final

from embedded.deploy.errors import DeploymentError
from embedded.deploy.site import Change, Kind, Made, Site, place, renamed, without
from embedded.deploy.stack import Resource

KEY_WINDOW_DAYS: Final = 30
"""How long a deleted key can be brought back, when the template says nothing."""
TABLE_MEMBERS: Final = frozenset({
    "AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "GlobalSecondaryIndexes",
    "KeySchema", "LocalSecondaryIndexes", "ProvisionedThroughput", "SSESpecification",
    "TableClass", "TableName", "Tags",
})  # fmt: skip


def _table(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    params = without(properties, "PointInTimeRecoverySpecification")
    params.setdefault("TableName", site.name(logical_id))
    if "SSESpecification" in params:
        params["SSESpecification"] = renamed(params["SSESpecification"], {"SSEEnabled": "Enabled"})
    table = site.call("dynamodb", "CreateTable", params, where)["TableDescription"]
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        _protect(site, params["TableName"], recovery, where)
    return Made(params["TableName"], {"Arn": table["TableArn"]})


def _protect(site: Site, name: str, recovery: dict[str, Any], where: str) -> None:
    params = {"TableName": name, "PointInTimeRecoverySpecification": recovery}
    site.call("dynamodb", "UpdateContinuousBackups", params, where)


def _update_table(site: Site, change: Change) -> Made:
    where = place(change.logical_id)
    if others := sorted(change.changed - {"PointInTimeRecoverySpecification"}):
        raise DeploymentError(f"{where}.{others[0]}", "tables cannot be changed in this here")
    recovery = change.properties.get(
        "PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": False}
    )
    _protect(site, change.before.physical_id, recovery, where)
    return Made(change.before.physical_id, change.before.attributes)


def _remove_table(site: Site, resource: Resource) -> bool:
    params = {"TableName": resource.physical_id}
    site.call("dynamodb", "DeleteTable", params, place(resource.logical_id))
    return True


def _parameter(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("Name", site.name(logical_id))
    if "Tags" in params:
        params["Tags"] = [{"Key": k, "Value": v} for k, v in params["Tags"].items()]
    site.call("ssm", "PutParameter", params, place(logical_id))
    return Made(params["Name"], {"Type": params["Type"], "Value": params["Value"]})


def _update_parameter(site: Site, change: Change) -> Made:
    where = place(change.logical_id)
    name = change.before.physical_id
    params = without(change.properties, "Tags") | {"Name": name, "Overwrite": True}
    site.call("ssm", "PutParameter", params, where)
    if "Tags" in change.changed:
        which = {"ResourceType": "Parameter", "ResourceId": name}
        if old := change.before.properties.get("Tags"):
            site.call("ssm", "RemoveTagsFromResource", which | {"TagKeys": [*old]}, where)
        if tags := change.properties.get("Tags"):
            given = [{"Key": key, "Value": value} for key, value in tags.items()]
            site.call("ssm", "AddTagsToResource", which | {"Tags": given}, where)
    return Made(name, {"Type": params["Type"], "Value": params["Value"]})


def _remove_parameter(site: Site, resource: Resource) -> bool:
    params = {"Name": resource.physical_id}
    site.call("ssm", "DeleteParameter", params, place(resource.logical_id))
    return True


def _key(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params: dict[str, Any] = {
        name: properties[name]
        for name in ("Description", "KeySpec", "KeyUsage")
        if name in properties
    }
    if "KeyPolicy" in properties:
        params["Policy"] = json.dumps(properties["KeyPolicy"])
    if tags := properties.get("Tags"):
        params["Tags"] = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags]
    key = site.call("kms", "CreateKey", params, place(logical_id))["KeyMetadata"]
    return Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})


def _update_key(site: Site, change: Change) -> Made:
    where = place(change.logical_id)
    if others := sorted(change.changed - {"KeyPolicy"}):
        raise DeploymentError(f"{where}.{others[0]}", "keys cannot be changed in this here")
    policy = {
        "KeyId": change.before.physical_id,
        "PolicyName": "default",
        "Policy": json.dumps(change.properties["KeyPolicy"]),
    }
    site.call("kms", "PutKeyPolicy", policy, where)
    return Made(change.before.physical_id, change.before.attributes)


def _remove_key(site: Site, resource: Resource) -> bool:
    """Schedule the deletion, as CloudFormation does: a key is never gone at once."""
    days = resource.properties.get("PendingWindowInDays", KEY_WINDOW_DAYS)
    params = {"KeyId": resource.physical_id, "PendingWindowInDays": days}
    site.call("kms", "ScheduleKeyDeletion", params, place(resource.logical_id))
    return True


def _remove_alias(site: Site, resource: Resource) -> bool:
    params = {"AliasName": resource.physical_id}
    site.call("kms", "DeleteAlias", params, place(resource.logical_id))
    return True


def _alias(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    site.call("kms", "CreateAlias", properties, place(logical_id))
    return Made(properties["AliasName"])


def _volume(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = without(properties, "Tags")
    if tags := properties.get("Tags"):
        params["TagSpecifications"] = [{"ResourceType": "volume", "Tags": tags}]
    made: str = site.call("ec2", "CreateVolume", params, place(logical_id))["VolumeId"]
    return Made(made, {"VolumeId": made})


def _remove_volume(site: Site, resource: Resource) -> bool:
    params = {"VolumeId": resource.physical_id}
    site.call("ec2", "DeleteVolume", params, place(resource.logical_id))
    return True


KINDS: Final[dict[str, Kind]] = {
    # CloudFormation changes size, type and speed in place; here every change makes a new volume.
    "AWS::EC2::Volume": Kind(
        _volume,
        frozenset({
            "AvailabilityZone", "Encrypted", "KmsKeyId", "Size", "SnapshotId", "Tags", "VolumeType",
        }),
        remove=_remove_volume,
    ),
    "AWS::DynamoDB::Table": Kind(
        _table,
        TABLE_MEMBERS | {"PointInTimeRecoverySpecification"},
        remove=_remove_table,
        update=_update_table,
        replacing=frozenset({"KeySchema", "TableName"}),
        name_property="TableName",
    ),
    "AWS::SSM::Parameter": Kind(
        _parameter,
        frozenset({
            "AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value",
        }),
        remove=_remove_parameter,
        update=_update_parameter,
        replacing=frozenset({"DataType", "Name"}),
        name_property="Name",
    ),
    "AWS::KMS::Key": Kind(
        _key,
        frozenset({"Description", "KeyPolicy", "KeySpec", "KeyUsage", "Tags"}),
        {
            "Enabled": "keys begin enabled; a scenario disables them",
            "EnableKeyRotation": "key material is not modelled",
            "PendingWindowInDays": "it is read when the key is removed",
        },
        remove=_remove_key,
        update=_update_key,
        replacing=frozenset({"KeySpec", "KeyUsage"}),
    ),
    "AWS::KMS::Alias": Kind(
        _alias,
        frozenset({"AliasName", "TargetKeyId"}),
        remove=_remove_alias,
        name_property="AliasName",
    ),
}  # fmt: skip
