"""Rollouts that are on their way while a new version is deployed, and what the old one left."""

from __future__ import annotations

import ast
import importlib
import inspect
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.aws.ledger import Change, Ledger
from snaproll.contracts.rollout import Rollout
from snaproll.contracts.values import PAYLOAD_VERSION
from snaproll.domain.ledger import SCHEMA, FleetState
from snaproll.errors import LedgerUnreadableError
from tests.integration.seen import Seen, outcome, states_of
from tests.upgrade import captured


@pytest.fixture
def stage() -> Stage:
    """A world in which the functions are new and the machine still has the definition before."""
    stage = Stage()
    stage.session.client("stepfunctions").update_state_machine(
        stateMachineArn=stage.machine, definition=captured.definition(stage)
    )
    return stage


@pytest.fixture
def fleet(stage: Stage) -> StagedFleet:
    return stage.add_fleet("sec-prod")


@pytest.fixture
def seen(stage: Stage, fleet: StagedFleet) -> Seen:
    return Seen(stage, fleet)


@pytest.fixture(scope="module")
def present_definition() -> str:
    """The definition that is deployed by this version."""
    stage = Stage()
    reply = stage.session.client("stepfunctions").describe_state_machine(
        stateMachineArn=stage.machine
    )
    return reply["definition"]


def deploy(stage: Stage, fleet: StagedFleet, definition: str) -> None:
    """Deploy this version over what the one before has written."""
    captured.rewrite_state(stage, fleet)
    stage.session.client("stepfunctions").update_state_machine(
        stateMachineArn=stage.machine, definition=definition
    )


def refuse_looks(call: Call) -> None:
    """Take a permission from the function that watches."""
    if call.caller == "WatchHealthFunction" and call.operation == "DescribeAutoScalingGroups":
        raise AwsError("AccessDenied", "injected", http_status=403)


def die(stage: Stage) -> Execution:
    """Let the rollout that runs die of a missing permission, and give it back."""
    (running,) = [one for one in stage.rollouts() if one.running]
    stage.world.faults.before_effect(refuse_looks)
    stage.world.run_until(lambda: not running.running, limit=timedelta(hours=1))
    stage.world.faults.clear()
    return running


# -- rollouts on their way ------------------------------------------------------------------------


@pytest.mark.parametrize(("scenario", "expected"), [("healthy", "Live"), ("corrupt", "RolledBack")])
@pytest.mark.parametrize("seconds", [60, 300, 900])
def test_a_rollout_on_its_way_ends_well_under_the_new_version(
    stage: Stage,
    fleet: StagedFleet,
    seen: Seen,
    present_definition: str,
    scenario: str,
    expected: str,
    seconds: int,
) -> None:
    # Given a rollout that began before
    new = stage.complete_snapshot(fleet, scenario)
    stage.world.run_for(seconds)

    # When this version is deployed
    deploy(stage, fleet, present_definition)
    stage.finish()

    # Then it ends by its old definition as it would have
    (rollout,) = stage.rollouts()
    assert outcome(rollout) == expected
    assert seen.serves(new if expected == "Live" else fleet.first_snapshot)
    assert len(seen.refreshes) == 1
    assert seen.state.claim is None


def test_what_waited_before_is_rolled_out_by_the_new_definition(
    stage: Stage, fleet: StagedFleet, seen: Seen, present_definition: str
) -> None:
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    waiting = stage.complete_snapshot(fleet)
    stage.world.run_for(60)

    deploy(stage, fleet, present_definition)
    stage.finish()
    stage.world.run_for(60)
    stage.finish()

    assert [outcome(one) for one in stage.rollouts()] == ["Live", "Queued", "Live"]
    assert seen.serves(waiting)


def test_a_rollout_that_died_before_is_redriven_by_its_old_definition(
    stage: Stage, fleet: StagedFleet, seen: Seen, present_definition: str
) -> None:
    # Given a rollout that died, and of whose death nobody has heard yet
    stage.world.events.delivery = lambda event: (240.0,) if event.source == "aws.states" else (1.0,)
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(300)
    dead = die(stage)

    # When this version is deployed, and a person redrives it
    deploy(stage, fleet, present_definition)
    stage.session.client("stepfunctions").redrive_execution(executionArn=dead.arn)
    stage.finish()

    assert outcome(dead) == "Live"
    assert seen.serves(new)
    assert stage.rollouts() == [dead]


