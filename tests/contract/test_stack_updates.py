"""A stack update over HTTP never brings an older or a bad snapshot back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded.deploy.kinds import KINDS
from embedded.scenarios.scene import FLEET, Scene
from embedded.scenarios.stage import ENVIRONMENT
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from embedded.world.world import World
from tests.contract.doors import Door, opened
from tests.contract.scene import FLEET_TEMPLATE

STACK = f"fleet-{FLEET}"
LIVE = f"/snaproll/{ENVIRONMENT}/live/{FLEET}/snapshot"
DEVICE = "/dev/xvdf"
TEMPLATE = "AWS::EC2::LaunchTemplate"
HOUR = timedelta(hours=1)


@dataclass
class Site:
    """A served fleet, and what its team does with its stack."""

    scene: Scene
    door: Door

    # -- the stack --------------------------------------------------------------------------------

    def stack(self) -> Any:
        return self.door.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]

    def parameters(self, **values: str) -> list[dict[str, Any]]:
        """Every parameter as it was, but for those that are given."""
        kept = [one["ParameterKey"] for one in self.stack()["Parameters"]]
        return [
            {"ParameterKey": key, "ParameterValue": values[key]}
            if key in values
            else {"ParameterKey": key, "UsePreviousValue": True}
            for key in kept
        ]

    def update(self, **values: str) -> str:
        """Update the stack and let it come to rest; gives its status."""
        self.door.client("cloudformation").update_stack(
            StackName=STACK, UsePreviousTemplate=True, Parameters=self.parameters(**values)
        )
        return self.settled()

    def settled(self) -> str:
        self.scene.world.run_until(
            lambda: not self.stack()["StackStatus"].endswith("_IN_PROGRESS"), limit=HOUR
        )
        return str(self.stack()["StackStatus"])

    def output(self, key: str) -> str:
        (value,) = [
            one["OutputValue"] for one in self.stack()["Outputs"] if one["OutputKey"] == key
        ]
        return str(value)

    # -- the fleet --------------------------------------------------------------------------------

    def roll(self, scenario: str = "healthy") -> str:
        """Roll a snapshot out to its end; gives the snapshot."""
        rollout = self.scene.roll(self.scene.fleet, scenario)
        self.scene.world.run_for(600)
        return snapshot_of(rollout)

    def versions(self) -> dict[int, str]:
        """The data snapshot of each version of the launch template."""
        found = self.door.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.scene.fleet.template_id
        )["LaunchTemplateVersions"]
        return {
            one["VersionNumber"]: mapping["Ebs"]["SnapshotId"]
            for one in found
            for mapping in one["LaunchTemplateData"]["BlockDeviceMappings"]
            if mapping["DeviceName"] == DEVICE
        }

    def newest(self) -> str:
        """What ``$Latest`` would launch."""
        versions = self.versions()
        return versions[max(versions)]

    def saved(self) -> str:
        """What the group would launch."""
        return self.versions()[
            int(self.scene.describe(self.scene.fleet)["LaunchTemplate"]["Version"])
        ]

    def launched(self) -> str:
        """What the group does launch, when it is made larger by one."""
        group = self.scene.describe(self.scene.fleet)
        before = {one["InstanceId"] for one in group["Instances"]}
        self.door.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=self.scene.fleet.group,
            DesiredCapacity=group["DesiredCapacity"] + 1,
        )
        self.scene.world.run_for(300)
        after = self.scene.describe(self.scene.fleet)["Instances"]
        (new,) = [one["InstanceId"] for one in after if one["InstanceId"] not in before]
        return self.scene.world.ec2.instance(new).snapshots[DEVICE] or ""


def snapshot_of(rollout: Execution) -> str:
    snapshot: str = rollout.input.value["snapshot"]
    return snapshot


@pytest.fixture
def site() -> Iterator[Site]:
    scene = Scene(World())
    with opened("wire", scene.world) as door:
        yield Site(scene, door)


@pytest.fixture(params=["asked", "remembered"])
def either_reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both readings of what LatestVersionNumber is while the stack makes no version itself.

    CloudFormation may ask EC2, and see versions that others made, or remember its own last one.
    """
    if request.param == "remembered":
        monkeypatch.setitem(KINDS, TEMPLATE, replace(KINDS[TEMPLATE], read=None))


@pytest.mark.usefixtures("either_reading")
def test_an_update_after_a_rollout_keeps_what_is_live(site: Site) -> None:
    live = site.roll()

    assert site.update(MaxSize="12") == "UPDATE_COMPLETE"

    assert (site.newest(), site.saved(), site.launched()) == (live, live, live)
    assert site.output("DeployedSnapshot") == live


@pytest.mark.usefixtures("either_reading")
def test_an_update_after_a_rollback_keeps_what_was_live_before(site: Site) -> None:
    live = site.roll()
    bad = site.roll("corrupt")

    assert site.update(MaxSize="12") == "UPDATE_COMPLETE"

    assert (site.newest(), site.saved(), site.launched()) == (live, live, live)
    assert bad not in site.versions().values()


