"""What an operator may start a rollout with; and that bad input changes nothing and says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import ENVIRONMENT, Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.faults import Call
from snaproll.aws.ledger import Change
from snaproll.domain.ledger import Trigger
from snaproll.domain.tags import DATA_TIME
from tests.integration.events import MULTI_VOLUME, NOTIFICATION, detail, envelope, set_detail
from tests.integration.seen import Seen, fault_of, outcome, reason, result_of, states_of


def started(stage: Stage, content: object) -> Execution:
    """An execution that a person started, played to its end."""
    execution = stage.start(content)
    stage.finish()
    return execution


# -- bad input ------------------------------------------------------------------------------------

REFUSED: list[tuple[str, Any, str, list[str]]] = [
    ("nothing", {}, "InvalidRequestError", ["fleet is missing", '{"fleet": "<name>"}']),
    ("a text", "sec-prod", "InvalidRequestError", ["must be a JSON object"]),
    ("a number", 5, "InvalidRequestError", ["must be a JSON object"]),
    ("null", None, "InvalidRequestError", ["must be a JSON object"]),
    ("a list", ["sec-prod"], "InvalidRequestError", ["must be a JSON object"]),
    (
        "an unknown key",
        {"fleet": "sec-prod", "force": True},
        "InvalidRequestError",
        ["force is not a known key"],
    ),
    (
        "a fleet that is no name",
        {"fleet": "Sec Prod"},
        "InvalidRequestError",
        ["fleet = 'Sec Prod'"],
    ),
    ("a fleet that is no text", {"fleet": 5}, "InvalidRequestError", ["fleet = 5"]),
    (
        "a fleet that is a path",
        {"fleet": "../../prod/fleets/sec"},
        "InvalidRequestError",
        ["fleet = '../../prod/fleets/sec'"],
    ),
    (
        "an id that is none",
        {"fleet": "sec-prod", "snapshot": "ami-0123456789abcdef0"},
        "InvalidRequestError",
        ["ami-0123456789abcdef0"],
    ),
    (
        "an empty reason",
        {"fleet": "sec-prod", "reason": ""},
        "InvalidRequestError",
        ["reason = ''"],
    ),
    (
        "an unknown fleet",
        {"fleet": "sec-porod"},
        "UnknownFleetError",
        [
            'No fleet "sec-porod" is configured',
            f"/snaproll/{ENVIRONMENT}/fleets/sec-porod",
            "aws ssm get-parameters-by-path",
        ],
    ),
    (
        "a fleet without snapshots",
        {"fleet": "sec-prod"},
        "NoEligibleSnapshotError",
        ["Fleet sec-prod has no eligible snapshot", "aws ec2 create-snapshot"],
    ),
]


@pytest.mark.parametrize(
    ("content", "error", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_bad_input_names_the_place_and_the_remedy_and_changes_nothing(
    stage: Stage, fleet: StagedFleet, seen: Seen, content: Any, error: str, said: list[str]
) -> None:
    # Given a fleet with no snapshot but the one that it serves, which its rule does not select
    stage.session.client("ec2").delete_tags(
        Resources=[fleet.first_snapshot], Tags=[{"Key": "GraphId"}]
    )

    # When an execution is started with bad input
    rollout = started(stage, content)

    # Then it fails where it read it, in words, and nothing was changed anywhere
    assert rollout.status == "FAILED"
    assert rollout.error == error
    assert all(part in fault_of(rollout) for part in said), fault_of(rollout)
    assert states_of(rollout) == ["PlanRollout"]
    assert seen.changes() == []
    assert [call.operation for call in seen.calls() if call.operation.startswith("Put")] == []
    assert seen.state.revision == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "the whole value"),
        ("[]", "must be a JSON object"),
        ('{"colour": "green"}', "colour is not a known key"),
        ('{"auto_scaling_group": 5}', "auto_scaling_group = 5"),
    ],
)
def test_a_malformed_fleet_parameter_is_named_with_its_keys(
    stage: Stage, fleet: StagedFleet, seen: Seen, value: str, said: str
) -> None:
    parameter = f"/snaproll/{ENVIRONMENT}/fleets/{fleet.name}"
    stage.session.client("ssm").put_parameter(Name=parameter, Value=value, Overwrite=True)

    rollout = started(stage, {"fleet": "sec-prod"})

    assert rollout.error == "InvalidFleetConfigurationError"
    assert f"The parameter {parameter} is not valid" in fault_of(rollout)
    assert said in fault_of(rollout)
    assert seen.changes() == []


def test_a_snapshot_that_nobody_knows_is_rejected_with_a_record(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = started(stage, {"fleet": "sec-prod", "snapshot": "snap-0123456789abcdef0"})

    assert outcome(rollout) == "SnapshotRejected"
    assert "no snapshot snap-0123456789abcdef0 is visible" in reason(rollout)
    assert "Check the id, the account and the Region" in reason(rollout)
    assert seen.changes() == []
    assert seen.records[0].snapshot == "snap-0123456789abcdef0"
    assert seen.serves(fleet.first_snapshot)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"result": "failed"}, "detail.result = 'failed'"),
        ({"event": "lockSnapshot"}, "detail.event = 'lockSnapshot'"),
        ({"snapshot_id": "snap-?"}, "must end with a snapshot id"),
    ],
)
def test_a_malformed_event_as_input_is_refused_by_place(
    stage: Stage, fleet: StagedFleet, seen: Seen, content: dict[str, Any], said: str
) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    rollout = started(
        stage, envelope(stage.world.account, NOTIFICATION, detail(snapshot, **content))
    )

    assert rollout.error == "InvalidEventError"
    assert "The event given as execution input is not valid" in fault_of(rollout)
    assert said in fault_of(rollout)
    assert seen.changes() == []


def test_bad_input_to_a_function_names_the_function(stage: Stage) -> None:
    invocation = stage.world.awslambda.invoke(
        "snaproll-demo-watch-health", {"rollout": {}}, caller="operator"
    )

    assert invocation.error is not None
    assert invocation.error.error_type == "InvalidRequestError"
    assert "The input of snaproll-demo-watch-health is not valid" in invocation.error.error_message
    assert "rollout.fleet is missing" in invocation.error.error_message


# -- raw events -----------------------------------------------------------------------------------


def test_a_raw_event_is_good_input(stage: Stage, fleet: StagedFleet, seen: Seen) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    rollout = started(stage, envelope(stage.world.account, NOTIFICATION, detail(snapshot)))

    assert outcome(rollout) == "Live"
    assert seen.serves(snapshot)
    assert seen.records[0].trigger is Trigger.SNAPSHOT


def test_a_raw_event_of_no_fleet_has_nothing_to_do(stage: Stage, seen: Seen) -> None:
    stranger = stage.world.ec2.add_snapshot().id

    rollout = started(stage, envelope(stage.world.account, NOTIFICATION, detail(stranger)))

    assert outcome(rollout) == "NoFleet"
    assert stranger in reason(rollout)
    assert seen.changes() == []


def test_a_raw_event_of_several_rollouts_says_how_to_start_each(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    first, second = (stage.complete_snapshot(fleet, event=False) for _ in range(2))
    content = set_detail((first, "completed"), (second, "completed"))

    rollout = started(stage, envelope(stage.world.account, MULTI_VOLUME, content))

    assert rollout.error == "InvalidRequestError"
    assert f'{{"fleet": "sec-prod", "snapshot": "{first}"}}' in fault_of(rollout)
    assert f'{{"fleet": "sec-prod", "snapshot": "{second}"}}' in fault_of(rollout)
    assert seen.changes() == []


# -- the newest eligible snapshot -----------------------------------------------------------------


def test_the_newest_is_told_by_its_data_and_not_by_when_it_completed(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    now = stage.world.clock.now()
    fresh = stage.complete_snapshot(fleet, event=False, start_time=now - timedelta(minutes=1))
    stage.complete_snapshot(fleet, event=False, start_time=now - timedelta(minutes=5))

    rollout = started(stage, {"fleet": "sec-prod"})

    assert outcome(rollout) == "Live"
    assert seen.serves(fresh)


@pytest.mark.parametrize(
    "attributes",
    [
        {"tags": {"GraphId": "other"}},
        {"state": "pending"},
        {"state": "error"},
        {"source_id": "snap-0fffffffffffffff1"},
        {"tags": {DATA_TIME: "2062-01-05T09:00:00Z"}},
    ],
    ids=["of another fleet", "pending", "failed", "a copy of unknown age", "of the future"],
)
def test_the_newest_eligible_one_is_not(
    stage: Stage, fleet: StagedFleet, seen: Seen, attributes: dict[str, Any]
) -> None:
    good = stage.complete_snapshot(fleet, event=False)
    stage.world.run_for(60)
    stage.complete_snapshot(fleet, event=False, **attributes)

    rollout = started(stage, {"fleet": "sec-prod"})

    assert outcome(rollout) == "Live"
    assert seen.serves(good)


def test_a_star_in_a_tag_of_the_rule_is_no_wildcard(stage: Stage, fleet: StagedFleet) -> None:
    # Given a fleet whose rule would, as a pattern, also select another fleet's snapshots
    stage.configure(fleet, {"snapshots": {"tags": {"GraphId": "sec-*"}}})
    stage.complete_snapshot(fleet, event=False)

    rollout = started(stage, {"fleet": "sec-prod"})

    assert rollout.error == "NoEligibleSnapshotError"


def test_what_is_live_already_is_not_rolled_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.roll(fleet)
    before = len(seen.changes())

    rollout = started(stage, {"fleet": "sec-prod"})

    assert outcome(rollout) == "AlreadyLive"
    assert len(seen.changes()) == before


def test_starting_again_with_an_old_ones_input_is_always_safe(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    first = stage.roll(fleet)

    again = started(stage, first.input.value)

    assert outcome(again) == "AlreadyLive"
    assert len(seen.calls("StartInstanceRefresh")) == 1


# -- dry run --------------------------------------------------------------------------------------


def test_a_dry_run_makes_every_check_and_changes_nothing(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    snapshot = stage.complete_snapshot(fleet, event=False)

    rollout = started(stage, {"fleet": "sec-prod", "dry_run": True})

    assert rollout.status == "SUCCEEDED"
    preview = result_of(rollout, "PreviewRollout")
    assert preview["would_start"]
    assert f"{snapshot} would be rolled out to 4 instances of fleet sec-prod" in preview["message"]
    assert "nothing was changed" in preview["message"]
    assert seen.changes() == []
    assert seen.state.revision == 0
    assert seen.told() == []


def test_a_dry_run_tells_everything_that_stands_in_the_way(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    stage.complete_snapshot(fleet, event=False, encrypted=False, kms_key_id=None)
    stage.session.client("autoscaling").suspend_processes(
        AutoScalingGroupName=fleet.group, ScalingProcesses=["Launch"]
    )

    preview = result_of(started(stage, {"fleet": "sec-prod", "dry_run": True}), "PreviewRollout")

    assert not preview["would_start"]
    assert "it is not encrypted" in preview["message"]
    assert "suspended processes" in preview["message"]
    assert seen.changes() == []


# -- races before the claim -----------------------------------------------------------------------


def test_a_plan_that_the_ledger_outran_is_made_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a ledger that changes between the plan and the claim
    done: list[int] = []

    def meddle(call: Call) -> None:
        if call.caller == "ClaimFleetFunction" and not done:
            done.append(call.number)
            seen.ledger.change(
                fleet.name,
                lambda state: Change(state.model_copy(update={"signals": state.signals + 1})),
            )

    stage.world.faults.before_effect(meddle)

    # When a snapshot is rolled
    rollout = stage.roll(fleet)

    # Then it is planned twice, and rolled once
    assert outcome(rollout) == "Live"
    assert states_of(rollout)[:5] == [
        "PlanRollout",
        "Decide",
        "ClaimFleet",
        "PlanRollout",
        "Decide",
    ]
    assert len(seen.calls("StartInstanceRefresh")) == 1


def test_of_two_that_claim_the_same_snapshot_at_once_one_rolls_and_nothing_is_left_to_wait_for(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given an operator who starts a second rollout while the first one claims
    done: list[Execution] = []

    def start_another(call: Call) -> None:
        if call.caller == "ClaimFleetFunction" and call.operation == "GetItem" and not done:
            done.append(stage.start({"fleet": "sec-prod"}))

    stage.world.faults.before_effect(start_another)

    stage.roll(fleet)
    stage.finish()

    stage.world.run_for(60)
    stage.finish()

    # Then one has the fleet, and the other says so: the same snapshot need not wait behind itself
    assert sorted(outcome(one) for one in stage.rollouts()) == ["Live", "Queued"]
    assert "is being rolled onto" in reason(done[0])
    assert len(seen.refreshes) == 1