def test_a_rollout_that_died_before_is_taken_over_by_the_new_definition(
    stage: Stage, fleet: StagedFleet, seen: Seen, present_definition: str
) -> None:
    new = stage.complete_snapshot(fleet)
    stage.world.run_for(300)
    dead = die(stage)

    deploy(stage, fleet, present_definition)
    stage.world.run_for(30)
    stage.finish()

    heir = stage.rollouts()[-1]
    assert (dead.status, outcome(heir)) == ("FAILED", "Live")
    assert "StartRefresh" in states_of(heir)
    assert len(seen.refreshes) == 1
    assert seen.serves(new)


def test_going_back_by_hand_stays_that_when_the_new_version_takes_it_over(
    stage: Stage, fleet: StagedFleet, seen: Seen, present_definition: str
) -> None:
    # Given a person who goes back, on a fleet whose alarm fires
    stage.roll(fleet)
    stage.roll(fleet)
    stage.world.cloudwatch.hold(fleet.alarm, "ALARM")
    why = "the numbers are wrong"
    stage.start({"fleet": fleet.name, "snapshot": "previous", "reason": why})
    stage.world.run_for(300)

    # When it dies, and this version is deployed
    die(stage)
    deploy(stage, fleet, present_definition)
    stage.world.run_for(30)
    stage.finish()

    # Then whoever takes over knows that it is a repair, although version 1 did not write that
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert seen.state.hold is not None
    assert seen.state.hold.reason == why


# -- what the version before left -----------------------------------------------------------------


@pytest.mark.parametrize("moment", captured.items())
def test_every_item_of_the_version_before_is_read(stage: Stage, moment: str) -> None:
    # Given a ledger as it was at some moment
    client, table = stage.session.client("dynamodb"), stage.stack.outputs["LedgerTableName"]
    found = captured.items()[moment]
    for item in found:
        client.put_item(TableName=table, Item=item)
    ledger = Ledger(client, table)

    # Then each kind of item is read
    kinds = [item["sk"]["S"].partition("#")[0] for item in found]
    assert ledger.state("sec-prod").schema_version == SCHEMA
    assert len(ledger.records("sec-prod")) == kinds.count("RELEASE")
    condemned = kinds.count("QUARANTINE") + kinds.count("REJECTION")
    assert len(ledger.condemned("sec-prod")) == condemned
    assert len(ledger.watches()) == sum(item["pk"]["S"] == "WATCHES" for item in found)

    # And what is changed is written in the present shape
    ledger.change("sec-prod", lambda state: Change(state.model_copy(update={"attempts": 99})))
    key: Any = {"pk": {"S": "FLEET#sec-prod"}, "sk": {"S": "STATE"}}
    written = client.get_item(TableName=table, Key=key)["Item"]
    assert written["schema_version"] == {"N": str(SCHEMA)}


@pytest.mark.parametrize("version", [SCHEMA + 1, 0])
def test_an_item_of_a_version_that_is_not_known_is_refused_by_name(
    stage: Stage, version: int
) -> None:
    client, table = stage.session.client("dynamodb"), stage.stack.outputs["LedgerTableName"]
    item = {"pk": {"S": "FLEET#sec-prod"}, "sk": {"S": "STATE"}}
    client.put_item(TableName=table, Item={**item, "schema_version": {"N": str(version)}})

    with pytest.raises(LedgerUnreadableError, match=f"sec-prod has schema version {version}"):
        Ledger(client, table).state("sec-prod")


def request_of(function: str) -> type[BaseModel]:
    """The model by which a function reads its payload."""
    app = importlib.import_module(f"functions.{function}.app")
    (call,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(app.handler)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    model: type[BaseModel] = getattr(app, ast.unparse(call.args[2]))
    return model


@pytest.mark.parametrize("function", captured.payloads())
def test_every_payload_of_the_version_before_is_accepted(function: str) -> None:
    for payload in captured.payloads()[function]:
        request_of(function).model_validate(payload)


def test_a_payload_of_a_newer_version_is_refused_by_name() -> None:
    (payload, *_) = captured.payloads()["claim_fleet"]
    newer = {**payload["rollout"], "payload_version": PAYLOAD_VERSION + 1}

    with pytest.raises(ValidationError, match=f"reads up to {PAYLOAD_VERSION}"):
        Rollout.model_validate(newer)


def test_no_two_versions_of_the_ledger_lie_between_what_is_tested_and_what_is_written() -> None:
    assert captured.VERSION == SCHEMA - 1
    assert FleetState().schema_version == SCHEMA
