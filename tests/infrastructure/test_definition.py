"""What the rollout's definition promises, beyond what Step Functions itself would check."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from snaproll import errors
from snaproll.domain.assessment import Verdict
from snaproll.domain.ledger import Outcome
from snaproll.domain.probe_contract import LONGEST_ANSWER
from tools.definition import expression, reached, read, transitions

ROOT = Path(__file__).parents[2]
DEFINITION = read()
STATES: Final[dict[str, dict[str, Any]]] = DEFINITION["States"]
WAYS = transitions(STATES)
PROBE: Final = "ProbeInstances"
"""The one state that runs somebody else's function."""
TASKS = [name for name, state in STATES.items() if state["Type"] == "Task" and name != PROBE]
ENDS = {name for name, state in STATES.items() if state["Type"] in {"Succeed", "Fail"}}
FAILURES = [name for name, state in STATES.items() if state["Type"] == "Fail"]

SLICE: Final = {
    *("PlanRollout", "ClaimFleet", "ValidateSnapshot", "RecordRejection", "InspectFleet"),
    *("UpdateLaunchTemplate", "StartRefresh", "AwaitSignal", "WatchHealth", "ActOnVerdict"),
    *("PromoteRelease", "RollBack", "QuarantineSnapshot", "ReleaseFleet"),
    *("Live", "Previewed", "Skipped", "Superseded"),
    *("SnapshotRejected", "FleetNotReady", "RolledBack", "NeedsAttention"),
}
"""States that operators are told of."""

TRANSIENT_LAMBDA_ERRORS: Final = {
    # Step Functions developer guide, "Handle transient Lambda service exceptions".
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    # The same page: what a function did not handle, such as running out of memory or of time.
    "Lambda.Unknown",
    # The error types by which Lambda itself reports a process that died, and one that was too slow.
    "Runtime.ExitError",
    "Sandbox.Timedout",
}
TIMEOUT: Final = "States.Timeout"
RAISED_BY_SOME: Final = {"VersionInUseError", "RefreshStillEndingError"}
"""Transient errors that only the steps which raise them retry: each takes longer than most do."""

VARIABLE = re.compile(r"\$([A-Za-z_]\w*)(?!\w*\s*\()")


def errors_in(state: dict[str, Any], field: str) -> set[str]:
    """The names of the errors in a state's Retry or Catch."""
    return {name for rule in state.get(field, []) for name in rule["ErrorEquals"]}


def subclasses(of: type[BaseException]) -> set[str]:
    below = of.__subclasses__()
    return {one.__name__ for one in below}.union(*(subclasses(one) for one in below), set())


