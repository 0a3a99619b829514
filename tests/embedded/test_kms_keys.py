"""Keys: states, policies, grants, aliases, and who may launch with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.key_access import default_policy
from embedded.world.world import World

ROLE = (
    "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/"
    "AWSServiceRoleForAutoScaling"
)
ROOT = "arn:aws:iam::111122223333:root"
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


@pytest.fixture
def world() -> World:
    return World(seed=2)


def statement(action: Any, **members: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": action,
        "Resource": "*",
        **members,
    }


GRANT = statement("kms:CreateGrant", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}})


def policy(*statements: dict[str, Any]) -> str:
    root = json.loads(default_policy(ROOT))["Statement"]
    return json.dumps({"Version": "2012-10-17", "Statement": [*root, *statements]})


def key(world: World, **params: Any) -> str:
    key_id: str = world.call("kms", "CreateKey", params)["KeyMetadata"]["KeyId"]
    return key_id


def state(world: World, key_id: str) -> str:
    found: str = world.call("kms", "DescribeKey", {"KeyId": key_id})["KeyMetadata"]["KeyState"]
    return found


def refusal(world: World, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as refused:
        world.call("kms", operation, params)
    return refused.value.code


def test_the_default_policy_gives_the_service_linked_role_no_access(world: World) -> None:
    assert not world.kms.usable(key(world), ROLE)


def test_the_guides_two_statements_give_it_access(world: World) -> None:
    assert world.kms.usable(key(world, Policy=policy(statement(USE), GRANT)), ROLE)


@pytest.mark.parametrize("missing", USE)
def test_without_any_one_of_the_actions_launches_fail(world: World, missing: str) -> None:
    rest = [action for action in USE if action != missing]
    assert not world.kms.usable(key(world, Policy=policy(statement(rest), GRANT)), ROLE)


def test_without_create_grant_launches_fail(world: World) -> None:
    assert not world.kms.usable(key(world, Policy=policy(statement(USE))), ROLE)


def test_the_condition_for_grants_on_every_action_leaves_nothing_but_grants() -> None:
    world = World(seed=2)
    everything = statement(
        [*USE, "kms:CreateGrant"], Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}
    )
    assert not world.kms.usable(key(world, Policy=policy(everything)), ROLE)


def test_a_denial_wins_even_when_it_names_the_account(world: World) -> None:
    denied = statement("kms:Decrypt", Effect="Deny", Principal={"AWS": ROOT})
    text = policy(statement(USE), GRANT, denied)
    assert not world.kms.usable(key(world, Policy=text), ROLE)


def test_access_through_ec2_in_this_account_counts(world: World) -> None:
    condition = {
        "StringEquals": {
            "kms:ViaService": "ec2.us-east-1.amazonaws.com",
            "kms:CallerAccount": "111122223333",
        }
    }
    allowed = statement([*USE, "kms:CreateGrant"], Principal="*", Condition=condition)
    assert world.kms.usable(key(world, Policy=policy(allowed)), ROLE)
    condition["StringEquals"]["kms:ViaService"] = "ec2.eu-west-1.amazonaws.com"
    other = statement([*USE, "kms:CreateGrant"], Principal="*", Condition=condition)
    assert not world.kms.usable(key(world, Policy=policy(other)), ROLE)


def test_a_condition_that_is_not_understood_is_refused_loudly(world: World) -> None:
    strange = statement(USE, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    with pytest.raises(NotEmulatedError):
        world.kms.usable(key(world, Policy=policy(strange)), ROLE)


def test_a_grant_with_all_operations_gives_access_until_it_is_revoked(world: World) -> None:
    key_id = key(world)
    operations = [
        "Encrypt",
        "Decrypt",
        "ReEncryptFrom",
        "ReEncryptTo",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "DescribeKey",
        "CreateGrant",
    ]
    request = {"KeyId": key_id, "GranteePrincipal": ROLE}
    world.call("kms", "CreateGrant", {**request, "Operations": operations[:-1]})
    assert not world.kms.usable(key_id, ROLE)
    grant = world.call("kms", "CreateGrant", {**request, "Operations": operations})
    assert world.kms.usable(key_id, ROLE)
    assert len(world.call("kms", "ListGrants", {"KeyId": key_id})["Grants"]) == 2
    world.call("kms", "RevokeGrant", {"KeyId": key_id, "GrantId": grant["GrantId"]})
    assert not world.kms.usable(key_id, ROLE)


def test_the_managed_key_always_exists_and_is_always_usable(world: World) -> None:
    found = world.call("kms", "DescribeKey", {"KeyId": "alias/aws/ebs"})["KeyMetadata"]
    assert found["KeyManager"] == "AWS"
    assert world.kms.usable(found["Arn"], ROLE)
    assert refusal(world, "DisableKey", KeyId=found["KeyId"]) == "AccessDeniedException"


@pytest.mark.parametrize(
    ("key_state", "usable"),
    [
        ("Enabled", True),
        ("Updating", True),
        ("Creating", False),
        ("Disabled", False),
        ("PendingDeletion", False),
        ("PendingImport", False),
        ("PendingReplicaDeletion", False),
        ("Unavailable", False),
    ],
)
def test_a_key_is_described_in_every_state_and_used_in_few(
    world: World,
    key_state: str,
    usable: bool,  # noqa: FBT001 - a column of the table above
) -> None:
    key_id = key(world, Policy=policy(statement(USE), GRANT))
    world.kms.set_state(key_id, key_state)
    metadata = world.call("kms", "DescribeKey", {"KeyId": key_id})["KeyMetadata"]
    assert metadata["KeyState"] == key_state
    assert metadata["Enabled"] is (key_state == "Enabled")
    assert world.kms.usable(key_id, ROLE) is usable


def test_a_key_is_found_by_id_arn_and_alias(world: World) -> None:
    key_id = key(world)
    world.call("kms", "CreateAlias", {"AliasName": "alias/data", "TargetKeyId": key_id})
    arn = world.arn("kms", f"key/{key_id}")
    for name in (key_id, arn, "alias/data", world.arn("kms", "alias/data")):
        found = world.call("kms", "DescribeKey", {"KeyId": name})["KeyMetadata"]
        assert found["KeyId"] == key_id
    aliases = world.call("kms", "ListAliases", {"KeyId": key_id})["Aliases"]
    assert [alias["AliasName"] for alias in aliases] == ["alias/data"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("1234abcd-12ab-34cd-56ef-1234567890ab", "NotFoundException"),
        ("alias/nothing", "NotFoundException"),
        ("arn:aws:kms:nowhere", "InvalidArnException"),
        ("arn:aws:kms:us-east-1:999988887777:key/1", "NotFoundException"),
    ],
)
def test_an_unknown_key_is_refused(world: World, name: str, code: str) -> None:
    assert refusal(world, "DescribeKey", KeyId=name) == code
    assert not world.kms.usable(name, ROLE)


def test_a_disabled_key_can_be_enabled_again(world: World) -> None:
    key_id = key(world)
    world.call("kms", "DisableKey", {"KeyId": key_id})
    assert state(world, key_id) == "Disabled"
    world.call("kms", "EnableKey", {"KeyId": key_id})
    assert state(world, key_id) == "Enabled"


def test_a_key_pending_deletion_shows_its_date_and_then_is_gone(world: World) -> None:
    key_id = key(world)
    answer = world.call("kms", "ScheduleKeyDeletion", {"KeyId": key_id, "PendingWindowInDays": 7})
    metadata = world.call("kms", "DescribeKey", {"KeyId": key_id})["KeyMetadata"]
    assert metadata["DeletionDate"] == answer["DeletionDate"]
    assert refusal(world, "EnableKey", KeyId=key_id) == "KMSInvalidStateException"
    world.run_for(7 * 24 * 3600)
    assert refusal(world, "DescribeKey", KeyId=key_id) == "NotFoundException"


def test_a_cancelled_deletion_leaves_the_key_disabled(world: World) -> None:
    key_id = key(world)
    world.call("kms", "ScheduleKeyDeletion", {"KeyId": key_id})
    world.call("kms", "CancelKeyDeletion", {"KeyId": key_id})
    assert state(world, key_id) == "Disabled"
    world.run_for(31 * 24 * 3600)
    assert state(world, key_id) == "Disabled"


def test_a_deletion_window_is_seven_to_thirty_days(world: World) -> None:
    assert refusal(world, "ScheduleKeyDeletion", KeyId=key(world), PendingWindowInDays=3) == (
        "ValidationException"
    )


def test_a_policy_is_returned_as_it_was_put(world: World) -> None:
    key_id = key(world)
    text = policy(statement(USE), GRANT)
    world.call("kms", "PutKeyPolicy", {"KeyId": key_id, "Policy": text})
    assert world.call("kms", "GetKeyPolicy", {"KeyId": key_id})["Policy"] == text
    assert refusal(world, "PutKeyPolicy", KeyId=key_id, Policy="{}") == (
        "MalformedPolicyDocumentException"
    )
