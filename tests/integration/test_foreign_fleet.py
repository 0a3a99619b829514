"""A fleet with habits of its own is rolled as well, through both doors into the embedded AWS.

Its names are its own, its data is at /dev/sdf, its instances are mixed, and two target groups see
them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from embedded.deploy import deploy
from embedded.scenarios.stage import Stage
from embedded.states.execution import Execution
from embedded.world.awslambda import FunctionSpec
from snaproll import settings
from snaproll.runtime import Runtime, use
from tests.contract.doors import DOORS, Door, opened
from tests.integration.seen import outcome, reason, result_of

TEMPLATE = Path(__file__).with_name("foreign_fleet.yaml")
GROUP, DEVICE = "KG Readers (blue)", "/dev/sdf"
TAGS = {"kind": "knowledge graph", "Stage": "Live"}


class Foreign:
    """The team's stack beside the control plane."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.world = stage, stage.world
        # Of the AWS managed key, which admits the group's role without being told.
        self.first = self.world.ec2.add_snapshot(kms_key_id="alias/aws/ebs", tags=TAGS).id
        deploy(self.world, TEMPLATE, {"FirstSnapshot": self.first}, name="kg")
        self.world.run_until(lambda: self.healthy() == 8, limit=timedelta(hours=1))

    @property
    def described(self) -> dict[str, Any]:
        reply = self.stage.session.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[GROUP]
        )
        return dict(reply["AutoScalingGroups"][0])

    @property
    def policy(self) -> dict[str, Any]:
        """The group's mixed instances policy."""
        found: dict[str, Any] = self.described["MixedInstancesPolicy"]
        return found

    def versions(self) -> list[str]:
        """Every version that the policy names: its own, and its overrides'."""
        template = self.policy["LaunchTemplate"]
        return [
            one["LaunchTemplateSpecification"]["Version"]
            for one in (template, *template["Overrides"])
            if "LaunchTemplateSpecification" in one
        ]

    def healthy(self) -> int:
        """How many targets are healthy, in both target groups."""
        elbv2 = self.stage.session.client("elbv2")
        return sum(
            one.get("TargetHealth", {}).get("State") == "healthy"
            for arn in self.described["TargetGroupARNs"]
            for one in elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        )

    def served(self) -> Counter[str]:
        """How many instances in service were launched from each snapshot."""
        instances = [one["InstanceId"] for one in self.described["Instances"]]
        return Counter(self.world.ec2.instance(one).snapshots[DEVICE] for one in instances)

    def roll(self, scenario: str) -> Execution:
        """Publish a snapshot as the team does, and play what follows."""
        self.world.ec2.add_snapshot(
            kms_key_id="alias/aws/ebs",
            event=True,
            start_time=self.world.clock.now(),
            tags={**TAGS, "embedded:scenario": scenario},
        )
        self.world.run_until(lambda: bool(self.stage.rollouts()), limit=timedelta(minutes=5))
        self.stage.finish()
        return self.stage.rollouts()[-1]


def call_through(door: Door) -> None:
    """Let every function reach AWS through a door."""

    @contextmanager
    def around(_: FunctionSpec) -> Iterator[None]:
        runtime = Runtime(
            settings=settings.from_env(os.environ),
            client=door.client,
            client_once=door.client,
            now=door.world.clock.now,
        )
        with use(runtime):
            yield

    door.world.awslambda.around = around


@pytest.fixture(params=DOORS)
def foreign(request: pytest.FixtureRequest) -> Iterator[Foreign]:
    stage = Stage()
    fleet = Foreign(stage)
    with opened(request.param, stage.world) as door:
        call_through(door)
        yield fleet


def test_a_good_snapshot_becomes_live_and_only_the_version_of_the_policy_changes(
    foreign: Foreign,
) -> None:
    before = foreign.policy

    rollout = foreign.roll("healthy")

    assert outcome(rollout) == "Live", reason(rollout)
    assert foreign.served() == {rollout.input.value["snapshot"]: 4}
    assert foreign.healthy() == 8
    assert foreign.versions() == ["2", "2"]
    after = foreign.policy
    assert after["InstancesDistribution"] == before["InstancesDistribution"]
    types = [[one["InstanceType"] for one in _overrides(policy)] for policy in (before, after)]
    assert types[0] == types[1] == ["r6g.large", "m6g.xlarge"]
    assert {one["InstanceType"] for one in foreign.described["Instances"]} == {"r6g.large"}


def test_a_corrupt_snapshot_is_rolled_back_and_leaves_the_policy_as_it_was(
    foreign: Foreign,
) -> None:
    before = foreign.policy

    rollout = foreign.roll("corrupt")

    assert outcome(rollout) == "RolledBack", reason(rollout)
    assert foreign.served() == {foreign.first: 4}
    assert foreign.healthy() == 8
    assert foreign.policy == before


def test_a_release_that_aws_has_saved_is_rolled_back_with_the_whole_policy(
    foreign: Foreign,
) -> None:
    # Given a refresh that AWS calls successful before snaproll looks again
    before, delivery = foreign.policy, foreign.world.events.delivery
    foreign.world.events.delivery = lambda event: (
        () if event.source == "aws.autoscaling" else delivery(event)
    )
    group = foreign.world.autoscaling.groups[GROUP]

    def saved() -> bool:
        return bool(group.refreshes) and group.refreshes[-1].status == "Successful"

    foreign.world.ec2.add_snapshot(
        kms_key_id="alias/aws/ebs", event=True, start_time=foreign.world.clock.now(), tags=TAGS
    )
    foreign.world.run_until(saved, limit=timedelta(hours=4))
    assert foreign.versions() == ["2", "2"]

    # When a person does not want it any more
    stop = {"fleet": "readers", "hold": "wrong", "by": "ann", "running": "roll_back"}
    foreign.stage.start(stop)
    foreign.stage.finish()

    # Then the policy is saved as it was, and a refresh of the whole policy goes back
    assert foreign.policy == before
    assert foreign.served() == {foreign.first: 4}
    assert [one.status for one in group.refreshes] == ["Successful", "Successful"]


def test_overrides_of_another_template_are_refused_with_the_reason(foreign: Foreign) -> None:
    # Given an override that launches a template of its own
    ec2 = foreign.stage.session.client("ec2")
    other = ec2.create_launch_template(
        LaunchTemplateName="kg_cheap-lt",
        LaunchTemplateData={"ImageId": "ami-0fedcba9876543210", "InstanceType": "t4g.large"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    policy: Any = foreign.policy
    spec = policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    spec.pop("LaunchTemplateName", None)
    policy["LaunchTemplate"]["Overrides"] = [
        {
            "InstanceType": "t4g.large",
            "LaunchTemplateSpecification": {"LaunchTemplateId": other, "Version": "1"},
        }
    ]
    foreign.stage.session.client("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=GROUP, MixedInstancesPolicy=policy
    )

    rollout = foreign.roll("healthy")

    assert outcome(rollout) == "FleetNotReady"
    checks = {one["name"]: one for one in result_of(rollout, "InspectFleet")["checks"]}
    assert f"launch {other} version 1 beside" in checks["one-launch-template"]["reason"]
    assert foreign.served() == {foreign.first: 4}


def _overrides(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = policy["LaunchTemplate"]["Overrides"]
    return found
