"""SQS: standard queues with visibility timeouts, delays, retention and redrive.

Rules: SQS developer guide ("Amazon SQS visibility timeout", "Amazon SQS dead-letter queues") and
the botocore model ``sqs`` for attributes. Standard queues may deliver twice and out of order; a
consumer here gets the oldest visible message first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.messaging.depth import DepthMeter
from embedded.world.messaging.encryption import check_key
from embedded.world.policies import Request, admits
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

DEFAULTS: Final = {
    "DelaySeconds": "0",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
"""Attributes of a queue that nobody set."""
FURTHER: Final = frozenset({
    "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "Policy", "RedriveAllowPolicy",
    "RedrivePolicy",
})  # fmt: skip
MOST_RECEIVED: Final = 10

_NAME = re.compile(r"^[A-Za-z0-9_-]{1,80}$")


@dataclass
class Message:
    """One message in a queue."""

    id: str
    body: str
    attributes: dict[str, dict[str, Any]]
    """Message attributes as the API has them."""
    sent_at: datetime
    visible_at: datetime
    receives: int = 0
    receipt: str | None = None
    first_received_at: datetime | None = None

    def text_attributes(self) -> dict[str, str]:
        """Give the attributes that are strings."""
        return {
            name: value["StringValue"]
            for name, value in self.attributes.items()
            if "StringValue" in value
        }


@dataclass
class Queue:
    """One standard queue."""

    name: str
    arn: str
    url: str
    created_at: datetime
    attributes: dict[str, str]
    messages: list[Message]
    tags: dict[str, str]

    def seconds(self, attribute: str) -> int:
        """Read an attribute that is a number."""
        return int(self.attributes[attribute])


class Queues(Service):
    """SQS in one Region."""

    name: ClassVar[str] = "sqs"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._queues: dict[str, Queue] = {}
        self._depths = DepthMeter(world, self._depth_of)

    # -- for the rest of the world ---------------------------------------------------------------

    def send(self, queue_arn: str, body: str, attributes: Mapping[str, str] | None = None) -> str:
        """Put a message into a queue, for a service of this world; gives the message's id."""
        typed = {
            name: {"DataType": "String", "StringValue": value}
            for name, value in (attributes or {}).items()
        }
        return self._send(self.queue(queue_arn), body, typed, None).id

    def messages(self, queue_arn: str) -> list[Message]:
        """Look at what a queue holds, without receiving it."""
        queue = self.queue(queue_arn)
        self._forget_expired(queue)
        return list(queue.messages)

    def queue(self, queue_arn: str) -> Queue:
        """Find a queue by its ARN.

        Raises
        ------
        AwsError
            ``QueueDoesNotExist``.
        """
        return self._named(queue_arn.rsplit(":", 1)[-1])

    def url_of(self, queue_arn: str) -> str:
        """Give the URL of a queue, whether it exists or not."""
        return self._url(queue_arn.rsplit(":", 1)[-1])

    def check_permission(self, queue_arn: str, service: str, source_arn: str) -> None:
        """See whether a service may send to a queue on behalf of one of its resources.

        Raises
        ------
        AwsError
            ``QueueDoesNotExist``, or ``AccessDeniedException`` when the queue's policy does not
            let the service in.
        """
        queue = self.queue(queue_arn)
        policy = queue.attributes.get("Policy")
        request = Request(service, "sqs:SendMessage", queue.arn, source_arn, self.world.account)
        if not admits(json.loads(policy) if policy else None, request):
            raise AwsError(
                "AccessDeniedException",
                f"{service} is not authorized to perform: sqs:SendMessage on {queue.arn}.",
                http_status=403,
            )
        if key_id := queue.attributes.get("KmsMasterKeyId"):
            check_key(self.world, key_id, request)

    # -- queues ----------------------------------------------------------------------------------

    @operation("CreateQueue")
    def create_queue(self, params: Params) -> Reply:
        """Create a queue; the same name with the same attributes is the same queue."""
        name = params["QueueName"]
        attributes = DEFAULTS | params.get("Attributes", {})
        if name.endswith(".fifo") or "FifoQueue" in attributes:
            raise NotEmulatedError("FIFO queues")
        if not _NAME.match(name):
            raise AwsError(
                "InvalidParameterValue",
                "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in"
                " length",
            )
        _check_attributes(attributes)
        existing = self._queues.get(name)
        if existing is not None:
            if existing.attributes != attributes:
                raise AwsError(
                    "QueueNameExists",
                    "A queue already exists with the same name and a different value for an"
                    " attribute",
                )
            return {"QueueUrl": existing.url}
        queue = Queue(
            name,
            self.world.arn("sqs", name),
            self._url(name),
            self.world.clock.now(),
            attributes,
            [],
            dict(params.get("tags", {})),
        )
        self._queues[name] = queue
        return {"QueueUrl": queue.url}

    @operation("DeleteQueue")
    def delete_queue(self, params: Params) -> Reply:
        """Delete a queue with everything in it."""
        del self._queues[self._found(params).name]
        return {}

    @operation("GetQueueUrl", unmodelled=("QueueOwnerAWSAccountId",))
    def get_queue_url(self, params: Params) -> Reply:
        """Find a queue by its name."""
        return {"QueueUrl": self._named(params["QueueName"]).url}

    @operation("ListQueues", unmodelled=("MaxResults", "NextToken"))
    def list_queues(self, params: Params) -> Reply:
        """List the queues, by name."""
        prefix = params.get("QueueNamePrefix", "")
        urls = [q.url for name, q in sorted(self._queues.items()) if name.startswith(prefix)]
        return {"QueueUrls": urls} if urls else {}

    @operation("GetQueueAttributes")
    def get_queue_attributes(self, params: Params) -> Reply:
        """Give attributes of a queue, counts of messages among them."""
        queue = self._found(params)
        self._forget_expired(queue)
        now = self.world.clock.now()
        hidden = sum(m.visible_at > now and m.receives > 0 for m in queue.messages)
        delayed = sum(m.visible_at > now and m.receives == 0 for m in queue.messages)
        everything = queue.attributes | {
            "QueueArn": queue.arn,
            "ApproximateNumberOfMessages": str(len(queue.messages) - hidden - delayed),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
            "ApproximateNumberOfMessagesDelayed": str(delayed),
            "CreatedTimestamp": str(int(queue.created_at.timestamp())),
        }
        wanted = params.get("AttributeNames", [])
        if "All" in wanted:
            return {"Attributes": everything}
        found = {name: everything[name] for name in wanted if name in everything}
        return {"Attributes": found} if found else {}

    @operation("SetQueueAttributes")
    def set_queue_attributes(self, params: Params) -> Reply:
        """Change attributes of a queue; an empty text takes one away."""
        queue = self._found(params)
        _check_attributes(params["Attributes"])
        queue.attributes.update(params["Attributes"])
        for name in [name for name, value in queue.attributes.items() if not value]:
            del queue.attributes[name]
        return {}

    @operation("PurgeQueue")
    def purge_queue(self, params: Params) -> Reply:
        """Delete every message of a queue."""
        self._found(params).messages.clear()
        return {}

    # -- messages --------------------------------------------------------------------------------

    @operation("SendMessage", unmodelled=("MessageDeduplicationId", "MessageSystemAttributes"))
    def send_message(self, params: Params) -> Reply:
        """Put a message into a queue."""
        message = self._send(
            self._found(params),
            params["MessageBody"],
            params.get("MessageAttributes", {}),
            params.get("DelaySeconds"),
        )
        return {"MessageId": message.id, "MD5OfMessageBody": _md5(message.body)}

    @operation("ReceiveMessage", unmodelled=("ReceiveRequestAttemptId",))
    def receive_message(self, params: Params) -> Reply:
        """Receive up to ten visible messages. Long polling does not wait: time stands still."""
        queue = self._found(params)
        most = params.get("MaxNumberOfMessages", 1)
        if not 1 <= most <= MOST_RECEIVED:
            raise AwsError(
                "InvalidParameterValue",
                f"Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be"
                " between 1 and 10, if provided.",
            )
        self._forget_expired(queue)
        hidden_for = params.get("VisibilityTimeout", queue.seconds("VisibilityTimeout"))
        received = [
            self._received(message, hidden_for, params) for message in self._visible(queue)[:most]
        ]
        return {"Messages": received} if received else {}

    @operation("DeleteMessage")
    def delete_message(self, params: Params) -> Reply:
        """Delete a message by the receipt of its last receive; an older receipt does nothing."""
        queue = self._found(params)
        queue.messages[:] = [m for m in queue.messages if m.receipt != params["ReceiptHandle"]]
        return {}

    # -- within ----------------------------------------------------------------------------------

    def _url(self, name: str) -> str:
        return f"https://sqs.{self.world.region}.amazonaws.com/{self.world.account}/{name}"

    def _named(self, name: str) -> Queue:
        queue = self._queues.get(name)
        if queue is None:
            raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")
        return queue

    def _found(self, params: Params) -> Queue:
        queue = self._named(params["QueueUrl"].rsplit("/", 1)[-1])
        self._depths.used(queue.name)
        return queue

    def _depth_of(self, name: str) -> int | None:
        queue, now = self._queues.get(name), self.world.clock.now()
        if queue is None:
            return None
        self._forget_expired(queue)
        return sum(message.visible_at <= now for message in queue.messages)

    def _send(
        self, queue: Queue, body: str, attributes: dict[str, dict[str, Any]], delay: int | None
    ) -> Message:
        if not body:
            raise AwsError(
                "MissingParameter", "The request must contain the parameter MessageBody."
            )
        described = json.dumps(attributes, default=repr) if attributes else ""
        size = len(body.encode()) + len(described)
        if size > queue.seconds("MaximumMessageSize"):
            raise AwsError(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be shorter than"
                f" {queue.attributes['MaximumMessageSize']} bytes.",
            )
        if len(attributes) > MOST_RECEIVED:
            raise AwsError(
                "InvalidParameterValue",
                f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum"
                f" [{MOST_RECEIVED}].",
            )
        now = self.world.clock.now()
        wait = queue.seconds("DelaySeconds") if delay is None else delay
        message = Message(
            self.world.new_uuid(), body, attributes, now, now + timedelta(seconds=wait)
        )
        queue.messages.append(message)
        self._depths.used(queue.name)
        return message

    def _forget_expired(self, queue: Queue) -> None:
        oldest = self.world.clock.now() - timedelta(seconds=queue.seconds("MessageRetentionPeriod"))
        queue.messages[:] = [m for m in queue.messages if m.sent_at >= oldest]

    def _visible(self, queue: Queue) -> list[Message]:
        """Give the visible messages, after those received too often have gone to their queue."""
        now = self.world.clock.now()
        visible = [m for m in queue.messages if m.visible_at <= now]
        redrive = queue.attributes.get("RedrivePolicy")
        if not redrive:
            return visible
        policy = json.loads(redrive)
        worn_out = [m for m in visible if m.receives >= int(policy["maxReceiveCount"])]
        for message in worn_out:
            queue.messages.remove(message)
            self.queue(policy["deadLetterTargetArn"]).messages.append(message)
        return [m for m in visible if m not in worn_out]

    def _received(self, message: Message, hidden_for: int, params: Params) -> Reply:
        now = self.world.clock.now()
        message.receives += 1
        message.first_received_at = message.first_received_at or now
        message.visible_at = now + timedelta(seconds=hidden_for)
        message.receipt = self.world.new_uuid()
        received: Reply = {
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "MD5OfBody": _md5(message.body),
            "Body": message.body,
        }
        wanted = set(params.get("MessageAttributeNames", []))
        attributes = {
            name: dict(value)
            for name, value in message.attributes.items()
            if wanted & {"All", ".*", name}
        }
        if attributes:
            received["MessageAttributes"] = attributes
        asked = set(params.get("MessageSystemAttributeNames") or params.get("AttributeNames") or [])
        system = {
            "SentTimestamp": _milliseconds(message.sent_at),
            "ApproximateReceiveCount": str(message.receives),
            "ApproximateFirstReceiveTimestamp": _milliseconds(message.first_received_at),
        }
        told = {name: value for name, value in system.items() if asked & {"All", name}}
        if told:
            received["Attributes"] = told
        return received


def _check_attributes(attributes: Mapping[str, str]) -> None:
    for name, value in attributes.items():
        if name not in DEFAULTS.keys() | FURTHER:
            raise AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name.endswith("Policy") and value:
            try:
                json.loads(value)
            except json.JSONDecodeError:
                raise AwsError(
                    "InvalidAttributeValue", f"Invalid value for the parameter {name}."
                ) from None


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _milliseconds(moment: datetime) -> str:
    return str(int(moment.timestamp() * 1000))
