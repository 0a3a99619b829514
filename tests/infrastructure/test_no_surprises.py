"""No definition can surprise: rules for every state machine, and a planted fault for each.

The rules are in ``rules``; ``machines`` there says what they have to be told of each definition.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from snaproll.aws.refreshes import Refreshes
from snaproll.domain import gate, preflight
from snaproll.domain.checks import Report
from snaproll.domain.handover import MOST_LOOKS
from snaproll.steps import refresh
from tests.infrastructure.rules import data, graph, tasks
from tests.infrastructure.rules.kinds import Limits
from tests.infrastructure.rules.machine import Machine
from tests.infrastructure.rules.machines import (
    LIMITS,
    MACHINES,
    MOST_CHECKS,
    OWN_WORDS,
    PARAMETER,
    rollout,
)
from tests.infrastructure.rules.raises import errors_raised_by, source_of
from tests.unit.builders import (
    fleet,
    fleet_evidence,
    gate_evidence,
    good_snapshot,
)
from tools.definition import machines, read

HISTORY: Final = 15_000
"""History events of one execution; Step Functions ends one at 25,000, and calls fail sometimes."""

Rule = Callable[[Machine], Iterator[str]]
Definition = dict[str, Any]
Plant = Callable[[Definition], object]


def bounded(rule: Callable[[Machine, Limits], Iterator[str]]) -> Rule:
    """A rule that needs to know how large values become."""

    def applied(machine: Machine) -> Iterator[str]:
        return rule(machine, LIMITS)

    applied.__name__ = rule.__name__
    return applied


def history_has_an_end(machine: Machine) -> Iterator[str]:
    """The longest allowed execution stays far below Step Functions' limit."""
    # An endless way has no length.
    if list(graph.every_loop_is_counted(machine)):
        return
    events = graph.longest_history(machine)
    if events >= HISTORY:
        yield f"an execution may write {events} history events"


RULES: Final[list[Rule]] = [
    graph.every_target_exists,
    graph.every_state_is_reached,
    graph.no_state_is_a_dead_end,
    graph.every_claim_is_given_back,
    graph.a_claim_is_left_for_one_reason_each,
    graph.nothing_is_done_after_the_release,
    graph.every_loop_is_counted,
    history_has_an_end,
    tasks.every_task_is_bounded_in_time,
    tasks.every_task_retries_by_name,
    tasks.everything_is_caught_last_and_alone,
    tasks.every_error_exists,
    tasks.every_error_can_be_raised,
    tasks.every_decision_is_handled,
    tasks.every_call_exists,
    bounded(data.every_expression_parses),
    bounded(data.every_reference_is_known),
    bounded(data.everything_that_moves_is_small),
    bounded(data.every_request_fits),
    bounded(data.every_choice_has_a_way),
]
KNOWN: Final = {name: machine() for name, machine in MACHINES.items()}
BY_NAME: Final = {rule.__name__: rule for rule in RULES}


def test_every_definition_is_held_to_the_rules() -> None:
    assert MACHINES.keys() == machines().keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("machine", MACHINES)
def test_a_definition_keeps_the_rule(machine: str, rule: Rule) -> None:
    assert list(rule(KNOWN[machine])) == []


# -- what the bounds rest on ----------------------------------------------------------------------


def test_what_moves_stays_below_the_limit_with_the_largest_fleet_and_parameter() -> None:
    sizes = data.followed(KNOWN["rollout"], LIMITS).sizes

    # An execution's input aside, the dry run's answer is the largest: all checks, and a message.
    largest = max((size, place) for place, size in sizes.items() if ": Arguments" not in place)
    assert largest[1] == "PreviewRollout: Output"
    assert 230_000 < largest[0] < data.LIMIT


