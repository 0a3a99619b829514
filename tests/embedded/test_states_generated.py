"""Definitions that nobody thought of, through the interpreter and through moto's engine.

Small state machines are generated: passes, choices, tasks with Catch and Retry, variables. Where
moto's engine is known to differ, the generator keeps clear of it; ``KNOWN`` says who is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.embedded.engines import both, moto_engine
from tests.embedded.machines import States

GET = "arn:aws:states:::aws-sdk:ssm:getParameter"
VARIABLES = ("a", "b")
"""Every definition begins with a state that assigns them, so that none is read undefined."""
LONGEST = 4

values = st.one_of(
    st.integers(-3, 9),
    st.booleans(),
    st.none(),
    st.sampled_from(["", "x", "snap-1"]),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from(["k", "l"]), st.integers(0, 3), max_size=2),
)
numbers = st.sampled_from(["1", "7", "$states.input.n", "$a", "$b", "$count($states.input)"])
expressions = st.one_of(
    numbers,
    st.builds("{} {} {}".format, numbers, st.sampled_from(["+", "-", "*", "="]), numbers),
    st.builds("$string({})".format, numbers),
    st.builds("{} ? 'yes' : 'no'".format, st.builds("{} = {}".format, numbers, numbers)),
    st.builds("[{}, {}]".format, numbers, numbers),
    st.just("$states.input"),
    st.just("$exists($states.input.n)"),
    st.just("$states.context.State.Name"),
    # Fails: it gives nothing
    st.just("$states.input.absent"),
)
shown = expressions.map("{{% {} %}}".format)
templates = st.one_of(
    values,
    shown,
    st.dictionaries(st.sampled_from(["n", "m"]), shown, min_size=1, max_size=2),
    st.lists(shown, min_size=1, max_size=2),
)
assigned_numbers = st.dictionaries(
    st.sampled_from(VARIABLES),
    st.one_of(st.integers(0, 9), st.sampled_from(["{% $a + 1 %}", "{% $b * 2 %}", "{% 5 %}"])),
    min_size=1,
)
conditions = st.one_of(
    st.builds("{{% {} {} {} %}}".format, numbers, st.sampled_from(["=", "<", ">", "!="]), numbers),
    st.sampled_from(["{% true %}", "{% false %}", "{% $exists($states.input.n) %}"]),
)
caught = st.sampled_from([["States.ALL"], ["States.TaskFailed"], ["Other"]])


@st.composite
def definitions(draw: st.DrawFn) -> States:
    """A machine of a few states in a row, which may leap forward, and of ends."""
    names = [f"S{number}" for number in range(draw(st.integers(1, LONGEST)))]
    states: States = {"First": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": names[0]}}
    for number, name in enumerate(names):
        later = [*names[number + 1 :], "Good", "Bad"]
        states[name] = draw(one_state(later))
    output = {"in": "{% $states.input %}", "a": "{% $a %}", "b": "{% $b %}"}
    states["Good"] = {"Type": "Succeed", "Output": output}
    states["Bad"] = {"Type": "Fail", "Error": "Told", "Cause": "{% 'a is ' & $string($a) %}"}
    return {name: states[name] for name in reachable(states)}


def reachable(states: States) -> list[str]:
    """The states that some way leads to: a definition with others is refused."""
    found = ["First"]
    for name in found:
        state = states[name]
        ways = [state, *state.get("Choices", []), *state.get("Catch", [])]
        targets = [way.get("Next") for way in ways] + [state.get("Default")]
        found += [one for one in dict.fromkeys(targets) if one is not None and one not in found]
    return found


def one_state(later: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A state that goes on to one of the later ones."""
    return st.one_of(passes(later), choices(later), tasks(later))


