"""The probe: reading its answers, when it is asked, and what is remembered."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from snaproll.domain.group import Refresh, RefreshStatus
from snaproll.domain.probe import ProbePolicy, Probing, back_off, due, hear
from snaproll.domain.probe_contract import (
    LONGEST_ANSWER,
    LONGEST_REASON,
    Heard,
    Moment,
    Occasion,
    ProbeAnswer,
    ProbeVerdict,
    understand,
)
from tests.unit.builders import NOW

NAME = "snaproll-probe-sec"
POLICY = ProbePolicy(function=NAME)
QUARTER = Moment(occasion=Occasion.CHECKPOINT, percentage=25)
WHOLE = Moment(occasion=Occasion.CHECKPOINT, percentage=100)
END = Moment(occasion=Occasion.END_OF_BAKE, percentage=100)


def said(answer: Any, moment: Moment = QUARTER) -> Heard:
    """An answer as the rollout's definition keeps it."""
    return Heard(moment=moment, answer=json.dumps({"answer": answer}))


def read(answer: Any) -> ProbeAnswer:
    return understand(said(answer), NAME)


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", list(ProbeVerdict))
def test_an_answer_is_its_verdict_and_its_reason(verdict: ProbeVerdict) -> None:
    answer = read({"verdict": verdict.value, "reason": "42 rows", "details": {"rows": 42}})

    assert (answer.verdict, answer.reason) == (verdict, "42 rows")


def test_members_that_are_not_in_the_contract_do_no_harm() -> None:
    assert read({"verdict": "pass", "reason": "fine", "took": 3}).verdict is ProbeVerdict.PASS


def test_a_long_reason_is_cut_and_not_refused() -> None:
    answer = read({"verdict": "fail", "reason": "x" * 5000})

    assert (answer.verdict, len(answer.reason)) == (ProbeVerdict.FAIL, LONGEST_REASON)


MALFORMED: list[tuple[str, Any, str]] = [
    ("an unknown verdict", {"verdict": "ok", "reason": "fine"}, "verdict = 'ok'"),
    ("no verdict", {"reason": "fine"}, "verdict is missing"),
    ("no reason", {"verdict": "pass"}, "reason is missing"),
    ("a number for a reason", {"verdict": "pass", "reason": 5}, "reason = 5"),
    ("an empty reason", {"verdict": "pass", "reason": ""}, "reason = ''"),
    ("a verdict in capitals", {"verdict": "PASS", "reason": "fine"}, "verdict = 'PASS'"),
    ("a version of the future", {"version": 2, "verdict": "pass", "reason": "x"}, "version = 2"),
    ("nothing", None, "answer = None"),
    ("a word", "pass", "answer = 'pass'"),
    ("JSON inside of a text", '{"verdict": "pass", "reason": "fine"}', "must be a JSON object"),
    ("a list", [{"verdict": "pass", "reason": "fine"}], "must be a JSON object"),
    ("details that are no object", {"verdict": "pass", "reason": "x", "details": 1}, "details = 1"),
]


@pytest.mark.parametrize(
    ("answer", "says"), [case[1:] for case in MALFORMED], ids=[case[0] for case in MALFORMED]
)
def test_a_malformed_answer_is_inconclusive_and_its_fault_is_named(answer: Any, says: str) -> None:
    found = read(answer)

    assert found.verdict is ProbeVerdict.INCONCLUSIVE
    assert f"what {NAME} answered" in found.reason
    assert says in found.reason


def test_a_text_that_was_cut_within_a_character_is_still_a_text() -> None:
    found = understand(Heard(moment=QUARTER, error="Cut\ud83d", cause="here"), NAME)

    assert found.reason == f"the function {NAME} failed: Cut?: here"


@pytest.mark.parametrize("text", [1, {}, ["x"], None])
def test_what_is_no_text_is_refused_as_an_error(text: object) -> None:
    with pytest.raises(ValidationError, match="error"):
        Heard.model_validate({"moment": QUARTER, "error": text})


def test_an_answer_of_the_greatest_length_is_read() -> None:
    empty = json.dumps({"answer": {"verdict": "pass", "reason": "x", "details": {"x": ""}}})
    full = empty.replace('""', f'"{"y" * (LONGEST_ANSWER - len(empty))}"')

    found = understand(Heard(moment=QUARTER, answer=full), NAME)

    assert (len(full), found.verdict) == (LONGEST_ANSWER, ProbeVerdict.PASS)


def test_a_reason_ends_without_a_full_stop() -> None:
    assert not read("pass").reason.endswith(".")


def test_an_answer_that_was_cut_is_inconclusive_because_it_is_too_long() -> None:
    text = json.dumps({"answer": {"verdict": "pass", "reason": "x", "details": {"x": "y" * 20000}}})

    found = understand(Heard(moment=QUARTER, answer=text[: LONGEST_ANSWER + 1]), NAME)

    assert found.verdict is ProbeVerdict.INCONCLUSIVE
    assert found.reason == f"the answer of {NAME} is longer than {LONGEST_ANSWER} characters"


@pytest.mark.parametrize(
    ("error", "cause", "says"),
    [
        ("States.Timeout", "", "it did not answer in time"),
        ("KeyError", '{"errorMessage": "\'rows\'", "errorType": "KeyError"}', "KeyError: 'rows'"),
        ("Lambda.ResourceNotFoundException", "Function not found: x", "Function not found: x"),
        ("Sandbox.Timedout", "", "failed: Sandbox.Timedout"),
    ],
)
def test_a_failure_is_inconclusive_and_told_as_lambda_tells_it(
    error: str, cause: str, says: str
) -> None:
    found = understand(Heard(moment=QUARTER, error=error, cause=cause), NAME)

    assert found.verdict is ProbeVerdict.INCONCLUSIVE
    assert found.reason.startswith(f"the function {NAME} failed: ")
    assert found.reason.endswith(says)


