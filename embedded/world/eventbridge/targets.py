"""Handing an event to a rule's target: once, again while it fails, and at last to its queue.

Rules: EventBridge user guide, "How EventBridge retries delivering events" (24 hours and 185 tries
by default, exponential with jitter; missing permissions and missing targets are not retried) and
"Using dead-letter queues to process undelivered events" (the message and its attributes).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import HTTPClientError

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.eventbridge.inputs import Input, UndeliverableInputError, input_of

if TYPE_CHECKING:
    from embedded.world.world import World

DEFAULT_TRIES: Final = 185
DEFAULT_AGE: Final = timedelta(hours=24)
FIRST_PAUSE: Final = 1.0
"""Seconds before the first retry; the guide only says that it grows exponentially, with jitter."""
LONGEST_PAUSE: Final = 600.0
CALLER: Final = "events.amazonaws.com"

NOT_RETRIED: Final = {
    "AccessDeniedException": "NO_PERMISSIONS",
    "AuthorizationError": "NO_PERMISSIONS",
    "KMSAccessDenied": "NO_PERMISSIONS",
    "KMSDisabled": "INVALID_PARAMETER",
    "KMSNotFound": "NO_RESOURCE",
    "ResourceNotFoundException": "NO_RESOURCE",
    "StateMachineDoesNotExist": "NO_RESOURCE",
    "NotFound": "NO_RESOURCE",
    "QueueDoesNotExist": "NO_RESOURCE",
    "AWS.SimpleQueueService.NonExistentQueue": "NO_RESOURCE",
    "ExecutionAlreadyExists": "RESOURCE_ALREADY_EXISTS",
    "InvalidParameterValue": "INVALID_PARAMETER",
    "InvalidParameter": "INVALID_PARAMETER",
    "InvalidExecutionInput": "INVALID_PARAMETER",
    "InvalidRequestContentException": "INVALID_PARAMETER",
    "RequestTooLargeException": "INVALID_PARAMETER",
}
"""Errors of targets that another try would not mend, by the code that the queue is told."""
RETRIED: Final = {
    "ThrottlingException": "THROTTLING",
    "TooManyRequestsException": "THROTTLING",
    "ExecutionLimitExceeded": "RESOURCE_LIMIT_EXCEEDED",
    "StateMachineDeleting": "RESOURCE_MODIFICATION_COLLISION",
}


@dataclass(frozen=True)
class Target:
    """One target of a rule, with its input made ready."""

    id: str
    arn: str
    settings: Mapping[str, Any]
    """The target as ``PutTargets`` took it."""
    make_input: Input

    @property
    def service(self) -> str:
        """Which service the target belongs to, as its ARN says."""
        return self.arn.split(":")[2]


@dataclass
class Delivery:
    """One event on its way to one target."""

    event: Mapping[str, Any]
    rule_name: str
    rule_arn: str
    target: Target
    since: datetime
    retries: int = 0


@dataclass(frozen=True)
class Lost:
    """An event that its target never got."""

    at: datetime
    event: Mapping[str, Any]
    rule_name: str
    target_arn: str
    error_code: str
    error_message: str
    dead_letter: bool
    """True when it went to the target's dead-letter queue."""


def parse_target(settings: Mapping[str, Any]) -> Target:
    """Read a target of ``PutTargets``.

    Raises
    ------
    AwsError
        ``ValidationException`` for what EventBridge refuses; ``NotEmulatedError`` for targets and
        settings that this world does not have.
    """
    known = {
        "Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer", "RetryPolicy",
        "DeadLetterConfig",
    }  # fmt: skip
    if unknown := sorted(settings.keys() - known):
        raise NotEmulatedError(f"EventBridge targets with {unknown[0]}")
    target = Target(settings["Id"], settings["Arn"], settings, input_of(settings))
    if target.service not in {"lambda", "sqs", "sns", "states"}:
        raise NotEmulatedError(f"EventBridge targets of the service {target.service}")
    if target.service == "states" and "RoleArn" not in settings:
        raise AwsError("ValidationException", f"RoleArn is required for target {settings['Arn']}.")
    if target.arn.endswith(".fifo"):
        raise NotEmulatedError("FIFO queues and topics as targets")
    return target


