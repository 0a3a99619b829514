"""SNS and SQS: what may be sent, who gets it, and how long it stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded import direct
from embedded.world.awslambda import FunctionSpec
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.world import World

ROLE = "arn:aws:iam::111122223333:role/any"


class Post:
    """A world with a topic and a queue."""

    def __init__(self, **attributes: str) -> None:
        self.world = World()
        session = direct.session(self.world)
        self.sns = session.client("sns")
        self.sqs = session.client("sqs")
        self.topic = self.sns.create_topic(Name="news")["TopicArn"]
        typed: Any = attributes
        self.url = self.sqs.create_queue(QueueName="box", Attributes=typed)["QueueUrl"]
        self.queue = self.world.arn("sqs", "box")

    def admit(self, service: str) -> None:
        """Let a service send to the queue."""
        policy = {
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": "SQS:SendMessage",
                "Resource": self.queue,
                "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:news"}},
            }
        }
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})

    def send(self, body: str = "hello") -> None:
        """Put a message into the queue."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def receive(self) -> list[Any]:
        """Receive what is visible, ten at most."""
        reply = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        )
        return list(reply.get("Messages", []))


def test_published_messages_are_kept_for_inspection() -> None:
    post = Post()
    post.world.run_for(5)

    message_id = post.sns.publish(TopicArn=post.topic, Subject="s", Message="m")["MessageId"]

    (sent,) = post.world.sns.sent
    assert (sent.subject, sent.message, sent.id) == ("s", "m", message_id)
    assert sent.at == post.world.clock.now()


@pytest.mark.parametrize("subject", ["x" * 101, "two\nlines", "grüße", " leading", ""])
def test_a_subject_that_sns_would_not_take_is_refused(subject: str) -> None:
    post = Post()

    with pytest.raises(post.sns.exceptions.InvalidParameterException, match="Subject"):
        post.sns.publish(TopicArn=post.topic, Subject=subject, Message="m")


@pytest.mark.parametrize("message", ["", "x" * (256 * 1024 + 1)])
def test_a_message_that_sns_would_not_take_is_refused(message: str) -> None:
    post = Post()

    with pytest.raises(post.sns.exceptions.InvalidParameterException, match=r"[Mm]essage"):
        post.sns.publish(TopicArn=post.topic, Message=message)


def test_mail_reaches_an_address_once_it_has_confirmed() -> None:
    post = Post()
    subscription = post.sns.subscribe(
        TopicArn=post.topic, Protocol="email", Endpoint="ann@example.org"
    )
    post.sns.publish(TopicArn=post.topic, Message="early")
    post.world.sns.confirm("ann@example.org")
    post.sns.publish(TopicArn=post.topic, Message="late")

    assert subscription["SubscriptionArn"] == "pending confirmation"
    assert [sent.mailed_to for sent in post.world.sns.sent] == [(), ("ann@example.org",)]


def test_a_subscribed_queue_gets_a_notification_when_its_policy_lets_sns_in() -> None:
    post = Post()
    post.admit("sns.amazonaws.com")
    post.sns.subscribe(TopicArn=post.topic, Protocol="sqs", Endpoint=post.queue)

    post.sns.publish(TopicArn=post.topic, Subject="s", Message="m")
    post.world.run_for(1)

    (message,) = post.world.sqs.messages(post.queue)
    notification = json.loads(message.body)
    assert notification["Type"] == "Notification"
    assert (notification["Subject"], notification["Message"]) == ("s", "m")


def test_a_subscribed_queue_without_policy_gets_nothing() -> None:
    post = Post()
    post.sns.subscribe(TopicArn=post.topic, Protocol="sqs", Endpoint=post.queue)

    post.sns.publish(TopicArn=post.topic, Message="m")
    post.world.run_for(1)

    assert post.world.sqs.messages(post.queue) == []
    assert "not authorized" in post.world.sns.undelivered[0]


