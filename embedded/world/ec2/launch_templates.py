"""Launch templates and their versions through the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from embedded.world.ec2.launching import FASTEST_INITIALIZATION_MIB, SLOWEST_INITIALIZATION_MIB
from embedded.world.ec2.query import (
    ClientTokens,
    instant,
    page,
    paged,
    refuse_dry_run,
    select,
    truth,
)
from embedded.world.ec2.tagging import requested_tags
from embedded.world.ec2.template_store import (
    DEFAULT,
    LATEST,
    LaunchTemplate,
    LaunchTemplateVersion,
    TemplateData,
    TemplateStore,
)
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.service import Params, Reply, Service, operation
from embedded.world.values import copied

if TYPE_CHECKING:
    from embedded.world.world import World

MOST_VERSIONS = 10_000
"""Versions per launch template (EC2 user guide, "Launch template restrictions")."""
MOST_DELETIONS = 200
"""Versions that one DeleteLaunchTemplateVersions may name (botocore)."""


class LaunchTemplates(Service):
    """The launch template operations of EC2."""

    name = "ec2"

    def __init__(self, world: World, store: TemplateStore) -> None:
        super().__init__(world)
        self._store = store
        self._tokens = ClientTokens(world.clock)

    # -- making ------------------------------------------------------------------------------------

    @operation("CreateLaunchTemplate", unmodelled=("Operator",))
    def create_launch_template(self, params: Params) -> Reply:
        """Make a template and its version 1."""
        refuse_dry_run(params)
        return self._tokens.once("CreateLaunchTemplate", params, lambda: self._create(params))

    def _create(self, params: Params) -> Reply:
        name = params["LaunchTemplateName"]
        if not re.fullmatch(r"[a-zA-Z0-9().\-/_]{3,128}", name):
            raise AwsError(
                "InvalidLaunchTemplateName.MalformedException",
                f"The specified launch template name {name} is malformed.",
            )
        if self._store.named(name) is not None:
            raise AwsError(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                "Launch template name already in use.",
            )
        _check_data(params["LaunchTemplateData"])
        template = LaunchTemplate(
            id=self.world.new_id("lt"),
            name=name,
            created=self.world.clock.now(),
            created_by=self._caller(),
            tags=requested_tags(params, "launch-template"),
        )
        self._add_version(template, params, copied(params["LaunchTemplateData"]))
        self._store.put(template)
        return _warned({"LaunchTemplate": template.describe()}, params["LaunchTemplateData"])

    @operation("CreateLaunchTemplateVersion", unmodelled=("ResolveAlias",))
    def create_launch_template_version(self, params: Params) -> Reply:
        """Make a version, alone or on top of a source version."""
        refuse_dry_run(params)
        return self._tokens.once(
            "CreateLaunchTemplateVersion", params, lambda: self._create_version(params)
        )

    def _create_version(self, params: Params) -> Reply:
        template = self._store.meant(params)
        _check_data(params["LaunchTemplateData"])
        data = copied(params["LaunchTemplateData"])
        if params.get("SourceVersion"):
            source = template.version(template.number_of(params["SourceVersion"]))
            data = inherit(source.data, data)
        version = self._add_version(template, params, data)
        return _warned(
            {"LaunchTemplateVersion": template.describe_version(version.number)}, version.data
        )

    def _add_version(
        self, template: LaunchTemplate, params: Params, data: TemplateData
    ) -> LaunchTemplateVersion:
        if len(template.versions) >= MOST_VERSIONS:
            raise AwsError(
                "VersionLimitExceeded",
                f"You have reached the limit of {MOST_VERSIONS} versions of {template.id}.",
            )
        version = LaunchTemplateVersion(
            number=template.next_number,
            data=data,
            description=params.get("VersionDescription"),
            created=self.world.clock.now(),
            created_by=self._caller(),
        )
        template.versions[version.number] = version
        template.next_number += 1
        return version

    def _caller(self) -> str:
        """Whose call this is, as CreatedBy shows it: a role's session, or the account's root."""
        account, calls = self.world.account, self.world.calls
        if not calls or calls[-1].role is None:
            return f"arn:aws:iam::{account}:root"
        role = calls[-1].role.rsplit("/", 1)[-1]
        return f"arn:aws:sts::{account}:assumed-role/{role}/{calls[-1].caller}"

    # -- reading -----------------------------------------------------------------------------------

    @operation("DescribeLaunchTemplates")
    def describe_launch_templates(self, params: Params) -> Reply:
        """Templates by id, by name, or all."""
        refuse_dry_run(params)
        ids, names = params.get("LaunchTemplateIds"), params.get("LaunchTemplateNames")
        if ids or names:
            found = [
                *(self._store.by_id(template_id) for template_id in ids or []),
                *(self._store.by_name(name) for name in names or []),
            ]
        else:
            found = self._store.all()
        chosen = select(
            found,
            params.get("Filters", []),
            {
                "create-time": lambda item: (instant(item.created),),
                "launch-template-name": lambda item: (item.name,),
            },
            lambda item: item.tags,
        )
        templates, token = page(chosen, params, smallest=1, largest=200)
        return paged("LaunchTemplates", [template.describe() for template in templates], token)

    @operation("DescribeLaunchTemplateVersions", unmodelled=("ResolveAlias",))
    def describe_launch_template_versions(self, params: Params) -> Reply:
        """Versions of one template, newest first, or the latest or default ones of all."""
        refuse_dry_run(params)
        largest = 200
        if params.get("MaxResults", 1) > largest:
            raise AwsError("InvalidParameterValue", f"MaxResults must be between 1 and {largest}.")
        pairs = self._pairs(params)
        chosen = select(
            pairs,
            params.get("Filters", []),
            {
                "create-time": lambda pair: (instant(pair[1].created),),
                "image-id": lambda pair: (pair[1].data.get("ImageId", ""),),
                "instance-type": lambda pair: (pair[1].data.get("InstanceType", ""),),
                "is-default-version": lambda pair: truth(
                    value=pair[1].number == pair[0].default_number
                ),
            },
        )
        shown, token = page(chosen, params, smallest=1, largest=largest)
        shapes = [template.describe_version(version.number) for template, version in shown]
        return paged("LaunchTemplateVersions", shapes, token)

    def _pairs(self, params: Params) -> list[tuple[LaunchTemplate, LaunchTemplateVersion]]:
        specs = params.get("Versions", [])
        if not params.get("LaunchTemplateId") and not params.get("LaunchTemplateName"):
            return self._pairs_of_all(specs)
        template = self._store.meant(params)
        if specs and (params.get("MinVersion") or params.get("MaxVersion")):
            raise AwsError(
                "InvalidParameterCombination",
                "Specify either Versions or MinVersion and MaxVersion, but not both.",
            )
        if specs:
            wanted = {template.number_of(spec) for spec in specs}
        else:
            lowest = int(params.get("MinVersion", 0))
            highest = int(params.get("MaxVersion", template.next_number))
            wanted = {number for number in template.versions if lowest <= number <= highest}
        return [(template, template.versions[number]) for number in sorted(wanted, reverse=True)]

    def _pairs_of_all(self, specs: list[str]) -> list[tuple[LaunchTemplate, LaunchTemplateVersion]]:
        if not specs or not set(specs) <= {LATEST, DEFAULT}:
            raise AwsError(
                "MissingParameter",
                "Without a launch template, Versions must be $Latest, $Default or both.",
            )
        return [
            (template, template.versions[number])
            for template in self._store.all()
            for number in sorted({template.number_of(spec) for spec in specs}, reverse=True)
        ]

    # -- changing and deleting ---------------------------------------------------------------------

    @operation("ModifyLaunchTemplate")
    def modify_launch_template(self, params: Params) -> Reply:
        """Move the default to another version (``SetDefaultVersion`` on the wire)."""
        refuse_dry_run(params)
        return self._tokens.once("ModifyLaunchTemplate", params, lambda: self._modify(params))

    def _modify(self, params: Params) -> Reply:
        template = self._store.meant(params)
        if not params.get("DefaultVersion"):
            raise AwsError("MissingParameter", "The parameter SetDefaultVersion is missing.")
        if not params["DefaultVersion"].isdigit():
            # botocore speaks of a number only; whether a word would do is not documented.
            raise AwsError("InvalidParameterValue", "The default version must be a number.")
        template.default_number = template.number_of(params["DefaultVersion"])
        return {"LaunchTemplate": template.describe()}

    @operation("DeleteLaunchTemplateVersions")
    def delete_launch_template_versions(self, params: Params) -> Reply:
        """Delete versions one by one; each that cannot be deleted says why."""
        refuse_dry_run(params)
        template = self._store.meant(params)
        if len(params["Versions"]) > MOST_DELETIONS:
            raise AwsError(
                "InvalidParameterValue",
                f"At most {MOST_DELETIONS} versions can be deleted in one request.",
            )
        deleted: list[Reply] = []
        kept: list[Reply] = []
        for spec in params["Versions"]:
            self._delete_version(template, spec, deleted, kept)
        return {
            "SuccessfullyDeletedLaunchTemplateVersions": deleted,
            "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
        }

    def _delete_version(
        self, template: LaunchTemplate, spec: str, deleted: list[Reply], kept: list[Reply]
    ) -> None:
        if not spec.isdigit():
            raise NotEmulatedError(f"deleting the launch template version {spec}")
        number = int(spec)
        item: Reply = {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionNumber": number,
        }
        if number not in template.versions:
            kept.append(
                {
                    **item,
                    "ResponseError": {
                        "Code": "launchTemplateVersionDoesNotExist",
                        "Message": f"Launch template version {number} does not exist.",
                    },
                }
            )
        elif number == template.default_number:
            # No code of LaunchTemplateErrorCode says "default"; the one for everything else does.
            kept.append(
                {
                    **item,
                    "ResponseError": {
                        "Code": "unexpectedError",
                        "Message": "The default version of a launch template cannot be deleted.",
                    },
                }
            )
        else:
            del template.versions[number]
            deleted.append(item)

    @operation("DeleteLaunchTemplate")
    def delete_launch_template(self, params: Params) -> Reply:
        """Delete a template with all its versions, even while a group launches from it."""
        refuse_dry_run(params)
        template = self._store.meant(params)
        self._store.remove(template)
        return {"LaunchTemplate": template.describe()}


def inherit(source: TemplateData, given: TemplateData) -> TemplateData:
    """The data of a version made from a source version.

    Given members overwrite the inherited ones of the same name (botocore,
    CreateLaunchTemplateVersionRequest.SourceVersion). AWS does not say whether a given list of
    block device mappings is merged by device; here it replaces the list, so that a caller who
    sends one device loses the others and notices. Snapshots of inherited mappings are ignored
    unless given, as the same text says: an inherited device then starts empty.
    """
    inherited = copied(source)
    for mapping in inherited.get("BlockDeviceMappings", []):
        mapping.get("Ebs", {}).pop("SnapshotId", None)
    return {**inherited, **given}


def _check_data(data: TemplateData) -> None:
    if not data:
        raise AwsError(
            "MissingParameter", "The request must contain the parameter LaunchTemplateData"
        )


def _warned(reply: Reply, data: TemplateData) -> Reply:
    errors = warnings(data)
    return {**reply, "Warning": {"Errors": errors}} if errors else reply


def warnings(data: TemplateData) -> list[dict[str, Any]]:
    """What EC2 warns about when it makes a version; the version is made all the same.

    Source: botocore, LaunchTemplateEbsBlockDeviceRequest. Its text says that no encryption value
    can be given next to a snapshot, while RunInstances allows ``true``; the stricter one is taken
    for the warning, the other for the launch.
    """
    errors = []
    for mapping in data.get("BlockDeviceMappings", []):
        device, ebs = mapping.get("DeviceName", ""), mapping.get("Ebs", {})
        if "Encrypted" in ebs and ebs.get("SnapshotId"):
            errors.append(
                _warning(
                    "InvalidBlockDeviceMapping",
                    f"the encrypted flag cannot be specified since device {device} has a "
                    "snapshot specified.",
                )
            )
        if ebs.get("KmsKeyId") and not ebs.get("Encrypted"):
            errors.append(
                _warning(
                    "InvalidParameterDependency",
                    "The parameter KmsKeyId requires the parameter Encrypted to be set.",
                )
            )
        if ebs.get("VolumeInitializationRate") and not _rate_is_good(ebs):
            errors.append(
                _warning(
                    "InvalidParameterCombination",
                    f"VolumeInitializationRate of device {device} needs a snapshot and 100 to "
                    "300 MiB/s.",
                )
            )
    return errors


def _rate_is_good(ebs: dict[str, Any]) -> bool:
    rate = ebs["VolumeInitializationRate"]
    return bool(
        ebs.get("SnapshotId") and SLOWEST_INITIALIZATION_MIB <= rate <= FASTEST_INITIALIZATION_MIB
    )


def _warning(code: str, message: str) -> dict[str, Any]:
    return {"Code": code, "Message": message}