def test_no_check_says_more_than_the_bounds_allow() -> None:
    # Given a parameter as large as can be, and everything wrong
    long = "x" * (PARAMETER - 1024)
    sec = fleet(snapshots={"tags": {"GraphId": long}}, health={"alarms": ["a" * 255]})
    wrong = good_snapshot(encrypted=False, state="error", owner="9" * 12, storage_tier="archive")
    reports: list[Report] = [
        gate.judge(sec, gate_evidence(wrong, key=None)),
        gate.judge(sec, gate_evidence(None, key=None)),
        preflight.inspect(sec, fleet_evidence()),
        preflight.inspect(sec, fleet_evidence(view=None)),
    ]

    for report in reports:
        assert len(report.checks) <= MOST_CHECKS
        for one in report.checks:
            assert len(one.model_dump_json().replace(long, "")) <= OWN_WORDS


def test_the_longest_history_is_that_of_an_execution_that_hands_over() -> None:
    assert MOST_LOOKS * 13 < graph.longest_history(KNOWN["rollout"]) < HISTORY


# -- faults that are planted ----------------------------------------------------------------------


def state(definition: Definition, name: str) -> dict[str, Any]:
    found: dict[str, Any] = definition["States"][name]
    return found


def lead(name: str, target: str) -> Plant:
    """Let a state lead somewhere else."""
    return lambda it: state(it, name).update(Next=target)


def change(name: str, **fields: Any) -> Plant:
    """Give a state other fields."""
    return lambda it: state(it, name).update(fields)


def drop(name: str, field: str) -> Plant:
    """Take a field from a state."""
    return lambda it: state(it, name).pop(field)


def payload(name: str, **given: Any) -> Plant:
    """Give a task's function something else."""
    return lambda it: state(it, name)["Arguments"]["Payload"].update(given)


def assign(name: str, **variables: Any) -> Plant:
    """Assign something else."""
    return lambda it: state(it, name)["Assign"].update(variables)


def handle(name: str, field: str, *errors: str, target: str = "ReleaseFleet") -> Plant:
    """Let a task handle more errors, before those that it handles."""
    rule: dict[str, Any] = {"ErrorEquals": list(errors)}
    if field == "Catch":
        rule["Next"] = target
    else:
        rule |= {"MaxAttempts": 2, "BackoffRate": 2, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}
    return lambda it: state(it, name)[field].insert(0, rule)


def catch_no_more(name: str, error: str) -> Plant:
    """Take a catcher from a task."""

    def plant(definition: Definition) -> None:
        found = state(definition, name)
        found["Catch"] = [it for it in found["Catch"] if error not in it["ErrorEquals"]]

    return plant


def stop_retrying(name: str, error: str) -> Plant:
    """Take an error from every Retry of a task."""

    def plant(definition: Definition) -> None:
        for rule in state(definition, name)["Retry"]:
            rule["ErrorEquals"] = [it for it in rule["ErrorEquals"] if it != error]

    return plant


def retry(name: str, **fields: Any) -> Plant:
    """Let a task retry in another way."""
    return lambda it: state(it, name)["Retry"][-1].update(fields)


def choose(name: str, number: int, **fields: Any) -> Plant:
    """Let a choice have another rule."""
    return lambda it: state(it, name)["Choices"][number].update(fields)


def choose_no_more(name: str, number: int) -> Plant:
    """Take a rule from a choice."""
    return lambda it: state(it, name)["Choices"].pop(number)


def call(resource: str, **arguments: Any) -> Plant:
    """Let a task call AWS itself."""
    return change("PromoteRelease", Resource=resource, Arguments=arguments)


def lengthen(definition: Definition) -> None:
    """Two more events in every look."""
    definition["States"]["Breathe"] = {"Type": "Pass", "Comment": ".", "Next": "WatchHealth"}
    lead("AwaitSignal", "Breathe")(definition)