def test_a_subscribed_function_is_invoked_with_the_record() -> None:
    post = Post()
    received: list[Any] = []
    spec = FunctionSpec("f", lambda event, _: received.append(event), "F", ROLE)
    arn = post.world.awslambda.install(spec)
    direct.session(post.world).client("lambda").add_permission(
        FunctionName="f",
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=post.topic,
    )
    post.sns.subscribe(TopicArn=post.topic, Protocol="lambda", Endpoint=arn)

    post.sns.publish(TopicArn=post.topic, Message="m")
    post.world.run_for(1)

    assert received[0]["Records"][0]["Sns"]["Message"] == "m"


def test_an_alarm_of_the_account_may_use_a_topic_without_policy() -> None:
    post = Post()

    post.world.sns.publish(post.topic, "s", "m", service="cloudwatch.amazonaws.com")
    with pytest.raises(AwsError, match="not authorized"):
        post.world.sns.publish(post.topic, "s", "m", service="events.amazonaws.com")

    assert len(post.world.sns.sent) == 1


def test_an_unknown_topic_is_not_found() -> None:
    post = Post()

    with pytest.raises(post.sns.exceptions.NotFoundException):
        post.sns.publish(TopicArn=post.topic + "x", Message="m")


def test_a_received_message_is_hidden_until_it_is_deleted_or_its_time_is_up() -> None:
    post = Post(VisibilityTimeout="60")
    post.send()

    (first,) = post.receive()
    assert post.receive() == []
    post.world.run_for(61)
    (second,) = post.receive()
    post.sqs.delete_message(QueueUrl=post.url, ReceiptHandle=second["ReceiptHandle"])
    post.world.run_for(61)

    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert first["MessageId"] == second["MessageId"]
    assert post.receive() == []


def test_an_old_receipt_deletes_nothing() -> None:
    post = Post()
    post.send()
    (first,) = post.receive()
    post.world.run_for(31)
    post.receive()

    post.sqs.delete_message(QueueUrl=post.url, ReceiptHandle=first["ReceiptHandle"])

    assert len(post.world.sqs.messages(post.queue)) == 1


def test_a_message_received_too_often_goes_to_the_dead_letter_queue() -> None:
    post = Post(VisibilityTimeout="0")
    post.sqs.create_queue(QueueName="dead")
    dead = post.world.arn("sqs", "dead")
    redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": 2}
    post.sqs.set_queue_attributes(
        QueueUrl=post.url, Attributes={"RedrivePolicy": json.dumps(redrive)}
    )
    post.send("poison")

    received = [len(post.receive()) for _ in range(3)]

    assert received == [1, 1, 0]
    assert [message.body for message in post.world.sqs.messages(dead)] == ["poison"]


def test_messages_expire_after_the_retention_period() -> None:
    post = Post(MessageRetentionPeriod="60")
    post.send()

    post.world.run_for(61)

    assert post.world.sqs.messages(post.queue) == []


def test_a_delayed_message_is_counted_apart() -> None:
    post = Post(DelaySeconds="10")
    post.send()

    counts = post.sqs.get_queue_attributes(QueueUrl=post.url, AttributeNames=["All"])["Attributes"]

    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"
    assert counts["ApproximateNumberOfMessages"] == "0"
    assert post.receive() == []


def test_a_message_above_the_largest_size_is_refused() -> None:
    post = Post(MaximumMessageSize="1024")

    with pytest.raises(ClientError, match="1024 bytes"):
        post.send("x" * 1025)


def test_the_same_queue_is_created_twice_only_with_the_same_attributes() -> None:
    post = Post()

    assert post.sqs.create_queue(QueueName="box")["QueueUrl"] == post.url
    with pytest.raises(post.sqs.exceptions.QueueNameExists):
        post.sqs.create_queue(QueueName="box", Attributes={"DelaySeconds": "5"})


def test_an_unknown_queue_does_not_exist() -> None:
    post = Post()

    with pytest.raises(post.sqs.exceptions.QueueDoesNotExist):
        post.sqs.get_queue_url(QueueName="nowhere")


