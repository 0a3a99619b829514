"""What an execution did so far, as the few lines that somebody watching wants to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embedded.states.documents import Document
from embedded.states.execution import Execution, HistoryEvent

_QUIET = frozenset({"AwaitSignal", "AwaitSnapshot"})
"""States whose results only repeat what the next one says."""


@dataclass(frozen=True)
class Beat:
    """Something that a state had to say, and when."""

    at: datetime
    state: str
    text: str


@dataclass(frozen=True)
class Ending:
    """How an execution ended: the name of its end state's outcome, and the sentence."""

    outcome: str
    reason: str


def beats(execution: Execution, since: int = 0) -> Iterator[tuple[int, Beat]]:
    """Give what states said after history event number ``since``, with each event's number."""
    for event in execution.history[since:]:
        said = _said(event)
        if said is not None:
            yield event.id, said


def _said(event: HistoryEvent) -> Beat | None:
    state = str(event.details.get("name", ""))
    if event.type != "TaskStateExited" or state in _QUIET:
        return None
    payload = _value(event.details.get("output"))
    text = payload.get("reason") or payload.get("message") if isinstance(payload, dict) else None
    return Beat(event.at, state, str(text)) if text else None


def ending(execution: Execution) -> Ending | None:
    """How the execution ended; None while it runs."""
    if execution.running:
        return None
    if execution.output is not None:
        value = _value(execution.output)
        return Ending(str(value.get("outcome")), str(value.get("message")))
    return Ending(execution.error or execution.status, execution.cause or "")


def _value(document: Document | None) -> Any:
    return json.loads(document.text) if document is not None else None
