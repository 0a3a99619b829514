"""Launch templates: versions, inheritance, warnings, idempotency and deletion."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.model import StructureShape

from embedded.world.ec2 import launch_templates
from embedded.world.errors import AwsError
from embedded.world.world import World
from tests.embedded.replicas import DEVICE, template_data

NAME = "replicas"


@pytest.fixture
def world() -> World:
    world = World(seed=5)
    create(world)
    return world


def create(world: World, **params: Any) -> dict[str, Any]:
    snapshot = world.ec2.add_snapshot(id="snap-0aaaaaaaaaaaaaaa1")
    return world.call(
        "ec2",
        "CreateLaunchTemplate",
        {
            "LaunchTemplateName": NAME,
            "LaunchTemplateData": template_data(SnapshotId=snapshot.id, VolumeSize=100),
            **params,
        },
    )


def add_version(world: World, **params: Any) -> dict[str, Any]:
    request = {"LaunchTemplateName": NAME, "LaunchTemplateData": {"InstanceType": "m8g.large"}}
    answer: dict[str, Any] = world.call("ec2", "CreateLaunchTemplateVersion", {**request, **params})
    return answer


def versions(world: World, **params: Any) -> list[dict[str, Any]]:
    request = params if "LaunchTemplateName" in params else {"LaunchTemplateName": NAME, **params}
    found: list[dict[str, Any]] = world.call("ec2", "DescribeLaunchTemplateVersions", request)[
        "LaunchTemplateVersions"
    ]
    return found


def numbers(world: World, **params: Any) -> list[int]:
    return [version["VersionNumber"] for version in versions(world, **params)]


def refusal(world: World, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as refused:
        world.call("ec2", operation, params)
    return refused.value.code


def template(world: World) -> dict[str, Any]:
    request = {"LaunchTemplateNames": [NAME]}
    [shape] = world.call("ec2", "DescribeLaunchTemplates", request)["LaunchTemplates"]
    found: dict[str, Any] = shape
    return found


def test_a_template_begins_with_version_one_as_its_default(world: World) -> None:
    shape = template(world)
    assert (shape["DefaultVersionNumber"], shape["LatestVersionNumber"]) == (1, 1)
    [version] = versions(world)
    assert version["DefaultVersion"] is True
    assert version["LaunchTemplateData"]["UserData"] == "IyEvYmluL3NoCg=="
    assert version["CreateTime"] == world.clock.now()


def test_a_new_version_becomes_latest_and_not_default(world: World) -> None:
    made = add_version(world, VersionDescription="snap-1")["LaunchTemplateVersion"]
    assert (made["VersionNumber"], made["DefaultVersion"]) == (2, False)
    assert made["VersionDescription"] == "snap-1"
    assert template(world)["LatestVersionNumber"] == 2
    assert template(world)["DefaultVersionNumber"] == 1


def test_without_a_source_a_version_holds_only_what_was_given(world: World) -> None:
    data = add_version(world)["LaunchTemplateVersion"]["LaunchTemplateData"]
    assert data == {"InstanceType": "m8g.large"}


def test_a_source_version_is_inherited_and_given_parameters_overwrite_it(world: World) -> None:
    data = add_version(world, SourceVersion="1")["LaunchTemplateVersion"]["LaunchTemplateData"]
    assert data["InstanceType"] == "m8g.large"
    assert data["ImageId"] == "ami-0123456789abcdef0"
    assert [mapping["DeviceName"] for mapping in data["BlockDeviceMappings"]] == [
        "/dev/xvda",
        DEVICE,
    ]


def test_inherited_snapshots_are_ignored_unless_given(world: World) -> None:
    data = add_version(world, SourceVersion="1")["LaunchTemplateVersion"]["LaunchTemplateData"]
    assert data["BlockDeviceMappings"][1]["Ebs"] == {"DeleteOnTermination": True, "VolumeSize": 100}


def test_a_given_mapping_list_replaces_the_inherited_one(world: World) -> None:
    mapping = {"DeviceName": DEVICE, "Ebs": {"SnapshotId": "snap-0aaaaaaaaaaaaaaa2"}}
    given = {"BlockDeviceMappings": [mapping]}
    data = add_version(world, SourceVersion="1", LaunchTemplateData=given)["LaunchTemplateVersion"][
        "LaunchTemplateData"
    ]
    assert data["BlockDeviceMappings"] == [mapping]
    assert data["InstanceType"] == "m7g.large"


def test_an_unknown_source_version_is_refused(world: World) -> None:
    request = {"LaunchTemplateName": NAME, "LaunchTemplateData": {"ImageId": "ami-1"}}
    assert refusal(world, "CreateLaunchTemplateVersion", **request, SourceVersion="9") == (
        "InvalidLaunchTemplateId.VersionNotFound"
    )


def test_the_same_token_makes_one_version_and_gives_the_same_answer(world: World) -> None:
    first = add_version(world, ClientToken="token-1")
    assert add_version(world, ClientToken="token-1") == first
    assert numbers(world) == [2, 1]
    request = {"LaunchTemplateName": NAME, "LaunchTemplateData": {"ImageId": "ami-1"}}
    assert refusal(world, "CreateLaunchTemplateVersion", **request, ClientToken="token-1") == (
        "IdempotentParameterMismatch"
    )


def test_a_token_is_forgotten_after_a_day(world: World) -> None:
    add_version(world, ClientToken="token-1")
    world.run_for(25 * 3600)
    add_version(world, ClientToken="token-1")
    assert numbers(world) == [3, 2, 1]


@pytest.mark.parametrize(
    "ebs",
    [
        {"SnapshotId": "snap-0aaaaaaaaaaaaaaa1", "Encrypted": False},
        {"SnapshotId": "snap-0aaaaaaaaaaaaaaa1", "Encrypted": True},
        {"SnapshotId": "snap-0aaaaaaaaaaaaaaa1", "KmsKeyId": "alias/data"},
        {"SnapshotId": "snap-0aaaaaaaaaaaaaaa1", "VolumeInitializationRate": 400},
        {"VolumeSize": 100, "VolumeInitializationRate": 200},
    ],
)
def test_an_invalid_combination_is_warned_about_and_made_all_the_same(
    world: World, ebs: dict[str, Any]
) -> None:
    answer = add_version(world, LaunchTemplateData=template_data(**ebs))
    assert answer["Warning"]["Errors"][0]["Code"].startswith("Invalid")
    assert numbers(world) == [2, 1]


def test_a_good_version_comes_without_a_warning(world: World) -> None:
    data = template_data(SnapshotId="snap-0aaaaaaaaaaaaaaa1", VolumeInitializationRate=200)
    assert "Warning" not in add_version(world, LaunchTemplateData=data)


def test_versions_are_described_newest_first_by_number_word_and_range(world: World) -> None:
    for _ in range(4):
        add_version(world)
    world.call("ec2", "ModifyLaunchTemplate", {"LaunchTemplateName": NAME, "DefaultVersion": "3"})
    assert numbers(world) == [5, 4, 3, 2, 1]
    assert numbers(world, Versions=["$Latest", "$Default", "2"]) == [5, 3, 2]
    assert numbers(world, MinVersion="2", MaxVersion="4") == [4, 3, 2]
    assert [v["VersionNumber"] for v in versions(world) if v["DefaultVersion"]] == [3]
    assert (
        refusal(world, "DescribeLaunchTemplateVersions", LaunchTemplateName=NAME, Versions=["9"])
        == "InvalidLaunchTemplateId.VersionNotFound"
    )


def test_versions_come_in_pages(world: World) -> None:
    for _ in range(4):
        add_version(world)
    request = {"LaunchTemplateName": NAME, "MaxResults": 2}
    first = world.call("ec2", "DescribeLaunchTemplateVersions", request)
    second = world.call(
        "ec2", "DescribeLaunchTemplateVersions", {**request, "NextToken": first["NextToken"]}
    )
    shown = [*first["LaunchTemplateVersions"], *second["LaunchTemplateVersions"]]
    assert [version["VersionNumber"] for version in shown] == [5, 4, 3, 2]
    assert (
        refusal(world, "DescribeLaunchTemplateVersions", LaunchTemplateName=NAME, MaxResults=201)
        == "InvalidParameterValue"
    )


def test_the_latest_versions_of_all_templates_need_no_name(world: World) -> None:
    create(world, LaunchTemplateName="other")
    add_version(world)
    found = world.call("ec2", "DescribeLaunchTemplateVersions", {"Versions": ["$Latest"]})
    assert [
        (version["LaunchTemplateName"], version["VersionNumber"])
        for version in found["LaunchTemplateVersions"]
    ] == [(NAME, 2), ("other", 1)]
    assert refusal(world, "DescribeLaunchTemplateVersions") == "MissingParameter"


def test_the_default_moves_only_to_a_version_that_exists(world: World) -> None:
    assert (
        refusal(world, "ModifyLaunchTemplate", LaunchTemplateName=NAME, DefaultVersion="2")
        == "InvalidLaunchTemplateId.VersionNotFound"
    )
    assert template(world)["DefaultVersionNumber"] == 1


def test_deleting_versions_answers_for_each_and_spares_the_default(world: World) -> None:
    add_version(world)
    answer = world.call(
        "ec2",
        "DeleteLaunchTemplateVersions",
        {"LaunchTemplateName": NAME, "Versions": ["1", "2", "7"]},
    )
    deleted = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    kept = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [item["VersionNumber"] for item in deleted] == [2]
    assert [(item["VersionNumber"], item["ResponseError"]["Code"]) for item in kept] == [
        (1, "unexpectedError"),
        (7, "launchTemplateVersionDoesNotExist"),
    ]


def test_a_deleted_number_is_never_used_again(world: World) -> None:
    add_version(world)
    request = {"LaunchTemplateName": NAME, "Versions": ["2"]}
    world.call("ec2", "DeleteLaunchTemplateVersions", request)
    assert template(world)["LatestVersionNumber"] == 1
    assert world.ec2.resolve_version(template(world)["LaunchTemplateId"], "$Latest") == 1
    assert add_version(world)["LaunchTemplateVersion"]["VersionNumber"] == 3


def test_more_than_two_hundred_versions_are_not_deleted_at_once(world: World) -> None:
    many = [str(number) for number in range(2, 203)]
    assert (
        refusal(world, "DeleteLaunchTemplateVersions", LaunchTemplateName=NAME, Versions=many)
        == "InvalidParameterValue"
    )


def test_a_template_holds_no_more_versions_than_its_limit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch_templates, "MOST_VERSIONS", 1)
    request = {"LaunchTemplateName": NAME, "LaunchTemplateData": {"ImageId": "ami-1"}}
    assert refusal(world, "CreateLaunchTemplateVersion", **request) == "VersionLimitExceeded"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"LaunchTemplateIds": ["lt-0123456789abcdef0"]}, "InvalidLaunchTemplateId.NotFound"),
        ({"LaunchTemplateIds": ["replicas"]}, "InvalidLaunchTemplateId.Malformed"),
        ({"LaunchTemplateNames": ["nobody"]}, "InvalidLaunchTemplateName.NotFoundException"),
    ],
)
def test_an_unknown_template_is_refused_by_its_own_code(
    world: World, params: dict[str, Any], code: str
) -> None:
    assert refusal(world, "DescribeLaunchTemplates", **params) == code


def test_a_name_is_used_once(world: World) -> None:
    request = {"LaunchTemplateName": NAME, "LaunchTemplateData": {"ImageId": "ami-1"}}
    assert refusal(world, "CreateLaunchTemplate", **request) == (
        "InvalidLaunchTemplateName.AlreadyExistsException"
    )


def test_a_deleted_template_is_gone_with_its_versions(world: World) -> None:
    world.call("ec2", "DeleteLaunchTemplate", {"LaunchTemplateName": NAME})
    assert refusal(world, "DescribeLaunchTemplateVersions", LaunchTemplateName=NAME) == (
        "InvalidLaunchTemplateName.NotFoundException"
    )


def test_template_tags_are_found_by_filters_and_versions_have_none(world: World) -> None:
    tags = [{"Key": "snaproll:fleet", "Value": "sec"}]
    specification = {"ResourceType": "launch-template", "Tags": tags}
    create(world, LaunchTemplateName="tagged", TagSpecifications=[specification])
    found = world.call(
        "ec2",
        "DescribeLaunchTemplates",
        {"Filters": [{"Name": "tag:snaproll:fleet", "Values": ["sec"]}]},
    )["LaunchTemplates"]
    assert [shape["LaunchTemplateName"] for shape in found] == ["tagged"]
    assert "Tags" not in versions(world, LaunchTemplateName="tagged")[0]


def test_answers_cannot_be_used_to_change_a_version(world: World) -> None:
    versions(world)[0]["LaunchTemplateData"]["ImageId"] = "ami-evil"
    assert versions(world)[0]["LaunchTemplateData"]["ImageId"] == "ami-0123456789abcdef0"


def test_everything_that_can_be_asked_of_a_version_can_be_described() -> None:
    model = botocore.session.get_session().get_service_model("ec2")
    asked = model.shape_for("RequestLaunchTemplateData")
    answered = model.shape_for("ResponseLaunchTemplateData")
    assert isinstance(asked, StructureShape)
    assert isinstance(answered, StructureShape)
    assert asked.members.keys() <= answered.members.keys()
