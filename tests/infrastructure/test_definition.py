"""What each definition promises, beyond the rules that hold for any (``test_no_surprises``)."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import pytest

from snaproll import errors
from snaproll.domain.assessment import Verdict
from snaproll.domain.ledger import Outcome
from snaproll.domain.probe_contract import LONGEST_ANSWER
from snaproll.domain.publishes import PublishOutcome
from tools.definition import expression, machines, read, transitions

PROBE: Final = "ProbeInstances"
"""The rollout's state that runs a fleet's own function."""


@dataclass(frozen=True)
class Machine:
    """A definition, and what the rules need to know of it.

    ``told`` are states that operators are told of; ``left_to_recovery`` are ends that leave the
    claim to whoever takes over; ``catches_all`` are the states that may catch any error, and where
    that leads; ``unclaimed`` are the tasks that prove no claim; ``strangers`` are the tasks that
    run somebody else's function, and have tests of their own.
    """

    told: Collection[str]
    outcomes: Collection[str]
    unclaimed: Collection[str]
    left_to_recovery: Collection[str] = ()
    catches_all: Mapping[str, str] = field(default_factory=dict)
    strangers: Collection[str] = ()


MACHINES: Final = {
    "rollout": Machine(
        told={
            *("PlanRollout", "ClaimFleet", "ValidateSnapshot", "RecordRejection", "InspectFleet"),
            *("UpdateLaunchTemplate", "StartRefresh", "AwaitSignal", "WatchHealth"),
            *("ActOnVerdict", "PromoteRelease", "RollBack", "QuarantineSnapshot", "ReleaseFleet"),
            *("Live", "Previewed", "Skipped", "Superseded"),
            *("SnapshotRejected", "FleetNotReady", "RolledBack", "NeedsAttention"),
        },
        outcomes=set(Outcome),
        unclaimed={
            *("PlanRollout", "PreviewRollout", "OperateFleet", "QueueBehind"),
            "ValidateSnapshot",
        },
        catches_all={PROBE: "WatchHealth"},
        strangers={PROBE},
    ),
    "publish": Machine(
        told={
            *("ClaimWriter", "InspectWriter", "QuiesceWriter", "TakeSnapshot", "ResumeWriter"),
            *("AwaitSnapshot", "FinishPublish", "Published", "SnapshotTaken", "Merged", "Skipped"),
            *("VolumeNotFound", "WriterNotReady", "WriterNotQuiesced", "SnapshotFailed"),
        },
        outcomes=set(PublishOutcome),
        unclaimed=(),
        left_to_recovery={"Interrupted"},
        # Where the writer stands still, it is let go whatever happens.
        catches_all=dict.fromkeys(("QuiesceWriter", "TakeQuiescedSnapshot"), "ResumeWriter"),
    ),
}
"""Every machine of the stack; a new one is held to the rules by its entry here."""

DEFINITIONS: Final = {name: read(path) for name, path in machines().items()}
STATES: Final[dict[str, dict[str, dict[str, Any]]]] = {
    name: definition["States"] for name, definition in DEFINITIONS.items()
}
WAYS: Final = {name: transitions(states) for name, states in STATES.items()}


def states_of_type(*types: str) -> list[tuple[str, str]]:
    """Each machine and state of one of these types, or of any."""
    return [
        (machine, name)
        for machine, states in STATES.items()
        for name, state in states.items()
        if not types or state["Type"] in types
    ]


TASKS = [
    (machine, name)
    for machine, name in states_of_type("Task")
    if name not in MACHINES[machine].strangers
]
FAILURES = states_of_type("Fail")
each_machine = pytest.mark.parametrize("machine", STATES)
each_state = pytest.mark.parametrize(("machine", "name"), states_of_type())

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
EVERYTHING: Final = ("States.ALL", "States.DataLimitExceeded")
"""The first leaves the second out (developer guide, "Handling errors in Step Functions")."""
RAISED_BY_SOME: Final = {"VersionInUseError", "RefreshStillEndingError"}
"""Transient errors that only the steps which raise them retry: each takes longer than most do."""

VARIABLE = re.compile(r"\$([A-Za-z_]\w*)(?!\w*\s*\()")


def errors_in(state: dict[str, Any], field: str) -> set[str]:
    """The names of the errors in a state's Retry or Catch."""
    return {name for rule in state.get(field, []) for name in rule["ErrorEquals"]}


def subclasses(of: type[BaseException]) -> set[str]:
    below = of.__subclasses__()
    return {one.__name__ for one in below}.union(*(subclasses(one) for one in below), set())