UPDATE = "arn:aws:states:::aws-sdk:autoscaling:updateAutoScalingGroup"
PLANTED: Final[list[tuple[str, Plant, str]]] = [
    ("every_target_exists", lead("StartRefresh", "Watch"), "Watch, which is no state"),
    ("every_target_exists", lambda it: it.update(StartAt="Plan"), "StartAt names Plan"),
    ("every_state_is_reached", lead("InspectFleet", "ReleaseFleet"), "nothing leads to JudgeFleet"),
    ("no_state_is_a_dead_end", lead("WaitForFleet", "WaitForFleet"), "from WaitForFleet no end"),
    ("no_state_is_a_dead_end", drop("QuarantineSnapshot", "Next"), "QuarantineSnapshot ends an"),
    ("no_state_is_a_dead_end", change("Live", Next="PlanRollout"), "Live is an end and leads on"),
    ("every_claim_is_given_back", lead("PromoteRelease", "Live"), "Live can be come to from Find"),
    (
        "every_claim_is_given_back",
        handle("RollBack", "Catch", "RefreshRefusedError", target="NeedsAttention"),
        "NeedsAttention can be come to",
    ),
    (
        "a_claim_is_left_for_one_reason_each",
        handle("WatchHealth", "Catch", "States.Timeout", target="Superseded"),
        "WatchHealth leads to Superseded for States.Timeout",
    ),
    (
        "a_claim_is_left_for_one_reason_each",
        lead("QuarantineSnapshot", "HandedOver"),
        "QuarantineSnapshot leads to HandedOver",
    ),
    (
        "nothing_is_done_after_the_release",
        lead("ReleaseFleet", "DeleteReplacedVersion"),
        "DeleteReplacedVersion runs after ReleaseFleet",
    ),
    (
        "every_loop_is_counted",
        handle("ReleaseFleet", "Catch", "VersionInUseError", target="ReleaseFleet"),
        "ReleaseFleet and ReleaseFleet are on a loop",
    ),
    ("history_has_an_end", lengthen, "history events"),
    (
        "history_has_an_end",
        assign("PlanRollout", patience=900),
        "history events",
    ),
    ("every_task_is_bounded_in_time", drop("AwaitSignal", "TimeoutSeconds"), "AwaitSignal has no"),
    ("every_task_retries_by_name", drop("RollBack", "Retry"), "RollBack has no Retry"),
    ("every_task_retries_by_name", retry("RollBack", JitterStrategy="NONE"), "without full jitter"),
    ("every_task_retries_by_name", retry("RollBack", BackoffRate=1), "without backing off"),
    ("every_task_retries_by_name", retry("RollBack", MaxAttempts=99), "retries 99 times"),
    (
        "every_task_retries_by_name",
        handle("RollBack", "Retry", "States.ALL"),
        "RollBack retries whatever fails",
    ),
    (
        "everything_is_caught_last_and_alone",
        handle("ProbeInstances", "Catch", "States.ALL", target="WatchHealth"),
        "not last and alone in ProbeInstances's Catch",
    ),
    (
        "everything_is_caught_last_and_alone",
        lambda it: state(it, "ProbeInstances")["Catch"][-1]["ErrorEquals"].append("Lambda.Unknown"),
        "not last and alone",
    ),
    (
        "every_error_exists",
        handle("StartRefresh", "Catch", "NoInstanceError"),
        "StartRefresh's Catch names NoInstanceError",
    ),
    ("every_error_exists", handle("RollBack", "Retry", "Lambda.Throttled"), "Lambda.Throttled"),
    (
        "every_error_can_be_raised",
        handle("PromoteRelease", "Catch", "NoInstancesError"),
        "PromoteRelease handles NoInstancesError, which its step cannot raise",
    ),
    (
        "every_error_can_be_raised",
        handle("StartRefresh", "Retry", "RefreshStillEndingError"),
        "StartRefresh handles RefreshStillEndingError",
    ),
    (
        "every_decision_is_handled",
        catch_no_more("StartRefresh", "NoInstancesError"),
        "StartRefresh's step can raise NoInstancesError, which it does not catch",
    ),
    (
        "every_decision_is_handled",
        stop_retrying("RollBack", "RefreshStillEndingError"),
        "RefreshStillEndingError, which it neither retries nor catches",
    ),
    ("every_call_exists", call(UPDATE, AutoScalingGroup="x"), "gives AutoScalingGroup, which"),
    ("every_call_exists", call(UPDATE), "does not give AutoScalingGroupName"),
    ("every_call_exists", call(UPDATE.replace("update", "upgrade")), "which does not exist"),
    ("every_call_exists", call("arn:aws:states:::aws-sdk:asg:x"), "which does not exist"),
    ("every_call_exists", drop("RollBack", "Arguments"), "does not give FunctionName"),
    (
        "every_expression_parses",
        assign("WatchHealth", look="{% $states.result..Payload( %}"),
        "does not parse",
    ),
    (
        "every_expression_parses",
        assign("WatchHealth", look="{% $states.result.Payload"),
        "begins or ends as an expression",
    ),
    ("every_reference_is_known", payload("RollBack", reason="{% $because %}"), "$because is not"),
    (
        "every_reference_is_known",
        payload("ValidateSnapshot", rollout="{% $report %}"),
        "ValidateSnapshot: Arguments: $report is not assigned on every path",
    ),
    (
        "every_reference_is_known",
        assign("WatchHealth", look="{% $states.result.Payload.assessment %}"),
        "$states.result.Payload has no assessment",
    ),
    (
        "every_reference_is_known",
        payload("WatchHealth", memory="{% $look.memories %}"),
        "$look is not assigned on every path",
    ),
    (
        "every_reference_is_known",
        choose("ActOnVerdict", 1, Condition='{% $look.verdict = "waits" %}'),
        "['waits'] is none of",
    ),
    (
        "every_reference_is_known",
        payload("AwaitSignal", seen="{% $states.context.Task.Tokens %}"),
        "$states.context.Task has no Tokens",
    ),
    (
        "every_reference_is_known",
        payload("RollBack", reason="{% $states.result.Payload %}"),
        "$states has no result",
    ),
    ("every_reference_is_known", payload("RollBack", reason="{% $eval('1') %}"), "not supported"),
    (
        "everything_that_moves_is_small",
        payload("ReleaseFleet", refresh={"plan": "{% $memory %}", "again": "{% $memory %}"}),
        "ReleaseFleet: Arguments may take",
    ),
    (
        "everything_that_moves_is_small",
        assign("PlanRollout", plan="{% $states.result.Payload %}"),
        "PlanRollout: Assign may take",
    ),
    (
        "every_request_fits",
        payload("StartRefresh", looks="{% $looks %}"),
        "looks, which ReleaseRequest does not have",
    ),
    (
        "every_request_fits",
        lambda it: state(it, "WatchHealth")["Arguments"]["Payload"].pop("memory"),
        "WatchHealth gives no memory to WatchRequest",
    ),
    (
        "every_request_fits",
        payload("StartRefresh", candidate="{% $target %}"),
        "a RollbackTarget where Release is wanted",
    ),
    (
        "every_request_fits",
        payload("WatchHealth", phase="sideways"),
        "Words where Words is wanted",
    ),
    ("every_choice_has_a_way", choose_no_more("JudgeFleet", 2), "JudgeFleet has no Default"),
    ("every_choice_has_a_way", choose_no_more("ActOnVerdict", 4), "ActOnVerdict has no Default"),
]


