"""Many things at once, at random: the group stays consistent and always finds its way back."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from embedded.world.errors import AwsError
from embedded.world.world import World
from tests.embedded.fleets import Fleet

SEEDS = range(30)
STEPS = 60
PAUSABLE = ("Launch", "Terminate", "InstanceRefresh", "HealthCheck", "ReplaceUnhealthy")


class Meddler:
    """Does one random thing after another to a fleet, as people and failures would."""

    def __init__(self, fleet: Fleet, dice: random.Random) -> None:
        self.fleet = fleet
        self.dice = dice
        self.versions = [1]
        self.deeds: list[Callable[[], object]] = [
            *[self.start] * 4,
            self.cancel,
            lambda: fleet.call("RollbackInstanceRefresh"),
            *[lambda: fleet.call("SetDesiredCapacity", DesiredCapacity=dice.randint(0, 8))] * 2,
            lambda: self.one(
                "SetInstanceProtection", ProtectedFromScaleIn=dice.choice([True, False])
            ),
            lambda: self.one("EnterStandby", ShouldDecrementDesiredCapacity=dice.random() < 0.5),
            lambda: self.one("ExitStandby"),
            lambda: fleet.call("SuspendProcesses", ScalingProcesses=[dice.choice(PAUSABLE)]),
            *[lambda: fleet.call("ResumeProcesses")] * 2,
            self.lose_an_instance,
            self.release,
            self.limit_capacity,
        ]

    def meddle(self) -> None:
        """Do something; what AWS refuses is no harm done."""
        try:
            self.dice.choice(self.deeds)()
        except AwsError as refusal:
            assert refusal.code != "NotEmulated"  # noqa: PT017 - most refusals are fine

    def start(self) -> None:
        dice = self.dice
        minimum = dice.choice([0, 50, 100])
        checkpoints = dice.choice([None, [20, 50, 100], [50], [100]])
        self.fleet.start(
            dice.choice([*self.versions, None, "$Latest"]),
            MinHealthyPercentage=minimum,
            MaxHealthyPercentage=dice.choice([None, 100, min(200, minimum + 100)]),
            InstanceWarmup=dice.choice([0, 60, 600]),
            SkipMatching=dice.random() < 0.5,
            AutoRollback=dice.random() < 0.5,
            BakeTime=dice.choice([0, 600]),
            CheckpointPercentages=checkpoints,
            CheckpointDelay=600 if checkpoints else None,
            ScaleInProtectedInstances=dice.choice(["Wait", "Ignore", "Refresh"]),
            StandbyInstances=dice.choice(["Wait", "Ignore", "Terminate"]),
        )

    def cancel(self) -> None:
        wait = self.dice.random() < 0.7
        self.fleet.call("CancelInstanceRefresh", WaitForTransitioningInstances=wait)

    def one(self, operation: str, **params: Any) -> None:
        ids = list(self.fleet.group.instances)
        if ids:
            self.fleet.call(operation, InstanceIds=[self.dice.choice(ids)], **params)

    def lose_an_instance(self) -> None:
        ids = list(self.fleet.group.instances)
        if ids:
            chosen = self.dice.choice(ids)
            self.fleet.world.call("ec2", "TerminateInstances", {"InstanceIds": [chosen]})

    def release(self) -> None:
        scenario = self.dice.choice(["healthy", "healthy", "corrupt", "degrades", "slow"])
        self.versions.append(self.fleet.release(scenario))

    def limit_capacity(self) -> None:
        self.fleet.world.ec2.capacity["us-east-1a"] = self.dice.choice([0, 1, 50])

    def calm_down(self) -> None:
        """Undo everything that could hold a refresh up."""
        fleet = self.fleet
        fleet.world.ec2.capacity.clear()
        fleet.call("ResumeProcesses")
        ids = list(fleet.group.instances)
        fleet.call("SetInstanceProtection", InstanceIds=ids, ProtectedFromScaleIn=False)


def check(fleet: Fleet) -> None:
    """What holds after every single step."""
    group = fleet.group
    assert sum(refresh.active for refresh in group.refreshes) <= 1
    assert group.extra == 0 or group.refresh is not None
    assert not any(refresh.timers for refresh in group.refreshes if not refresh.active)
    for member in group.instances.values():
        assert member.lifecycle in ("Pending", "InService", "Standby", "Terminating")
        assert member.lifecycle != "Terminating" or member.activity is not None


def pass_time(fleet: Fleet, duration: timedelta) -> None:
    end = fleet.world.clock.now() + duration
    while (due := fleet.world.clock.next_at()) is not None and due <= end:
        fleet.world.step()
        check(fleet)
    fleet.world.clock.advance_to(end)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happened_a_group_comes_back_to_a_good_version(seed: int) -> None:
    dice = random.Random(seed)
    fleet = Fleet(
        world=World(seed=seed),
        desired=dice.randint(0, 5),
        MaxSize=14,
        HealthCheckType=dice.choice(["ELB", "ELB", "EC2"]),
    )
    meddler = Meddler(fleet, dice)
    for _ in range(STEPS):
        meddler.meddle()
        pass_time(fleet, timedelta(minutes=dice.choice([0, 0, 1, 5, 30])))

    meddler.calm_down()
    last = fleet.group.refresh
    if last is not None:
        fleet.world.run_until(lambda: not last.active, limit=timedelta(days=15))
    fleet.call("UpdateAutoScalingGroup", LaunchTemplate=fleet.launch_template(1))
    fleet.call("SetDesiredCapacity", DesiredCapacity=3)
    fleet.run_until(
        fleet.start(1, SkipMatching=True, StandbyInstances="Ignore"), "Successful", hours=48
    )

    assert fleet.versions() == [1, 1, 1]
