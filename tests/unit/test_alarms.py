"""What a fleet's alarms mean when they say nothing, and which of them Auto Scaling is given."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from snaproll.domain.alarms import Alarm, alarm_checks, guards
from snaproll.domain.assessment import Memory, Verdict
from snaproll.domain.checks import CheckResult
from snaproll.domain.fleet import HealthPolicy
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import RefreshStatus
from snaproll.domain.look import Look
from snaproll.domain.preflight import inspect, passes_with_time
from tests.unit.builders import NEW, NOW, OLD, fleet, fleet_evidence, look, members

ALARM = "replicas-prod-5xx"
old, new = members(4, OLD), members(4, NEW, "i-new")


def silent(rule: str, **seen: Any) -> Look:
    """A look at a fleet whose alarm has no data."""
    health = {"alarms": [ALARM], "no_data": rule}
    alarms = seen.pop("alarms", {ALARM: "INSUFFICIENT_DATA"})
    return look(
        seen.pop("old", old),
        new,
        alarms=alarms,
        sections={"health": health, "refresh": {"checkpoints": [100]}},
        **seen,
    )


# -- before ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["wait", "bad"])
def test_no_rollout_begins_under_an_alarm_without_data_and_it_is_worth_waiting(rule: str) -> None:
    health = {"alarms": [ALARM], "no_data": rule}

    report = inspect(fleet(health=health), fleet_evidence(alarms={ALARM: "INSUFFICIENT_DATA"}))

    failed = [one.name for one in report.checks if one.result is CheckResult.FAILED]
    assert failed == ["alarms-have-data"]
    assert passes_with_time(report)


def test_a_fleet_may_ignore_alarms_without_data() -> None:
    health = {"alarms": [ALARM], "no_data": "ignore"}

    report = inspect(fleet(health=health), fleet_evidence(alarms={ALARM: "INSUFFICIENT_DATA"}))

    assert report.passed
    (told,) = [one.reason for one in report.checks if one.name == "alarms-have-data"]
    assert told == f"without data, which the fleet's policy ignores: {ALARM}"


def test_a_misspelt_alarm_is_an_error_whatever_the_fleet_ignores() -> None:
    health = {"alarms": [ALARM], "no_data": "ignore"}

    report = inspect(fleet(health=health), fleet_evidence(alarms={}))

    assert not report.passed
    assert not passes_with_time(report)


TWO = ["one", "other"]


@pytest.mark.parametrize(
    ("alarms", "told"),
    [
        ({}, "these alarms of the fleet do not exist: one, other"),
        (
            dict.fromkeys(TWO, "ALARM"),
            "one is ALARM, other is ALARM; Auto Scaling starts no refresh under such an alarm",
        ),
        (dict.fromkeys(TWO, "INSUFFICIENT_DATA"), "one, other is INSUFFICIENT_DATA, and "),
    ],
)
def test_every_alarm_that_stands_in_the_way_is_named(alarms: Mapping[str, str], told: str) -> None:
    checks = alarm_checks(fleet(health={"alarms": TWO}), alarms, by_hand=False)

    (failed,) = [one.reason for one in checks if one.result is CheckResult.FAILED]
    assert failed.startswith(told)


def test_alarms_that_a_person_goes_past_are_named() -> None:
    states = {"one": "ALARM", "other": "INSUFFICIENT_DATA"}

    checks = alarm_checks(fleet(health={"alarms": TWO}), states, by_hand=True)

    left_out = "left out, because a person asked for this rollout: "
    assert [one.reason for one in checks] == [
        "every alarm of the fleet exists",
        f"{left_out}one is ALARM",
        f"{left_out}other",
    ]


# -- given to Auto Scaling ------------------------------------------------------------------------

FOUND: Mapping[str, Alarm] = {
    "fine": Alarm("OK", loses_data=False),
    "fine while there is traffic": Alarm("OK", loses_data=True),
    "silent": Alarm("INSUFFICIENT_DATA", loses_data=True),
    "silent until its first data": Alarm("INSUFFICIENT_DATA", loses_data=False),
    "firing": Alarm("ALARM", loses_data=False),
}


@pytest.mark.parametrize(
    ("rule", "by_hand", "given"),
    [
        ("wait", False, [*FOUND, "deleted"]),
        ("bad", False, [*FOUND, "deleted"]),
        ("ignore", False, ["fine"]),
        ("wait", True, ["fine", "fine while there is traffic"]),
        ("ignore", True, ["fine"]),
    ],
)
def test_auto_scaling_is_given_the_alarms_that_would_not_stop_it_against_the_fleets_wish(
    rule: str, *, by_hand: bool, given: list[str]
) -> None:
    health = HealthPolicy.model_validate({"alarms": [*FOUND, "deleted"], "no_data": rule})

    assert guards(health, FOUND, by_hand=by_hand) == given


# -- while it runs --------------------------------------------------------------------------------


def test_an_alarm_without_data_is_waited_for_until_the_limit_and_not_longer() -> None:
    first = assess_forward(silent("wait"), Memory())
    before = assess_forward(silent("wait", at=NOW + timedelta(minutes=29)), first.memory)
    after = assess_forward(silent("wait", at=NOW + timedelta(minutes=30)), first.memory)

    assert (first.verdict, before.verdict) == (Verdict.WAIT, Verdict.WAIT)
    assert before.wait_seconds == 60, "the next look falls on the limit"
    assert (after.verdict, after.against_data) == (Verdict.ROLL_BACK, False)
    assert after.reason == (
        f'the alarm {ALARM} has had no data for 30m, and the fleet\'s policy is "no_data": "wait"'
    )


def test_data_that_comes_back_ends_the_waiting() -> None:
    first = assess_forward(silent("wait"), Memory())
    back = silent("wait", at=NOW + timedelta(minutes=10), alarms={ALARM: "OK"})
    second = assess_forward(back, first.memory)
    gone_again = assess_forward(silent("wait", at=NOW + timedelta(minutes=35)), second.memory)

    assert second.memory.no_data_since is None
    assert gone_again.verdict is Verdict.WAIT


def test_no_data_may_be_bad_at_once_and_is_no_evidence_even_then() -> None:
    found = assess_forward(silent("bad"), Memory(healthy_new=4))

    assert (found.verdict, found.against_data) == (Verdict.ROLL_BACK, False)


def test_no_data_may_be_ignored_for_ever() -> None:
    memory = Memory(no_data_since=NOW - timedelta(days=1))

    found = assess_forward(silent("ignore"), memory)

    assert found.verdict is Verdict.WAIT


@pytest.mark.parametrize("rule", ["wait", "bad", "ignore"])
def test_an_alarm_that_fires_is_bad_whatever_no_data_means(rule: str) -> None:
    found = assess_forward(silent(rule, alarms={ALARM: "ALARM"}), Memory(healthy_new=1))

    assert (found.verdict, found.against_data) == (Verdict.ROLL_BACK, True)


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [("wait", Verdict.WAIT), ("bad", Verdict.ROLL_BACK), ("ignore", Verdict.PROMOTE)],
)
def test_nothing_is_promoted_on_the_word_of_an_alarm_that_says_nothing(
    rule: str, verdict: Verdict
) -> None:
    found = assess_forward(silent(rule, old=(), status=RefreshStatus.SUCCESSFUL), Memory())

    assert found.verdict is verdict


def test_an_alarm_that_fires_is_not_silent_and_one_that_is_silent_does_not_fire() -> None:
    states = {"fine": "OK", "bad": "ALARM", "mute": "INSUFFICIENT_DATA", "gone": "deleted"}

    seen = look(alarms=states)

    assert (seen.firing, seen.silent) == (["bad"], ["mute", "gone"])


def test_an_alarm_that_somebody_deleted_says_nothing_either() -> None:
    found = assess_forward(silent("bad", alarms={ALARM: "deleted"}), Memory())

    assert found.verdict is Verdict.ROLL_BACK
