"""Staging and prod from the same templates in one account: no name and no right in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from embedded import plain
from embedded.deploy.handlers import bind_handlers
from embedded.states.execution import Execution
from embedded.wire.cloudformation import CloudFormation
from embedded.world.access.conditions import like
from embedded.world.access.policy import Demand
from embedded.world.world import World
from tests.contract.doors import Door, opened
from tests.contract.scene import FLEET_TEMPLATE, ROOT

ENVIRONMENTS = ("staging", "prod")
FLEET = "sec"
DATA_GIB = 100
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BUCKET = "templates"

NOBODYS = (
    # Auto Scaling's dry run asks for these, whoever's launch template it is; the template itself,
    # which must be the environment's own, decides what is launched.
    ("ec2:RunInstances", "arn:aws:ec2:*:*:image/*"),
    ("ec2:RunInstances", "arn:aws:ec2:*:*:snapshot/*"),
    ("ec2:RunInstances", "arn:aws:ec2:*:*:subnet/*"),
    ("ec2:RunInstances", "arn:aws:ec2:*:*:security-group/*"),
    ("ec2:RunInstances", "arn:aws:ec2:*:*:*/[*]"),
    ("ec2:CreateTags", "arn:aws:ec2:*:*:*/[*]"),
    # One bus for the account; each environment's rules look for its own events.
    ("events:PutEvents", "arn:aws:events:*:*:event-bus/default"),
    # Looking at a key changes nothing.
    ("kms:DescribeKey", "arn:aws:kms:*:*:key/*"),
)
"""What belongs to no environment: actions and resources that both may use."""


@dataclass
class Site:
    """Two environments behind one door."""

    world: World
    door: Door
    stacks: dict[str, dict[str, str]] = field(default_factory=dict)
    """The outputs of each stack."""

    def deploy(self, name: str, template: Any, **parameters: str) -> dict[str, str]:
        self.door.client("s3").put_object(Bucket=BUCKET, Key=name, Body=template.read_bytes())
        cloudformation = self.door.client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=f"https://s3.{self.world.region}.amazonaws.com/{BUCKET}/{name}",
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )

        def stack() -> Any:
            return cloudformation.describe_stacks(StackName=name)["Stacks"][0]

        self.world.run_until(lambda: "PROGRESS" not in stack()["StackStatus"], limit=HOUR)
        assert stack()["StackStatus"] == "CREATE_COMPLETE", stack().get("StackStatusReason")
        self.stacks[name] = {o["OutputKey"]: o["OutputValue"] for o in stack()["Outputs"]}
        return self.stacks[name]

    def resources(self, stack: str) -> list[dict[str, Any]]:
        pages = (
            self.door.client("cloudformation")
            .get_paginator("list_stack_resources")
            .paginate(StackName=stack)
        )
        return [one for page in pages for one in page["StackResourceSummaries"]]

    def roles(self, stack: str) -> dict[str, str]:
        """The ARNs of a stack's roles, by logical id."""
        return {
            one["LogicalResourceId"]: f"arn:aws:iam::{self.world.account}:role/"
            f"{one['PhysicalResourceId']}"
            for one in self.resources(stack)
            if one["ResourceType"] == "AWS::IAM::Role"
        }

    def roll(self, environment: str) -> str:
        """Complete a snapshot for one environment's fleet; gives the status of its rollout."""
        before = len(self.rollouts(environment))
        self.world.ec2.add_snapshot(
            event=True,
            kms_key_id=self.world.kms.default_ebs_key,
            size_gib=DATA_GIB,
            start_time=self.world.clock.now(),
            tags={"Dataset": FLEET, "Environment": environment},
        )
        self.world.run_until(lambda: len(self.rollouts(environment)) > before, limit=HOUR)
        self.world.run_until(
            lambda: not any(one.running for one in self.rollouts(environment)), limit=DAY
        )
        return self.rollouts(environment)[-1].status

    def rollouts(self, environment: str) -> list[Execution]:
        machine = self.stacks[f"snaproll-{environment}"]["RolloutStateMachineArn"]
        return self.world.states.executions(machine)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    world = World()
    plain.attach(world)
    world.add_service(CloudFormation(world, ROOT))
    bind_handlers(world, check_replies=False)
    with opened("wire", world) as door:
        site = Site(world, door)
        door.client("s3").create_bucket(Bucket=BUCKET)
        for environment in ENVIRONMENTS:
            deploy_environment(site, environment)
        world.run_for(1800)
        for environment in ENVIRONMENTS:
            assert site.roll(environment) == "SUCCEEDED"
        yield site


def deploy_environment(site: Site, environment: str) -> None:
    """The control plane and a fleet of one name in every environment."""
    site.deploy(f"snaproll-{environment}", ROOT / "template.yaml", Environment=environment)
    first = site.world.ec2.add_snapshot(
        kms_key_id=site.world.kms.default_ebs_key,
        size_gib=DATA_GIB,
        tags={"Dataset": FLEET, "Environment": environment},
    )
    live = f"/snaproll/{environment}/live/{FLEET}/snapshot"
    site.door.client("ssm").put_parameter(Name=live, Value=first.id, Type="String")
    subnets = site.door.client("ec2").describe_subnets()["Subnets"][:3]
    site.deploy(
        f"{FLEET}-{environment}",
        FLEET_TEMPLATE,
        Fleet=FLEET,
        Environment=environment,
        SnapshotTagValue=FLEET,
        VpcId=subnets[0]["VpcId"],
        SubnetIds=",".join(subnet["SubnetId"] for subnet in subnets),
        LiveSnapshot=live,
        DataVolumeSize=str(DATA_GIB),
        DesiredCapacity="2",
        MaxSize="4",
        CheckpointWait="5m",
        Bake="15m",
    )


def test_nothing_of_one_has_the_name_of_something_of_the_other(site: Site) -> None:
    names = {
        environment: {
            (one["ResourceType"], one["PhysicalResourceId"])
            for stack in (f"snaproll-{environment}", f"{FLEET}-{environment}")
            for one in site.resources(stack)
        }
        for environment in ENVIRONMENTS
    }

    assert names["staging"]
    assert names["staging"] & names["prod"] == set()


def test_a_snapshot_of_one_starts_nothing_in_the_other(site: Site) -> None:
    before = len(site.rollouts("prod"))

    assert site.roll("staging") == "SUCCEEDED"

    assert len(site.rollouts("prod")) == before


@pytest.mark.parametrize(("own", "other"), [ENVIRONMENTS, ENVIRONMENTS[::-1]])
def test_what_the_roles_of_one_were_used_for_the_other_may_not(
    site: Site, own: str, other: str
) -> None:
    used, shared = 0, []
    others = site.roles(f"snaproll-{other}")
    for name, arn in site.roles(f"snaproll-{own}").items():
        for use in site.world.access.uses(arn):
            if use.demand.resource == "*":
                continue
            used += 1
            if site.world.access.allows(others[name], use.demand) and not nobodys(use.demand):
                shared.append((name, use.demand.action, use.demand.resource))

    assert used > 20
    assert shared == []


def nobodys(demand: Demand) -> bool:
    """Whether what is demanded belongs to no environment."""
    resource = demand.resource.replace("*", "[*]")
    return any(action == demand.action and like(arn, resource) for action, arn in NOBODYS)


def test_what_takes_no_resource_changes_nothing(site: Site) -> None:
    looked = {
        use.demand.action
        for environment in ENVIRONMENTS
        for arn in site.roles(f"snaproll-{environment}").values()
        for use in site.world.access.uses(arn)
        if use.demand.resource == "*"
    }

    assert looked
    assert [one for one in looked if not one.partition(":")[2].startswith("Describe")] == []


def test_the_mail_of_one_tells_nothing_of_the_other(site: Site) -> None:
    """Both put their events on the account's one bus."""
    rules = site.door.client("events").list_rules()["Rules"]
    patterns = [json.loads(rule["EventPattern"]) for rule in rules if "EventPattern" in rule]

    own = [pattern for pattern in patterns if pattern.get("source") == ["snaproll"]]

    # Each has a rule for its fleets and one for its writers.
    assert sorted(pattern["detail"]["environment"] for pattern in own) == [
        *(["prod"], ["prod"]),
        *(["staging"], ["staging"]),
    ]
