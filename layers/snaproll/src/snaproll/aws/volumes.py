"""EBS volumes, and the instances and registries that lead to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from snaproll.aws.refusals import SDK_ERRORS, code_of, named, named_errors
from snaproll.domain.volume import Volume

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, TagTypeDef, VolumeTypeDef

_NO_VOLUME = frozenset({"InvalidVolume.NotFound", "InvalidVolumeID.Malformed"})
_GONE = frozenset({"deleting", "deleted"})
_PAGE = 200
"""Paginated calls draw on a larger throttling bucket (EC2 developer guide, "Throttling")."""
_LIVING = ["pending", "running", "stopping", "stopped"]
"""A terminated instance still shows for an hour, with its tags."""


class Volumes:
    """What EC2 knows of volumes."""

    def __init__(self, ec2: EC2Client) -> None:
        self._ec2 = ec2

    def get(self, volume_id: str) -> list[Volume]:
        """The volume of that id, or nothing."""
        try:
            reply = self._ec2.describe_volumes(VolumeIds=[volume_id])
        except SDK_ERRORS as error:
            if code_of(error) in _NO_VOLUME:
                return []
            raise named(error, f"describe the volume {volume_id}") from error
        return _present(reply["Volumes"])

    def tagged(self, tags: Mapping[str, str]) -> list[Volume]:
        """The volumes with all of these tags."""
        # EC2's filters take * and ? in a value for wildcards; a writer's tags do not.
        return [one for one in self._where(_filters(tags)) if tags.items() <= one.tags.items()]

    def attached(self, instance: str, device: str) -> list[Volume]:
        """The volume that an instance has as that device."""
        return self._where(
            [
                {"Name": "attachment.instance-id", "Values": [instance]},
                {"Name": "attachment.device", "Values": [device]},
            ]
        )

    def instances(self, tags: Mapping[str, str]) -> list[str]:
        """Ids of the instances, not terminated ones, with all of these tags."""
        living: FilterTypeDef = {"Name": "instance-state-name", "Values": _LIVING}
        with named_errors("list the writer's instances"):
            pages = self._ec2.get_paginator("describe_instances").paginate(
                Filters=[living, *_filters(tags)], PaginationConfig={"PageSize": _PAGE}
            )
            return [
                instance["InstanceId"]
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
                if tags.items() <= _tags(instance.get("Tags", [])).items()
            ]

    def _where(self, filters: list[FilterTypeDef]) -> list[Volume]:
        with named_errors("list the writer's volumes"):
            pages = self._ec2.get_paginator("describe_volumes").paginate(
                Filters=filters, PaginationConfig={"PageSize": _PAGE}
            )
            return [volume for page in pages for volume in _present(page["Volumes"])]


class RegistryTables:
    """Tables in which instances register."""

    def __init__(self, dynamodb: DynamoDBClient) -> None:
        self._dynamodb = dynamodb

    def values(self, table: str, key: Mapping[str, str], attribute: str) -> list[str] | None:
        """The string attribute of each item with that key; None when there is no such table."""
        names = {f"#k{number}": name for number, name in enumerate(key)}
        values = {f":v{number}": {"S": value} for number, value in enumerate(key.values())}
        wanted = zip(names, values, strict=True)
        try:
            reply = self._dynamodb.query(
                TableName=table,
                KeyConditionExpression=" AND ".join(f"{name} = {value}" for name, value in wanted),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
            )
        except SDK_ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise named(error, f"read the instance registry {table}") from error
        found = [item.get(attribute, {}).get("S") for item in reply["Items"]]
        return [value for value in found if value is not None]


def _filters(tags: Mapping[str, str]) -> list[FilterTypeDef]:
    return [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


def _present(volumes: list[VolumeTypeDef]) -> list[Volume]:
    return [_volume(raw) for raw in volumes if raw["State"] not in _GONE]


def _volume(raw: VolumeTypeDef) -> Volume:
    attached = next(iter(raw.get("Attachments", [])), None)
    return Volume(
        id=raw["VolumeId"],
        state=raw["State"],
        encrypted=raw["Encrypted"],
        kms_key=raw.get("KmsKeyId"),
        instance=attached.get("InstanceId") if attached else None,
        tags=_tags(raw.get("Tags", [])),
    )


def _tags(tags: list[TagTypeDef]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
