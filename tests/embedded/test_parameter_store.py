"""Parameter Store: names, versions, sizes, pages, and the event for each change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.world.errors import NotEmulatedError
from embedded.world.world import World

NAME = "/snaproll/prod/fleets/a"


def put(world: World, name: str = NAME, value: str = "1", **members: Any) -> Any:
    return (
        direct.session(world)
        .client("ssm")
        .put_parameter(Name=name, Value=value, **({"Type": "String"} | members))
    )


def test_a_parameter_is_read_as_it_was_written() -> None:
    world = World()
    put(world)

    parameter = direct.session(world).client("ssm").get_parameter(Name=NAME)["Parameter"]

    assert parameter["Value"] == "1"
    assert parameter["Version"] == 1
    assert parameter["ARN"] == f"arn:aws:ssm:us-east-1:111122223333:parameter{NAME}"


def test_overwriting_makes_a_new_version_and_keeps_the_old() -> None:
    world = World()
    put(world)
    put(world, value="2", Overwrite=True)
    ssm = direct.session(world).client("ssm")

    assert ssm.get_parameter(Name=NAME)["Parameter"]["Version"] == 2
    assert ssm.get_parameter(Name=f"{NAME}:1")["Parameter"]["Value"] == "1"
    with pytest.raises(ssm.exceptions.ParameterVersionNotFound):
        ssm.get_parameter(Name=f"{NAME}:3")


def test_a_parameter_is_not_overwritten_by_accident() -> None:
    world = World()
    put(world)

    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        put(world)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a b", "ValidationException"),
        ("a/b", "ValidationException"),
        ("/aws/x", "AccessDeniedException"),
        ("/" + "/".join("a" * 16), "HierarchyLevelLimitExceededException"),
    ],
)
def test_a_bad_name_is_refused(name: str, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        put(World(), name)

    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(("tier", "size"), [("Standard", 4096), ("Advanced", 8192)])
def test_each_tier_has_its_largest_value(tier: str, size: int) -> None:
    world = World()
    put(world, value="x" * size, Tier=tier)

    with pytest.raises(ClientError, match="maximum parameter value"):
        put(world, value="x" * (size + 1), Tier=tier, Overwrite=True)


def test_an_advanced_parameter_does_not_become_a_standard_one() -> None:
    world = World()
    put(world, Tier="Advanced")

    with pytest.raises(ClientError, match="downgrade"):
        put(world, Tier="Standard", Overwrite=True)


def test_a_path_is_read_ten_parameters_at_a_time() -> None:
    world = World()
    for number in range(12):
        put(world, f"/fleets/{number:02}")
    ssm = direct.session(world).client("ssm")

    first = ssm.get_parameters_by_path(Path="/fleets")
    rest = ssm.get_parameters_by_path(Path="/fleets", NextToken=first["NextToken"])

    assert len(first["Parameters"]) == 10
    assert [p["Name"] for p in rest["Parameters"]] == ["/fleets/10", "/fleets/11"]
    assert "NextToken" not in rest
    with pytest.raises(ClientError, match="maxResults"):
        ssm.get_parameters_by_path(Path="/fleets", MaxResults=11)


def test_a_path_is_read_deeper_only_when_asked() -> None:
    world = World()
    put(world, "/a/b")
    put(world, "/a/b/c")
    put(world, "/ab")
    ssm = direct.session(world).client("ssm")

    flat = ssm.get_parameters_by_path(Path="/a")["Parameters"]
    deep = ssm.get_parameters_by_path(Path="/a/", Recursive=True)["Parameters"]

    assert [p["Name"] for p in flat] == ["/a/b"]
    assert [p["Name"] for p in deep] == ["/a/b", "/a/b/c"]


def test_several_parameters_are_read_and_deleted_with_the_missing_named() -> None:
    world = World()
    put(world, "one")
    ssm = direct.session(world).client("ssm")

    read = ssm.get_parameters(Names=["one", "two"])
    deleted = ssm.delete_parameters(Names=["one", "two"])

    assert [p["Name"] for p in read["Parameters"]] == ["one"]
    assert read["InvalidParameters"] == ["two"]
    assert deleted["DeletedParameters"] == ["one"]
    assert deleted["InvalidParameters"] == ["two"]


def test_a_description_can_be_found_by_the_beginning_of_a_name() -> None:
    world = World()
    put(world, "/a/x", Description="the x")
    put(world, "/b/x")
    filters: Any = [{"Key": "Name", "Option": "BeginsWith", "Values": ["/a"]}]

    found = direct.session(world).client("ssm").describe_parameters(ParameterFilters=filters)

    assert [p["Description"] for p in found["Parameters"]] == ["the x"]


def test_every_change_is_an_event() -> None:
    world = World()
    put(world)
    put(world, value="2", Overwrite=True)
    direct.session(world).client("ssm").delete_parameter(Name=NAME)

    told = [event.detail for event in world.events.seen]

    assert [detail["operation"] for detail in told] == ["Create", "Update", "Delete"]
    assert {json.dumps(event.resources) for event in world.events.seen} == {
        json.dumps([f"arn:aws:ssm:us-east-1:111122223333:parameter{NAME}"])
    }
    assert world.events.seen[0].detail_type == "Parameter Store Change"
    assert told[0] == {"operation": "Create", "name": NAME, "type": "String"}


def test_a_value_has_to_match_its_pattern() -> None:
    with pytest.raises(ClientError, match="ParameterPatternMismatch"):
        put(World(), value="abc", AllowedPattern="^\\d+$")


def test_tags_are_put_on_and_taken_off() -> None:
    world = World()
    put(world)
    ssm = direct.session(world).client("ssm")

    ssm.add_tags_to_resource(
        ResourceType="Parameter", ResourceId=NAME, Tags=[{"Key": "a", "Value": "b"}]
    )
    ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=NAME, TagKeys=["a"])

    assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=NAME)["TagList"] == []


def test_secure_strings_are_not_emulated() -> None:
    with pytest.raises(NotEmulatedError):
        put(World(), Type="SecureString")
