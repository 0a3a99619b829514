"""A fleet's own function has a say in whether a snapshot becomes live."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from snaproll.domain.probe_contract import LONGEST_ANSWER
from tests.integration.probes import FAIL, NAME, PASS, UNSURE, Probe, Question, is_probed
from tests.integration.seen import Seen, outcome, reason, states_of

FIRST, WHOLE, LAST = ("checkpoint", 25), ("checkpoint", 100), ("end_of_bake", 100)
ALL = [FIRST, WHOLE, LAST]


@pytest.fixture
def fleet(stage: Stage) -> StagedFleet:
    """A fleet of four healthy instances whose snapshots are probed."""
    fleet = stage.add_fleet("sec-prod")
    is_probed(stage, fleet)
    return fleet


def snapshot_of(rollout: Execution) -> str:
    """The snapshot that a rollout is of."""
    snapshot: str = rollout.input.value["snapshot"]
    return snapshot


def failing_at(*moments: tuple[str, int]) -> Callable[[Question], Any]:
    """A probe's answers: bad at some moments, good at all others."""

    def answer(question: Question) -> Any:
        moment = question["moment"]
        return FAIL if (moment["occasion"], moment["percentage"]) in moments else PASS

    return answer


def rolled_back_cleanly(seen: Seen) -> bool:
    """Whether everything is as it was before the rollout."""
    return (
        seen.serves(seen.fleet.first_snapshot)
        and (seen.saved, seen.default, seen.latest) == (1, 1, 1)
        and seen.state.claim is None
    )


# -- a pass ---------------------------------------------------------------------------------------