@pytest.mark.usefixtures("either_reading")
def test_an_update_after_the_first_rollout_was_rolled_back_keeps_what_the_fleet_began_with(
    site: Site,
) -> None:
    bad = site.roll("corrupt")

    assert site.update(MaxSize="12") == "UPDATE_COMPLETE"

    first = site.scene.fleet.first_snapshot
    assert (site.newest(), site.saved(), site.launched()) == (first, first, first)
    assert bad not in site.versions().values()


def test_an_update_of_the_replicas_themselves_launches_the_live_snapshot(site: Site) -> None:
    live = site.roll()

    assert site.update(InstanceType="r7g.xlarge") == "UPDATE_COMPLETE"

    assert (site.saved(), site.launched()) == (live, live)
    types = {one["InstanceType"] for one in site.scene.describe(site.scene.fleet)["Instances"]}
    assert types == {"r7g.large", "r7g.xlarge"}


def test_the_rollout_after_an_update_starts_from_what_the_stack_made(site: Site) -> None:
    site.roll()
    site.update(InstanceType="r7g.xlarge")

    live = site.roll()

    assert (site.newest(), site.saved()) == (live, live)
    types = {one["InstanceType"] for one in site.scene.describe(site.scene.fleet)["Instances"]}
    assert types == {"r7g.xlarge"}


def test_an_update_after_going_back_by_hand_keeps_the_older_snapshot(site: Site) -> None:
    older = site.roll()
    site.roll()
    site.scene.start({"fleet": FLEET, "snapshot": "previous", "reason": "wrong figures"})
    site.scene.finish()

    assert site.update(MaxSize="12") == "UPDATE_COMPLETE"

    assert (site.newest(), site.saved(), site.launched()) == (older, older, older)


def test_an_update_that_fails_elsewhere_has_not_touched_the_fleet(site: Site) -> None:
    # Given a stack whose alarms cannot be written
    live = site.roll()

    def refuse(call: Call) -> None:
        if call.operation == "PutMetricAlarm":
            raise AwsError("AccessDenied", "not authorized to perform cloudwatch:PutMetricAlarm")

    site.scene.world.faults.before_effect(refuse)
    before = site.versions()

    # When an update changes alarms and group
    status = site.update(MaxSize="12", ErrorsPerMinute="20")

    # Then neither group nor template were changed on the way
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert site.versions() == before
    assert site.saved() == live


@pytest.mark.parametrize("deployed", [True, False])
def test_an_update_during_a_rollout_fails_and_the_rollout_goes_on(
    site: Site, *, deployed: bool
) -> None:
    # Given a live release, which the stack has deployed or not, and another on its way
    site.roll()
    if deployed:
        site.update(MaxSize="12")
    before = len(site.scene.rollouts())
    site.scene.complete_snapshot(site.scene.fleet)
    site.scene.world.run_until(lambda: len(site.scene.rollouts()) > before, limit=HOUR)
    site.scene.world.run_for(300)
    rollout = site.scene.rollouts()[-1]

    # When the stack is updated
    status = site.update(MaxSize="14")

    # Then Auto Scaling refuses, and the rollout ends as it would have
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    site.scene.finish()
    assert rollout.status == "SUCCEEDED"
    # And the next update keeps what is live
    assert site.update(MaxSize="14") == "UPDATE_COMPLETE"
    live = snapshot_of(rollout)
    assert (site.newest(), site.saved()) == (live, live)


def test_a_change_set_made_before_a_rollout_must_not_be_executed_after_it(site: Site) -> None:
    """CloudFormation uses the values that it read when the change set was made, and says so."""
    first = site.scene.fleet.first_snapshot
    site.door.client("cloudformation").create_change_set(
        StackName=STACK,
        ChangeSetName="old",
        UsePreviousTemplate=True,
        Parameters=site.parameters(InstanceType="r7g.xlarge"),
    )
    live = site.roll()

    site.door.client("cloudformation").execute_change_set(StackName=STACK, ChangeSetName="old")
    site.settled()
    assert site.saved() == first

    # Any later update, made anew, puts it right
    site.update(MaxSize="12")
    assert site.saved() == live


def test_a_first_deployment_without_the_parameter_is_refused_at_once(site: Site) -> None:
    values = {"Fleet": "two", "LiveSnapshot": LIVE.replace(FLEET, "two")}
    others = [one for one in site.parameters() if one["ParameterKey"] not in values]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in site.stack()["Parameters"]}
    parameters = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in values.items()
    ] + [
        {"ParameterKey": one["ParameterKey"], "ParameterValue": given[one["ParameterKey"]]}
        for one in others
    ]

    with pytest.raises(ClientError, match="live/two/snapshot"):
        site.door.client("cloudformation").create_stack(
            StackName="two",
            TemplateBody=FLEET_TEMPLATE.read_text(),
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )
