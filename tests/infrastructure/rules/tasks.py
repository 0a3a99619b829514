"""Rules of tasks: what they call, how long they may take, and what becomes of their errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import botocore.session

from snaproll import errors
from tests.infrastructure.rules.machine import Machine, step_of
from tests.infrastructure.rules.raises import errors_raised_by

OF_LAMBDA: Final = frozenset(
    {
        # Step Functions developer guide, "Handle transient Lambda service exceptions".
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        # The same page: what a function did not handle, such as running out of memory or of time.
        "Lambda.Unknown",
        # By which Lambda itself reports a process that died, and one that was too slow.
        "Runtime.ExitError",
        "Sandbox.Timedout",
    }
)
OF_A_TASK: Final = frozenset(
    # "Handling errors in Step Functions", for what can happen to any task.
    {"States.ALL", "States.TaskFailed", "States.Timeout", "States.DataLimitExceeded"}
)
EVERYTHING: Final = "States.ALL"
LAMBDA: Final = "arn:aws:states:::lambda:invoke"
SDK: Final = "arn:aws:states:::aws-sdk:"
OPTIMISED: Final = {LAMBDA: ("lambda", "Invoke")}
WAITING: Final = ".waitForTaskToken"
MOST_TRIES: Final = 30


def named_in(state: Mapping[str, Any], field: str) -> list[str]:
    """The errors that a state's Retry or Catch names, in their order."""
    return [name for rule in state.get(field, []) for name in rule["ErrorEquals"]]


def every_task_is_bounded_in_time(machine: Machine) -> Iterator[str]:
    """No task waits for ever; Step Functions' own limit is a year."""
    for name in machine.tasks:
        state = machine.states[name]
        if not state.get("TimeoutSeconds"):
            yield f"{name} has no TimeoutSeconds"


def every_task_retries_by_name(machine: Machine) -> Iterator[str]:
    """Each task retries errors that it names, backing off with full jitter, and gives up."""
    for name in machine.tasks:
        rules = machine.states[name].get("Retry", [])
        if not rules:
            yield f"{name} has no Retry"
        for rule in rules:
            if {"States.ALL", "States.TaskFailed"} & set(rule["ErrorEquals"]):
                yield f"{name} retries whatever fails"
            if rule.get("JitterStrategy") != "FULL":
                yield f"{name} retries without full jitter"
            if not rule.get("BackoffRate", 0) > 1 or "MaxDelaySeconds" not in rule:
                yield f"{name} retries without backing off, or for ever longer"
            if not 0 < rule.get("MaxAttempts", MOST_TRIES) < MOST_TRIES:
                yield f"{name} retries {rule.get('MaxAttempts', 'an unstated number of')} times"


def everything_is_caught_last_and_alone(machine: Machine) -> Iterator[str]:
    """States.ALL stands alone in the last rule, as CreateStateMachine asks for."""
    for name in machine.tasks:
        for field in ("Retry", "Catch"):
            rules = machine.states[name].get(field, [])
            for number, rule in enumerate(rules):
                alone = rule["ErrorEquals"] == [EVERYTHING] and number == len(rules) - 1
                if EVERYTHING in rule["ErrorEquals"] and not alone:
                    yield f"{EVERYTHING} is not last and alone in {name}'s {field}"


def every_error_exists(machine: Machine) -> Iterator[str]:
    """Each error that a Retry or Catch names is one of ours, or documented."""
    for name in machine.tasks:
        for field in ("Retry", "Catch"):
            for error in named_in(machine.states[name], field):
                if error not in OF_LAMBDA | OF_A_TASK and not _is_ours(error):
                    yield f"{name}'s {field} names {error}, which does not exist"


def every_error_can_be_raised(machine: Machine) -> Iterator[str]:
    """What a task catches, or retries in a way of its own, its own step can raise.

    What every step retries alike some step can raise: which of them does is nothing that an
    operator should have to know.
    """
    steps = _raised(machine)
    alike = set[str]()
    if steps:
        alike = set.intersection(*(set(named_in(machine.states[it], "Retry")) for it in steps))
    for error in sorted(alike - OF_LAMBDA - OF_A_TASK):
        if not any(error in raised for raised in steps.values()):
            yield f"every task retries {error}, which none can raise"
    for name, raised in steps.items():
        own = {*named_in(machine.states[name], "Retry")} - alike
        for error in sorted((own | {*named_in(machine.states[name], "Catch")}) - raised):
            if error not in OF_LAMBDA | OF_A_TASK:
                yield f"{name} handles {error}, which its step cannot raise"


def every_decision_is_handled(machine: Machine) -> Iterator[str]:
    """What a step can raise of the protocol is caught, and what passes with time is retried."""
    for name, raised in _raised(machine).items():
        caught = named_in(machine.states[name], "Catch")
        retried = named_in(machine.states[name], "Retry")
        for error in sorted(raised):
            kind = getattr(errors, error)
            if issubclass(kind, errors.ProtocolError) and error not in caught:
                yield f"{name}'s step can raise {error}, which it does not catch"
            if issubclass(kind, errors.TransientError) and error not in (*caught, *retried):
                yield f"{name}'s step can raise {error}, which it neither retries nor catches"


def every_call_exists(machine: Machine) -> Iterator[str]:
    """Each task calls an action that AWS has, with parameters that the action takes."""
    for name in machine.tasks:
        state = machine.states[name]
        called = _operation(state["Resource"])
        if called is None:
            yield f"{name} calls {state['Resource']}, which does not exist"
            continue
        members, required = called
        given = set(state.get("Arguments", {}))
        for one in sorted(given - members):
            yield f"{name} gives {one}, which {state['Resource']} does not take"
        for one in sorted(required - given):
            yield f"{name} does not give {one}, which {state['Resource']} needs"


# -- what they are held against --------------------------------------------------------------------


def _is_ours(error: str) -> bool:
    found = getattr(errors, error, None)
    return isinstance(found, type) and issubclass(found, errors.SnaprollError)


def _raised(machine: Machine) -> dict[str, frozenset[str]]:
    steps = {name: step_of(machine.states[name]) for name in machine.tasks}
    return {name: errors_raised_by(step.function) for name, step in steps.items() if step}


@cache
def _operation(resource: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The parameters that an integration takes, and those that it needs; None without such one.

    An SDK integration's action is in camel case, its parameters in Pascal case, as the API model
    has it, first letter apart (developer guide, "Learning to use AWS SDK service integrations").
    """
    plain = resource.removesuffix(WAITING)
    service, action = OPTIMISED.get(plain, ("", ""))
    if plain.startswith(SDK):
        service, _, action = plain.removeprefix(SDK).partition(":")
        action = action[:1].upper() + action[1:]
    session = botocore.session.get_session()
    services = {it.replace("-", ""): it for it in session.get_available_services()}
    # The SDK for Java's names, where they are not the ones that botocore has.
    services |= {"sfn": "stepfunctions", "cloudwatchlogs": "logs", "eventbridge": "events"}
    if service not in services:
        return None
    model = session.get_service_model(services[service])
    if action not in model.operation_names:
        return None
    shape: Any = model.operation_model(action).input_shape
    if shape is None:
        return frozenset(), frozenset()
    names = {name: name[:1].upper() + name[1:] for name in shape.members}
    return frozenset(names.values()), frozenset(names[one] for one in shape.required_members)
