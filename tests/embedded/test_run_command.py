"""Run Command, as the Systems Manager user guide and the service model describe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.scenarios.stage import Stage
from embedded.scenarios.writers import Publishing
from embedded.world.errors import NotEmulatedError
from embedded.world.run_command import CommandRun, Document


@pytest.fixture(scope="module")
def instance_of() -> Callable[[], tuple[Stage, str]]:
    def make() -> tuple[Stage, str]:
        stage = Stage()
        fleet = stage.add_fleet("sec", capacity=1)
        writer = Publishing(stage).add_instance(fleet, {})
        return stage, writer.instance or ""

    return make


Scene = tuple[Stage, str]


@pytest.fixture
def scene(instance_of: Callable[[], Scene]) -> Scene:
    return instance_of()


def send(scene: Scene, document: Document, **params: Any) -> str:
    stage, instance = scene
    stage.world.ssm.commands.documents["own"] = document
    reply = (
        direct.session(stage.world)
        .client("ssm")
        .send_command(DocumentName="own", InstanceIds=[instance], **params)
    )
    return reply["Command"]["CommandId"]


def status(scene: Scene, command: str) -> dict[str, Any]:
    stage, instance = scene
    reply = (
        direct.session(stage.world)
        .client("ssm")
        .get_command_invocation(CommandId=command, InstanceId=instance)
    )
    return dict(reply)


def test_a_command_is_not_known_at_once_then_runs_and_succeeds(scene: Scene) -> None:
    command = send(scene, lambda _, __: CommandRun(seconds=5))

    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        status(scene, command)
    scene[0].world.run_for(3)
    running = status(scene, command)["Status"]
    scene[0].world.run_for(10)

    assert (running, status(scene, command)["Status"]) == ("InProgress", "Success")


def test_a_document_gets_its_parameters_and_the_instance(scene: Scene) -> None:
    got: list[Any] = []

    def note(parameters: Any, instance: str) -> CommandRun:
        got.append((dict(parameters), instance))
        return CommandRun()

    send(scene, note, Parameters={"Action": ["quiesce"]})
    scene[0].world.run_for(10)

    assert got == [({"Action": ["quiesce"]}, scene[1])]


def test_a_document_that_fails_says_what_it_wrote(scene: Scene) -> None:
    command = send(scene, lambda _, __: CommandRun(error="no such mount"))
    scene[0].world.run_for(10)

    found = status(scene, command)

    assert (found["Status"], found["ResponseCode"]) == ("Failed", 1)
    assert found["StandardErrorContent"] == "no such mount"


def test_an_instance_that_goes_before_the_command_comes_cannot_run_it(scene: Scene) -> None:
    command = send(scene, lambda _, __: CommandRun())
    scene[0].world.ssm.commands.managed.clear()
    scene[0].world.run_for(10)

    assert status(scene, command)["Status"] == "Failed"


def test_an_instance_without_an_agent_is_refused(scene: Scene) -> None:
    scene[0].world.ssm.commands.managed.clear()

    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(scene, lambda _, __: CommandRun())


def test_a_document_that_is_not_there_is_refused(scene: Scene) -> None:
    stage, instance = scene

    with pytest.raises(ClientError, match="InvalidDocument"):
        direct.session(stage.world).client("ssm").send_command(
            DocumentName="nobodys", InstanceIds=[instance]
        )


def test_targets_by_tag_are_refused_loudly(scene: Scene) -> None:
    with pytest.raises(NotEmulatedError, match="Targets"):
        send(scene, lambda _, __: CommandRun(), Targets=[{"Key": "tag:a", "Values": ["b"]}])


def test_a_second_snapshot_of_a_volume_within_seconds_is_refused(scene: Scene) -> None:
    stage, _ = scene
    ec2 = stage.session.client("ec2")
    volume = stage.fleets["sec"].volume
    ec2.create_snapshot(VolumeId=volume)

    with pytest.raises(ClientError, match="SnapshotCreationPerVolumeRateExceeded"):
        ec2.create_snapshot(VolumeId=volume)
    stage.world.run_for(15)

    assert ec2.create_snapshot(VolumeId=volume)["State"] == "pending"
