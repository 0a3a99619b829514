"""Tells an execution's history to somebody who knows neither the code nor Step Functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from embedded.states.documents import Document
from embedded.states.execution import Execution, HistoryEvent

_WIDEST: Final = 110
"""Characters of a payload that are shown when it has no sentence of its own."""
_SENTENCES: Final = ("message", "reason", "errorMessage")
"""Members of a payload that say in words what it is about; the first that is there is shown."""


def story(execution: Execution) -> str:
    """Tell what happened in an execution, as plain text.

    Every line gives the emulated time since the start, the state, and what came of it: what a task
    returned (the payload's ``message`` or ``reason``, when it has one), how long something waited
    and what woke it, retries, and at the end the outcome with its error and cause.
    """
    return "\n".join(_lines(execution))


def moments(execution: Execution) -> list[tuple[datetime, str, str]]:
    """Give what ``story`` tells, to be told together with something else.

    Returns
    -------
    list of tuple
        The instant, the state (empty for the execution's own milestones) and what came of it.
    """
    return [(event.at, state, what) for event, state, what in _Teller(execution.history).lines()]


def _lines(execution: Execution) -> Iterator[str]:
    end = execution.stopped_at
    took = f" after {duration(end - execution.started_at)}" if end is not None else ""
    yield f"{execution.machine.name} / {execution.name}: {execution.status}{took}"
    yield f"input: {short(execution.input.value)}"
    yield ""
    told = moments(execution)
    width = max((len(state) for _, state, _ in told), default=0)
    for at, state, what in told:
        offset = f"+{duration(at - execution.started_at)}"
        yield f"{offset:>13}  {state:<{width}}  {what}".rstrip()
    if end is None:
        yield f"{'…':>13}  still in {execution.position.state}"
        return
    yield ""
    if execution.output is not None:
        yield f"output: {short(execution.output.value)}"
    if execution.error is not None:
        yield f"error: {execution.error}"
    if execution.cause is not None:
        yield f"cause: {_sentence(execution.cause)}"


class _Teller:
    """Walks through a history once and says what matters."""

    def __init__(self, history: Sequence[HistoryEvent]) -> None:
        self._history = history
        self._state = ""
        self._limit = ""
        """How long the present task may wait."""

    def lines(self) -> Iterator[tuple[HistoryEvent, str, str]]:
        for index, event in enumerate(self._history):
            if event.type.endswith("StateEntered"):
                self._state = event.details["name"]
            following = self._history[index + 1] if index + 1 < len(self._history) else None
            what = self._what(event, following)
            if what:
                own = event.type.startswith("Execution")
                yield event, "" if own else self._state, what

    def _what(self, event: HistoryEvent, following: HistoryEvent | None) -> str:
        if event.type.startswith("Execution"):
            return _milestone(event)
        if event.type in {"TaskFailed", "EvaluationFailed"}:
            return _failure(event.details) + _then(event, following)
        if event.type.startswith("Task"):
            return self._task(event, following)
        if event.type == "PassStateExited":
            return _shaped(event.details)
        return "" if following is None else _between(event, following)

    def _task(self, event: HistoryEvent, following: HistoryEvent | None) -> str:
        details = event.details
        what = ""
        if event.type == "TaskScheduled":
            seconds = details.get("heartbeatInSeconds") or details.get("timeoutInSeconds")
            self._limit = f" for {duration(timedelta(seconds=seconds))}" if seconds else ""
        elif event.type == "TaskSubmitted":
            what = f"waits{self._limit or ' without a limit'}"
        elif event.type == "TaskSucceeded":
            what = self._succeeded(details)
        elif event.type == "TaskTimedOut":
            what = f"nobody answered{self._limit}" + _then(event, following)
        return what

    @staticmethod
    def _succeeded(details: dict[str, Any]) -> str:
        result = details["output"].value
        if details["resource"].endswith(".waitForTaskToken"):
            return f"woken: {_answer(result)}"
        if details["resource"] == "invoke":
            result = result["Payload"]
        return short(result)


def _answer(result: Any) -> str:
    """Tell what woke a task: the one string of an answer that holds nothing else."""
    values = list(result.values()) if isinstance(result, dict) else []
    return short(values[0] if len(values) == 1 and isinstance(values[0], str) else result)


def _milestone(event: HistoryEvent) -> str:
    if event.type == "ExecutionRedriven":
        return f"— redriven by an operator (redrive {event.details['redriveCount']}) —"
    return {
        "ExecutionStarted": "started",
        "ExecutionSucceeded": "succeeded",
        "ExecutionFailed": "failed",
        "ExecutionAborted": "stopped by an operator",
        "ExecutionTimedOut": "ran longer than the state machine allows",
    }[event.type]


def _between(event: HistoryEvent, following: HistoryEvent) -> str:
    """Tell of a wait or a choice by the event that followed."""
    if event.type == "WaitStateEntered":
        return f"waited {duration(following.at - event.at)}"
    if event.type == "ChoiceStateExited":
        return f"chose {following.details.get('name', 'nothing any more')}"
    return ""


def _shaped(details: dict[str, Any]) -> str:
    """Tell what a Pass made: the variables that it set, else its output."""
    assigned = details.get("assignedVariables", {})
    told = "; ".join(f"{name} = {short(json.loads(text))}" for name, text in assigned.items())
    return told or short(details["output"])


def _failure(details: dict[str, Any]) -> str:
    error, cause = details.get("error", "an error"), details.get("cause")
    return error if cause is None else f"{error}: {_sentence(cause)}"


def _then(event: HistoryEvent, following: HistoryEvent | None) -> str:
    """Say what became of a failure, by the event that followed it."""
    if following is None:
        return ""
    if following.type == "TaskScheduled":
        waited = following.at - event.at
        return f" (tried again after {duration(waited)})" if waited else " (tried again)"
    if following.type == "TaskStateExited":
        return " (handled)"
    return ""


def _sentence(cause: str) -> str:
    """Give the words of a cause, which may be the JSON of a function's error."""
    try:
        return short(json.loads(cause))
    except ValueError:
        return cause


def short(value: Any) -> str:
    """Give a payload in one line: its own sentence if it has one, else its first characters."""
    if isinstance(value, Document):
        return short(value.value)
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for member in (value, *(inner for inner in value.values() if isinstance(inner, dict))):
            for name in _SENTENCES:
                if isinstance(sentence := member.get(name), str) and sentence:
                    return sentence
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def duration(length: timedelta) -> str:
    """Write a length of time with its two or three largest units: ``2h 05m 10s``, ``14s``."""
    seconds = length.total_seconds()
    if 0 < seconds < 10 and seconds % 1:  # noqa: PLR2004 - below this, fractions matter
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02d}h {minutes:02d}m"
    if hours:
        return f"{hours}h {minutes:02d}m {rest:02d}s"
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