@given(st.text())
def test_no_text_whatever_is_a_pass_or_an_error(text: str) -> None:
    found = understand(Heard(moment=QUARTER, answer=text), NAME)

    assert found.verdict is ProbeVerdict.INCONCLUSIVE


# -- moments --------------------------------------------------------------------------------------


def refresh(percentage: int, status: RefreshStatus = RefreshStatus.IN_PROGRESS) -> Refresh:
    return Refresh("refresh-1", status, percentage=percentage)


@pytest.mark.parametrize(
    ("percentage", "passed", "moment"),
    [
        (0, 0, None),
        (24, 0, None),
        (25, 0, QUARTER),
        (49, 0, QUARTER),
        (49, 25, None),
        # Two were reached between looks: the later one covers the earlier.
        (100, 0, WHOLE),
        # A scale-out makes the refresh reach a checkpoint again.
        (30, 50, None),
    ],
)
def test_a_checkpoint_is_asked_about_once_it_is_reached_and_until_it_is_passed(
    percentage: int, passed: int, moment: Moment | None
) -> None:
    found = due([25, 50, 100], Probing(passed=passed), refresh(percentage), baked=False)

    assert found == moment


def test_the_whole_fleet_is_asked_about_as_the_bake_begins() -> None:
    baking = refresh(0, RefreshStatus.BAKING)

    assert due([25, 100], Probing(passed=25), baking, baked=False) == WHOLE
    assert due([25, 100], Probing(passed=100), baking, baked=False) is None
    assert due([], Probing(), baking, baked=False) is None


def test_the_end_of_the_bake_is_the_last_moment_whatever_was_missed_before() -> None:
    baking = refresh(100, RefreshStatus.BAKING)

    assert due([25, 100], Probing(), baking, baked=True) == END
    assert due([25, 100], Probing(passed_bake=True), baking, baked=True) is None


def test_a_refresh_that_aws_ends_early_has_baked() -> None:
    ended = refresh(100, RefreshStatus.SUCCESSFUL)

    assert due([25, 100], Probing(passed=100), ended, baked=False) == END
    assert due([25, 100], Probing(passed_bake=True), ended, baked=False) is None


# -- what is remembered ---------------------------------------------------------------------------

PASS, FAIL = {"verdict": "pass", "reason": "good"}, {"verdict": "fail", "reason": "bad"}
UNSURE = {"verdict": "inconclusive", "reason": "who knows"}


def test_a_pass_is_remembered_for_its_moment_alone() -> None:
    first = hear(Probing(), said(PASS), POLICY, NOW)
    last = hear(first, said(PASS, END), POLICY, NOW)

    assert (first.passed, first.passed_bake) == (25, False)
    assert (last.passed, last.passed_bake) == (25, True)


def test_inconclusive_answers_are_counted_by_moment_with_growing_pauses() -> None:
    first = hear(Probing(), said(UNSURE), POLICY, NOW)
    second = hear(first, said(UNSURE), POLICY, NOW)
    elsewhere = hear(second, said(UNSURE, END), POLICY, NOW)

    assert (first.tries, first.again_at) == (1, NOW + timedelta(seconds=30))
    assert (second.tries, second.again_at) == (2, NOW + timedelta(minutes=1))
    assert (elsewhere.tries_at(END), elsewhere.tries_at(QUARTER)) == (1, 0)


def test_a_pass_ends_the_counting() -> None:
    unsure = hear(Probing(passed=10), said(UNSURE), POLICY, NOW)

    assert hear(unsure, said(PASS), POLICY, NOW) == Probing(passed=25, said="good")


def test_a_fail_stays() -> None:
    failed = hear(Probing(passed=10), said(FAIL), POLICY, NOW)

    assert failed == Probing(passed=10, failed=True, asked=QUARTER, said="bad")


@pytest.mark.parametrize("answer", [PASS, UNSURE])
def test_the_end_of_the_bake_stays_passed_whatever_is_heard_later(answer: dict[str, str]) -> None:
    passed = hear(Probing(passed=25), said(PASS, END), POLICY, NOW)

    assert passed == Probing(passed=25, passed_bake=True, said="good")
    assert hear(passed, said(answer), POLICY, NOW).passed_bake


def test_what_was_said_last_is_kept_with_the_name_of_who_said_it() -> None:
    assert hear(Probing(), said(UNSURE), POLICY, NOW).said == "who knows"
    assert f"what {NAME} answered" in hear(Probing(), said("pass"), POLICY, NOW).said


@given(st.integers(1, 10), st.integers(1, 900))
def test_the_longest_time_covers_every_try_and_every_pause(tries: int, seconds: int) -> None:
    policy = ProbePolicy(function=NAME, tries=tries, timeout=timedelta(seconds=seconds))
    at, probing = NOW, Probing()

    for _ in range(tries - 1):
        at += policy.timeout
        probing = hear(probing, said(UNSURE), policy, at)
        assert probing.again_at is not None
        at = probing.again_at

    assert at + policy.timeout == NOW + policy.longest
    assert back_off(tries) <= timedelta(minutes=5)
