"""A fleet to test the embedded Auto Scaling with: template, load balancer and group in a world."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from embedded.world.autoscaling import Group, InstanceRefresh
from embedded.world.eventbridge import Event
from embedded.world.world import World

DATA_DEVICE = "/dev/xvdf"
HOUR = timedelta(hours=1)
REFRESH = "EC2 Auto Scaling Instance Refresh "
"""How the detail-types of refresh events begin."""


class Fleet:
    """A group named ``replicas`` behind a load balancer, in service on version 1.

    Parameters
    ----------
    world
        A fresh world by default.
    group
        Members of CreateAutoScalingGroup that differ from the usual ones.
    """

    name = "replicas"

    def __init__(self, *, world: World | None = None, desired: int = 4, **group: Any) -> None:
        self.world = world or World(seed=1)
        self.template_id: str = ""
        self.release()
        self.target_group_arn = self._target_group()
        self.call(
            "CreateAutoScalingGroup",
            **{
                "LaunchTemplate": self.launch_template(1),
                "MinSize": 0,
                "MaxSize": 3 * desired + 2,
                "DesiredCapacity": desired,
                "AvailabilityZones": ["us-east-1a", "us-east-1b"],
                "TargetGroupARNs": [self.target_group_arn],
                "HealthCheckType": "ELB",
                "HealthCheckGracePeriod": 300,
                **group,
            },
        )
        self.settle_down()

    # -- arranging ---------------------------------------------------------------------------------

    def release(self, scenario: str = "healthy", **data: Any) -> int:
        """Make a snapshot and a template version that restores it; the version's number."""
        snapshot = self.world.ec2.add_snapshot(tags={"embedded:scenario": scenario})
        return self.version_of(snapshot.id, **data)

    def version_of(self, snapshot_id: str, **data: Any) -> int:
        """Make a template version that restores a snapshot; its number."""
        data = {
            "ImageId": "ami-0123456789abcdef0",
            "InstanceType": "r6g.large",
            "BlockDeviceMappings": [
                {
                    "DeviceName": DATA_DEVICE,
                    "Ebs": {"SnapshotId": snapshot_id, "DeleteOnTermination": True},
                }
            ],
            **data,
        }
        if not self.template_id:
            reply = self.world.call(
                "ec2",
                "CreateLaunchTemplate",
                {"LaunchTemplateName": "replicas", "LaunchTemplateData": data},
            )
            self.template_id = reply["LaunchTemplate"]["LaunchTemplateId"]
            return 1
        reply = self.world.call(
            "ec2",
            "CreateLaunchTemplateVersion",
            {"LaunchTemplateId": self.template_id, "LaunchTemplateData": data},
        )
        number: int = reply["LaunchTemplateVersion"]["VersionNumber"]
        return number

    def _target_group(self) -> str:
        call = self.world.call
        balancer = call(
            "elbv2",
            "CreateLoadBalancer",
            {"Name": "replicas", "Subnets": ["subnet-a", "subnet-b"]},
        )["LoadBalancers"][0]
        target_group = call(
            "elbv2",
            "CreateTargetGroup",
            {"Name": "replicas", "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-1"},
        )["TargetGroups"][0]
        call(
            "elbv2",
            "CreateListener",
            {
                "LoadBalancerArn": balancer["LoadBalancerArn"],
                "Protocol": "HTTP",
                "Port": 80,
                "DefaultActions": [
                    {"Type": "forward", "TargetGroupArn": target_group["TargetGroupArn"]}
                ],
            },
        )
        arn: str = target_group["TargetGroupArn"]
        return arn

    def launch_template(self, version: int | str) -> dict[str, str]:
        """A LaunchTemplateSpecification of the fleet's template."""
        return {"LaunchTemplateId": self.template_id, "Version": str(version)}

    # -- acting ------------------------------------------------------------------------------------

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Call Auto Scaling about this group."""
        return self.world.call(
            "autoscaling", operation, {"AutoScalingGroupName": self.name, **params}
        )

    def start(self, version: int | str | None = None, **preferences: Any) -> InstanceRefresh:
        """Start a refresh, to a version or without a desired configuration."""
        params: dict[str, Any] = {}
        if version is not None:
            params["DesiredConfiguration"] = {"LaunchTemplate": self.launch_template(version)}
        preferences = {
            "MinHealthyPercentage": 100,
            "MaxHealthyPercentage": 150,
            "InstanceWarmup": 60,
            **preferences,
        }
        preferences = {key: value for key, value in preferences.items() if value is not None}
        self.call("StartInstanceRefresh", Preferences=preferences, **params)
        return self.group.refreshes[-1]

    def settle_down(self) -> None:
        """Let time pass until every instance is in service with a healthy target."""
        self.world.run_until(self.whole, limit=HOUR)

    def run(self, **duration: float) -> None:
        """Let time pass."""
        self.world.run_for(timedelta(**duration).total_seconds())

    def run_until(self, refresh: InstanceRefresh, *statuses: str, hours: float = 8) -> None:
        """Let time pass until a refresh has one of these statuses."""
        self.world.run_until(lambda: refresh.status in statuses, limit=hours * HOUR)

    def listen(self, prefix: str) -> list[dict[str, Any]]:
        """Note every event whose detail-type begins so, from now on, when it is emitted."""
        seen: list[dict[str, Any]] = []
        delivery = self.world.events.delivery

        def note(event: Event) -> Sequence[float]:
            if event.detail_type.startswith(prefix):
                seen.append(
                    {
                        "type": event.detail_type.removeprefix(prefix),
                        "source": event.source,
                        "detail": event.detail,
                        "resources": list(event.resources),
                    }
                )
            return delivery(event)

        self.world.events.delivery = note
        return seen

    # -- looking -----------------------------------------------------------------------------------

    @property
    def group(self) -> Group:
        """The group."""
        return self.world.autoscaling.groups[self.name]

    def whole(self) -> bool:
        """Whether the group has its capacity, all of it in service and healthy."""
        members = list(self.group.instances.values())
        return len(members) == self.group.desired and all(
            member.lifecycle == "InService"
            and member.health == "Healthy"
            and member.passing_targets
            for member in members
        )

    def versions(self) -> list[int]:
        """The template versions that are in service or pending, one for each instance, sorted."""
        return sorted(member.instance.template_version for member in self.group.live_members())

    def describe(self) -> dict[str, Any]:
        """The group as AWS describes it."""
        reply = self.world.call(
            "autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": [self.name]}
        )
        group: dict[str, Any] = reply["AutoScalingGroups"][0]
        return group

    def saved_version(self) -> str:
        """The template version that the group has saved."""
        version: str = self.describe()["LaunchTemplate"]["Version"]
        return version

    def described(self, refresh: InstanceRefresh) -> dict[str, Any]:
        """A refresh as AWS describes it."""
        reply = self.call("DescribeInstanceRefreshes", InstanceRefreshIds=[refresh.id])
        item: dict[str, Any] = reply["InstanceRefreshes"][0]
        return item

    def activities(self, status: str | None = None) -> list[dict[str, Any]]:
        """The group's scaling activities, newest first."""
        found: list[dict[str, Any]] = self.call("DescribeScalingActivities")["Activities"]
        return [item for item in found if status is None or item["StatusCode"] == status]
