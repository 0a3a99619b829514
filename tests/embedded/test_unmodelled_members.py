"""No member of a request is dropped in silence: it is used, refused, or harmless for a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from embedded.world.errors import NotEmulatedError
from embedded.world.service import Service
from embedded.world.world import World

ROOT = Path(__file__).parents[2]
SOURCES = {
    "autoscaling": "embedded/world/autoscaling",
    "cloudwatch": "embedded/world/cloudwatch",
    "ec2": "embedded/world/ec2",
    "elbv2": "embedded/world/elbv2",
    "events": "embedded/world/eventbridge",
    "kms": "embedded/world/kms.py",
    "lambda": "embedded/world/awslambda",
    "sns": "embedded/world/messaging",
    "sqs": "embedded/world/messaging",
    "ssm": "embedded/world/ssm.py embedded/world/run_command.py",
    "stepfunctions": "embedded/states",
}
"""Where each service is written. DynamoDB is moto's, which names no members of ours."""

KNOWN_MEMBERS_ONLY = {
    ("autoscaling", "CreateAutoScalingGroup"),
    ("autoscaling", "UpdateAutoScalingGroup"),
    ("lambda", "AddPermission"),
}
"""These refuse every member that they do not know."""
HARMLESS = {
    "BypassPolicyLockoutSafetyCheck": "nobody is locked out of anything here",
    "DestinationRegion": "botocore fills it in for CopySnapshot",
    "Force": "there are no managed rules, and every instance shuts down when it is told to",
    "GrantTokens": "grants are seen at once",
    "IncludeManagedResources": "there are none",
    "Iops": "speed is not modelled",
    "PresignedUrl": "botocore fills it in for CopySnapshot",
    "SkipOsShutdown": "an instance shuts down all the same",
    "SslPolicy": "connections are not modelled",
    "StrictEntityValidation": "entities are not modelled",
    "Tags": "the tags of rules are not kept",
    "Throughput": "speed is not modelled",
    "WaitTimeSeconds": "emulated time stands still during a call",
    "WithDecryption": "there are no secure strings",
    "traceHeader": "traces are not modelled",
}
WITHOUT_EFFECT = {("autoscaling", "PutScalingPolicy"), ("ec2", "RunInstances")}
"""Policies are kept and never act; a dry run starts nothing."""


def services() -> dict[str, Service]:
    """The services of a world that are written here, by boto3's name."""
    world = World()
    modelled = (
        world.autoscaling,
        world.cloudwatch,
        world.ec2,
        world.elbv2,
        world.events,
        world.kms,
        world.awslambda,
        world.sns,
        world.sqs,
        world.ssm,
        world.states,
    )
    return {service.name: service for service in modelled}


def words(places: str) -> set[str]:
    """Every word in the sources of a service."""
    paths = [ROOT / place for place in places.split()]
    files = [
        file
        for path in paths
        for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))
    ]
    return {word for file in files for word in re.findall(r"\w+", file.read_text())}


@pytest.mark.parametrize("name", SOURCES)
def test_every_member_of_every_operation_is_used_or_refused(name: str) -> None:
    model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
    known = words(SOURCES[name]) | HARMLESS.keys()
    dropped = {
        operation: missing
        for operation in services()[name].operation_names()
        if (name, operation) not in KNOWN_MEMBERS_ONLY | WITHOUT_EFFECT
        and (shape := model.operation_model(operation).input_shape) is not None
        and (missing := set(shape.members) - known)
    }

    assert dropped == {}


def test_a_dry_run_that_would_not_be_dry_is_refused() -> None:
    world = World()
    key = world.call("kms", "CreateKey")["KeyMetadata"]["KeyId"]
    grant = {
        "KeyId": key,
        "GranteePrincipal": "arn:aws:iam::111122223333:role/reader",
        "Operations": ["Decrypt"],
        "DryRun": True,
    }

    with pytest.raises(NotEmulatedError, match="DryRun of kms:CreateGrant"):
        world.call("kms", "CreateGrant", grant)

    assert world.call("kms", "ListGrants", {"KeyId": key})["Grants"] == []


def test_a_refused_member_that_says_no_is_let_pass() -> None:
    world = World()
    key = world.call("kms", "CreateKey")["KeyMetadata"]["KeyId"]

    world.call(
        "kms",
        "CreateGrant",
        {
            "KeyId": key,
            "GranteePrincipal": "arn:aws:iam::111122223333:role/reader",
            "Operations": ["Decrypt"],
            "DryRun": False,
        },
    )

    assert len(world.call("kms", "ListGrants", {"KeyId": key})["Grants"]) == 1


@pytest.mark.parametrize(
    "request_",
    [{"KeyUsage": "SIGN_VERIFY"}, {"CustomerMasterKeySpec": "RSA_2048"}, {"XksKeyId": "x"}],
)
def test_keys_other_than_symmetric_ones_of_kms_are_refused(request_: dict[str, str]) -> None:
    with pytest.raises(NotEmulatedError):
        World().call("kms", "CreateKey", request_)
