"""Instances behind a load balancer without an Auto Scaling group, for tests of what lies below."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.behaviour import SCENARIO_TAG
from embedded.world.ec2 import Instance, Snapshot
from embedded.world.elbv2 import TargetState
from embedded.world.errors import AwsError
from embedded.world.world import World

DEVICE = "/dev/xvdf"
ZONE = "us-east-1a"


class Replicas:
    """A world with a launch template, and a target group behind a load balancer."""

    def __init__(self, *, seed: int = 1, scenario: str | None = None, **ebs: Any) -> None:
        self.world = World(seed=seed)
        tags = {SCENARIO_TAG: scenario} if scenario else {}
        self.snapshot = self.world.ec2.add_snapshot(tags=tags)
        self.template_id = self.template(self.snapshot, **ebs)
        self.load_balancer_arn: str = self.call(
            "elbv2", "CreateLoadBalancer", Name="replicas", Subnets=["subnet-1", "subnet-2"]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self.target_group_arn: str = self.call(
            "elbv2", "CreateTargetGroup", Name="replicas", Protocol="HTTP", Port=8080
        )["TargetGroups"][0]["TargetGroupArn"]
        self.listener_arn: str = self.call(
            "elbv2",
            "CreateListener",
            LoadBalancerArn=self.load_balancer_arn,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.target_group_arn}],
        )["Listeners"][0]["ListenerArn"]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Call an API of the world."""
        return self.world.call(service, operation, params)

    def refusal(self, service: str, operation: str, **params: Any) -> AwsError:
        """The error that a call is answered with."""
        with pytest.raises(AwsError) as refused:
            self.world.call(service, operation, params)
        return refused.value

    def template(self, snapshot: Snapshot, *, name: str | None = None, **ebs: Any) -> str:
        """Make a launch template whose data device comes from a snapshot."""
        data = template_data(SnapshotId=snapshot.id, **ebs)
        created = self.call(
            "ec2",
            "CreateLaunchTemplate",
            LaunchTemplateName=name or f"replicas-{snapshot.id}",
            LaunchTemplateData=data,
        )
        template_id: str = created["LaunchTemplate"]["LaunchTemplateId"]
        return template_id

    def launch(self, template_id: str | None = None) -> Instance:
        """Launch one instance."""
        return self.world.ec2.launch(
            template_id or self.template_id, 1, zone=ZONE, group="replicas"
        )

    def running(self, template_id: str | None = None) -> Instance:
        """Launch one instance and wait until it runs."""
        instance = self.launch(template_id)
        while instance.state != "running":
            self.world.step()
        return instance

    def serving(self, template_id: str | None = None) -> Instance:
        """Launch one instance, register it and wait until its target is healthy."""
        instance = self.running(template_id)
        self.world.elbv2.register(self.target_group_arn, instance.id)
        while self.state(instance).state != "healthy":
            self.world.step()
        return instance

    def state(self, instance: Instance) -> TargetState:
        """The state of an instance's target."""
        return self.world.elbv2.state_of(self.target_group_arn, instance.id)


def template_data(**ebs: Any) -> dict[str, Any]:
    """Launch template data with a root device and a data device."""
    return {
        "ImageId": "ami-0123456789abcdef0",
        "InstanceType": "m7g.large",
        "UserData": "IyEvYmluL3NoCg==",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "DeleteOnTermination": True}},
            {"DeviceName": DEVICE, "Ebs": {"DeleteOnTermination": True, **ebs}},
        ],
    }