def passes(later: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A Pass. It shapes its output or its variables, not both: see ``KNOWN``."""
    return st.builds(
        lambda shaping, following: {"Type": "Pass", "Next": following} | shaping,
        st.one_of(
            st.just({}),
            st.fixed_dictionaries({"Output": templates}),
            st.fixed_dictionaries({"Assign": assigned_numbers}),
        ),
        st.sampled_from(later),
    )


def choices(later: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A Choice; always with a default: see ``KNOWN``."""
    rule = st.builds(
        lambda condition, following, shaping: {"Condition": condition, "Next": following} | shaping,
        conditions,
        st.sampled_from(later),
        st.one_of(st.just({}), st.fixed_dictionaries({"Assign": assigned_numbers})),
    )
    return st.builds(
        lambda rules, default: {"Type": "Choice", "Choices": rules, "Default": default},
        st.lists(rule, min_size=1, max_size=2),
        st.sampled_from(later),
    )


def tasks(later: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A Task that reads a parameter which is there or is not, with Retry and Catch or without."""
    retry = {"ErrorEquals": ["Other"], "IntervalSeconds": 1, "MaxAttempts": 2}
    return st.builds(
        lambda name, following, retried, catcher, assign: (
            {
                "Type": "Task",
                "Resource": GET,
                "Arguments": {"Name": name},
                # The rest of the reply, and of an error, is the service's and not the engine's.
                "Output": {"v": "{% $states.result.Parameter.Value %}"},
                "Next": following,
            }
            | retried
            | catcher
            | assign
        ),
        st.sampled_from(["/there", "/missing"]),
        st.sampled_from(later),
        st.sampled_from([{}, {"Retry": [retry]}]),
        st.one_of(
            st.just({}),
            st.builds(
                lambda errors, handler: {
                    "Catch": [
                        {
                            "ErrorEquals": errors,
                            "Output": {"e": "{% $lowercase($states.errorOutput.Error) %}"},
                            "Next": handler,
                        }
                    ]
                },
                caught,
                st.sampled_from(later),
            ),
        ),
        st.sampled_from([{}, {"Assign": {"a": "{% $number($states.result.Parameter.Value) %}"}}]),
    )


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    with moto_engine() as client:
        yield client


@given(states=definitions())
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_a_generated_definition_runs_alike_in_both_engines(moto: Any, states: States) -> None:
    ours, theirs = both(moto, states)

    assert ours == theirs


@dataclass(frozen=True)
class Difference:
    """Where the two engines differ, and what the specification says."""

    states: States
    member: str
    ours: Any
    theirs: Any
    source: str
    """Why ours is right."""


SUCCEED: dict[str, Any] = {"Type": "Succeed"}
KNOWN = {
    "an output that is a text": Difference(
        {"A": {"Type": "Pass", "Output": "x", "End": True}},
        "output",
        "x",
        None,
        "API reference, DescribeExecution: the output is JSON, so a text has its quotes",
    ),
    "no rule of a choice holds": Difference(
        {
            "A": {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "B"}]},
            "B": SUCCEED,
        },
        "error",
        "states.nochoicematched",
        "states.runtime",
        "Amazon States Language, Appendix A; developer guide, error names",
    ),
    "a type error in an expression": Difference(
        {"A": {"Type": "Pass", "Output": "{% 'x' * 2 %}", "End": True}},
        "error",
        "states.queryevaluationerror",
        "states.runtime",
        "developer guide, error names: type errors of JSONata are States.QueryEvaluationError",
    ),
    "Output sees what Assign of the same state gives": Difference(
        {
            "A": {"Type": "Pass", "Assign": {"n": 1}, "Next": "B"},
            "B": {"Type": "Pass", "Assign": {"n": 2}, "Output": {"n": "{% $n %}"}, "End": True},
        },
        "output",
        {"n": 1},
        {"n": 2},
        "developer guide, variables: Assign and Output are evaluated in parallel",
    ),
    "the service's prefix in an error's name": Difference(
        {
            "A": {
                "Type": "Task",
                "Resource": GET,
                "Arguments": {"Name": "/missing"},
                "Catch": [{"ErrorEquals": ["Ssm.ParameterNotFoundException"], "Next": "B"}],
                "End": True,
            },
            "B": SUCCEED,
        },
        "status",
        "SUCCEEDED",
        "FAILED",
        "developer guide, AWS SDK integrations: Ssm.ParameterNotFoundException",
    ),
}
"""What the generator keeps clear of. Redrive, timeouts and retries that wait: moto has none."""


@pytest.mark.parametrize("what", KNOWN)
def test_a_known_difference_is_still_what_it_was(moto: Any, what: str) -> None:
    difference = KNOWN[what]

    ours, theirs = both(moto, difference.states)

    assert ours[difference.member] == difference.ours
    assert theirs[difference.member] == difference.theirs
