"""A whole rollout goes the same way when its functions reach AWS over HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from embedded.scenarios.stage import Stage
from snaproll import settings
from snaproll.runtime import Runtime, use
from tests.contract.doors import DOORS, Answer, Door, Listener, opened

if TYPE_CHECKING:
    from embedded.world.awslambda import FunctionSpec


def bind_to(door: Door, listener: Listener) -> None:
    """Let every handler call through the door, within the listener's hearing."""

    @contextmanager
    def around(_: FunctionSpec) -> Iterator[None]:
        runtime = Runtime(
            settings=settings.from_env(os.environ),
            client=listener.client,
            client_once=listener.client,
            now=door.world.clock.now,
        )
        with use(runtime):
            yield

    door.world.awslambda.around = around


def rolled(door: str, scenario: str) -> tuple[str, list[Answer]]:
    """Roll a snapshot out; gives how that ended, and every answer that a function got."""
    stage = Stage()
    with opened(door, stage.world) as way:
        listener = Listener(way)
        bind_to(way, listener)
        fleet = stage.add_fleet("sec")
        execution = stage.roll(fleet, scenario)
        return execution.status, listener.heard


@pytest.mark.parametrize(("scenario", "status"), [("healthy", "SUCCEEDED"), ("corrupt", "FAILED")])
def test_a_rollout_hears_the_same_answers_through_both_doors(scenario: str, status: str) -> None:
    direct, wire = (rolled(door, scenario) for door in DOORS)

    assert wire[0] == direct[0] == status
    assert wire[1] == direct[1]


def test_the_two_rollouts_use_every_service_that_snaproll_calls() -> None:
    heard = [*rolled("direct", "healthy")[1], *rolled("direct", "corrupt")[1]]

    assert {answer.service for answer in heard} == {
        "autoscaling",
        "cloudwatch",
        "dynamodb",
        "ec2",
        "elbv2",
        "events",
        "kms",
        "ssm",
        "stepfunctions",
    }
