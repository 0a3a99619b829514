"""How old a fleet's data is, told by the comparison whether or not anything is rolled."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from tests.integration.seen import outcome

COMPARISON = f"snaproll-{ENVIRONMENT}-reconcile-fleets"


def ages(stage: Stage) -> list[dict[str, Any]]:
    """What CloudWatch would make metrics of, in the logs of the comparison."""
    lines = [record.line for record in stage.world.awslambda.logs[COMPARISON]]
    records = [json.loads(line) for line in lines if line.startswith("{")]
    return [record for record in records if "DataAge" in record]


def test_the_age_of_live_data_is_a_metric_of_its_fleet(stage: Stage, fleet: StagedFleet) -> None:
    at = stage.world.clock.now() - timedelta(minutes=5)
    rollout = stage.roll(fleet, tags={"snaproll:data-time": at.isoformat()})
    assert outcome(rollout) == "Live"

    stage.world.run_for(3 * 3600)

    last = ages(stage)[-1]
    told_at = stage.world.clock.now() - timedelta(minutes=15)
    told = at + timedelta(hours=last["DataAge"][0])
    assert told_at <= told <= stage.world.clock.now()
    (metric,) = last["_aws"]["CloudWatchMetrics"]
    assert metric["Namespace"] == "snaproll"
    assert sorted(metric["Dimensions"][0]) == ["environment", "fleet", "service"]
    assert (last["service"], last["environment"], last["fleet"]) == (
        "snaproll",
        ENVIRONMENT,
        fleet.name,
    )


def test_data_grows_old_while_everything_is_stopped(stage: Stage, fleet: StagedFleet) -> None:
    stage.roll(fleet)
    stage.session.client("ssm").put_parameter(
        Name=f"/snaproll/{ENVIRONMENT}/stop", Value="a freeze", Type="String"
    )
    before = len(ages(stage))

    stage.world.run_for(3600)

    assert len(ages(stage)) - before == 4


@pytest.mark.usefixtures("fleet")
def test_a_fleet_that_was_never_rolled_has_no_age(stage: Stage) -> None:
    stage.world.run_for(3600)

    assert ages(stage) == []
