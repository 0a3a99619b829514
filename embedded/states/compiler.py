"""Compiles states: every template once, with the checks of expressions and of Retry and Catch."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from embedded.states import syntax
from embedded.states.failures import (
    ALL,
    DATA_LIMIT_EXCEEDED,
    HEARTBEAT_TIMEOUT,
    QUERY_EVALUATION_ERROR,
    TASK_FAILED,
    TIMEOUT,
)
from embedded.states.functions import BUILT_IN, REFUSED
from embedded.states.integrations import LambdaInvoke, find_integration
from embedded.states.program import (
    Branch,
    CatchRule,
    ChoiceProgram,
    FailProgram,
    RetryRule,
    Shaping,
    StateProgram,
    TaskProgram,
    WaitProgram,
)
from embedded.states.templates import Constant, Formula, Template, compile_template

_SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_EVERYWHERE: Final = frozenset(
    {"input", "context", "context.Execution", "context.State", "context.StateMachine"}
)
_TOKEN: Final = "context.Task"  # noqa: S105 - where the token is found, not a token
_ERRORS_OF_A_TASK: Final = frozenset(
    {
        ALL,
        DATA_LIMIT_EXCEEDED,
        HEARTBEAT_TIMEOUT,
        QUERY_EVALUATION_ERROR,
        TASK_FAILED,
        TIMEOUT,
        "States.Permissions",
    }
)
"""The names under ``States.`` that a Task can fail with here, the uncatchable one left out."""


class StateCompiler:
    """Compiles the states of one definition.

    Parameters
    ----------
    states
        All of them: a variable may be used in one and assigned in another.
    report
        Told of the place and of what is wrong there.
    """

    def __init__(self, states: dict[str, syntax.State], report: Callable[[str, str], None]) -> None:
        self._report = report
        self._state = ""
        self._assigned = frozenset(
            name for state in states.values() for name in _assigned_by(state)
        )
        self._used: dict[str, set[str]] = {}

    def variables(self) -> dict[str, tuple[str, ...]]:
        """Give the variables that each compiled state refers to."""
        return {state: tuple(sorted(names)) for state, names in self._used.items() if names}

    def compile(self, name: str, state: syntax.State) -> StateProgram:
        """Compile one state."""
        self._state = name
        self._used[name] = set()
        match state:
            case syntax.Task():
                return self._task(name, state)
            case syntax.Choice():
                return self._choice(name, state)
            case syntax.Wait():
                return self._wait(name, state)
            case syntax.Fail():
                error, cause = (self._optional(state, field) for field in ("error", "cause"))
                return FailProgram(name, state.type, Shaping(), None, error, cause)
            case syntax.MovingState():
                return StateProgram(name, state.type, self._shaping(state), state.next)
            case _:
                return StateProgram(name, state.type, self._shaping(state), None)

    # -- the states ------------------------------------------------------------------------------

    def _task(self, name: str, state: syntax.Task) -> TaskProgram:
        integration = find_integration(state.resource)
        if integration is None:
            self._tell(
                "Resource", f"{_SCHEMA}: {state.resource!r} is no integration that is emulated"
            )
            integration = LambdaInvoke(waits=False)  # anything will do: the definition is refused
        if isinstance(state.arguments, str) and not state.arguments.startswith("{%"):
            self._tell("Arguments", f"{_SCHEMA}: must be an object or an expression")
        for problem in integration.problems(state.arguments):
            self._tell("Arguments", f"{_SCHEMA}: {problem}")
        arguments = self._template(
            state.arguments, "Arguments", {_TOKEN} if integration.waits else set()
        )
        if integration.waits and not self._hands_over_token(arguments):
            self._tell("Arguments", f"{_SCHEMA}: $states.context.Task.Token is handed to nobody")
        if state.heartbeat_seconds is not None and not integration.waits:
            # Accepted by AWS, where it has no effect on a request that is answered at once.
            self._tell("HeartbeatSeconds", f"{_SCHEMA}: only a task that waits can send heartbeats")
        timeout, heartbeat = state.timeout_seconds, state.heartbeat_seconds
        if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
            self._tell("HeartbeatSeconds", f"{_SCHEMA}: must be smaller than TimeoutSeconds")
        self._check_rules("Retry", [rule.error_equals for rule in state.retry])
        self._check_rules("Catch", [rule.error_equals for rule in state.catch])
        return TaskProgram(
            name,
            state.type,
            self._shaping(state, {"result"}),
            state.next,
            integration,
            arguments,
            self._number(timeout, "TimeoutSeconds"),
            self._number(heartbeat, "HeartbeatSeconds"),
            tuple(self._retrier(index, rule) for index, rule in enumerate(state.retry)),
            tuple(
                CatchRule(
                    tuple(rule.error_equals),
                    rule.next,
                    self._shaping(rule, {"errorOutput"}, f"Catch[{index}]/"),
                )
                for index, rule in enumerate(state.catch)
            ),
        )

    def _retrier(self, index: int, rule: syntax.Retrier) -> RetryRule:
        if rule.max_delay_seconds is not None and rule.max_delay_seconds <= rule.interval_seconds:
            self._tell(
                f"Retry[{index}]/MaxDelaySeconds",
                f"{_SCHEMA}: must be greater than IntervalSeconds ({rule.interval_seconds})",
            )
        return RetryRule(
            tuple(rule.error_equals),
            rule.interval_seconds,
            rule.max_attempts,
            rule.backoff_rate,
            rule.max_delay_seconds,
            rule.jitter_strategy == "FULL",
        )

    def _choice(self, name: str, state: syntax.Choice) -> ChoiceProgram:
        branches = []
        for index, rule in enumerate(state.choices):
            prefix = f"Choices[{index}]/"
            condition = self._template(rule.condition, f"{prefix}Condition")
            if isinstance(rule.condition, str) and isinstance(condition, Constant):
                self._tell(f"{prefix}Condition", f"{_SCHEMA}: must be a boolean or an expression")
            branches.append(Branch(condition, rule.next, self._shaping(rule, set(), prefix)))
        return ChoiceProgram(name, state.type, self._shaping(state), state.default, tuple(branches))

    def _wait(self, name: str, state: syntax.Wait) -> WaitProgram:
        if (state.seconds is None) == (state.timestamp is None):
            self._tell("", f"{_SCHEMA}: exactly one of 'Seconds' and 'Timestamp' is required")
        timestamp = self._optional(state, "timestamp")
        if isinstance(timestamp, Constant) and instant(timestamp.value) is None:
            self._tell("Timestamp", f"{_SCHEMA}: {timestamp.value!r} is no RFC 3339 timestamp")
        return WaitProgram(
            name,
            state.type,
            self._shaping(state),
            state.next,
            self._number(state.seconds, "Seconds"),
            timestamp,
        )

    # -- templates -------------------------------------------------------------------------------

    def _shaping(
        self, part: syntax.Part, more: set[str] | None = None, prefix: str = ""
    ) -> Shaping:
        """Compile Assign and Output; ``more`` are the members of ``$states`` they may use."""
        assign = output = None
        given = part.model_fields_set
        if "assign" in given and (values := getattr(part, "assign", None)) is not None:
            for name in values:
                self._check_variable_name(name, f"{prefix}Assign/{name}")
            assign = self._template(values, f"{prefix}Assign", more)
        if "output" in given:
            output = self._template(getattr(part, "output", None), f"{prefix}Output", more)
        return Shaping(assign, output)

    def _optional(self, state: syntax.State, field: str) -> Template | None:
        value = getattr(state, field)
        return None if value is None else self._template(value, field.capitalize())

    def _number(self, value: int | str | None, field: str) -> Template | None:
        if value is None:
            return None
        template = self._template(value, field)
        if isinstance(value, str) and isinstance(template, Constant):
            self._tell(field, f"{_SCHEMA}: must be an integer or an expression")
        return template

    def _template(self, value: Any, field: str, more: set[str] | None = None) -> Template:
        template = compile_template(value, field, self._tell)
        for formula in template.formulas():
            self._check_references(formula, _EVERYWHERE | (more or set()))
        return template

    def _check_references(self, formula: Formula, allowed: frozenset[str] | set[str]) -> None:
        references = formula.expression.references
        field = formula.field
        for problem in references.unsupported:
            self._tell(field, f"UNSUPPORTED_JSONATA_EXPRESSION: {problem}")
        for member in sorted(references.states - allowed):
            what = "$states" if member == "*" else f"$states.{member}"
            # A whole $states would hide what it takes from it.
            self._tell(
                field,
                f"UNSUPPORTED_JSONATA_EXPRESSION: Reference to '{what}' is not supported here",
            )
        self._used[self._state] |= references.variables & self._assigned
        for name in sorted(references.variables - self._assigned):
            # On AWS it would fail when the expression runs; it can never do anything else.
            self._tell(
                field, f"UNSUPPORTED_JSONATA_EXPRESSION: no state assigns the variable '${name}'"
            )

    @staticmethod
    def _hands_over_token(arguments: Template) -> bool:
        return any(
            {_TOKEN, "context"} & formula.expression.references.states
            for formula in arguments.formulas()
        )

    # -- names -----------------------------------------------------------------------------------

    def _check_variable_name(self, name: str, field: str) -> None:
        if name == "states" or not _VARIABLE.fullmatch(name):
            self._tell(field, f"{_SCHEMA}: {name!r} cannot be the name of a variable")
        elif name in BUILT_IN | REFUSED:
            # Undocumented; a variable that hides a function is a trap wherever it is allowed.
            self._tell(field, f"{_SCHEMA}: {name!r} is the name of a JSONata function")

    def _check_rules(self, field: str, rules: Sequence[list[str]]) -> None:
        """Check the error names of Retry or Catch: each once, the wildcard alone and last."""
        seen: set[str] = set()
        for index, names in enumerate(rules):
            place = f"{field}[{index}]/ErrorEquals"
            if ALL in names and (len(names) > 1 or index < len(rules) - 1):
                self._tell(place, f"{_SCHEMA}: {ALL} must stand alone, in the last rule")
            for name in names:
                if name in seen:
                    self._tell(
                        place, f"{_SCHEMA}: {name!r} is named twice; the second never matches"
                    )
                seen.add(name)
                if name.startswith("States.") and name not in _ERRORS_OF_A_TASK:
                    self._tell(place, f"{_SCHEMA}: {name!r} is no error that a Task can handle")

    def _tell(self, field: str, what: str) -> None:
        place = f"/States/{self._state}/{field}" if field else f"/States/{self._state}"
        self._report(place, what)


def _assigned_by(state: syntax.State) -> set[str]:
    parts: list[Any] = [state, *getattr(state, "catch", ()), *getattr(state, "choices", ())]
    return {name for part in parts for name in (getattr(part, "assign", None) or ())}


def instant(text: Any) -> datetime | None:
    """Read an RFC 3339 timestamp; None when it is none, or has no time zone."""
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None
