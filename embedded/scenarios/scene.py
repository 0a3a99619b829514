"""What a served world holds at the beginning: the control plane, one fleet, and its writer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from embedded import direct, plain
from embedded.deploy.handlers import bind_handlers
from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.scenarios.writers import Publishing
from embedded.wire.cloudformation import CloudFormation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3

    from embedded.world.world import World

ROOT: Final = Path(__file__).parents[2]
FLEET: Final = "sec"
WRITER: Final = "filings"
CAPACITY: Final = 4
DATA_GIB: Final = 100
TAGS: Final = {"Dataset": FLEET, "Environment": ENVIRONMENT}
BUCKET: Final = "embedded-templates"
"""Holds templates, which may be longer than a request takes."""
CAPABILITIES: Final = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
PATIENCE: Final = timedelta(hours=1)


class SceneError(Exception):
    """The scene cannot be built; says which stack failed, and why."""


class Scene(Stage):
    """A stage whose control plane and fleet were made from their templates, as a team makes them.

    Parameters
    ----------
    world
        A fresh world, whose clock is free to run.

    Raises
    ------
    SceneError
        When a stack cannot be deployed, or the fleet does not become healthy.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        plain.attach(world)
        world.add_service(CloudFormation(world, ROOT))
        bind_handlers(world, check_replies=False)
        self.session = direct.session(world)
        self.session.client("s3").create_bucket(Bucket=BUCKET)
        control = _deployed(
            world, self.session, "snaproll", ROOT / "template.yaml", {"Environment": ENVIRONMENT}
        )
        self._machine = control["RolloutStateMachineArn"]
        first = world.ec2.add_snapshot(
            kms_key_id=_managed_key(self.session), size_gib=DATA_GIB, tags=dict(TAGS)
        )
        parameters = _fleet(self.session, first.id)
        made = _deployed(
            world, self.session, f"fleet-{FLEET}", ROOT / "fleet/template.yaml", parameters
        )
        _await_health(world, self.session, made["TargetGroupArn"])
        self.fleet = StagedFleet(
            name=FLEET,
            group=made["AutoScalingGroupName"],
            template_id=made["LaunchTemplateId"],
            target_group=made["TargetGroupArn"],
            alarm="",
            first_snapshot=first.id,
            key=_managed_key(self.session),
            volume=_deployed(
                world, self.session, f"writer-{WRITER}", ROOT / "fleet/writer.yaml", _writer(world)
            )["VolumeId"],
            tags=TAGS,
        )
        self.fleets = {FLEET: self.fleet}
        world.run_for(60)

    @property
    def machine(self) -> str:
        """ARN of the rollout state machine."""
        return self._machine

    def __str__(self) -> str:
        """What somebody who comes to the scene has to know."""
        return (
            f"fleet {FLEET}: group {self.fleet.group}\n"
            f"writer {WRITER}: volume {self.fleet.volume}, snapshots of it need the tags "
            f"{', '.join(f'{key}={value}' for key, value in TAGS.items())}\n"
            f"rollouts: {self.machine}\n"
            f"publishes: {Publishing(self).machine}\n"
        )


def _fleet(session: boto3.Session, first: str) -> dict[str, str]:
    """Give the parameters of the fleet's stack; what it is to serve first is put where it looks."""
    subnets: Any = session.client("ec2").describe_subnets()["Subnets"][:3]
    live = f"/snaproll/{ENVIRONMENT}/live/{FLEET}/snapshot"
    session.client("ssm").put_parameter(Name=live, Value=first, Type="String")
    return {
        "Fleet": FLEET,
        "Environment": ENVIRONMENT,
        "SnapshotTagValue": TAGS["Dataset"],
        "VpcId": subnets[0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
        "LiveSnapshot": live,
        "DataVolumeSize": str(DATA_GIB),
        "DesiredCapacity": str(CAPACITY),
        "MaxSize": str(CAPACITY * 2),
        "CheckpointWait": "5m",
        "Bake": "15m",
    }


def _managed_key(session: boto3.Session) -> str:
    return session.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]


def _writer(world: World) -> dict[str, str]:
    """Give the parameters of the writer's stack: its volume is what snapshots are taken of."""
    return {
        "Writer": WRITER,
        "Environment": ENVIRONMENT,
        "Fleet": FLEET,
        "AvailabilityZone": f"{world.region}a",
        "VolumeSize": str(DATA_GIB),
    }


def _deployed(
    world: World,
    session: boto3.Session,
    name: str,
    template: Path,
    parameters: Mapping[str, str],
) -> dict[str, str]:
    """Create a stack through the API, and let it become complete; gives its outputs."""
    session.client("s3").put_object(Bucket=BUCKET, Key=name, Body=template.read_bytes())
    client: Any = session.client("cloudformation")
    try:
        client.create_stack(
            StackName=name,
            TemplateURL=f"https://s3.{world.region}.amazonaws.com/{BUCKET}/{name}",
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=CAPABILITIES,
        )
    except ClientError as error:
        raise SceneError(f"{template.name}: {error.response['Error']['Message']}") from error

    def stack() -> dict[str, Any]:
        found: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
        return found

    world.run_until(lambda: not stack()["StackStatus"].endswith("_IN_PROGRESS"), limit=PATIENCE)
    made = stack()
    if made["StackStatus"] != "CREATE_COMPLETE":
        raise SceneError(f"the stack {name} failed: {made.get('StackStatusReason')}")
    return {one["OutputKey"]: one["OutputValue"] for one in made["Outputs"]}


def _await_health(world: World, session: boto3.Session, target_group: str) -> None:
    elbv2 = session.client("elbv2")

    def healthy() -> bool:
        reply: Any = elbv2.describe_target_health(TargetGroupArn=target_group)
        states = [one["TargetHealth"]["State"] for one in reply["TargetHealthDescriptions"]]
        return states.count("healthy") == CAPACITY

    try:
        world.run_until(healthy, limit=PATIENCE)
    except TimeoutError as error:
        raise SceneError(f"the fleet {FLEET} does not become healthy: {error}") from error