@pytest.mark.parametrize(
    ("rule", "plant", "found"), PLANTED, ids=[f"{rule}: {found}" for rule, _, found in PLANTED]
)
def test_a_planted_fault_is_found(rule: str, plant: Plant, found: str) -> None:
    definition = copy.deepcopy(read())
    plant(definition)

    assert any(found in told for told in BY_NAME[rule](rollout(definition)))


def test_every_rule_is_seen_to_find_something() -> None:
    assert {rule for rule, _, _ in PLANTED} == BY_NAME.keys()


def test_an_error_that_is_raised_no_more_is_missed() -> None:
    # Given the step's code with other errors in the lines that raise, its docstring left as it is
    def changed(module: str) -> str:
        return source_of(module).replace("raise RefreshStillEndingError(", "raise ValueError(")

    assert "RefreshStillEndingError" in errors_raised_by(refresh.roll_back)
    assert "RefreshStillEndingError" not in errors_raised_by(refresh.roll_back, changed)


def test_an_error_that_is_handled_on_the_way_is_not_counted() -> None:
    # Auto Scaling's adapter raises it for both; the steps find out whose refresh it is.
    assert "RefreshInProgressError" not in errors_raised_by(refresh.start_refresh)
    assert "RefreshInProgressError" in errors_raised_by(Refreshes.start_back)
