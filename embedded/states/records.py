"""What Step Functions tells about executions: API replies, histories and status change events.

Sources: botocore's shapes ``DescribeExecutionOutput``, ``ExecutionListItem`` and ``HistoryEvent``;
developer guide, "Automating Step Functions event delivery with EventBridge".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from embedded.states.documents import Document, dump, epoch_milliseconds, within
from embedded.states.execution import HISTORY_LIMIT, Execution, HistoryEvent
from embedded.states.lifecycle import LONGEST_EXECUTION, given

REDRIVABLE_FOR: Final = timedelta(days=14)
_EVENT_DATA_LIMIT_BYTES: Final = 248 * 1024
_EXECUTION_DATA: Final = frozenset({"input", "output", "parameters", "assignedVariables"})


def why_not_redrivable(execution: Execution, now: datetime, *, deleting: bool) -> str | None:
    """Say why an execution cannot be redriven, in the words of ``redriveStatusReason``; or None."""
    if execution.status in {"RUNNING", "SUCCEEDED"}:
        return f"Execution is {execution.status} and cannot be redriven."
    if deleting:
        return "State machine is in DELETING status."
    if len(execution.history) >= HISTORY_LIMIT - 1:
        return "Execution history event limit exceeded."
    if now - execution.started_at > LONGEST_EXECUTION:
        return "Execution has exceeded the max execution time."
    if execution.stopped_at is not None and now - execution.stopped_at > REDRIVABLE_FOR:
        return "Execution redrivable period exceeded."
    return None


def description(execution: Execution, reason: str | None) -> dict[str, Any]:
    """Write DescribeExecution's answer; ``reason`` says why it cannot be redriven."""
    reply: dict[str, Any] = {
        **list_item(execution),
        "input": execution.input.text,
        "inputDetails": {"included": True},
        "redriveStatus": "REDRIVABLE" if reason is None else "NOT_REDRIVABLE",
    }
    if reason is not None:
        reply["redriveStatusReason"] = reason
    if execution.output is not None:
        reply["output"] = execution.output.text
        reply["outputDetails"] = {"included": True}
    return {**reply, **given(error=execution.error, cause=execution.cause)}


def list_item(execution: Execution) -> dict[str, Any]:
    """Write one item of ListExecutions' answer."""
    item: dict[str, Any] = {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine.arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.started_at,
        "redriveCount": execution.redrive_count,
    }
    if execution.stopped_at is not None:
        item["stopDate"] = execution.stopped_at
    if execution.redriven_at is not None:
        item["redriveDate"] = execution.redriven_at
    return item


def history_event(event: HistoryEvent, *, with_data: bool) -> dict[str, Any]:
    """Write one event of GetExecutionHistory's answer."""
    written: dict[str, Any] = {
        "timestamp": event.at,
        "type": event.type,
        "id": event.id,
        "previousEventId": event.previous,
    }
    if event.member is not None:
        written[event.member] = {
            name: value.text if isinstance(value, Document) else _copy(value)
            for name, value in event.details.items()
            if with_data or name not in _EXECUTION_DATA
        }
        if "parameters" in event.details and not with_data:
            written[event.member]["parameters"] = ""  # botocore's shape requires the member
    return written


def _copy(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def status_change(execution: Execution, reason: str | None) -> dict[str, Any]:
    """Write the detail of the event that tells EventBridge of an execution's status."""
    output = execution.output
    with_output = output is not None and _fits_event(output.text)
    with_input = _fits_event(execution.input.text + (output.text if output and with_output else ""))
    return {
        "executionArn": execution.arn,
        "stateMachineArn": execution.machine.arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": epoch_milliseconds(execution.started_at),
        "stopDate": epoch_milliseconds(execution.stopped_at),
        "input": execution.input.text if with_input else None,
        "output": output.text if output is not None and with_output else None,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": execution.redrive_count,
        "redriveDate": epoch_milliseconds(execution.redriven_at),
        "redriveStatus": "REDRIVABLE" if reason is None else "NOT_REDRIVABLE",
        "redriveStatusReason": reason,
        "inputDetails": {"included": with_input},
        "outputDetails": None if output is None else {"included": with_output},
        "error": execution.error,
        "cause": execution.cause,
    }


def _fits_event(text: str) -> bool:
    # The documented limit is on the escaped text, as it stands inside the event.
    return within(dump(text), _EVENT_DATA_LIMIT_BYTES)