def step_of(machine: str, task: str) -> Callable[..., Any]:
    """The function of the package that a task's Lambda runs."""
    function = (
        STATES[machine][task]["Arguments"]["FunctionName"].strip("${}").removesuffix("Function")
    )
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()
    app = importlib.import_module(f"functions.{folder}.app")
    (call,) = [
        node
        for node in ast.walk(ast.parse(inspect.getsource(app.handler)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    step: Callable[..., Any] = getattr(app, ast.unparse(call.args[3]))
    return step


def raised_by(machine: str, task: str) -> set[str]:
    """The errors that the docstring of a task's step says it raises."""
    documentation = inspect.getdoc(step_of(machine, task)) or ""
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


# -- the states -----------------------------------------------------------------------------------


def test_every_machine_is_held_to_these_rules() -> None:
    assert MACHINES.keys() == STATES.keys()


@each_machine
def test_the_states_that_operators_are_told_of_exist(machine: str) -> None:
    assert STATES[machine].keys() >= set(MACHINES[machine].told)


def test_every_verdict_leads_somewhere() -> None:
    conditions = [rule["Condition"] for rule in STATES["rollout"]["ActOnVerdict"]["Choices"]]

    verdicts = [f'{{% $look.verdict = "{it}" %}}' for it in Verdict]
    # Before the wait that it takes the place of.
    assert conditions[0] == "{% $look.hand_over %}"
    assert sorted(conditions[1:]) == sorted(verdicts)


@each_machine
def test_every_outcome_has_an_end_state_of_its_name(machine: str) -> None:
    named = {way.target for way in WAYS[machine] if way.source == "NameOutcome"}

    assert named == set(MACHINES[machine].outcomes)


@pytest.mark.parametrize(("machine", "name"), FAILURES)
def test_a_failure_has_its_states_name_and_a_cause_for_people(machine: str, name: str) -> None:
    told = "trouble" if name in MACHINES[machine].left_to_recovery else "ended.message"

    assert STATES[machine][name]["Error"] == name
    assert STATES[machine][name]["Cause"] == f"{{% ${told} %}}"


@each_state
def test_a_state_says_what_it_is_for(machine: str, name: str) -> None:
    assert STATES[machine][name]["Comment"].strip().endswith(".")


# -- tasks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("machine", "task"), TASKS)
class TestEachTask:
    def test_invokes_a_function_and_waits_for_a_bounded_time(self, machine: str, task: str) -> None:
        state = STATES[machine][task]

        assert state["Resource"].startswith("arn:aws:states:::lambda:invoke")
        assert re.fullmatch(r"\$\{\w+Function\}", state["Arguments"]["FunctionName"])
        assert state["TimeoutSeconds"]

    def test_is_retried_after_every_transient_error_that_it_can_meet(
        self, machine: str, task: str
    ) -> None:
        state = STATES[machine][task]
        everywhere = subclasses(errors.TransientError) - RAISED_BY_SOME
        # One try has to be enough where a person is to be called, or instances to be watched.
        once = task in {"TryDeleteVersion", "DeleteReplacedVersion"}
        own = set() if once else RAISED_BY_SOME & raised_by(machine, task)
        # What ends a wait for a signal is a wake-up, not a failure.
        timeout = set() if state["Resource"].endswith("waitForTaskToken") else {TIMEOUT}

        assert errors_in(state, "Retry") == (everywhere | own | timeout | TRANSIENT_LAMBDA_ERRORS)

    def test_backs_off_with_jitter_and_gives_up(self, machine: str, task: str) -> None:
        for rule in STATES[machine][task]["Retry"]:
            assert rule["BackoffRate"] > 1
            assert rule["JitterStrategy"] == "FULL"
            assert rule["MaxAttempts"] < 30
            assert rule["MaxDelaySeconds"] <= 300

    def test_retries_what_everything_meets_alike(self, machine: str, task: str) -> None:
        first, last = (STATES[of][name]["Retry"][-1] for of, name in (TASKS[0], (machine, task)))

        assert {**first, "ErrorEquals": []} == {**last, "ErrorEquals": []}

    def test_catches_every_decision_of_the_protocol_that_its_step_raises(
        self, machine: str, task: str
    ) -> None:
        decisions = raised_by(machine, task) & subclasses(errors.ProtocolError)
        caught = errors_in(STATES[machine][task], "Catch") & subclasses(errors.ProtocolError)

        assert caught == decisions

    def test_is_superseded_when_its_claim_was_lost(self, machine: str, task: str) -> None:
        lost = [
            way.target for way in WAYS[machine] if way.source == task and "ClaimLostError" in way.on
        ]

        loses = "ClaimLostError" in raised_by(machine, task)
        assert lost == (["Superseded"] if loses else [])


@each_machine
def test_the_steps_that_change_something_prove_their_claim(machine: str) -> None:
    proving_none = {
        task
        for of, task in TASKS
        if of == machine and "ClaimLostError" not in raised_by(machine, task)
    }

    assert proving_none == set(MACHINES[machine].unclaimed)


@each_machine
def test_everything_is_caught_only_where_something_must_be_let_go_first(machine: str) -> None:
    catching = {
        (name, error): rule["Next"]
        for name, state in STATES[machine].items()
        for rule in state.get("Catch", [])
        for error in rule["ErrorEquals"]
        if error in {*EVERYTHING, "States.TaskFailed"}
    }
    retried = {name for state in STATES[machine].values() for name in errors_in(state, "Retry")}

    assert catching == {
        (name, error): target
        for name, target in MACHINES[machine].catches_all.items()
        for error in EVERYTHING
    }
    assert not retried & {*EVERYTHING, "States.TaskFailed"}


# -- the probe ------------------------------------------------------------------------------------


def probe() -> dict[str, Any]:
    return STATES["rollout"][PROBE]


def test_whatever_comes_of_asking_the_probe_leads_back_to_the_watch() -> None:
    assert {way.target for way in WAYS["rollout"] if way.source == PROBE} == {"WatchHealth"}


def test_the_probe_is_asked_as_the_fleet_says_and_for_as_long() -> None:
    assert probe()["Resource"] == "arn:aws:states:::lambda:invoke"
    assert probe()["Arguments"]["FunctionName"] == "{% $look.probe.function %}"
    assert probe()["TimeoutSeconds"] == "{% $look.probe.timeout_seconds %}"


def test_only_faults_of_the_service_are_retried_without_counting_as_a_try_of_the_probe() -> None:
    (rule,) = probe()["Retry"]

    assert set(rule["ErrorEquals"]) < TRANSIENT_LAMBDA_ERRORS
    assert not set(rule["ErrorEquals"]) & {
        # These are the probe's own: it ran, and how often it runs is the fleet's to say.
        *("Lambda.ClientExecutionTimeoutException", "Lambda.Unknown"),
        *("Runtime.ExitError", "Sandbox.Timedout"),
    }
    assert rule["JitterStrategy"] == "FULL"
    assert rule["MaxAttempts"] <= 2


def test_an_answer_is_cut_where_the_watch_can_see_that_it_was() -> None:
    answer = probe()["Assign"]["heard"]["answer"]

    assert f", 0, {LONGEST_ANSWER + 1})" in answer


# -- variables ------------------------------------------------------------------------------------


@cache
def assigned_before(machine: str) -> dict[str, frozenset[str]]:
    """The variables that every path to a state has assigned."""
    ways, states = WAYS[machine], STATES[machine]
    everything = frozenset(name for way in ways for name in way.assigned)
    start = DEFINITIONS[machine]["StartAt"]
    before = dict.fromkeys(states, everything) | {start: frozenset[str]()}
    while True:
        after = before | {
            name: before[name].intersection(*arriving)
            for name in states
            if (arriving := [before[w.source] | w.assigned for w in ways if w.target == name])
        }
        if after == before:
            return before
        before = after


@each_state
def test_a_state_uses_only_what_every_path_to_it_has_assigned(machine: str, name: str) -> None:
    used = {it for text in expressions(STATES[machine][name]) for it in VARIABLE.findall(text)}

    assert used - {"states"} <= assigned_before(machine)[name]


@each_machine
def test_every_variable_is_used(machine: str) -> None:
    assigned = {variable for way in WAYS[machine] for variable in way.assigned}
    used = {it for text in expressions(STATES[machine]) for it in VARIABLE.findall(text)}

    assert assigned - used == set()


@each_state
def test_a_state_reads_a_result_and_an_error_only_where_there_is_one(
    machine: str, name: str
) -> None:
    state = dict(STATES[machine][name])
    catchers = "".join(expressions(state.pop("Catch", [])))
    afterwards = expressions([state.pop(field, None) for field in ("Assign", "Output")])
    before = "".join(expressions(state))

    assert "$states.result" not in before + catchers
    assert "$states.errorOutput" not in before + "".join(afterwards)


@each_machine
def test_no_expression_names_a_template_version_that_moves(machine: str) -> None:
    described = {"Comment"}
    told = [
        text
        for state in STATES[machine].values()
        for text in texts({key: value for key, value in state.items() if key not in described})
    ]

    assert [text for text in told if "$Latest" in text or "$Default" in text] == []
