"""Launch templates: a version that differs from another in the data device's snapshot alone.

Template data may hold secrets in user data: it stays inside this module, and is neither logged
nor put into a state's payload.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snaproll.aws.refusals import SDK_ERRORS, code_of, named, named_errors
from snaproll.domain.release import TemplateVersion
from snaproll.errors import NotYetVisibleError, TemplateRefusedError, VersionInUseError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import LaunchTemplateVersionTypeDef

_NO_VERSION = "InvalidLaunchTemplateId.VersionNotFound"
_GONE = frozenset(
    {
        _NO_VERSION,
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateName.NotFoundException",
    }
)
_PAGE = 200


@dataclass(frozen=True, slots=True)
class VersionContents:
    """One version's data, as EC2 describes it.

    ``note`` is its description, ``made_by`` the principal that made it (API model
    ``LaunchTemplateVersion``, CreatedBy).
    """

    version: TemplateVersion
    note: str
    made_by: str
    _data: Mapping[str, Any] = field(repr=False)

    @property
    def image(self) -> str:
        """The image id, or how it is looked up."""
        return str(self._data.get("ImageId", ""))

    @property
    def attribute_based(self) -> bool:
        """Whether instance types are chosen by their attributes and not by name."""
        return bool(self._data.get("InstanceRequirements"))

    def _volume(self, device: str) -> Mapping[str, Any] | None:
        for mapping in self._data.get("BlockDeviceMappings", []):
            if mapping.get("DeviceName") == device and "Ebs" in mapping:
                volume: Mapping[str, Any] = mapping["Ebs"]
                return volume
        return None

    def maps(self, device: str) -> bool:
        """Whether an EBS volume is mapped at this device."""
        return self._volume(device) is not None

    def snapshot_at(self, device: str) -> str | None:
        """The snapshot that the volume at this device is made from."""
        volume = self._volume(device)
        return volume.get("SnapshotId") if volume else None

    def size_at(self, device: str) -> int | None:
        """The size in GiB that is fixed for the device; None leaves it to the snapshot."""
        volume = self._volume(device)
        return volume.get("VolumeSize") if volume else None

    def with_snapshot(self, device: str, snapshot_id: str) -> dict[str, Any]:
        """The data with another snapshot at one device, and nothing else changed.

        Raises
        ------
        TemplateRefusedError
            When the device is missing, or says that the volume is not encrypted.
        """
        volume = self._volume(device)
        if volume is None:
            raise TemplateRefusedError(f"{self.version} maps no EBS volume at {device}.")
        if volume.get("Encrypted") is False:
            raise TemplateRefusedError(
                f"{self.version} sets Encrypted to false at {device}; launches from an encrypted "
                f"snapshot fail with that. Remove the setting from the launch template."
            )
        mappings = [
            {**mapping, "Ebs": {**mapping["Ebs"], "SnapshotId": snapshot_id}}
            if mapping.get("DeviceName") == device
            else mapping
            for mapping in self._data.get("BlockDeviceMappings", [])
        ]
        return {**self._data, "BlockDeviceMappings": mappings}

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Whether this version's data is exactly that."""
        return dict(self._data) == dict(data)


@dataclass(frozen=True, slots=True)
class Template:
    """A launch template's own facts."""

    id: str
    default_version: int
    latest_version: int
    tags: Mapping[str, str]


