"""Every operation that the world models answers alike through both doors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest

from embedded import plain
from embedded.wire.cloudformation import CloudFormation
from embedded.world.world import World
from tests.contract.doors import DOORS, Answer, answer, opened
from tests.contract.requests import complete

SERVICES = (
    "autoscaling",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "elbv2",
    "events",
    "kms",
    "lambda",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
)


def answers_of_an_empty_world(door: str, service: str) -> Iterator[Answer]:
    """Ask for every operation of a service, one after the other, in a world without anything."""
    world = World()
    world.add_service(CloudFormation(world, Path()))
    plain.attach(world)
    model = botocore.session.Session().get_service_model(service)
    with opened(door, world) as way:
        for operation in model.operation_names:
            shape = model.operation_model(operation).input_shape
            params = complete(shape)
            seen = answer(way, service, operation, params)
            if plain.belongs(service, operation, params) and seen.error is None:
                # What moto makes has keys and times of its own.
                seen = replace(seen, reply=sorted(seen.reply))
            yield seen


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_of_a_service_answers_alike_about_nothing(service: str) -> None:
    direct, wire = (list(answers_of_an_empty_world(door, service)) for door in DOORS)

    assert wire == direct
