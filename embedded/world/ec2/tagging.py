"""Tags on EC2 resources: CreateTags, DeleteTags, DescribeTags and tags given at creation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from embedded.world.ec2.query import page, paged, refuse_dry_run, select
from embedded.world.errors import AwsError
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

MOST_TAGS = 50
LONGEST_KEY = 128
LONGEST_VALUE = 256

TagSource = Callable[[str], dict[str, str]]
"""Finds a resource's tags by its id, raising that resource type's own not-found error."""
IdSource = Callable[[], list[str]]
"""Lists the ids of a type's resources."""


def check_tags(tags: Mapping[str, str]) -> None:
    """Refuse tags that EC2 refuses.

    Raises
    ------
    AwsError
        ``InvalidParameterValue`` for a reserved or overlong key or value.
    """
    for key, value in tags.items():
        if key.lower().startswith("aws:"):
            raise AwsError(
                "InvalidParameterValue",
                f"Value ( {key} ) for parameter key is invalid. "
                "Tag keys starting with 'aws:' are reserved for internal use",
            )
        if not 1 <= len(key) <= LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise AwsError(
                "InvalidParameterValue",
                f"The tag {key!r} is too long: a key has 1 to {LONGEST_KEY} characters, "
                f"a value at most {LONGEST_VALUE}.",
            )


def check_count(tags: Mapping[str, str], resource: str) -> None:
    """Refuse a fifty-first tag; system tags (``aws:``) do not count.

    Raises
    ------
    AwsError
        ``TagLimitExceeded``.
    """
    if sum(not key.startswith("aws:") for key in tags) > MOST_TAGS:
        raise AwsError("TagLimitExceeded", f"More than {MOST_TAGS} tags on {resource}.")


def requested_tags(params: Params, resource_type: str) -> dict[str, str]:
    """The tags that a request's TagSpecifications give to one type of resource.

    Raises
    ------
    AwsError
        ``InvalidParameterValue`` for tags EC2 refuses, or for another type of resource.
    """
    tags: dict[str, str] = {}
    for specification in params.get("TagSpecifications", []):
        if specification.get("ResourceType") != resource_type:
            raise AwsError(
                "InvalidParameterValue",
                f"'{specification.get('ResourceType')}' is not a valid taggable resource type "
                "for this operation.",
            )
        tags.update({tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])})
    check_tags(tags)
    check_count(tags, resource_type)
    return tags


class Tagging(Service):
    """The tag operations of EC2, over every type of resource that EC2 models."""

    name = "ec2"

    def __init__(self, world: World, types: dict[str, tuple[str, TagSource, IdSource]]) -> None:
        """Take, by id prefix: the type's name, its tags by id, and its ids."""
        super().__init__(world)
        self._types = types

    @operation("CreateTags")
    def create_tags(self, params: Params) -> Reply:
        """Add or overwrite tags on all the resources, or on none."""
        refuse_dry_run(params)
        tags = {tag["Key"]: tag.get("Value", "") for tag in params["Tags"]}
        check_tags(tags)
        targets = {resource: self._tags_of(resource) for resource in params["Resources"]}
        for resource, present in targets.items():
            check_count({**present, **tags}, resource)
        for present in targets.values():
            present.update(tags)
        return {}

    @operation("DeleteTags")
    def delete_tags(self, params: Params) -> Reply:
        """Remove tags; with a value only where it matches, without Tags all but system tags."""
        refuse_dry_run(params)
        targets = [self._tags_of(resource) for resource in params["Resources"]]
        for present in targets:
            for key in _doomed(params.get("Tags"), present):
                del present[key]
        return {}

    @operation("DescribeTags")
    def describe_tags(self, params: Params) -> Reply:
        """Tags of all resources, one item each."""
        refuse_dry_run(params)
        items = [
            {"ResourceId": resource, "ResourceType": kind, "Key": key, "Value": value}
            for kind, read, ids in self._types.values()
            for resource in ids()
            for key, value in read(resource).items()
        ]
        chosen = select(
            items,
            params.get("Filters", []),
            {
                "key": lambda item: (item["Key"],),
                "value": lambda item: (item["Value"],),
                "resource-id": lambda item: (item["ResourceId"],),
                "resource-type": lambda item: (item["ResourceType"],),
            },
        )
        shapes, token = page(chosen, params)
        return paged("Tags", [dict(shape) for shape in shapes], token)

    def tags_of(self, resource: str) -> dict[str, str]:
        """The tags of a resource, by its id.

        Raises
        ------
        AwsError
            ``InvalidID`` for an id of no known type, else the type's own for one not there.
        """
        return dict(self._tags_of(resource))

    def _tags_of(self, resource: str) -> dict[str, str]:
        known = self._types.get(resource.partition("-")[0])
        if known is None:
            raise AwsError("InvalidID", f"The ID '{resource}' is not valid")
        return known[1](resource)


def _doomed(asked: list[Params] | None, present: Mapping[str, str]) -> list[str]:
    if not asked:
        return [key for key in present if not key.startswith("aws:")]
    return [
        tag["Key"]
        for tag in asked
        if tag["Key"] in present and tag.get("Value", present[tag["Key"]]) == present[tag["Key"]]
    ]
