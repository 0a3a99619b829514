"""Launch templates and their versions as the world holds them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded.world.ec2.query import tag_shapes
from embedded.world.errors import AwsError
from embedded.world.service import Params, Reply
from embedded.world.values import copied

TemplateData = dict[str, Any]
"""``LaunchTemplateData``; the members of the request's and the answer's shape have equal names."""
LATEST = "$Latest"
DEFAULT = "$Default"


@dataclass(frozen=True)
class LaunchTemplateVersion:
    """One version: immutable, its number is never used again."""

    number: int
    data: TemplateData
    description: str | None
    created: datetime
    created_by: str

    def mappings(self) -> list[dict[str, Any]]:
        """A copy of the block device mappings."""
        mappings: list[dict[str, Any]] = copied(self.data.get("BlockDeviceMappings", []))
        return mappings


@dataclass
class LaunchTemplate:
    """A launch template: a name, a default and versions numbered from 1."""

    id: str
    name: str
    created: datetime
    created_by: str
    tags: dict[str, str] = field(default_factory=dict)
    default_number: int = 1
    next_number: int = 1
    versions: dict[int, LaunchTemplateVersion] = field(default_factory=dict)

    @property
    def latest_number(self) -> int:
        """The highest number that still exists.

        AWS does not say what LatestVersionNumber becomes when the newest version is deleted. A
        number that points at nothing would make every ``$Latest`` launch fail at once, which
        would be noticed; falling back to an older version goes unnoticed and is taken here.
        """
        return max(self.versions)

    def number_of(self, spec: str) -> int:
        """What a version specification means now.

        Raises
        ------
        AwsError
            ``InvalidLaunchTemplateId.VersionNotFound`` when there is no such version,
            ``InvalidLaunchTemplateVersion`` for what is neither a number nor a known word.
        """
        if spec == LATEST:
            return self.latest_number
        if spec == DEFAULT:
            return self.default_number
        if not spec.isdecimal():
            raise AwsError(
                "InvalidLaunchTemplateVersion", f"The launch template version {spec} is malformed."
            )
        return self.version(int(spec)).number

    def version(self, number: int) -> LaunchTemplateVersion:
        """The version of that number.

        Raises
        ------
        AwsError
            ``InvalidLaunchTemplateId.VersionNotFound``.
        """
        if number not in self.versions:
            raise AwsError(
                "InvalidLaunchTemplateId.VersionNotFound",
                f"Could not find the specified version {number} for the launch template "
                f"with ID {self.id}.",
            )
        return self.versions[number]

    def describe(self) -> Reply:
        """The template as EC2's ``LaunchTemplate`` shape."""
        shape: Reply = {
            "LaunchTemplateId": self.id,
            "LaunchTemplateName": self.name,
            "CreateTime": self.created,
            "CreatedBy": self.created_by,
            "DefaultVersionNumber": self.default_number,
            "LatestVersionNumber": self.latest_number,
        }
        if self.tags:
            shape["Tags"] = tag_shapes(self.tags)
        return shape

    def describe_version(self, number: int) -> Reply:
        """A version as EC2's ``LaunchTemplateVersion`` shape."""
        version = self.versions[number]
        shape: Reply = {
            "LaunchTemplateId": self.id,
            "LaunchTemplateName": self.name,
            "VersionNumber": version.number,
            "CreateTime": version.created,
            "CreatedBy": version.created_by,
            "DefaultVersion": version.number == self.default_number,
            "LaunchTemplateData": copied(version.data),
        }
        if version.description is not None:
            shape["VersionDescription"] = version.description
        return shape


class TemplateStore:
    """The account's launch templates, by id and by name."""

    def __init__(self) -> None:
        self._by_id: dict[str, LaunchTemplate] = {}
        self._ids: dict[str, str] = {}

    def put(self, template: LaunchTemplate) -> None:
        """Keep a template."""
        self._by_id[template.id] = template
        self._ids[template.name] = template.id

    def remove(self, template: LaunchTemplate) -> None:
        """Forget a template and its versions."""
        del self._by_id[template.id]
        del self._ids[template.name]

    def all(self) -> list[LaunchTemplate]:
        """Every template, oldest first."""
        return list(self._by_id.values())

    def named(self, name: str) -> LaunchTemplate | None:
        """The template of that name, or None."""
        return self._by_id[self._ids[name]] if name in self._ids else None

    def by_id(self, template_id: str) -> LaunchTemplate:
        """The template of that id.

        Raises
        ------
        AwsError
            ``InvalidLaunchTemplateId.Malformed`` or ``InvalidLaunchTemplateId.NotFound``.
        """
        if template_id in self._by_id:
            return self._by_id[template_id]
        if not re.fullmatch(r"lt-[0-9a-f]{17}", template_id):
            raise AwsError(
                "InvalidLaunchTemplateId.Malformed",
                f"Launch template ID {template_id} is malformed.",
            )
        raise AwsError(
            "InvalidLaunchTemplateId.NotFound",
            f"The specified launch template, with template ID {template_id}, does not exist.",
        )

    def by_name(self, name: str) -> LaunchTemplate:
        """The template of that name.

        Raises
        ------
        AwsError
            ``InvalidLaunchTemplateName.NotFoundException``.
        """
        found = self.named(name)
        if found is None:
            raise AwsError(
                "InvalidLaunchTemplateName.NotFoundException",
                f"The specified launch template, with template name {name}, does not exist.",
            )
        return found

    def meant(self, params: Params) -> LaunchTemplate:
        """The template that a request names by id or by name.

        Raises
        ------
        AwsError
            For none, both, or one that is not there.
        """
        template_id, name = params.get("LaunchTemplateId"), params.get("LaunchTemplateName")
        if template_id and name:
            raise AwsError(
                "InvalidParameterCombination",
                "Specify either LaunchTemplateId or LaunchTemplateName, but not both.",
            )
        if template_id:
            return self.by_id(template_id)
        if name:
            return self.by_name(name)
        raise AwsError(
            "MissingParameter", "Either LaunchTemplateId or LaunchTemplateName must be specified."
        )
