"""What a served world holds at the beginning: the control plane, one fleet, and its writer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from embedded import direct, plain
from embedded.deploy.handlers import bind_handlers
from embedded.wire.cloudformation import CloudFormation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import boto3

    from embedded.world.world import World

ENVIRONMENT: Final = "demo"
FLEET: Final = "sec"
CAPACITY: Final = 4
DATA_GIB: Final = 100
TAGS: Final = {"Dataset": FLEET, "Environment": ENVIRONMENT}
BUCKET: Final = "embedded-templates"
"""Holds templates, which may be longer than a request takes."""
CAPABILITIES: Final = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
PATIENCE: Final = timedelta(hours=1)


class SceneError(Exception):
    """The scene cannot be built; says which stack failed, and why."""


def build(world: World, root: Path) -> str:
    """Deploy both stacks and let the fleet become healthy; gives a description for people.

    Parameters
    ----------
    world
        A fresh world, whose clock is free to run.
    root
        The repository.

    Raises
    ------
    SceneError
        When a stack cannot be deployed, or the fleet does not become healthy.
    """
    plain.attach(world)
    world.add_service(CloudFormation(world, root))
    bind_handlers(world, check_replies=False)
    session = direct.session(world)
    session.client("s3").create_bucket(Bucket=BUCKET)
    control = _deployed(
        world, session, "snaproll", root / "template.yaml", {"Environment": ENVIRONMENT}
    )
    fleet = _deployed(
        world, session, f"fleet-{FLEET}", root / "fleet" / "template.yaml", _fleet(world, session)
    )
    _await_health(world, session, fleet["TargetGroupArn"])
    volume = _writer(session, world)
    world.run_for(60)
    return (
        f"fleet {FLEET}: group {fleet['AutoScalingGroupName']}\n"
        f"its writer's volume: {volume}, snapshots of it need the tags "
        f"{', '.join(f'{key}={value}' for key, value in TAGS.items())}\n"
        f"rollouts: {control['RolloutStateMachineArn']}\n"
    )


def _fleet(world: World, session: boto3.Session) -> dict[str, str]:
    """Give the parameters of the fleet's stack; its first data version is there already."""
    subnets: Any = session.client("ec2").describe_subnets()["Subnets"][:3]
    first = world.ec2.add_snapshot(
        kms_key_id=_managed_key(session), size_gib=DATA_GIB, tags=dict(TAGS)
    )
    return {
        "Fleet": FLEET,
        "Environment": ENVIRONMENT,
        "SnapshotTagValue": TAGS["Dataset"],
        "VpcId": subnets[0]["VpcId"],
        "SubnetIds": ",".join(subnet["SubnetId"] for subnet in subnets),
        "SnapshotId": first.id,
        "DataVolumeSize": str(DATA_GIB),
        "DesiredCapacity": str(CAPACITY),
        "MaxSize": str(CAPACITY * 2),
    }


def _managed_key(session: boto3.Session) -> str:
    return session.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["Arn"]


def _writer(session: boto3.Session, world: World) -> str:
    """Make the volume that the writer writes to, and that snapshots are taken of."""
    reply = session.client("ec2").create_volume(
        AvailabilityZone=f"{world.region}a",
        Size=DATA_GIB,
        Encrypted=True,
        VolumeType="gp3",
        TagSpecifications=[
            {"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": f"{FLEET}-writer"}]}
        ],
    )
    return reply["VolumeId"]


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
