"""A stage for each test: the deployed control plane in a world of its own, and a fleet to roll."""

from __future__ import annotations

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.scenarios.writers import Publishing
from tests.integration.seen import Seen

MAIL = "oncall@example.com"


@pytest.fixture
def stage() -> Stage:
    """A world in which the control plane is deployed, and mail is read."""
    stage = Stage()
    stage.world.sns.confirm(MAIL)
    return stage


@pytest.fixture
def fleet(stage: Stage) -> StagedFleet:
    """A fleet of four healthy instances that serve a first snapshot."""
    return stage.add_fleet("sec-prod")


@pytest.fixture
def seen(stage: Stage, fleet: StagedFleet) -> Seen:
    """What anybody can see of that fleet; changes are counted from here on."""
    return Seen(stage, fleet)


@pytest.fixture
def publishing(stage: Stage) -> Publishing:
    """What publishes the data of writers on that stage."""
    return Publishing(stage)
