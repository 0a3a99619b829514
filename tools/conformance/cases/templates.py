"""Launch templates of a check's own: what a rollout makes, finds, makes the default and deletes."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.checks import Need, check
from tools.conformance.place import Place, by

DEVICE: Final = "/dev/sdf"
_MODEL: Final = "botocore model CreateLaunchTemplateVersionRequest"
_AMI: Final = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"


def image(place: Place) -> str:
    """An image that exists: Amazon's own, by the parameter that AWS publishes."""
    found = place.look_up("ssm:GetParameter", Name=_AMI)
    # The embedded AWS publishes no parameters, and takes any image id.
    return str(found.at("Parameter.Value")) if found.reply else place.made_up("ami")


def volume(snapshot: str, **more: Any) -> dict[str, Any]:
    """One device with a volume made from a snapshot."""
    return {"DeviceName": DEVICE, "Ebs": {"SnapshotId": snapshot, **more}}


def own_template(place: Place, word: str, **data: Any) -> str:
    """Make a launch template of two devices; gives its id. What it names does not exist."""
    name = place.name(word)
    content = {
        "InstanceType": "t4g.nano",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1, "VolumeType": "gp3"}},
            volume(place.made_up("snap"), VolumeType="gp3"),
        ],
        **data,
    }
    made = place.make(
        f"the launch template {name}",
        f"aws ec2 delete-launch-template --launch-template-name {name}",
        by("ec2:DeleteLaunchTemplate", LaunchTemplateName=name),
        "ec2:CreateLaunchTemplate",
        LaunchTemplateName=name,
        LaunchTemplateData=content,
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": place.tags}],
    )
    place.settle()
    return str(made.at("LaunchTemplate.LaunchTemplateId"))


def version(place: Place, template: str, number: str = "$Latest") -> Any:
    """One version's data."""
    read = place.ask(
        "ec2:DescribeLaunchTemplateVersions", LaunchTemplateId=template, Versions=[number]
    )
    return read.must_reply("LaunchTemplateVersions[].LaunchTemplateData").at(
        "LaunchTemplateVersions"
    )[0]["LaunchTemplateData"]


def add_version(place: Place, template: str, **params: Any) -> int:
    """Make a version of just the instance type, unless told otherwise; gives its number."""
    made = place.ask(
        "ec2:CreateLaunchTemplateVersion",
        LaunchTemplateId=template,
        **{"LaunchTemplateData": {"InstanceType": "t4g.micro"}, **params},
    )
    place.settle()
    return int(made.at("LaunchTemplateVersion.VersionNumber"))


@check(
    "ec2:CreateLaunchTemplateVersion",
    "ec2:DescribeLaunchTemplateVersions",
    source=f"{_MODEL}.SourceVersion: parameters given overwrite the inherited ones",
    need=Need.OWN,
)
def a_complete_device_list_changes_the_snapshot_alone(place: Place) -> None:
    template = own_template(place, "whole")
    before = version(place, template)
    other = place.made_up("snap").replace("snap-0", "snap-1")
    mappings = [before["BlockDeviceMappings"][0], volume(other, VolumeType="gp3")]

    add_version(
        place, template, SourceVersion="1", LaunchTemplateData={"BlockDeviceMappings": mappings}
    )

    version(place, template)


@check(
    "ec2:CreateLaunchTemplateVersion",
    source=f"{_MODEL}.SourceVersion does not say whether a list merges or replaces",
    need=Need.OWN,
)
def a_device_list_of_one_device_with_a_source_version(place: Place) -> None:
    template = own_template(place, "merge")
    one = [volume(place.made_up("snap").replace("snap-0", "snap-1"))]

    add_version(place, template, SourceVersion="1", LaunchTemplateData={"BlockDeviceMappings": one})

    version(place, template)


@check(
    "ec2:CreateLaunchTemplateVersion",
    source="EC2 API reference, 'Ensuring idempotency'; 'Error codes': IdempotentParameterMismatch",
    need=Need.OWN,
)
def a_token_makes_one_version_however_often_it_is_sent(place: Place) -> None:
    template = own_template(place, "token")
    token = place.name("once")

    first = add_version(place, template, ClientToken=token)
    again = add_version(place, template, ClientToken=token)
    other = place.ask(
        "ec2:CreateLaunchTemplateVersion",
        LaunchTemplateId=template,
        ClientToken=token,
        LaunchTemplateData={"InstanceType": "t4g.small"},
    )

    place.ask(
        "ec2:DescribeLaunchTemplateVersions", LaunchTemplateId=template, MinVersion="2"
    ).must_reply("LaunchTemplateVersions[].VersionNumber")
    if first == again:
        other.must_refuse("IdempotentParameterMismatch", status=400)
    else:
        other.must_hold("LaunchTemplateVersion.VersionNumber", first)


@check(
    "ec2:CreateLaunchTemplateVersion",
    source="botocore model LaunchTemplateEbsBlockDeviceRequest.Encrypted and .SnapshotId; "
    "CreateLaunchTemplateVersionResult.Warning",
    need=Need.OWN,
)
def encryption_beside_a_snapshot_is_warned_about(place: Place) -> None:
    template = own_template(place, "warned")
    for encrypted in (True, False):
        mappings = [volume(place.made_up("snap"), Encrypted=encrypted)]
        add_version(place, template, LaunchTemplateData={"BlockDeviceMappings": mappings})


