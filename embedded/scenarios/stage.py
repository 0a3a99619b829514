"""A world with the control plane deployed in it, and fleets to roll.

Everything is made through the APIs that a team would use; only the first snapshot of a fleet is
put into the world ready made, because what came before the story is of no interest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embedded import direct
from embedded.deploy import Stack, deploy
from embedded.deploy.handlers import bind_handlers
from embedded.states.execution import Execution
from embedded.world.behaviour import SCENARIO_TAG
from embedded.world.world import World

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagSpecificationTypeDef, TagTypeDef

ENVIRONMENT = "demo"
TEMPLATE = Path(__file__).parents[2] / "template.yaml"
DATA_DEVICE = "/dev/xvdf"
DATA_GIB = 100


@dataclass(frozen=True)
class StagedFleet:
    """A fleet in the world, by the names that AWS knows it by."""

    name: str
    group: str
    template_id: str
    target_group: str
    alarm: str
    first_snapshot: str
    key: str
    volume: str
    tags: Mapping[str, str] = field(default_factory=dict)


class Stage:
    """A world, the deployed control plane, and the means to play with them.

    ``check_replies`` and ``check_requests`` hold each modelled reply, and each request, against
    botocore's shapes, at some cost. ``parameters`` are given to the control plane's stack.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        check_replies: bool = True,
        check_requests: bool = True,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.world = world or World()
        self.session = direct.session(
            self.world, check_replies=check_replies, check_requests=check_requests
        )
        bind_handlers(self.world, check_replies=check_replies, check_requests=check_requests)
        self.stack: Stack = deploy(
            self.world,
            TEMPLATE,
            {
                "Environment": ENVIRONMENT,
                "NotificationEmail": "oncall@example.com",
                **(parameters or {}),
            },
            check_replies=check_replies,
            check_requests=check_requests,
        )
        self.fleets: dict[str, StagedFleet] = {}

    # -- control plane ----------------------------------------------------------------------------

    @property
    def machine(self) -> str:
        """ARN of the rollout state machine."""
        return self.stack.outputs["RolloutStateMachineArn"]

    def rollouts(self) -> list[Execution]:
        """Every execution of the rollout so far, in the order of their start."""
        return self.world.states.executions(self.machine)

    def start(self, content: object, name: str | None = None) -> Execution:
        """Start a rollout as an operator would from the console, and let its first step come."""
        named = {"name": name} if name else {}
        reply = self.session.client("stepfunctions").start_execution(
            stateMachineArn=self.machine, input=json.dumps(content), **named
        )
        return self.world.states.execution(reply["executionArn"])

    def finish(self, limit: timedelta = timedelta(days=1)) -> None:
        """Let emulated time pass until no rollout runs.

        Raises
        ------
        TimeoutError
            When one still runs after ``limit``.
        """
        self.world.run_until(lambda: not any(one.running for one in self.rollouts()), limit=limit)

    def roll(self, fleet: StagedFleet, scenario: str = "healthy", **attributes: Any) -> Execution:
        """Complete a snapshot of a fleet, let its event arrive, and play its rollout to the end."""
        before = len(self.rollouts())
        self.complete_snapshot(fleet, scenario, **attributes)
        self.world.run_until(lambda: len(self.rollouts()) > before, limit=timedelta(minutes=5))
        self.finish()
        return self.rollouts()[-1]

    # -- fleets -----------------------------------------------------------------------------------

    def add_fleet(
        self,
        name: str,
        *,
        capacity: int = 4,
        policy: Mapping[str, Any] | None = None,
        settle: bool = True,
    ) -> StagedFleet:
        """Build a fleet that serves a first snapshot, opt it in, and let it become healthy.

        ``policy`` replaces sections of the fleet parameter. With ``settle=False`` no time passes.
        """
        tags = {"GraphId": name, "Environment": ENVIRONMENT}
        key = self._key(name)
        first = self.world.ec2.add_snapshot(kms_key_id=key, size_gib=DATA_GIB, tags=tags)
        volume = self.session.client("ec2").create_volume(
            AvailabilityZone=f"{self.world.region}a",
            Size=DATA_GIB,
            Encrypted=True,
            KmsKeyId=key,
        )["VolumeId"]
        fleet = StagedFleet(
            name=name,
            group=f"{name}-replicas",
            template_id=self._template(name, first.id),
            target_group=self._target_group(name),
            alarm=f"{name}-unhealthy",
            first_snapshot=first.id,
            key=key,
            volume=volume,
            tags=tags,
        )
        self._group(fleet, capacity)
        self._alarm(fleet)
        self.configure(fleet, policy or {})
        self.fleets[name] = fleet
        if settle:
            self.world.run_until(
                lambda: (
                    self.healthy(fleet) == capacity
                    and self.world.cloudwatch.alarm_state(fleet.alarm) == "OK"
                ),
                limit=timedelta(hours=1),
            )
        return fleet

    def configure(self, fleet: StagedFleet, sections: Mapping[str, Any]) -> None:
        """Write the fleet's parameter, as the fleet's own stack would."""
        content = {
            "auto_scaling_group": fleet.group,
            "data_device": DATA_DEVICE,
            "snapshots": {"tags": dict(fleet.tags)},
            "refresh": {"checkpoints": [25, 100], "checkpoint_wait": "5m", "bake": "15m"},
            "health": {"alarms": [fleet.alarm]},
            **sections,
        }
        self.session.client("ssm").put_parameter(
            Name=f"/snaproll/{ENVIRONMENT}/fleets/{fleet.name}",
            Value=json.dumps(content),
            Type="String",
            Overwrite=True,
        )

    def complete_snapshot(
        self,
        fleet: StagedFleet,
        scenario: str = "healthy",
        *,
        event: bool = True,
        **attributes: Any,
    ) -> str:
        """Put a completed snapshot of a fleet's writer into the world; its id."""
        tags = {**fleet.tags, **attributes.pop("tags", {})}
        if scenario != "healthy":
            tags[SCENARIO_TAG] = scenario
        settings: dict[str, Any] = {"kms_key_id": fleet.key, "size_gib": DATA_GIB, **attributes}
        return self.world.ec2.add_snapshot(
            event=event, tags=tags, start_time=self._now(settings), **settings
        ).id

    def _now(self, settings: dict[str, Any]) -> datetime:
        at: datetime = settings.pop("start_time", None) or self.world.clock.now()
        return at

    def take_snapshot(
        self, fleet: StagedFleet, scenario: str = "healthy", *, encrypted: bool = True
    ) -> str:
        """Take a snapshot of a fleet's writer, as a publisher would: it completes after a while."""
        ec2 = self.session.client("ec2")
        volume = fleet.volume
        if not encrypted:
            volume = ec2.create_volume(AvailabilityZone=f"{self.world.region}a", Size=DATA_GIB)[
                "VolumeId"
            ]
            self.world.run_for(self.world.ec2.behaviour.volume_seconds)
        tags: list[TagTypeDef] = [{"Key": key, "Value": value} for key, value in fleet.tags.items()]
        if scenario != "healthy":
            tags.append({"Key": SCENARIO_TAG, "Value": scenario})
        tagging: list[TagSpecificationTypeDef] = [{"ResourceType": "snapshot", "Tags": tags}]
        return ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagging)["SnapshotId"]

    # -- what is seen -----------------------------------------------------------------------------

    def healthy(self, fleet: StagedFleet) -> int:
        """How many targets of a fleet are healthy."""
        reply = self.session.client("elbv2").describe_target_health(
            TargetGroupArn=fleet.target_group
        )
        return sum(
            one.get("TargetHealth", {}).get("State") == "healthy"
            for one in reply["TargetHealthDescriptions"]
        )

    def served(self, fleet: StagedFleet) -> dict[str, int]:
        """How many instances of a fleet in service were launched from each snapshot."""
        counts: dict[str, int] = {}
        group = self.describe(fleet)
        for member in group["Instances"]:
            if member["LifecycleState"] == "InService":
                instance = self.world.ec2.instance(member["InstanceId"])
                snapshot = instance.snapshots.get(DATA_DEVICE) or ""
                counts[snapshot] = counts.get(snapshot, 0) + 1
        return counts

    def describe(self, fleet: StagedFleet) -> dict[str, Any]:
        """The fleet's group as Auto Scaling describes it."""
        reply = self.session.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[fleet.group]
        )
        return dict(reply["AutoScalingGroups"][0])

    # -- building ---------------------------------------------------------------------------------

    def _key(self, name: str) -> str:
        root = f"arn:aws:iam::{self.world.account}:root"
        statements = [
            {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
            {
                "Effect": "Allow",
                "Principal": {"AWS": self.world.ec2.service_linked_role},
                "Action": [
                    "kms:Encrypt",
                    "kms:Decrypt",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:DescribeKey",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Principal": {"AWS": self.world.ec2.service_linked_role},
                "Action": "kms:CreateGrant",
                "Resource": "*",
                "Condition": {"Bool": {"kms:GrantIsForAWSResource": True}},
            },
        ]
        reply = self.session.client("kms").create_key(
            Description=f"Data of {name}",
            Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        )
        return reply["KeyMetadata"]["Arn"]

    def _opt_in(self, name: str) -> list[dict[str, str]]:
        return [
            {"Key": "snaproll:fleet", "Value": name},
            {"Key": "snaproll:environment", "Value": ENVIRONMENT},
        ]

    def _template(self, name: str, snapshot: str) -> str:
        made: Any = self.session.client("ec2").create_launch_template
        reply = made(
            LaunchTemplateName=f"{name}-replica",
            TagSpecifications=[{"ResourceType": "launch-template", "Tags": self._opt_in(name)}],
            LaunchTemplateData={
                "ImageId": "ami-0123456789abcdef0",
                "InstanceType": "r7g.large",
                "UserData": "IyEvYmluL3NoCm1vdW50IC9kZXYveHZkZiAvZGF0YQo=",
                "MetadataOptions": {"HttpTokens": "required"},
                "BlockDeviceMappings": [
                    {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "gp3"}},
                    {
                        "DeviceName": DATA_DEVICE,
                        "Ebs": {
                            "SnapshotId": snapshot,
                            "VolumeSize": DATA_GIB,
                            "VolumeType": "gp3",
                            "DeleteOnTermination": True,
                        },
                    },
                ],
            },
        )
        template_id: str = reply["LaunchTemplate"]["LaunchTemplateId"]
        return template_id

    def _target_group(self, name: str) -> str:
        elbv2 = self.session.client("elbv2")
        balancer = elbv2.create_load_balancer(
            Name=f"{name}-lb", Subnets=["subnet-0aaaaaaaaaaaaaaa1", "subnet-0bbbbbbbbbbbbbbb2"]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        target_group = elbv2.create_target_group(
            Name=f"{name}-replicas",
            Protocol="HTTP",
            Port=8080,
            VpcId="vpc-0123456789abcdef0",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=30,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=5,
        )["TargetGroups"][0]["TargetGroupArn"]
        elbv2.modify_target_group_attributes(
            TargetGroupArn=target_group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "60"}],
        )
        elbv2.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        )
        return target_group

    def _group(self, fleet: StagedFleet, capacity: int) -> None:
        tags: Any = [{**tag, "PropagateAtLaunch": True} for tag in self._opt_in(fleet.name)]
        self.session.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=fleet.group,
            LaunchTemplate={"LaunchTemplateId": fleet.template_id, "Version": "1"},
            MinSize=0,
            MaxSize=capacity * 2,
            DesiredCapacity=capacity,
            AvailabilityZones=[f"{self.world.region}{zone}" for zone in "abc"],
            TargetGroupARNs=[fleet.target_group],
            HealthCheckType="ELB",
            HealthCheckGracePeriod=300,
            DefaultInstanceWarmup=120,
            Tags=tags,
        )

    def _alarm(self, fleet: StagedFleet) -> None:
        group = fleet.target_group.rsplit(":", 1)[-1]
        elbv2 = self.session.client("elbv2")
        balancer = elbv2.describe_load_balancers(Names=[f"{fleet.name}-lb"])["LoadBalancers"][0]
        loader = balancer["LoadBalancerArn"].split("loadbalancer/", 1)[-1]
        self.session.client("cloudwatch").put_metric_alarm(
            AlarmName=fleet.alarm,
            Namespace="AWS/ApplicationELB",
            MetricName="UnHealthyHostCount",
            Dimensions=[
                {"Name": "LoadBalancer", "Value": loader},
                {"Name": "TargetGroup", "Value": group},
            ],
            Statistic="Minimum",
            Period=60,
            EvaluationPeriods=3,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )
