"""Tables, parameters, keys."""

from __future__ import annotations

import json
from typing import Any, Final

from embedded.deploy.site import Kind, Made, Site, place, renamed, without

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
        site.call(
            "dynamodb",
            "UpdateContinuousBackups",
            {
                "TableName": params["TableName"],
                "PointInTimeRecoverySpecification": recovery,
            },
            where,
        )
    return Made(params["TableName"], {"Arn": table["TableArn"]})


def _parameter(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    params = dict(properties)
    params.setdefault("Name", site.name(logical_id))
    if "Tags" in params:
        params["Tags"] = [{"Key": k, "Value": v} for k, v in params["Tags"].items()]
    site.call("ssm", "PutParameter", params, place(logical_id))
    return Made(params["Name"], {"Type": params["Type"], "Value": params["Value"]})


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


def _alias(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    site.call("kms", "CreateAlias", properties, place(logical_id))
    return Made(properties["AliasName"])


KINDS: Final[dict[str, Kind]] = {
    "AWS::DynamoDB::Table": Kind(_table, TABLE_MEMBERS | {"PointInTimeRecoverySpecification"}),
    "AWS::SSM::Parameter": Kind(
        _parameter,
        frozenset({
            "AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value",
        }),
    ),
    "AWS::KMS::Key": Kind(
        _key,
        frozenset({"Description", "KeyPolicy", "KeySpec", "KeyUsage", "Tags"}),
        {
            "Enabled": "keys begin enabled; a scenario disables them",
            "EnableKeyRotation": "key material is not modelled",
            "PendingWindowInDays": "stacks are not deleted",
        },
    ),
    "AWS::KMS::Alias": Kind(_alias, frozenset({"AliasName", "TargetKeyId"})),
}  # fmt: skip
