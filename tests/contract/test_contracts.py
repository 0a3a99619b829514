"""Every contract of a call holds behind both doors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from embedded.scenarios.stage import Stage
from embedded.wire.cloudformation import CloudFormation
from tests.contract.doors import DOORS, Door, opened
from tests.contract.scene import ROOT
from tools.conformance.belongings import Belongings, Left
from tools.conformance.catalogue import checks
from tools.conformance.checks import Check, Need
from tools.conformance.place import Fleet, Place

RUN = "contract"


@dataclass(frozen=True)
class Account:
    """A world with a fleet that has been rolled, behind a door."""

    door: Door
    fleet: Fleet

    def place(self, belongings: Belongings) -> Place:
        world = self.door.world
        return Place(
            self.door.client,
            run=RUN,
            sleep=world.run_for,
            belongings=belongings,
            region=world.region,
            account=world.account,
            fleet=self.fleet,
        )

    def try_check(self, check: Check) -> tuple[Place, list[Left]]:
        """Run a check, and take away what it made."""
        belongings = Belongings(self.door.world.run_for, lambda _: None)
        place = self.place(belongings)
        try:
            check.run(place)
        finally:
            left = belongings.give_back()
        return place, left


@pytest.fixture(scope="module", params=DOORS)
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    stage = Stage()
    stage.world.add_service(CloudFormation(stage.world, ROOT))
    with opened(request.param, stage.world) as door:
        fleet = stage.add_fleet("sec")
        for scenario in ("healthy", "corrupt"):
            stage.roll(fleet, scenario)
        yield Account(door, Fleet(fleet.group, stage.stack.functions["PlanRolloutFunction"]))


@pytest.mark.parametrize("check", checks(), ids=str)
def test_the_contract_holds(account: Account, check: Check) -> None:
    place, left = account.try_check(check)

    asked = {answer.call for answer in place.heard}
    assert set(check.about) <= asked, "it says that it is about calls that it does not make"
    assert left == []
    if check.need is not Need.OWN:
        reading = ("Describe", "Get", "List", "Query", "BatchGet", "Filter")
        assert [one for one in asked if not one.split(":")[1].startswith(reading)] == []