def step_of(task: str) -> Callable[..., Any]:
    """The function of the package that a task's Lambda runs."""
    function = STATES[task]["Arguments"]["FunctionName"].strip("${}").removesuffix("Function")
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()
    app = importlib.import_module(f"functions.{folder}.app")
    (call,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(app.handler)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    step: Callable[..., Any] = getattr(app, ast.unparse(call.args[3]))
    return step


def raised_by(task: str) -> set[str]:
    """The errors that the docstring of a task's step says it raises."""
    documentation = inspect.getdoc(step_of(task)) or ""
    raises = re.search(
        r"^Raises\n-+\n(.*?)(?=\n\S+\n-+\n|\Z)", documentation, flags=re.DOTALL | re.MULTILINE
    )
    if raises is None:
        return set()
    headings = re.findall(r"^\S.*$", raises[1], re.MULTILINE)
    return {name.strip() for heading in headings for name in heading.split(",")}


def texts(value: Any) -> Iterator[str]:
    """Every string inside a part of a definition."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from texts(member)


def expressions(value: Any) -> list[str]:
    return [expression(text) for text in texts(value) if text.startswith("{%")]


# -- the graph ------------------------------------------------------------------------------------


def test_the_states_that_operators_are_told_of_exist() -> None:
    assert STATES.keys() >= SLICE


def test_every_way_leads_to_a_state() -> None:
    assert {way.target for way in WAYS} <= STATES.keys()


def test_every_state_is_reached() -> None:
    assert reached(DEFINITION["StartAt"], WAYS) == STATES.keys()


@pytest.mark.parametrize("name", STATES)
def test_an_end_is_reached_from(name: str) -> None:
    assert reached(name, WAYS) & ENDS


def test_whoever_claimed_the_fleet_gives_it_back_or_has_lost_it() -> None:
    ways_out = {"ReleaseFleet", "Superseded", "HandOver"}
    otherwise = [way for way in WAYS if way.target not in ways_out]

    assert reached(STATES["ClaimFleet"]["Next"], otherwise) & ENDS == set()


def test_every_verdict_leads_somewhere() -> None:
    conditions = [rule["Condition"] for rule in STATES["ActOnVerdict"]["Choices"]]

    verdicts = [f'{{% $look.verdict = "{it}" %}}' for it in Verdict]
    # Before the wait that it takes the place of.
    assert conditions[0] == "{% $look.hand_over %}"
    assert sorted(conditions[1:]) == sorted(verdicts)


def test_every_outcome_has_an_end_state_of_its_name() -> None:
    assert {way.target for way in WAYS if way.source == "NameOutcome"} == set(Outcome)


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_its_states_name_and_a_cause_for_people(name: str) -> None:
    assert STATES[name]["Error"] == name
    assert STATES[name]["Cause"] == "{% $ended.message %}"


@pytest.mark.parametrize("name", STATES)
def test_a_state_says_what_it_is_for(name: str) -> None:
    assert STATES[name]["Comment"].strip().endswith(".")


# -- tasks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
class TestEachTask:
    def test_invokes_a_function_and_waits_for_a_bounded_time(self, task: str) -> None:
        state = STATES[task]

        assert state["Resource"].startswith("arn:aws:states:::lambda:invoke")
        assert re.fullmatch(r"\$\{\w+Function\}", state["Arguments"]["FunctionName"])
        assert state["TimeoutSeconds"]

    def test_is_retried_after_every_transient_error_that_it_can_meet(self, task: str) -> None:
        everywhere = subclasses(errors.TransientError) - RAISED_BY_SOME
        # One try has to be enough where a person is to be called, or instances to be watched.
        once = task in {"TryDeleteVersion", "DeleteReplacedVersion"}
        own = set() if once else RAISED_BY_SOME & raised_by(task)
        # What ends a wait for a signal is a wake-up, not a failure.
        timeout = set() if STATES[task]["Resource"].endswith("waitForTaskToken") else {TIMEOUT}

        assert errors_in(STATES[task], "Retry") == (
            everywhere | own | timeout | TRANSIENT_LAMBDA_ERRORS
        )

    def test_backs_off_with_jitter_and_gives_up(self, task: str) -> None:
        for rule in STATES[task]["Retry"]:
            assert rule["BackoffRate"] > 1
            assert rule["JitterStrategy"] == "FULL"
            assert rule["MaxAttempts"] < 30
            assert rule["MaxDelaySeconds"] <= 300

    def test_retries_what_everything_meets_alike(self, task: str) -> None:
        first, last = (STATES[name]["Retry"][-1] for name in (TASKS[0], task))

        assert {**first, "ErrorEquals": []} == {**last, "ErrorEquals": []}

    def test_catches_every_decision_of_the_protocol_that_its_step_raises(self, task: str) -> None:
        decisions = raised_by(task) & subclasses(errors.ProtocolError)
        caught = errors_in(STATES[task], "Catch") & subclasses(errors.ProtocolError)

        assert caught == decisions

    def test_is_superseded_when_its_claim_was_lost(self, task: str) -> None:
        lost = [way.target for way in WAYS if way.source == task and "ClaimLostError" in way.on]

        assert lost == (["Superseded"] if "ClaimLostError" in raised_by(task) else [])


def test_the_steps_that_change_something_prove_their_claim() -> None:
    before = {"PlanRollout", "PreviewRollout", "OperateFleet", "QueueBehind"}
    readers = {"ValidateSnapshot"}

    assert {task for task in TASKS if "ClaimLostError" not in raised_by(task)} == before | readers


def test_every_error_name_is_one_of_ours_or_documented() -> None:
    known = subclasses(errors.SnaprollError) | TRANSIENT_LAMBDA_ERRORS | {TIMEOUT}
    named = {
        name for task in TASKS for it in ("Retry", "Catch") for name in errors_in(STATES[task], it)
    }

    assert named <= known


@pytest.mark.parametrize("name", [name for name in STATES if name != PROBE])
def test_nothing_but_the_question_to_the_probe_catches_everything(name: str) -> None:
    assert not errors_in(STATES[name], "Catch") & {"States.ALL", "States.TaskFailed"}
    assert not errors_in(STATES[name], "Retry") & {"States.ALL", "States.TaskFailed"}


# -- the probe ------------------------------------------------------------------------------------


def test_whatever_comes_of_asking_the_probe_leads_back_to_the_watch() -> None:
    assert {way.target for way in WAYS if way.source == PROBE} == {"WatchHealth"}
    # States.ALL leaves that one out (developer guide, "Handling errors in Step Functions").
    assert errors_in(STATES[PROBE], "Catch") == {"States.ALL", "States.DataLimitExceeded"}


def test_the_probe_is_asked_as_the_fleet_says_and_for_as_long() -> None:
    assert STATES[PROBE]["Resource"] == "arn:aws:states:::lambda:invoke"
    assert STATES[PROBE]["Arguments"]["FunctionName"] == "{% $look.probe.function %}"
    assert STATES[PROBE]["TimeoutSeconds"] == "{% $look.probe.timeout_seconds %}"


def test_only_faults_of_the_service_are_retried_without_counting_as_a_try_of_the_probe() -> None:
    (rule,) = STATES[PROBE]["Retry"]

    assert set(rule["ErrorEquals"]) < TRANSIENT_LAMBDA_ERRORS
    assert not set(rule["ErrorEquals"]) & {
        # These are the probe's own: it ran, and how often it runs is the fleet's to say.
        *("Lambda.ClientExecutionTimeoutException", "Lambda.Unknown"),
        *("Runtime.ExitError", "Sandbox.Timedout"),
    }
    assert rule["JitterStrategy"] == "FULL"
    assert rule["MaxAttempts"] <= 2


def test_an_answer_is_cut_where_the_watch_can_see_that_it_was() -> None:
    answer = STATES[PROBE]["Assign"]["heard"]["answer"]

    assert f", 0, {LONGEST_ANSWER + 1})" in answer


# -- variables ------------------------------------------------------------------------------------


def assigned_before() -> dict[str, frozenset[str]]:
    """The variables that every path to a state has assigned."""
    everything = frozenset(name for way in WAYS for name in way.assigned)
    before = dict.fromkeys(STATES, everything) | {DEFINITION["StartAt"]: frozenset[str]()}
    while True:
        after = before | {
            name: before[name].intersection(*arriving)
            for name in STATES
            if (arriving := [before[w.source] | w.assigned for w in WAYS if w.target == name])
        }
        if after == before:
            return before
        before = after


@pytest.mark.parametrize("name", STATES)
def test_a_state_uses_only_what_every_path_to_it_has_assigned(name: str) -> None:
    used = {it for text in expressions(STATES[name]) for it in VARIABLE.findall(text)}

    assert used - {"states"} <= assigned_before()[name]


def test_every_variable_is_used() -> None:
    assigned = {variable for way in WAYS for variable in way.assigned}
    used = {it for text in expressions(STATES) for it in VARIABLE.findall(text)}

    assert assigned - used == set()


@pytest.mark.parametrize("name", STATES)
def test_a_state_reads_a_result_and_an_error_only_where_there_is_one(name: str) -> None:
    state = dict(STATES[name])
    catchers = "".join(expressions(state.pop("Catch", [])))
    afterwards = expressions([state.pop(field, None) for field in ("Assign", "Output")])
    before = "".join(expressions(state))

    assert "$states.result" not in before + catchers
    assert "$states.errorOutput" not in before + "".join(afterwards)


def test_no_expression_names_a_template_version_that_moves() -> None:
    described = {"Comment"}
    told = [
        text
        for state in STATES.values()
        for text in texts({key: value for key, value in state.items() if key not in described})
    ]

    assert [text for text in told if "$Latest" in text or "$Default" in text] == []
