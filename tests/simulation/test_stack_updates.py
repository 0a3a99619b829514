"""Random stack updates, snapshots and requests on one fleet: drift is told or healed (I7, I9)."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from botocore.exceptions import ClientError

from embedded.scenarios.stage import Stage, StagedFleet
from snaproll.aws.overview import Overview
from snaproll.domain.problems import ProblemKind
from tests.integration.seen import Seen
from tests.integration.test_drift import NEW_IMAGE, OLD_IMAGE, save, saved_snapshot, update_stack

SEEDS = range(12)
UPDATES = 7
QUIET = timedelta(hours=8)
"""Longer than the longest back-off."""


class Player:
    """Lets chance act on a fleet."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.stage = Stage(check_replies=False, check_requests=False)
        self.heals = self.dice.random() < 0.6
        policy = {
            "on_drift": "heal" if self.heals else "alert",
            "refresh": {"checkpoints": [], "warmup": "1m", "bake": "5m"},
        }
        self.fleet: StagedFleet = self.stage.add_fleet(
            "sim", capacity=self.dice.randint(1, 4), policy=policy
        )
        self.seen = Seen(self.stage, self.fleet)
        self.snapshots = [self.fleet.first_snapshot]
        self.bad: set[str] = set()
        self.stage.roll(self.fleet)
        self.snapshots += [self.live] if self.live else []

    def act(self) -> None:
        """One thing happens, and some time passes."""
        acts = (self.update, self.update, self.set_back, self.complete, self.ask, self.scale)
        try:
            self.dice.choice(acts)()
        except ClientError as refused:
            # While a refresh runs, Auto Scaling lets nobody save anything: the update fails.
            if refused.response["Error"]["Code"] != "ValidationError":
                raise
        length = timedelta(minutes=self.dice.choice((1, 10, 20, 60, 180)))
        self.stage.world.run_for(length.total_seconds())

    def update(self) -> None:
        """A stack update with old, live or newer data, on the same image or a new one."""
        image = self.dice.choice((OLD_IMAGE, NEW_IMAGE))
        good = [one for one in self.snapshots if one not in self.bad]
        live = self.live or self.fleet.first_snapshot
        update_stack(self.stage, self.fleet, self.dice.choice((live, *good)), image=image)

    def set_back(self) -> None:
        """Somebody saves an older version on the group."""
        versions = sorted(self.seen.versions)
        good = [one for one in versions if self.seen.versions[one]]
        save(self.stage, self.fleet, self.dice.choice(good))

    def complete(self) -> None:
        """A snapshot completes; now and then one that is bad."""
        scenario = "corrupt" if self.dice.random() < 0.3 else "healthy"
        made = self.stage.complete_snapshot(self.fleet, scenario, event=self.dice.random() < 0.7)
        self.snapshots.append(made)
        if scenario == "corrupt":
            self.bad.add(made)

    def ask(self) -> None:
        """A person wants what is live rolled out again, or the newest."""
        asked = self.dice.choice(({"snapshot": "live"}, {}))
        self.stage.start({"fleet": self.fleet.name, **asked})

    def scale(self) -> None:
        """Traffic changes: instances come from whatever the group saves."""
        capacity = self.dice.randint(1, 5)
        self.stage.session.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=self.fleet.group, DesiredCapacity=capacity
        )

    @property
    def live(self) -> str | None:
        """What the ledger calls live."""
        live = self.seen.state.live
        return live.snapshot if live else None

    def told(self) -> bool:
        """Whether the fleet's present drift was told."""
        table = self.stage.stack.outputs["LedgerTableName"]
        overview = Overview(self.stage.session.client("dynamodb"), table)
        known = overview.of([self.fleet.name])[self.fleet.name]
        return known.problem(ProblemKind.DRIFT) is not None


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_stacks_and_people_do_drift_is_told_or_healed(seed: int) -> None:
    player = Player(seed)
    stage, seen = player.stage, player.seen
    for _ in range(UPDATES):
        player.act()
        # I3 and I9: what was proven is never condemned, and nothing bad becomes live.
        assert player.live not in player.bad
        assert player.live not in seen.ledger.condemned(player.fleet.name)

    stage.world.run_for(QUIET.total_seconds())
    stage.finish()
    stage.world.run_for(QUIET.total_seconds())
    stage.finish()

    # I6: nothing is left running
    assert seen.state.claim is None
    assert not any("Progress" in one["Status"] for one in seen.refreshes)
    if seen.state.hold is not None:
        return  # a person was called
    # I7: the newest good snapshot is live, or a record says why not
    newest = [one for one in player.snapshots if one not in player.bad][-1]
    assert newest == player.live or newest in {one.snapshot for one in seen.records}
    # Drift is healed, or told
    serves = set(stage.served(player.fleet))
    whole = serves == {player.live} and saved_snapshot(seen) == player.live
    assert whole or player.told()
    assert whole or not player.heals