@pytest.mark.parametrize("name", ["a.fifo"])
def test_fifo_is_not_emulated(name: str) -> None:
    post = Post()

    with pytest.raises(NotEmulatedError):
        post.sqs.create_queue(QueueName=name)
    with pytest.raises(NotEmulatedError):
        post.sns.create_topic(Name=name)


KEY_POLICY: Any = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
    ],
}


def service_statement(service: str, **condition: Any) -> Any:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*", "sns:Publish"],
        "Resource": "*",
    }
    return statement | ({"Condition": condition} if condition else {})


def encrypted_topic(*key_statements: Any) -> tuple[World, str]:
    """Make a topic that lets every service in, under a key with these statements."""
    post = Post()
    policy = KEY_POLICY | {"Statement": [*KEY_POLICY["Statement"], *key_statements]}
    key = direct.session(post.world).client("kms").create_key(Policy=json.dumps(policy))
    topic_policy = {
        "Statement": [
            service_statement(name) for name in ("events.amazonaws.com", "cloudwatch.amazonaws.com")
        ]
    }
    for name, value in {
        "KmsMasterKeyId": key["KeyMetadata"]["KeyId"],
        "Policy": json.dumps(topic_policy),
    }.items():
        post.sns.set_topic_attributes(TopicArn=post.topic, AttributeName=name, AttributeValue=value)
    return post.world, post.topic


OF_THIS_ACCOUNT: Any = {"StringEquals": {"aws:SourceAccount": "111122223333"}}


def test_a_service_writes_to_an_encrypted_topic_only_when_the_key_lets_it() -> None:
    closed, topic = encrypted_topic()
    with pytest.raises(AwsError, match="KMSAccessDenied"):
        closed.sns.publish(topic, "s", "m", service="cloudwatch.amazonaws.com")

    opened, topic = encrypted_topic(
        service_statement("cloudwatch.amazonaws.com", **OF_THIS_ACCOUNT)
    )
    opened.sns.publish(topic, "s", "m", service="cloudwatch.amazonaws.com")

    assert len(opened.sns.sent) == 1


def test_a_condition_in_the_keys_policy_keeps_event_rules_out() -> None:
    conditioned, topic = encrypted_topic(
        service_statement("events.amazonaws.com", **OF_THIS_ACCOUNT)
    )
    with pytest.raises(AwsError, match="KMSAccessDenied"):
        conditioned.sns.publish(topic, "s", "m", service="events.amazonaws.com")

    plain, topic = encrypted_topic(service_statement("events.amazonaws.com"))
    plain.sns.publish(topic, "s", "m", service="events.amazonaws.com")

    assert len(plain.sns.sent) == 1


def test_a_condition_in_the_topics_policy_keeps_event_rules_out() -> None:
    post = Post()
    statement = service_statement("events.amazonaws.com", **OF_THIS_ACCOUNT)
    post.sns.set_topic_attributes(
        TopicArn=post.topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Statement": [statement]}),
    )

    with pytest.raises(AwsError, match="not authorized"):
        post.world.sns.publish(post.topic, "s", "m", service="events.amazonaws.com")


def test_the_managed_key_of_sns_keeps_every_service_out() -> None:
    post = Post()
    post.sns.set_topic_attributes(
        TopicArn=post.topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns"
    )

    with pytest.raises(AwsError, match="AWS managed key"):
        post.world.sns.publish(post.topic, "s", "m", service="cloudwatch.amazonaws.com")


def test_a_disabled_key_stops_the_topic() -> None:
    world, topic = encrypted_topic(service_statement("cloudwatch.amazonaws.com"))
    session = direct.session(world)
    attributes = session.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    session.client("kms").disable_key(KeyId=attributes["KmsMasterKeyId"])

    with pytest.raises(AwsError, match="KMSDisabled"):
        world.sns.publish(topic, "s", "m", service="cloudwatch.amazonaws.com")