@check(
    "ec2:DescribeLaunchTemplateVersions",
    source="EC2 API reference, 'Error codes': InvalidLaunchTemplateId.VersionNotFound",
    need=Need.OWN,
)
def a_version_that_is_not_there_is_an_error(place: Place) -> None:
    template = own_template(place, "seven")
    answer = place.ask(
        "ec2:DescribeLaunchTemplateVersions", LaunchTemplateId=template, Versions=["1", "7"]
    )
    answer.must_refuse("InvalidLaunchTemplateId.VersionNotFound", status=400)


@check(
    "ec2:DescribeLaunchTemplateVersions",
    source="botocore model DescribeLaunchTemplateVersionsRequest: MaxResults, MinVersion",
    need=Need.OWN,
)
def versions_come_in_pages_newest_first(place: Place) -> None:
    template = own_template(place, "pages")
    add_version(place, template)
    add_version(place, template)
    first = place.ask(
        "ec2:DescribeLaunchTemplateVersions",
        LaunchTemplateId=template,
        MinVersion="2",
        MaxResults=1,
    )
    place.ask(
        "ec2:DescribeLaunchTemplateVersions",
        LaunchTemplateId=template,
        MinVersion="2",
        MaxResults=1,
        NextToken=first.at("NextToken"),
    ).must_reply("LaunchTemplateVersions[].VersionNumber")


@check(
    "ec2:ModifyLaunchTemplate",
    "ec2:DescribeLaunchTemplates",
    source="botocore model ModifyLaunchTemplateRequest.DefaultVersion",
    need=Need.OWN,
)
def the_default_version_is_moved_by_number(place: Place) -> None:
    template = own_template(place, "default")
    add_version(place, template)
    place.ask("ec2:ModifyLaunchTemplate", LaunchTemplateId=template, DefaultVersion="2").must_hold(
        "LaunchTemplate.DefaultVersionNumber", 2
    )
    place.settle()
    place.ask("ec2:DescribeLaunchTemplates", LaunchTemplateIds=[template]).must_hold(
        "LaunchTemplates[].DefaultVersionNumber", 2
    )
    for not_there in ("7", "$Latest"):
        place.ask("ec2:ModifyLaunchTemplate", LaunchTemplateId=template, DefaultVersion=not_there)


@check(
    "ec2:DeleteLaunchTemplateVersions",
    "ec2:DescribeLaunchTemplates",
    source="EC2 API reference, DeleteLaunchTemplateVersions; "
    "LatestVersionNumber after a delete is not documented",
    need=Need.OWN,
)
def what_is_newest_after_the_newest_version_is_deleted(place: Place) -> None:
    template = own_template(place, "latest")
    add_version(place, template)
    deleted = place.ask(
        "ec2:DeleteLaunchTemplateVersions", LaunchTemplateId=template, Versions=["2"]
    )
    deleted.must_hold("SuccessfullyDeletedLaunchTemplateVersions[].VersionNumber", 2)
    place.settle()
    place.ask("ec2:DescribeLaunchTemplates", LaunchTemplateIds=[template]).must_reply(
        "LaunchTemplates[].LatestVersionNumber"
    )
    version(place, template)
    add_version(place, template)


@check(
    "ec2:DeleteLaunchTemplateVersions",
    source="botocore model DeleteLaunchTemplateVersionsResult; LaunchTemplateErrorCode",
    need=Need.OWN,
)
def a_version_that_cannot_be_deleted_is_told_in_the_reply(place: Place) -> None:
    template = own_template(place, "undeleted")
    for number in ("7", "1"):
        answer = place.ask(
            "ec2:DeleteLaunchTemplateVersions", LaunchTemplateId=template, Versions=[number]
        )
        answer.must_reply("UnsuccessfullyDeletedLaunchTemplateVersions[].ResponseError.Code")


@check(
    "ec2:CreateTags",
    "ec2:DeleteTags",
    source="EC2 API reference, CreateTags and DeleteTags",
    need=Need.OWN,
)
def tags_are_put_and_taken_away(place: Place) -> None:
    template = own_template(place, "tagged")
    tag = {"Key": "snaproll:checked", "Value": "yes & <no>"}
    place.ask("ec2:CreateTags", Resources=[template], Tags=[tag]).must_reply()
    place.settle()
    place.ask("ec2:DescribeLaunchTemplates", LaunchTemplateIds=[template]).must_reply(
        "LaunchTemplates[].Tags[].Key"
    )
    place.ask(
        "ec2:DeleteTags", Resources=[template], Tags=[{"Key": "snaproll:checked"}]
    ).must_reply()
    place.settle()
    place.ask("ec2:DescribeLaunchTemplates", LaunchTemplateIds=[template]).must_reply()


@check(
    "ec2:CreateTags",
    "ec2:DeleteTags",
    source="EC2 API reference, 'Error codes': InvalidSnapshot.NotFound",
    need=Need.OWN,
)
def what_is_not_there_cannot_be_tagged(place: Place) -> None:
    nothing = place.made_up("snap")
    place.ask("ec2:CreateTags", Resources=[nothing], Tags=place.tags).must_refuse(
        "InvalidSnapshot.NotFound", status=400
    )
    # Whether taking a tag from nothing is an error is not documented: only compared.
    place.ask("ec2:DeleteTags", Resources=[nothing], Tags=place.tags)
