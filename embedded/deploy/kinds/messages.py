"""Event rules, queues, topics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from embedded.deploy.shapes import as_text
from embedded.deploy.site import Kind, Made, Site, place, without

RULE_MEMBERS: Final = (
    "Description", "EventBusName", "Name", "RoleArn", "ScheduleExpression", "State",
)  # fmt: skip
QUEUE_ATTRIBUTES: Final = frozenset({
    "DelaySeconds", "KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize",
    "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy",
    "RedrivePolicy", "SqsManagedSseEnabled", "VisibilityTimeout",
})  # fmt: skip
TOPIC_ATTRIBUTES: Final = frozenset({"DisplayName", "KmsMasterKeyId", "TracingConfig"})


def _rule(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    rule: dict[str, Any] = {name: properties[name] for name in RULE_MEMBERS if name in properties}
    rule.setdefault("Name", site.name(logical_id))
    if "EventPattern" in properties:
        rule["EventPattern"] = json.dumps(properties["EventPattern"])
    arn = site.call("events", "PutRule", rule, where)["RuleArn"]
    if targets := properties.get("Targets"):
        site.call("events", "PutTargets", {"Rule": rule["Name"], "Targets": targets}, where)
    return Made(rule["Name"], {"Arn": arn})


def _queue(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    name = properties.get("QueueName") or site.name(logical_id)
    params: dict[str, Any] = {"QueueName": name}
    if attributes := _attributes(properties, QUEUE_ATTRIBUTES, where):
        params["Attributes"] = attributes
    if tags := properties.get("Tags"):
        params["tags"] = {tag["Key"]: tag["Value"] for tag in tags}
    url = site.call("sqs", "CreateQueue", params, where)["QueueUrl"]
    arn = site.world.arn("sqs", name)
    return Made(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def _attributes(properties: Mapping[str, Any], names: frozenset[str], where: str) -> dict[str, str]:
    """Give properties as the texts that SQS and SNS take attributes in."""
    return {
        name: json.dumps(value) if isinstance(value, dict) else as_text(value, f"{where}.{name}")
        for name, value in properties.items()
        if name in names
    }


def _queue_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    policy = json.dumps(properties["PolicyDocument"])
    for url in properties["Queues"]:
        site.call(
            "sqs",
            "SetQueueAttributes",
            {"QueueUrl": url, "Attributes": {"Policy": policy}},
            place(logical_id),
        )
    return Made(site.name(logical_id))


def _topic(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    name = properties.get("TopicName") or site.name(logical_id)
    params: dict[str, Any] = {
        "Name": name,
        "Attributes": _attributes(properties, TOPIC_ATTRIBUTES, where),
        "Tags": properties.get("Tags", []),
    }
    arn = site.call("sns", "CreateTopic", params, where)["TopicArn"]
    for subscription in properties.get("Subscription", []):
        site.call("sns", "Subscribe", subscription | {"TopicArn": arn}, where)
    return Made(arn, {"TopicArn": arn, "TopicName": name})


def _topic_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    policy = json.dumps(properties["PolicyDocument"])
    for arn in properties["Topics"]:
        site.call(
            "sns",
            "SetTopicAttributes",
            {"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": policy},
            place(logical_id),
        )
    return Made(site.name(logical_id))


def _subscription(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    attributes = _attributes(properties, frozenset({"RawMessageDelivery"}), where)
    params = without(properties, "RawMessageDelivery") | {"ReturnSubscriptionArn": True}
    if attributes:
        params["Attributes"] = attributes
    arn = site.call("sns", "Subscribe", params, where)["SubscriptionArn"]
    return Made(arn, {"Arn": arn})


KINDS: Final[dict[str, Kind]] = {
    "AWS::Events::Rule": Kind(_rule, frozenset({*RULE_MEMBERS, "EventPattern", "Targets"})),
    "AWS::SQS::Queue": Kind(_queue, QUEUE_ATTRIBUTES | {"QueueName", "Tags"}),
    "AWS::SQS::QueuePolicy": Kind(_queue_policy, frozenset({"PolicyDocument", "Queues"})),
    "AWS::SNS::Topic": Kind(_topic, TOPIC_ATTRIBUTES | {"Subscription", "Tags", "TopicName"}),
    "AWS::SNS::TopicPolicy": Kind(_topic_policy, frozenset({"PolicyDocument", "Topics"})),
    "AWS::SNS::Subscription": Kind(
        _subscription, frozenset({"Endpoint", "Protocol", "RawMessageDelivery", "TopicArn"})
    ),
}