def test_a_snapshot_that_passes_at_every_moment_becomes_live(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    probe = Probe(stage, lambda _: PASS)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    assert seen.serves(snapshot_of(rollout))
    assert probe.moments == ALL
    assert f"and the probe {NAME} passed it: all rows are there" in reason(rollout)


def test_it_is_told_what_to_look_at(stage: Stage, fleet: StagedFleet) -> None:
    served = list[int]()

    def answer(_: Question) -> Any:
        served.append(stage.served(fleet).get(snapshot_of(stage.rollouts()[-1]), 0))
        return PASS

    probe = Probe(stage, answer)

    rollout = stage.roll(fleet)

    first, _, last = probe.questions
    assert first == {
        "version": 1,
        "environment": "demo",
        "fleet": "sec-prod",
        "snapshot": {"id": snapshot_of(rollout), "data_time": first["snapshot"]["data_time"]},
        "instances": first["instances"],
        "instance_count": 1,
        "moment": {"occasion": "checkpoint", "percentage": 25},
        "execution": rollout.arn,
        "attempt": 1,
    }
    assert datetime.fromisoformat(first["snapshot"]["data_time"]) < rollout.started_at
    assert served == [1, 4, 4]
    assert [len(one["instances"]) for one in probe.questions] == [1, 4, 4]
    for one in last["instances"]:
        instance = stage.world.ec2.instance(one["id"])
        assert one["private_address"] == instance.private_ip


def test_a_checkpoint_is_asked_about_inside_its_pause_and_the_end_while_aws_still_bakes(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    statuses = list[str]()

    def answer(_: Question) -> Any:
        statuses.append(seen.refreshes[-1]["Status"])
        return PASS

    Probe(stage, answer, takes_seconds=20)

    assert outcome(stage.roll(fleet)) == "Live"

    assert statuses == ["InProgress", "Baking", "Baking"]


def test_it_is_asked_in_time_even_when_no_event_of_the_refresh_arrives(
    stage: Stage, fleet: StagedFleet
) -> None:
    served = list[int]()
    stage.world.events.delivery = lambda one: () if one.source == "aws.autoscaling" else (1.0,)

    def answer(_: Question) -> Any:
        served.append(stage.served(fleet).get(snapshot_of(stage.rollouts()[-1]), 0))
        return PASS

    probe = Probe(stage, answer)

    assert outcome(stage.roll(fleet)) == "Live"

    assert probe.moments == ALL
    assert served == [1, 4, 4], "the refresh had not gone on when it was asked about the first"


# -- a fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ALL, ids=str)
def test_a_fail_rolls_back_and_quarantines_whenever_it_comes(
    stage: Stage, fleet: StagedFleet, seen: Seen, moment: tuple[str, int]
) -> None:
    probe = Probe(stage, failing_at(moment))

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "RolledBack"
    assert f"the probe {NAME} failed it at" in reason(rollout)
    assert "3 of 40 tables are empty" in reason(rollout)
    assert rolled_back_cleanly(seen)
    assert seen.ledger.quarantine(fleet.name, snapshot_of(rollout)) is not None
    assert probe.moments == ALL[: ALL.index(moment) + 1], "a rollback asks nobody"


def test_a_fail_at_the_first_checkpoint_touches_no_more_instances(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    Probe(stage, failing_at(FIRST))
    bad = 0
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(stage.rollouts()), limit=timedelta(minutes=5))
    rollout = stage.rollouts()[-1]

    while rollout.running:
        stage.world.step()
        bad = max(bad, stage.served(fleet).get(snapshot_of(rollout), 0))

    assert outcome(rollout) == "RolledBack"
    assert bad == 1
    assert len(seen.calls("RollbackInstanceRefresh")) == 1


def test_a_fail_after_aws_has_finished_is_answered_by_a_refresh_back(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given that every look at the bake fails until Auto Scaling has saved the release
    def unavailable(call: Call) -> None:
        if call.caller != "WatchHealthFunction" or call.operation != "DescribeInstanceRefreshes":
            return
        if seen.refreshes and seen.refreshes[-1]["Status"] == "Baking":
            raise AwsError("ServiceUnavailable", "for a while", http_status=503)

    probe = Probe(stage, failing_at(LAST))
    is_probed(stage, fleet, tries=1, timeout="1s")
    stage.world.faults.before_effect(unavailable)
    stage.complete_snapshot(fleet)
    stage.world.run_until(
        lambda: bool(seen.refreshes) and seen.refreshes[-1]["Status"] == "Successful",
        limit=timedelta(hours=6),
    )
    stage.finish()
    stage.world.run_for(3600)
    stage.finish()

    rollout = stage.rollouts()[-1]
    assert outcome(rollout) == "RolledBack"
    assert probe.moments[-1] == LAST
    assert [one["Status"] for one in seen.refreshes] == ["Successful", "Successful"]
    assert seen.serves(fleet.first_snapshot)
    assert seen.ledger.quarantine(fleet.name, snapshot_of(rollout)) is not None


# -- it cannot tell -------------------------------------------------------------------------------


def test_it_is_asked_again_after_a_pause_and_may_pass_then(
    stage: Stage, fleet: StagedFleet
) -> None:
    probe = Probe(stage, lambda asked: PASS if asked["attempt"] == 3 else UNSURE)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "Live"
    assert probe.moments == [moment for moment in ALL for _ in range(3)]
    first, second, third = probe.asked_at[:3]
    assert second - first == timedelta(seconds=30)
    assert third - second == timedelta(seconds=60)


def raises(_: Question) -> Any:
    """A probe with a bug."""
    raise KeyError("rows")


def too_long(_: Question) -> Any:
    """An answer that no state may hold."""
    return {**PASS, "details": {"rows": "x" * 300_000}}


BAD: list[tuple[str, Callable[[Question], Any], dict[str, Any], str]] = [
    ("could not tell", lambda _: UNSURE, {}, "the reference is being rebuilt"),
    ("raised", raises, {}, "KeyError: 'rows'"),
    ("answered nothing", lambda _: None, {}, "answer = None"),
    ("answered a text", lambda _: json.dumps(PASS), {}, "must be a JSON object"),
    ("made a verdict up", lambda _: {**PASS, "verdict": "ok"}, {}, "verdict = 'ok'"),
    (
        "answered too much",
        lambda _: {**PASS, "details": {"rows": "x" * LONGEST_ANSWER}},
        {},
        "longer than 10000 characters",
    ),
    ("answered far too much", too_long, {}, "larger than 256 KiB"),
    ("was slow", lambda _: PASS, {"takes_seconds": 31}, "did not answer in time"),
    (
        "was stopped by Lambda",
        lambda _: PASS,
        {"takes_seconds": 10, "timeout_seconds": 10},
        "Task timed out after 10.00 seconds",
    ),
]


@pytest.mark.parametrize(
    ("answer", "options", "says"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_without_an_answer_however_often_it_is_asked_the_fleet_goes_back_without_a_quarantine(
    stage: Stage,
    fleet: StagedFleet,
    seen: Seen,
    answer: Callable[[Question], Any],
    options: dict[str, Any],
    says: str,
) -> None:
    probe = Probe(stage, answer, **options)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "RolledBack"
    assert f"the probe {NAME} could not tell at the checkpoint of 25 %, asked 3 times" in reason(
        rollout
    )
    assert says in reason(rollout)
    assert probe.moments == [FIRST] * 3
    assert rolled_back_cleanly(seen)
    assert seen.ledger.quarantine(fleet.name, snapshot_of(rollout)) is None
    assert seen.state.trouble is not None, "it is tried again later"


def test_a_probe_that_is_deleted_half_way_is_inconclusive(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    probe = Probe(stage, lambda _: PASS)
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: probe.moments == [FIRST], limit=timedelta(hours=2))

    probe.delete()
    stage.finish()

    rollout = stage.rollouts()[-1]
    assert outcome(rollout) == "RolledBack"
    assert "Function not found" in reason(rollout)
    assert rolled_back_cleanly(seen)
    assert seen.ledger.quarantine(fleet.name, snapshot_of(rollout)) is None


def test_a_probe_that_may_not_be_invoked_is_inconclusive(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    def denied(call: Call) -> None:
        if call.operation == "Invoke" and call.params["FunctionName"] == NAME:
            raise AwsError("AccessDeniedException", "not authorized", http_status=403)

    probe = Probe(stage, lambda _: PASS)
    stage.world.faults.before_effect(denied)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "RolledBack"
    assert "not authorized" in reason(rollout)
    assert probe.questions == []
    assert rolled_back_cleanly(seen)


def test_the_same_snapshot_is_tried_again_later_and_may_become_live(
    stage: Stage, fleet: StagedFleet
) -> None:
    probe = Probe(stage, lambda asked: PASS if asked["execution"].endswith("-2") else UNSURE)
    first = stage.roll(fleet)
    assert outcome(first) == "RolledBack"

    stage.world.run_for(3600)
    stage.finish()

    again = stage.rollouts()[-1]
    assert (snapshot_of(again), outcome(again)) == (snapshot_of(first), "Live")
    assert probe.moments[-3:] == ALL


# -- signals and people ---------------------------------------------------------------------------


def test_an_alarm_that_fires_while_the_probe_is_asked_rolls_back_right_after(
    stage: Stage, fleet: StagedFleet
) -> None:
    def fire(_: Question) -> Any:
        stage.session.client("cloudwatch").set_alarm_state(
            AlarmName=fleet.alarm, StateValue="ALARM", StateReason="the test says so"
        )
        return PASS

    probe = Probe(stage, fire, takes_seconds=5)

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "RolledBack"
    assert fleet.alarm in reason(rollout)
    assert probe.moments == [FIRST]


def test_a_rollout_that_is_taken_over_asks_again(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout whose watch dies for good after the first answer
    probe = Probe(stage, lambda _: PASS)
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: probe.moments == [FIRST], limit=timedelta(hours=2))

    def denied(call: Call) -> None:
        if call.caller == "WatchHealthFunction":
            raise AwsError("AccessDenied", "the role was changed", http_status=403)

    stage.world.faults.before_effect(denied)
    stage.world.run_until(lambda: not stage.rollouts()[-1].running, limit=timedelta(hours=1))
    stage.world.faults.clear()
    stage.world.run_for(30)
    stage.finish()

    assert len(stage.rollouts()) == 2
    assert outcome(stage.rollouts()[-1]) == "Live"
    assert probe.moments == [FIRST, *ALL]
    assert seen.state.claim is None


def test_a_redriven_rollout_remembers_what_was_passed(stage: Stage, fleet: StagedFleet) -> None:
    probe = Probe(stage, lambda _: PASS)
    stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: probe.moments == [FIRST], limit=timedelta(hours=2))
    rollout = stage.rollouts()[-1]
    stage.world.run_until(
        lambda: states_of(rollout)[-1] == "AwaitSignal", limit=timedelta(minutes=1)
    )
    sleeping = stage.world.events.delivery
    stage.world.events.delivery = lambda one: () if one.source == "aws.states" else sleeping(one)

    def denied(call: Call) -> None:
        if call.caller == "WatchHealthFunction":
            raise AwsError("AccessDenied", "the role was changed", http_status=403)

    stage.world.faults.before_effect(denied)
    stage.world.run_until(lambda: not rollout.running, limit=timedelta(hours=1))
    stage.world.faults.clear()
    stage.session.client("stepfunctions").redrive_execution(executionArn=rollout.arn)
    stage.finish()

    assert outcome(rollout) == "Live"
    assert probe.moments == ALL


# -- before it begins -----------------------------------------------------------------------------


def test_a_probe_that_does_not_exist_is_found_out_before_anything_is_touched(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert f"there is no function {NAME}" in reason(rollout)
    assert seen.changes() == []


def test_a_probe_whose_name_has_another_prefix_is_not_even_looked_for(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    is_probed(stage, fleet, function="wipe-everything")

    rollout = stage.roll(fleet)

    assert outcome(rollout) == "FleetNotReady"
    assert "its name must begin with snaproll-probe-demo-" in reason(rollout)
    assert seen.calls("GetFunctionConfiguration") == []


def test_a_dry_run_says_when_the_probe_would_be_asked_and_asks_nothing(
    stage: Stage, fleet: StagedFleet
) -> None:
    probe = Probe(stage, lambda _: PASS)
    stage.complete_snapshot(fleet, event=False)

    rollout = stage.start({"fleet": fleet.name, "dry_run": True})
    stage.finish()

    output = json.loads(rollout.output.text) if rollout.output else {}
    assert any(
        f"The probe {NAME} is asked at 25 %, at 100 % and at the end of the bake" in change
        for change in output["changes"]
    )
    assert "probe-exists" in [one["name"] for one in output["preflight"]["checks"]]
    assert probe.questions == []


# -- a staged release -----------------------------------------------------------------------------


def scale(stage: Stage, fleet: StagedFleet, desired: int) -> None:
    """Change the fleet's desired capacity, and let it happen."""
    stage.session.client("autoscaling").set_desired_capacity(
        AutoScalingGroupName=fleet.group, DesiredCapacity=desired
    )
    stage.world.run_for(1800)


@pytest.mark.parametrize(("answer", "ends"), [(PASS, "Live"), (FAIL, "RolledBack")])
def test_the_first_instances_of_a_staged_release_are_asked_about_when_they_have_baked(
    stage: Stage, fleet: StagedFleet, seen: Seen, answer: dict[str, Any], ends: str
) -> None:
    probe = Probe(stage, lambda _: answer)
    scale(stage, fleet, 0)
    staged = stage.roll(fleet)
    assert (outcome(staged), probe.questions) == ("Staged", [])

    scale(stage, fleet, 2)
    stage.finish()

    assert outcome(stage.rollouts()[-1]) == ends
    assert probe.moments == [LAST]
    assert [len(one["instances"]) for one in probe.questions] == [2]
    condemned = seen.ledger.quarantine(fleet.name, snapshot_of(staged))
    assert (condemned is not None) == (ends == "RolledBack")
