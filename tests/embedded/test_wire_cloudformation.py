"""CloudFormation: stacks come, change and go one resource at a time, and back when that fails."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from embedded.wire.cloudformation.change_sets import ChangeSets
from embedded.wire.cloudformation.stacks import StackChanging, StackReading
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Service
from tests.embedded.stacks import ROOT, Account, parameter, template

SOURCES = ROOT / "embedded" / "wire" / "cloudformation"
HARMLESS = {
    "ClientRequestToken": "what is asked for twice is refused the second time",
    "ClientToken": "what is asked for twice is refused the second time",
    "RoleARN": "permissions are not enforced",
    "TemplateSummaryConfig": "every parameter is told of",
}
PARAMETER = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "one"}}


@pytest.fixture
def account() -> Account:
    return Account()


# -- create ----------------------------------------------------------------------------------------


def test_a_stack_is_in_progress_until_its_resources_are_made(account: Account) -> None:
    body = template({"One": parameter("/one", "1")})

    account.cloudformation.create_stack(StackName="it", TemplateBody=body)

    assert account.stack()["StackStatus"] == "CREATE_IN_PROGRESS"
    assert account.parameters() == {}
    assert account.settled() == "CREATE_COMPLETE"
    assert account.parameters() == {"/one": "1"}


def test_a_failed_creation_takes_away_what_was_made(account: Account) -> None:
    # Given a second resource that the service refuses
    resources = {
        "One": parameter("/one", "1"),
        "Two": parameter("not a name!", "2", DependsOn="One"),
    }

    status = account.create(resources)

    assert status == "ROLLBACK_COMPLETE"
    assert account.parameters() == {}
    assert account.statuses("Two") == ["CREATE_IN_PROGRESS", "CREATE_FAILED"]
    assert account.statuses("One")[-1] == "DELETE_COMPLETE"
    assert "Resources.Two" in account.stack()["StackStatusReason"]


def test_a_failed_creation_leaves_everything_when_rollback_is_disabled(account: Account) -> None:
    resources = {"One": parameter("/one", "1"), "Two": parameter("no!", "2", DependsOn="One")}

    status = account.create(resources, DisableRollback=True)

    assert status == "CREATE_FAILED"
    assert account.parameters() == {"/one": "1"}


def test_a_type_that_is_not_supported_is_refused_at_once(account: Account) -> None:
    with pytest.raises(ClientError, match="AWS::MSK::Cluster is not supported"):
        account.create({"Cluster": {"Type": "AWS::MSK::Cluster"}})


def test_dynamic_references_are_refused_rather_than_taken_for_text(account: Account) -> None:
    with pytest.raises(ClientError, match="dynamic references"):
        account.create({"One": parameter("/one", "{{resolve:ssm:/other}}")})


def test_a_property_that_would_be_dropped_fails_the_stack(account: Account) -> None:
    resource = {"Type": "AWS::SNS::Topic", "Properties": {"SignatureVersion": "2"}}

    assert account.create({"Topic": resource}) == "ROLLBACK_COMPLETE"
    assert "it would be dropped" in account.stack()["StackStatusReason"]


def test_members_of_a_request_that_would_be_ignored_are_refused(account: Account) -> None:
    with pytest.raises(NotEmulatedError, match="Tags of cloudformation:CreateStack"):
        account.create({"One": PARAMETER}, Tags=[{"Key": "a", "Value": "b"}])


def test_iam_resources_must_be_acknowledged(account: Account) -> None:
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}}

    with pytest.raises(ClientError, match=r"CAPABILITY_IAM\]"):
        account.create({"Role": role})


def test_two_stacks_cannot_have_one_name(account: Account) -> None:
    account.create({"One": PARAMETER})

    with pytest.raises(account.cloudformation.exceptions.AlreadyExistsException):
        account.create({"One": PARAMETER})


def test_code_in_a_bucket_is_refused_with_what_to_do(account: Account) -> None:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Code": {"S3Bucket": "artifacts", "S3Key": "code.zip"},
            "Handler": "app.handler",
            "Runtime": "python3.13",
            "Role": "arn:aws:iam::111122223333:role/any",
        },
    }

    assert account.create({"Function": function}) == "ROLLBACK_COMPLETE"
    assert "name a path in the template" in account.stack()["StackStatusReason"]


def test_a_template_may_lie_in_a_bucket(account: Account) -> None:
    account.client("s3").create_bucket(Bucket="templates")
    body = template({"One": parameter("/one", "1")})
    account.client("s3").put_object(Bucket="templates", Key="it.json", Body=body.encode())

    account.cloudformation.create_stack(
        StackName="it", TemplateURL="https://templates.s3.us-east-1.amazonaws.com/it.json"
    )

    assert account.settled() == "CREATE_COMPLETE"


def test_parameters_can_be_looked_up_in_parameter_store(account: Account) -> None:
    account.client("ssm").put_parameter(Name="/size", Value="big", Type="String")
    declared = {"Size": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/size"}}
    body = template({"One": parameter("/one", {"Ref": "Size"})}, Parameters=declared)

    account.cloudformation.create_stack(StackName="it", TemplateBody=body)
    account.settled()

    assert account.parameters()["/one"] == "big"


@pytest.mark.parametrize("part", [StackChanging, StackReading, ChangeSets])
def test_no_member_of_a_request_is_dropped_in_silence(part: type[Service]) -> None:
    sources = "".join(path.read_text() for path in SOURCES.glob("*.py"))
    model = botocore.session.Session().get_service_model("cloudformation")

    for name in part.operation_names():
        members = model.operation_model(name).input_shape.members  # type: ignore[union-attr]
        forgotten = [one for one in members if f'"{one}"' not in sources and one not in HARMLESS]
        assert forgotten == [], name


# -- update ----------------------------------------------------------------------------------------


def test_a_change_in_place_keeps_the_resource(account: Account) -> None:
    account.create({"One": parameter("/one", "1")})

    status = account.update({"One": parameter("/one", "2")})

    assert status == "UPDATE_COMPLETE"
    assert account.parameters() == {"/one": "2"}
    assert "DELETE_COMPLETE" not in account.statuses("One")


def test_a_change_that_replaces_makes_the_new_one_first(account: Account) -> None:
    account.create({"One": parameter("/old", "1")})

    status = account.update({"One": parameter("/new", "1")})

    assert status == "UPDATE_COMPLETE"
    assert account.parameters() == {"/new": "1"}
    assert account.statuses("One")[-2:] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]


def test_what_refers_to_a_replaced_resource_follows_it(account: Account) -> None:
    def resources(name: str) -> dict[str, Any]:
        return {"One": parameter(name, "1"), "Two": parameter("/name", {"Ref": "One"})}

    account.create(resources("/old"))

    account.update(resources("/new"))

    assert account.parameters()["/name"] == "/new"


def test_a_named_resource_cannot_be_replaced_under_its_name(account: Account) -> None:
    def table(kind: str) -> dict[str, Any]:
        return {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "t",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": kind}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
        }

    account.create({"Table": table("S")})
    changed = table("S")
    changed["Properties"]["KeySchema"] = [{"AttributeName": "id", "KeyType": "HASH"}]
    changed["Properties"]["AttributeDefinitions"][0]["AttributeName"] = "id"

    status = account.update({"Table": changed})

    assert status == "UPDATE_ROLLBACK_COMPLETE"


def test_a_property_that_cannot_be_changed_here_fails_the_update(account: Account) -> None:
    def queue(seconds: int | None) -> dict[str, Any]:
        given = {} if seconds is None else {"VisibilityTimeout": seconds}
        return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", **given}}

    account.create({"Queue": queue(60)})

    assert account.update({"Queue": queue(None)}) == "UPDATE_ROLLBACK_COMPLETE"


def test_a_failed_update_brings_everything_back(account: Account) -> None:
    account.create({"One": parameter("/one", "1"), "Gone": parameter("/gone", "1")})

    status = account.update({
        "One": parameter("/one", "2"),
        "New": parameter("/new", "2", DependsOn="One"),
        "Bad": parameter("no!", "2", DependsOn="New"),
    })  # fmt: skip

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert account.parameters() == {"/one": "1", "/gone": "1"}


def test_what_has_left_the_template_is_removed(account: Account) -> None:
    account.create({"One": parameter("/one", "1"), "Two": parameter("/two", "2")})

    account.update({"One": parameter("/one", "1")})

    assert account.parameters() == {"/one": "1"}


def test_an_update_without_a_difference_is_refused(account: Account) -> None:
    account.create({"One": parameter("/one", "1")})

    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.update({"One": parameter("/one", "1")})


# -- delete ----------------------------------------------------------------------------------------


def test_a_deleted_stack_leaves_nothing_but_what_is_retained(account: Account) -> None:
    account.create({
        "One": parameter("/one", "1"),
        "Kept": parameter("/kept", "1", DeletionPolicy="Retain"),
    })  # fmt: skip
    stack_id = account.stack()["StackId"]

    account.delete()

    assert account.parameters() == {"/kept": "1"}
    (stack,) = account.cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"


def test_a_deletion_that_a_service_refuses_says_which_resource_stays(account: Account) -> None:
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "DeletionProtectionEnabled": True,
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        },
    }
    account.create({"Table": table})

    account.delete()

    assert account.stack()["StackStatus"] == "DELETE_FAILED"
    assert "Resources.Table" in account.stack()["StackStatusReason"]


def test_a_protected_stack_is_not_deleted(account: Account) -> None:
    account.create({"One": PARAMETER}, EnableTerminationProtection=True)

    with pytest.raises(ClientError, match="TerminationProtection"):
        account.delete()


def test_deleting_a_stack_that_is_not_there_is_no_error(account: Account) -> None:
    account.delete()


# -- change sets -----------------------------------------------------------------------------------


def change_set(account: Account, kind: str, resources: dict[str, Any]) -> Any:
    account.cloudformation.create_change_set(
        StackName="it", ChangeSetName="next", ChangeSetType=kind, TemplateBody=template(resources)
    )
    account.world.run_for(10)
    return account.cloudformation.describe_change_set(StackName="it", ChangeSetName="next")


def execute(account: Account) -> str:
    account.cloudformation.execute_change_set(StackName="it", ChangeSetName="next")
    return account.settled()


def test_a_change_set_creates_a_stack_when_it_is_executed(account: Account) -> None:
    described = change_set(account, "CREATE", {"One": parameter("/one", "1")})

    assert account.stack()["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert described["ExecutionStatus"] == "AVAILABLE"
    assert execute(account) == "CREATE_COMPLETE"


def test_a_change_set_tells_what_it_would_change(account: Account) -> None:
    account.create({"One": parameter("/one", "1"), "Two": parameter("/two", "2")})

    described = change_set(
        account, "UPDATE", {"One": parameter("/other", "1"), "Three": parameter("/three", "3")}
    )

    changes = {
        one["ResourceChange"]["LogicalResourceId"]: (
            one["ResourceChange"]["Action"],
            one["ResourceChange"].get("Replacement"),
        )
        for one in described["Changes"]
    }
    assert changes == {
        "One": ("Modify", "True"),
        "Two": ("Remove", None),
        "Three": ("Add", None),
    }


def test_a_change_set_without_a_change_fails_with_the_words_that_tools_look_for(
    account: Account,
) -> None:
    account.create({"One": parameter("/one", "1")})

    described = change_set(account, "UPDATE", {"One": parameter("/one", "1")})

    assert described["Status"] == "FAILED"
    assert "didn't contain changes" in described["StatusReason"]
