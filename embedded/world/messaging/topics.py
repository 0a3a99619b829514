"""SNS: standard topics, and mail, queues and functions that subscribe to them.

Rules: SNS API reference (Publish: what a subject may hold, 256 KiB a message) and developer guide
("Amazon SNS access control", "Message formats").
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.messaging.encryption import EVENTS, check_key
from embedded.world.policies import Request, admits
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

LARGEST_MESSAGE: Final = 256 * 1024
LONGEST_SUBJECT: Final = 100
DELIVERY_SECONDS: Final = 0.1
ATTRIBUTES: Final = frozenset({"DisplayName", "KmsMasterKeyId", "Policy", "TracingConfig"})
PENDING: Final = "PendingConfirmation"
SENDER: Final = "sns.amazonaws.com"

_NAME = re.compile(r"^[A-Za-z0-9_-]{1,256}$")
_SUBJECT = re.compile(r"[!-~][ -~]*")


@dataclass
class Subscription:
    """Somebody who gets what a topic is told."""

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    confirmed: bool
    attributes: dict[str, str]


@dataclass(frozen=True)
class SentMessage:
    """One message that was published."""

    at: datetime
    topic_arn: str
    subject: str | None
    message: str
    id: str
    mailed_to: tuple[str, ...]
    """Addresses that had confirmed their subscription by then."""


@dataclass
class Topic:
    """One standard topic."""

    arn: str
    attributes: dict[str, str]
    subscriptions: list[Subscription] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


class Notifications(Service):
    """SNS in one Region."""

    name: ClassVar[str] = "sns"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.sent: list[SentMessage] = []
        """Everything published, oldest first."""
        self.undelivered: list[str] = []
        """Why a queue or a function did not get a message, a sentence each."""
        self._topics: dict[str, Topic] = {}

    # -- for the rest of the world ---------------------------------------------------------------

    def publish(
        self,
        topic_arn: str,
        subject: str | None,
        message: str,
        *,
        service: str | None = None,
        source_arn: str | None = None,
    ) -> str:
        """Publish on behalf of this world; gives the message's id.

        Parameters
        ----------
        topic_arn, subject, message
            As in the API.
        service
            The service principal that publishes, whose permission is then looked at.
        source_arn
            The resource on whose behalf it does, such as an alarm.

        Raises
        ------
        AwsError
            What Publish would answer.
        """
        if service is not None:
            self.check_permission(topic_arn, service, source_arn or topic_arn)
        return self._publish(self._topic(topic_arn), subject, message)

    def check_permission(self, topic_arn: str, service: str, source_arn: str) -> None:
        """See whether a service may publish to a topic.

        Raises
        ------
        AwsError
            ``NotFound``, or ``AuthorizationError`` when the topic's policy does not let it in.
            Without a policy of its own a topic admits alarms of its account, and no event rules.
            ``KMSAccessDenied`` and its like when the topic's key keeps the service out.
        """
        topic = self._topic(topic_arn)
        policy = topic.attributes.get("Policy")
        request = Request(service, "sns:Publish", topic.arn, source_arn, self.world.account)
        if service == EVENTS:
            # EventBridge user guide, "Using resource-based policies": conditions cannot be used
            # in topic policies for EventBridge. What they ask for is not told to SNS.
            request = replace(request, source_arn=None, source_account=None)
        by_default = policy is None and service == "cloudwatch.amazonaws.com"
        if not by_default and not admits(json.loads(policy) if policy else None, request):
            raise AwsError(
                "AuthorizationError",
                f"{service} is not authorized to perform: SNS:Publish on resource: {topic.arn}",
                http_status=403,
            )
        if key_id := topic.attributes.get("KmsMasterKeyId"):
            check_key(self.world, key_id, request)

    def confirm(self, endpoint: str) -> None:
        """Let whoever reads an address follow the links in the confirmation mails."""
        for topic in self._topics.values():
            for subscription in topic.subscriptions:
                if subscription.endpoint == endpoint:
                    subscription.confirmed = True

    # -- topics ----------------------------------------------------------------------------------

    @operation("CreateTopic", unmodelled=("DataProtectionPolicy",))
    def create_topic(self, params: Params) -> Reply:
        """Create a topic; the same name is the same topic."""
        name, attributes = params["Name"], dict(params.get("Attributes", {}))
        if name.endswith(".fifo") or "FifoTopic" in attributes:
            raise NotEmulatedError("FIFO topics")
        if not _NAME.match(name):
            raise _invalid("Topic Name")
        for attribute in attributes:
            _check_attribute(attribute)
        topic = Topic(
            self.world.arn("sns", name),
            attributes,
            tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
        )
        return {"TopicArn": self._topics.setdefault(topic.arn, topic).arn}

    @operation("DeleteTopic")
    def delete_topic(self, params: Params) -> Reply:
        """Delete a topic; one that does not exist is no error."""
        self._topics.pop(params["TopicArn"], None)
        return {}

    @operation("ListTopics", unmodelled=("NextToken",))
    def list_topics(self, params: Params) -> Reply:  # noqa: ARG002 - one page holds them all
        """List the topics."""
        return {"Topics": [{"TopicArn": arn} for arn in self._topics]}

    @operation("GetTopicAttributes")
    def get_topic_attributes(self, params: Params) -> Reply:
        """Give a topic's attributes."""
        topic = self._topic(params["TopicArn"])
        waiting = sum(not subscription.confirmed for subscription in topic.subscriptions)
        return {
            "Attributes": topic.attributes
            | {
                "TopicArn": topic.arn,
                "Owner": self.world.account,
                "SubscriptionsConfirmed": str(len(topic.subscriptions) - waiting),
                "SubscriptionsPending": str(waiting),
                "SubscriptionsDeleted": "0",
            }
        }

    @operation("SetTopicAttributes")
    def set_topic_attributes(self, params: Params) -> Reply:
        """Change one attribute of a topic."""
        topic = self._topic(params["TopicArn"])
        _check_attribute(params["AttributeName"])
        topic.attributes[params["AttributeName"]] = params.get("AttributeValue", "")
        return {}

    # -- subscriptions ---------------------------------------------------------------------------

    @operation("Subscribe")
    def subscribe(self, params: Params) -> Reply:
        """Subscribe an address, a queue or a function; an address has to be confirmed."""
        topic, protocol = self._topic(params["TopicArn"]), params["Protocol"]
        attributes = dict(params.get("Attributes", {}))
        if protocol not in {"email", "sqs", "lambda"}:
            raise NotEmulatedError(f"SNS subscriptions of the protocol {protocol}")
        if unknown := sorted(attributes.keys() - {"RawMessageDelivery"}):
            raise NotEmulatedError(f"the subscription attribute {unknown[0]}")
        endpoint = params.get("Endpoint", "")
        if not endpoint or (protocol == "email" and "@" not in endpoint):
            raise _invalid("Endpoint")
        for known in topic.subscriptions:
            if (known.protocol, known.endpoint) == (protocol, endpoint):
                return {"SubscriptionArn": self._told_arn(known, params)}
        subscription = Subscription(
            f"{topic.arn}:{self.world.new_uuid()}",
            topic.arn,
            protocol,
            endpoint,
            protocol != "email",
            attributes,
        )
        topic.subscriptions.append(subscription)
        return {"SubscriptionArn": self._told_arn(subscription, params)}

    def _told_arn(self, subscription: Subscription, params: Params) -> str:
        if subscription.confirmed or params.get("ReturnSubscriptionArn", False):
            return subscription.arn
        return "pending confirmation"

    @operation("Unsubscribe")
    def unsubscribe(self, params: Params) -> Reply:
        """End a subscription."""
        for topic in self._topics.values():
            topic.subscriptions[:] = [
                s for s in topic.subscriptions if s.arn != params["SubscriptionArn"]
            ]
        return {}

    @operation("ListSubscriptionsByTopic", unmodelled=("NextToken",))
    def list_subscriptions_by_topic(self, params: Params) -> Reply:
        """List a topic's subscriptions."""
        return {
            "Subscriptions": [
                {
                    "SubscriptionArn": s.arn if s.confirmed else PENDING,
                    "Owner": self.world.account,
                    "Protocol": s.protocol,
                    "Endpoint": s.endpoint,
                    "TopicArn": s.topic_arn,
                }
                for s in self._topic(params["TopicArn"]).subscriptions
            ]
        }

    # -- messages --------------------------------------------------------------------------------

    @operation("Publish", unmodelled=("MessageDeduplicationId",))
    def publish_message(self, params: Params) -> Reply:
        """Publish a message to a topic."""
        for member in ("MessageStructure", "PhoneNumber", "MessageGroupId"):
            if member in params:
                raise NotEmulatedError(f"sns:Publish with {member}")
        arn = params.get("TopicArn") or params.get("TargetArn")
        if not arn:
            raise _invalid("TopicArn or TargetArn Reason: no value for required parameter")
        topic = self._topic(arn)
        attributes = params.get("MessageAttributes", {})
        return {
            "MessageId": self._publish(topic, params.get("Subject"), params["Message"], attributes)
        }

    def _topic(self, arn: str) -> Topic:
        topic = self._topics.get(arn)
        if topic is None:
            raise AwsError("NotFound", "Topic does not exist", http_status=404)
        return topic

    def _publish(
        self,
        topic: Topic,
        subject: str | None,
        message: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> str:
        if subject is not None and (
            len(subject) > LONGEST_SUBJECT or _SUBJECT.fullmatch(subject) is None
        ):
            raise _invalid("Subject")
        if not message:
            raise _invalid("Empty message")
        if len(message.encode()) > LARGEST_MESSAGE:
            raise _invalid("Message too long")
        sent = SentMessage(
            self.world.clock.now(),
            topic.arn,
            subject,
            message,
            self.world.new_uuid(),
            tuple(s.endpoint for s in topic.subscriptions if s.confirmed and s.protocol == "email"),
        )
        self.sent.append(sent)
        for subscription in topic.subscriptions:
            if subscription.protocol != "email":
                self._deliver_later(subscription, sent, dict(attributes or {}))
        return sent.id

    def _deliver_later(
        self, subscription: Subscription, sent: SentMessage, attributes: dict[str, Any]
    ) -> None:
        def deliver() -> None:
            try:
                if subscription.protocol == "sqs":
                    self._to_queue(subscription, sent, attributes)
                else:
                    self._to_function(subscription, sent, attributes)
            except NotEmulatedError:
                raise
            except AwsError as error:
                # A client error is not retried; without a redrive policy the message is gone.
                self.undelivered.append(f"{subscription.endpoint}: {error}")

        self.world.clock.after(DELIVERY_SECONDS, "SNS delivers", deliver)

    def _to_queue(
        self, subscription: Subscription, sent: SentMessage, attributes: dict[str, Any]
    ) -> None:
        self.world.sqs.check_permission(subscription.endpoint, SENDER, sent.topic_arn)
        if subscription.attributes.get("RawMessageDelivery") == "true":
            self.world.sqs.send(subscription.endpoint, sent.message)
        else:
            body = json.dumps({"Type": "Notification"} | self._envelope(sent, attributes))
            self.world.sqs.send(subscription.endpoint, body)

    def _to_function(
        self, subscription: Subscription, sent: SentMessage, attributes: dict[str, Any]
    ) -> None:
        self.world.awslambda.check_permission(subscription.endpoint, SENDER, sent.topic_arn)
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription.arn,
            "Sns": {"Type": "Notification"} | self._envelope(sent, attributes),
        }
        self.world.call(
            "lambda",
            "Invoke",
            {
                "FunctionName": subscription.endpoint,
                "InvocationType": "Event",
                "Payload": json.dumps({"Records": [record]}).encode(),
            },
            caller=SENDER,
        )

    def _envelope(self, sent: SentMessage, attributes: dict[str, Any]) -> dict[str, Any]:
        told = {
            "MessageId": sent.id,
            "TopicArn": sent.topic_arn,
            "Subject": sent.subject,
            "Message": sent.message,
            "Timestamp": sent.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "MessageAttributes": {
                name: {"Type": value["DataType"], "Value": value.get("StringValue")}
                for name, value in attributes.items()
            },
        }
        return {name: value for name, value in told.items() if value not in (None, {})}


def _check_attribute(name: str) -> None:
    if name not in ATTRIBUTES:
        raise NotEmulatedError(f"the topic attribute {name}")


def _invalid(what: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {what}")
