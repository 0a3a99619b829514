"""Three fleets at once, while events come twice, in another order, late, or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.world.eventbridge.service import Event
from tests.integration.seen import Seen

BRISK = {
    "refresh": {"warmup": "1m", "checkpoints": [50, 100], "checkpoint_wait": "2m", "bake": "5m"}
}
LOSSY = ("aws.ec2", "aws.autoscaling", "aws.states")
"""Sources whose events AWS delivers on a best-effort basis."""
SIZES = {"sec": 2, "geo": 5, "web": 3}


class Courier:
    """Delivers one event of four well; the others twice, late behind later ones, or never."""

    def __init__(self) -> None:
        self.handled: Counter[str] = Counter()
        self._count = 0

    def __call__(self, event: Event) -> Sequence[float]:
        self._count += 1
        turn = self._count % 4
        if turn == 1:
            self.handled["twice"] += 1
            return (1.0, 90.0)
        if turn == 2:
            self.handled["late"] += 1
            return (400.0,)
        if turn == 3 and event.source in LOSSY:
            self.handled["lost"] += 1
            return ()
        return (1.0,)


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
def stage(courier: Courier) -> Stage:
    stage = Stage(check_replies=False)
    for name, capacity in SIZES.items():
        stage.add_fleet(name, capacity=capacity, policy=BRISK)
    stage.world.run_for(60)
    stage.world.events.delivery = courier
    return stage


def publish(stage: Stage, fleet: StagedFleet, *scenarios: str, every: float) -> list[str]:
    """Complete snapshots one after another, each while the one before may still be rolled out."""
    made = []
    for scenario in scenarios:
        made.append(stage.complete_snapshot(fleet, scenario))
        stage.world.run_for(every)
    return made


def test_each_of_three_fleets_ends_on_its_newest_good_snapshot(
    stage: Stage, courier: Courier
) -> None:
    # Given three fleets of different sizes, whose writers publish good and bad snapshots, at
    # once and faster than they can be rolled out
    fleets = stage.fleets
    seen = {name: Seen(stage, fleet) for name, fleet in fleets.items()}
    made = {
        name: publish(stage, fleets[name], *scenarios, every=every)
        for name, scenarios, every in (
            ("sec", ("healthy", "healthy", "healthy"), 300),
            ("geo", ("healthy", "corrupt"), 400),
            ("web", ("healthy", "healthy"), 200),
        )
    }
    # And the last of one fleet is unfit
    stage.complete_snapshot(fleets["web"], encrypted=False, kms_key_id=None)

    # When everything has come to rest
    for _ in range(6):
        stage.finish()
        stage.world.run_for(timedelta(hours=1).total_seconds())

    # Then each serves its newest good one, the ledger says so, and nothing is left over
    newest_good = {"sec": made["sec"][-1], "geo": made["geo"][0], "web": made["web"][-1]}
    for name, snapshot in newest_good.items():
        state = seen[name].state
        assert seen[name].serves(snapshot), name
        assert state.live is not None
        assert state.live.snapshot == snapshot
        assert (state.claim, state.queued, state.successor, state.hold) == (None,) * 4, name
        assert seen[name].latest == seen[name].default == seen[name].saved, name
    assert made["geo"][1] in seen["geo"].ledger.condemned("geo")
    # And no snapshot was rolled out twice to a fleet
    for name in fleets:
        live = [one.snapshot for one in seen[name].records if one.outcome == "Live"]
        assert len(live) == len(set(live)), name
    assert all(courier.handled[kind] >= 3 for kind in ("twice", "late", "lost")), courier.handled
