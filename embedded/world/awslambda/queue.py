"""Asynchronous invocation: an event waits in Lambda's own queue and is tried up to three times.

Rules: Lambda developer guide, "How Lambda handles errors and retries with asynchronous
invocation" (two retries of a function that fails, after one and two minutes; what is throttled or
fails on Lambda's own side goes back into the queue, after a second at first and at most five
minutes; six hours at most), "Capturing records of
Lambda asynchronous invocations" (destinations, dead-letter queues, and what they are sent).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from embedded.world.awslambda.function import FunctionSpec, Invocation
from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.awslambda.service import Lambda
    from embedded.world.world import World

CALLER: Final = "lambda.amazonaws.com"
"""Who invokes a function for an event in the queue, as interferences see it."""
FIRST_REQUEUE_SECONDS: Final = 1.0
LONGEST_REQUEUE_SECONDS: Final = 300.0
PAUSES: Final = (60.0, 120.0)
"""Seconds before the first and the second retry."""
DELIVERY_SECONDS: Final = 0.1
"""Between the acceptance of an event and its first try."""
LONGEST_TOLD_MESSAGE: Final = 1024
"""Bytes of an error message that a dead-letter queue is told."""


@dataclass
class Waiting:
    """One event in the queue."""

    function: str
    text: str
    request_id: str
    caller: str
    since: datetime
    tries: int = 0
    """Runs of the function so far."""
    requeued: int = 0
    """How often Lambda itself could not run it since its last run."""


@dataclass(frozen=True)
class Dropped:
    """An event that failed every try."""

    at: datetime
    function: str
    event: Any
    invocation: Invocation | None
    condition: str
    """``RetriesExhausted`` or ``EventAgeExceeded``."""
    kept_by: str | None
    """The queue or topic that got it; None when it is gone."""


class EventQueue:
    """The queue in front of every asynchronously invoked function of a Region."""

    def __init__(self, world: World, functions: Lambda) -> None:
        self._world = world
        self._functions = functions
        self.dropped: list[Dropped] = []

    def accept(self, waiting: Waiting) -> None:
        """Take an event in, to be tried a moment later."""
        self._try_after(waiting, DELIVERY_SECONDS)

    def _try_after(self, waiting: Waiting, seconds: float) -> None:
        what = f"Lambda invokes {waiting.function} (try {waiting.tries + 1})"
        self._world.clock.after(seconds, what, lambda: self._try(waiting))

    def _try(self, waiting: Waiting) -> None:
        spec = self._functions.find(waiting.function)
        if spec is None:
            # The function was deleted while its event waited: there is nothing left to try.
            return
        config = self._functions.event_config(waiting.function)
        age = self._world.clock.now() - waiting.since
        if age > timedelta(seconds=config.maximum_event_age_seconds):
            self._give_up(spec, waiting, None, "EventAgeExceeded")
            return
        try:
            invocation = self._world.enact(
                "lambda",
                "Invoke",
                {"FunctionName": spec.name, "InvocationType": "Event"},
                lambda: self._run(spec, waiting),
                caller=CALLER,
            )
        except NotEmulatedError:
            raise
        except AwsError:
            self._requeue(waiting)
            return
        if invocation.error is None:
            if config.on_success is not None:
                record = _record(self._world, spec, waiting, invocation, "Success")
                self._send(config.on_success, json.dumps(record), {})
        elif waiting.tries <= config.maximum_retry_attempts:
            self._try_after(waiting, PAUSES[waiting.tries - 1])
        else:
            self._give_up(spec, waiting, invocation, "RetriesExhausted")

    def _run(self, spec: FunctionSpec, waiting: Waiting) -> Invocation:
        waiting.tries += 1
        waiting.requeued = 0
        return self._functions.run(
            spec, waiting.text, caller=waiting.caller, request_id=waiting.request_id
        )

    def _requeue(self, waiting: Waiting) -> None:
        """Take an event back that Lambda could not run, or of whose run it does not know.

        A fault behind the effect means a function that runs twice for one event.
        """
        pause = min(LONGEST_REQUEUE_SECONDS, FIRST_REQUEUE_SECONDS * 2.0**waiting.requeued)
        waiting.requeued += 1
        self._try_after(waiting, pause)

    def _give_up(
        self, spec: FunctionSpec, waiting: Waiting, invocation: Invocation | None, condition: str
    ) -> None:
        config = self._functions.event_config(waiting.function)
        kept_by = None
        if spec.dead_letter_arn is not None:
            told = _told(waiting, invocation)
            if self._send(spec.dead_letter_arn, waiting.text, told):
                kept_by = spec.dead_letter_arn
        if config.on_failure is not None:
            record = _record(self._world, spec, waiting, invocation, condition)
            if self._send(config.on_failure, json.dumps(record), {}):
                kept_by = config.on_failure
        self.dropped.append(
            Dropped(
                self._world.clock.now(),
                waiting.function,
                json.loads(waiting.text),
                invocation,
                condition,
                kept_by,
            )
        )

    def _send(self, arn: str, body: str, attributes: dict[str, str]) -> bool:
        """Hand something to a queue or topic; the function's role, not a policy, lets it."""
        service = arn.split(":")[2]
        if service not in {"sqs", "sns"}:
            raise NotEmulatedError(f"a Lambda destination of the service {service}")
        try:
            if service == "sqs":
                self._world.sqs.send(arn, body, attributes)
            else:
                self._world.sns.publish(arn, None, body)
        except AwsError:
            # As on AWS: the metric DestinationDeliveryFailures or DeadLetterErrors is all there is.
            return False
        return True


def _told(waiting: Waiting, invocation: Invocation | None) -> dict[str, str]:
    error = None if invocation is None else invocation.error
    message = "" if error is None else error.error_message
    return {
        "RequestID": waiting.request_id,
        "ErrorCode": "200",
        "ErrorMessage": message.encode()[:LONGEST_TOLD_MESSAGE].decode(errors="ignore")
        or "expired",
    }


def _record(
    world: World,
    spec: FunctionSpec,
    waiting: Waiting,
    invocation: Invocation | None,
    condition: str,
) -> dict[str, Any]:
    """Make the invocation record that a destination gets."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": world.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "requestContext": {
            "requestId": waiting.request_id,
            "functionArn": world.arn("lambda", f"function:{spec.name}:$LATEST"),
            "condition": condition,
            "approximateInvokeCount": waiting.tries,
        },
        "requestPayload": json.loads(waiting.text),
    }
    if invocation is not None:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": "$LATEST"}
        if invocation.error is not None:
            context["functionError"] = "Unhandled"
        record["responseContext"] = context
        record["responsePayload"] = (
            invocation.payload if invocation.error is None else invocation.error.as_payload()
        )
    return record
