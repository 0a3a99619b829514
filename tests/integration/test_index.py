"""The index of fleets: kept by events, repaired by the comparison, and never believed alone."""

from __future__ import annotations

import json
from datetime import timedelta

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.world.eventbridge.service import Event
from snaproll.aws.index import Index
from tests.integration.events import NOTIFICATION, detail
from tests.integration.seen import Seen, outcome
from tests.integration.test_dispatch import deliver, names

PATH = f"/snaproll/{ENVIRONMENT}/fleets"
COMPARISON = timedelta(minutes=16)


def known(stage: Stage) -> dict[str, str]:
    """The parameters' values that the index knows, by fleet."""
    table = stage.stack.outputs["LedgerTableName"]
    index = Index(stage.session.client("dynamodb"), table)
    return {one.name: one.value for one in index.all()}


def written(stage: Stage) -> dict[str, str]:
    """The values of the fleet parameters, by fleet."""
    pages = stage.session.client("ssm").get_paginator("get_parameters_by_path").paginate(Path=PATH)
    return {
        one["Name"].removeprefix(f"{PATH}/"): one["Value"]
        for page in pages
        for one in page["Parameters"]
    }


def lose_parameter_events(stage: Stage) -> None:
    """Let no event of Parameter Store arrive any more: AWS sends them on a best-effort basis."""

    def delays(event: Event) -> tuple[float, ...]:
        return () if event.source == "aws.ssm" else (1.0,)

    stage.world.events.delivery = delays


def declare(stage: Stage, name: str, value: str) -> None:
    """Write a fleet parameter, as a fleet's own stack would."""
    stage.session.client("ssm").put_parameter(
        Name=f"{PATH}/{name}", Value=value, Type="String", Overwrite=True
    )


def test_a_fleet_that_is_declared_changed_and_deleted_is_followed_at_once(
    stage: Stage, fleet: StagedFleet
) -> None:
    assert known(stage) == written(stage)

    stage.configure(fleet, {"refresh": {"bake": "20m"}})
    stage.world.run_for(10)
    assert "20m" in known(stage)[fleet.name]

    stage.session.client("ssm").delete_parameter(Name=f"{PATH}/{fleet.name}")
    stage.world.run_for(10)
    assert known(stage) == {}


def test_a_wrong_parameter_is_reported_when_it_is_written(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # When somebody writes a parameter with a bad value, and nothing else happens
    value = json.loads(written(stage)[fleet.name])
    declare(stage, fleet.name, json.dumps({**value, "on_drift": "ignore"}))
    stage.world.run_for(10)

    # Then it is told by parameter and key, with the value and what is allowed
    [told] = seen.told("Fleet Configuration Invalid")
    assert f"{PATH}/{fleet.name}" in told.detail["message"]
    assert "on_drift = 'ignore'" in told.detail["message"]
    assert "'alert'" in told.detail["message"]
    assert any("Fleet Configuration Invalid: fleet sec-prod" in mail for mail in seen.mails())


def test_events_that_come_twice_or_late_leave_the_index_as_the_parameter_is(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given events of which the first one comes last
    delays = iter([(600.0, 601.0)])
    stage.world.events.delivery = lambda event: (
        next(delays, (1.0,)) if event.source == "aws.ssm" else (1.0,)
    )
    stage.configure(fleet, {"refresh": {"bake": "20m"}})
    stage.configure(fleet, {"refresh": {"bake": "25m"}})

    stage.world.run_for(700)

    assert known(stage) == written(stage)


def test_an_index_that_missed_everything_is_repaired_by_the_comparison(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a fleet deleted, one changed and one made, and no event of any of it
    gone = stage.add_fleet("gone-prod", capacity=1)
    lose_parameter_events(stage)
    stage.configure(fleet, {"refresh": {"bake": "20m"}})
    declare(stage, "new-prod", written(stage)[fleet.name])
    stage.session.client("ssm").delete_parameter(Name=f"{PATH}/{gone.name}")

    stage.world.run_for(COMPARISON.total_seconds())

    assert known(stage) == written(stage)
    assert sorted(known(stage)) == ["new-prod", "sec-prod"]


def test_a_snapshot_of_a_fleet_that_the_index_missed_is_rolled_by_the_comparison(
    stage: Stage,
) -> None:
    lose_parameter_events(stage)
    fleet = stage.add_fleet("sec-prod")
    seen = Seen(stage, fleet)
    new = stage.complete_snapshot(fleet)

    stage.world.run_for(COMPARISON.total_seconds())
    stage.finish()

    assert seen.serves(new)


def test_a_snapshot_starts_nothing_on_a_fleet_that_no_longer_selects_it(
    stage: Stage, fleet: StagedFleet
) -> None:
    # Given a fleet that follows other data since a moment that the index did not hear of
    lose_parameter_events(stage)
    stage.configure(fleet, {"snapshots": {"tags": {"GraphId": "other"}}})
    snapshot = stage.complete_snapshot(fleet, event=False)

    deliver(stage, NOTIFICATION, detail(snapshot))

    assert names(stage) == []


def test_a_snapshot_of_a_fleet_that_was_deleted_starts_nothing(
    stage: Stage, fleet: StagedFleet
) -> None:
    lose_parameter_events(stage)
    stage.session.client("ssm").delete_parameter(Name=f"{PATH}/{fleet.name}")
    snapshot = stage.complete_snapshot(fleet, event=False)

    deliver(stage, NOTIFICATION, detail(snapshot))

    assert names(stage) == []


def test_what_is_live_is_not_taken_for_a_fleet(stage: Stage, fleet: StagedFleet) -> None:
    assert outcome(stage.roll(fleet)) == "Live"
    stage.world.run_for(60)

    assert known(stage) == written(stage)
    runs = [one for one in stage.world.awslambda.runs if one.function.endswith("index-fleet")]
    assert len(runs) == 1  # the fleet's own parameter