class Dispatcher:
    """Hands events to targets and keeps what got lost."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.lost: list[Lost] = []

    def deliver(self, delivery: Delivery) -> None:
        """Try to hand an event over; what can be tried again is, later."""
        rule = {"name": delivery.rule_name, "arn": delivery.rule_arn}
        try:
            text = delivery.target.make_input(delivery.event, rule)
        except UndeliverableInputError as error:
            self._give_up(delivery, "INVALID_JSON", str(error))
            return
        try:
            self._hand_over(delivery, text)
        except NotEmulatedError:
            raise
        except (HTTPClientError, NoConnectionError) as silence:
            self._retry(delivery, AwsError("NoAnswer", str(silence), http_status=500))
        except AwsError as error:
            if error.code in NOT_RETRIED:
                self._give_up(delivery, NOT_RETRIED[error.code], error.message)
            else:
                self._retry(delivery, error)

    def _hand_over(self, delivery: Delivery, text: str) -> None:
        target, source = delivery.target, delivery.rule_arn
        world = self._world
        if target.service == "lambda":
            world.awslambda.check_permission(target.arn, CALLER, source)
            params: dict[str, Any] = {
                "FunctionName": target.arn,
                "InvocationType": "Event",
                "Payload": text.encode(),
            }
            world.call("lambda", "Invoke", params, caller=CALLER)
        elif target.service == "states":
            # The name is EventBridge's choice and is not documented. A fresh one for every try is
            # the harsher reading: a duplicated delivery starts a second execution.
            params = {"stateMachineArn": target.arn, "name": world.new_uuid(), "input": text}
            role = target.settings.get("RoleArn")
            world.call("stepfunctions", "StartExecution", params, caller=CALLER, role=role)
        elif target.service == "sqs":
            world.sqs.check_permission(target.arn, CALLER, source)
            params = {"QueueUrl": world.sqs.url_of(target.arn), "MessageBody": text}
            world.call("sqs", "SendMessage", params, caller=CALLER)
        else:
            world.sns.check_permission(target.arn, CALLER, source)
            params = {"TopicArn": target.arn, "Message": text}
            world.call("sns", "Publish", params, caller=CALLER)

    def _retry(self, delivery: Delivery, error: AwsError) -> None:
        policy = delivery.target.settings.get("RetryPolicy", {})
        tries = policy.get("MaximumRetryAttempts", DEFAULT_TRIES)
        seconds = policy.get("MaximumEventAgeInSeconds", DEFAULT_AGE.total_seconds())
        code = RETRIED.get(error.code, "ERROR_FROM_TARGET")
        if delivery.retries >= tries:
            self._give_up(delivery, code, error.message, "MaximumRetryAttempts")
            return
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(delivery.retries, 32))
        pause = ceiling * self._world.random.uniform(0.5, 1.0)
        due = self._world.clock.now() + timedelta(seconds=pause)
        if due > delivery.since + timedelta(seconds=seconds):
            self._give_up(delivery, code, error.message, "MaximumEventAgeInSeconds")
            return
        delivery.retries += 1
        what = f"EventBridge tries {delivery.rule_name} again"
        self._world.clock.at(due, what, lambda: self.deliver(delivery))

    def _give_up(
        self, delivery: Delivery, code: str, message: str, exhausted: str | None = None
    ) -> None:
        queue = delivery.target.settings.get("DeadLetterConfig", {}).get("Arn")
        kept = queue is not None and self._send_dead_letter(
            queue, delivery, code, message, exhausted
        )
        self.lost.append(
            Lost(
                self._world.clock.now(),
                delivery.event,
                delivery.rule_name,
                delivery.target.arn,
                code,
                message,
                kept,
            )
        )

    def _send_dead_letter(
        self, queue: str, delivery: Delivery, code: str, message: str, exhausted: str | None
    ) -> bool:
        attributes = {
            "RULE_ARN": delivery.rule_arn,
            "TARGET_ARN": delivery.target.arn,
            "ERROR_CODE": code,
            "ERROR_MESSAGE": message,
            "RETRY_ATTEMPTS": str(delivery.retries),
        }
        if exhausted is not None:
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
        try:
            self._world.sqs.check_permission(queue, CALLER, delivery.rule_arn)
            self._world.sqs.send(queue, json.dumps(delivery.event), attributes)
        except NotEmulatedError:
            raise
        except AwsError:
            # As on AWS: the metric InvocationsFailedToBeSentToDLQ is all that remains of it.
            return False
        return True