class LaunchTemplates:
    """Launch templates and their versions."""

    def __init__(self, ec2: EC2Client) -> None:
        self._ec2 = ec2

    def template(self, template_id: str) -> Template | None:
        """A template's default and newest version and its tags; None when it is gone."""
        try:
            reply = self._ec2.describe_launch_templates(LaunchTemplateIds=[template_id])
        except SDK_ERRORS as error:
            if code_of(error) in _GONE:
                return None
            raise named(error, f"describe the launch template {template_id}") from error
        raw = reply["LaunchTemplates"][0]
        return Template(
            id=raw["LaunchTemplateId"],
            default_version=raw["DefaultVersionNumber"],
            latest_version=raw["LatestVersionNumber"],
            tags={tag["Key"]: tag["Value"] for tag in raw.get("Tags", [])},
        )

    def read(self, version: TemplateVersion) -> VersionContents | None:
        """One version; None when it, or its template, does not exist."""
        try:
            reply = self._ec2.describe_launch_template_versions(
                LaunchTemplateId=version.template_id, Versions=[str(version.version)]
            )
        except SDK_ERRORS as error:
            if code_of(error) in _GONE:
                return None
            raise named(error, f"describe {version}") from error
        return next(map(_contents, reply["LaunchTemplateVersions"]), None)

    def several(
        self, versions: Iterable[TemplateVersion]
    ) -> dict[TemplateVersion, VersionContents]:
        """Those versions that exist, with one call for each template, unless one is missing."""
        wanted: dict[str, list[TemplateVersion]] = {}
        for version in versions:
            wanted.setdefault(version.template_id, []).append(version)
        found: list[VersionContents] = []
        for template_id, of_template in wanted.items():
            try:
                found += self._numbered(template_id, of_template)
            except SDK_ERRORS as error:
                if code_of(error) not in _GONE:
                    raise named(error, f"read versions of {template_id}") from error
                # One that is missing hides the others.
                alone = map(self.read, of_template) if len(of_template) > 1 else ()
                found += [one for one in alone if one is not None]
        return {one.version: one for one in found}

    def _numbered(
        self, template_id: str, versions: Sequence[TemplateVersion]
    ) -> list[VersionContents]:
        pages = self._ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template_id, Versions=sorted(str(one.version) for one in versions)
        )
        return [_contents(one) for page in pages for one in page["LaunchTemplateVersions"]]

    def version_for(
        self, source: VersionContents, device: str, snapshot_id: str, *, token: str, note: str
    ) -> TemplateVersion:
        """A version that equals ``source`` but for the snapshot at ``device``: found, or made.

        The complete device list is sent, because EC2 drops the snapshots of a source version that
        are not named again (API model ``CreateLaunchTemplateVersionRequest.SourceVersion``); the
        result is read back and compared. ``token`` makes a repeated call make nothing twice;
        ``note`` becomes the description by which such a version is found again.

        Raises
        ------
        TemplateRefusedError
            EC2 warned, or the version read back differs otherwise; what was made is deleted, unless
            it became the default meanwhile.
        NotYetVisibleError
            The version was made and cannot be read yet.
        """
        wanted = source.with_snapshot(device, snapshot_id)
        for newer in self._newer_than(source.version):
            # One that somebody else made may be used where snaproll cannot see: never that.
            if newer.note == note and newer.holds(wanted):
                return newer.version
        made = self._create(source, wanted, token, note)
        contents = self.read(made)
        if contents is None:
            raise NotYetVisibleError(f"{made} was just made and cannot be read yet.")
        if not contents.holds(wanted):
            raise TemplateRefusedError(
                f"{made}, made from {source.version} for {snapshot_id}, differed from it in more "
                f"than the snapshot at {device}. {self._undo(made)}"
            )
        return made

    def _create(
        self, source: VersionContents, wanted: Mapping[str, Any], token: str, note: str
    ) -> TemplateVersion:
        template_id = source.version.template_id
        mappings: list[Any] = [
            self._as_request(mapping, "LaunchTemplateBlockDeviceMappingRequest")
            for mapping in wanted["BlockDeviceMappings"]
        ]
        with named_errors(f"make a version of the launch template {template_id}"):
            reply = self._ec2.create_launch_template_version(
                LaunchTemplateId=template_id,
                SourceVersion=str(source.version.version),
                VersionDescription=note,
                ClientToken=token,
                LaunchTemplateData={"BlockDeviceMappings": mappings},
            )
        made = TemplateVersion(
            template_id=template_id, version=reply["LaunchTemplateVersion"]["VersionNumber"]
        )
        warnings = reply.get("Warning", {}).get("Errors", [])
        if warnings:
            # EC2 makes the version all the same; launches from it would fail later.
            said = "; ".join(f"{one.get('Code')}: {one.get('Message')}" for one in warnings)
            raise TemplateRefusedError(f"EC2 warned about {made}: {said}. {self._undo(made)}")
        return made

    def _undo(self, made: TemplateVersion) -> str:
        """Delete what was made a moment ago; what became of it, as a sentence."""
        try:
            self.delete(made)
        except VersionInUseError as error:
            # Somebody made it the default meanwhile: theirs to settle, and no reason to try again.
            return f"It could not be deleted again: {error}."
        return "It was deleted again."

    def _as_request(self, described: Mapping[str, Any], shape_name: str) -> dict[str, Any]:
        """What was described, cut to the members that a request of that shape takes."""
        shape: Any = self._ec2.meta.service_model.shape_for(shape_name)
        request: dict[str, Any] = {}
        for member, member_shape in shape.members.items():
            if member not in described:
                continue
            value = described[member]
            if member_shape.type_name == "structure":
                value = self._as_request(value, member_shape.name)
            request[member] = value
        return request

    def _newer_than(self, version: TemplateVersion) -> list[VersionContents]:
        try:
            pages = self._ec2.get_paginator("describe_launch_template_versions").paginate(
                LaunchTemplateId=version.template_id,
                MinVersion=str(version.version + 1),
                PaginationConfig={"PageSize": _PAGE},
            )
            return [_contents(one) for page in pages for one in page["LaunchTemplateVersions"]]
        except SDK_ERRORS as error:
            if code_of(error) in _GONE:
                return []
            raise named(error, f"list the versions after {version}") from error

    def newest(self, template_id: str) -> VersionContents | None:
        """The version that ``$Latest`` means now; None when the template is gone.

        Raises
        ------
        NotYetVisibleError
            EC2 does not show it yet: a template is never without a version.
        """
        try:
            reply = self._ec2.describe_launch_template_versions(
                LaunchTemplateId=template_id, Versions=["$Latest"]
            )
        except SDK_ERRORS as error:
            if code_of(error) == _NO_VERSION:
                raise NotYetVisibleError(
                    f"The newest version of {template_id} cannot be seen yet."
                ) from error
            if code_of(error) in _GONE:
                return None
            raise named(error, f"read the newest version of {template_id}") from error
        return next(map(_contents, reply["LaunchTemplateVersions"]), None)

    def set_default(self, version: TemplateVersion) -> None:
        """Move ``$Default`` to a version."""
        with named_errors(f"make {version} the default"):
            self._ec2.modify_launch_template(
                LaunchTemplateId=version.template_id, DefaultVersion=str(version.version)
            )

    def delete(self, version: TemplateVersion) -> None:
        """Delete a version; one that is gone already is fine.

        Raises
        ------
        VersionInUseError
            EC2 would not delete it, for example because it is the default.
        """
        with named_errors(f"delete {version}"):
            reply = self._ec2.delete_launch_template_versions(
                LaunchTemplateId=version.template_id, Versions=[str(version.version)]
            )
        for failed in reply.get("UnsuccessfullyDeletedLaunchTemplateVersions", []):
            error = failed.get("ResponseError", {})
            if error.get("Code") not in (
                "launchTemplateVersionDoesNotExist",
                "launchTemplateIdDoesNotExist",
            ):
                raise VersionInUseError(
                    f"EC2 did not delete {version}: {error.get('Code')}: {error.get('Message')}"
                )


def _contents(raw: LaunchTemplateVersionTypeDef) -> VersionContents:
    version = TemplateVersion(template_id=raw["LaunchTemplateId"], version=raw["VersionNumber"])
    return VersionContents(
        version=version,
        note=raw.get("VersionDescription", ""),
        made_by=raw.get("CreatedBy", ""),
        _data=raw["LaunchTemplateData"],
    )
