"""The CDK example in docs/infrastructure-code.md, synthesised and deployed, is rolled and updated.

``cdk-template.json`` is what ``cdk synth`` made of the page's program, for the fleet "cdk" of the
environment "demo"; neither Node nor the CDK is needed here.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from embedded.scenarios.scene import Scene
from embedded.world.world import World

PAGE: Final = Path(__file__).parents[2] / "docs" / "infrastructure-code.md"
SYNTHESISED: Final = Path(__file__).parent / "cdk-template.json"
LIVE: Final = "/snaproll/demo/live/cdk/snapshot"
TAGS: Final = {"Dataset": "cdk", "Environment": "demo"}
HOUR: Final = timedelta(hours=1)


class Team:
    """A team with a stack of its own beside the scene's."""

    def __init__(self) -> None:
        self.scene = Scene(World())
        self.template = json.loads(SYNTHESISED.read_text(encoding="utf-8"))
        # It compares the version of CDK's own stack with words that only CDK uses.
        del self.template["Rules"]
        self.group["DesiredCapacity"] = "2"
        self.put("/cdk-bootstrap/hnb659fds/version", "30")

    @property
    def group(self) -> dict[str, Any]:
        """The declared properties of the group."""
        (group,) = [
            one["Properties"]
            for one in self.template["Resources"].values()
            if one["Type"] == "AWS::AutoScaling::AutoScalingGroup"
        ]
        properties: dict[str, Any] = group
        return properties

    def put(self, name: str, value: str) -> None:
        ssm = self.scene.session.client("ssm")
        ssm.put_parameter(Name=name, Value=value, Type="String")

    def snapshot(self) -> str:
        """Complete a snapshot with the fleet's tags."""
        return self.scene.world.ec2.add_snapshot(
            event=True,
            kms_key_id=self.scene.fleet.key,
            size_gib=100,
            tags=dict(TAGS),
            start_time=self.scene.world.clock.now(),
        ).id

    def deploy(self) -> str:
        """Create or update the stack; gives its status."""
        client: Any = self.scene.session.client("cloudformation")
        known = {one["StackName"] for one in client.describe_stacks()["Stacks"]}
        act = client.update_stack if "cdk" in known else client.create_stack
        act(
            StackName="cdk",
            TemplateBody=json.dumps(self.template),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )

        def status() -> str:
            return str(client.describe_stacks(StackName="cdk")["Stacks"][0]["StackStatus"])

        self.scene.world.run_until(lambda: not status().endswith("_IN_PROGRESS"), limit=HOUR)
        self.scene.world.run_for(900)
        return status()

    def launches(self) -> str:
        """The data snapshot in the version that the group saves."""
        groups: Any = self.scene.session.client("autoscaling").describe_auto_scaling_groups()
        (saved,) = [
            one["LaunchTemplate"]
            for one in groups["AutoScalingGroups"]
            if one["AutoScalingGroupName"].startswith("cdk-")
        ]
        version: Any = self.scene.session.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=saved["LaunchTemplateId"], Versions=[saved["Version"]]
        )["LaunchTemplateVersions"][0]
        (mapping,) = version["LaunchTemplateData"]["BlockDeviceMappings"]
        snapshot: str = mapping["Ebs"]["SnapshotId"]
        return snapshot


@pytest.fixture
def team() -> Team:
    return Team()


def test_what_cdk_deploys_is_rolled_and_an_update_keeps_what_is_live(team: Team) -> None:
    # Given a fleet that was deployed with its first snapshot
    first = team.snapshot()
    team.put(LIVE, first)
    assert team.deploy() == "CREATE_COMPLETE"
    assert team.launches() == first

    # When another is promoted, and the stack is deployed again with a change
    before = len(team.scene.rollouts())
    live = team.snapshot()
    team.scene.world.run_until(lambda: len(team.scene.rollouts()) > before, limit=HOUR)
    team.scene.finish()
    team.group["MaxSize"] = "9"
    assert team.deploy() == "UPDATE_COMPLETE"

    # Then the group launches what is live
    assert team.launches() == live


def test_the_programs_on_the_page_can_be_read(team: Team) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)

    compile(program, "app.py", "exec")
    looked_up = [
        one["Default"]
        for one in team.template["Parameters"].values()
        if one["Type"] == "AWS::SSM::Parameter::Value<String>"
    ]
    assert LIVE in looked_up
