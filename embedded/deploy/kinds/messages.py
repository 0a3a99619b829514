"""Event rules, queues, topics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from embedded.deploy.errors import DeploymentError
from embedded.deploy.shapes import as_text
from embedded.deploy.site import Change, Kind, Made, Site, place, vanishes, without
from embedded.deploy.stack import Resource

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
    named = {"Name": site.name(logical_id), **properties}
    return _put_rule(site, logical_id, named)


def _put_rule(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    rule: dict[str, Any] = {name: properties[name] for name in RULE_MEMBERS if name in properties}
    if "EventPattern" in properties:
        rule["EventPattern"] = json.dumps(properties["EventPattern"])
    arn = site.call("events", "PutRule", rule, where)["RuleArn"]
    if targets := properties.get("Targets"):
        site.call("events", "PutTargets", {"Rule": rule["Name"], "Targets": targets}, where)
    return Made(rule["Name"], {"Arn": arn})


def _update_rule(site: Site, change: Change) -> Made:
    name = change.before.physical_id
    kept = {target["Id"] for target in change.properties.get("Targets", [])}
    old = [target["Id"] for target in change.before.properties.get("Targets", [])]
    if gone := [one for one in old if one not in kept]:
        params = {"Rule": name, "Ids": gone}
        site.call("events", "RemoveTargets", params, place(change.logical_id))
    return _put_rule(site, change.logical_id, change.properties | {"Name": name})


def _remove_rule(site: Site, resource: Resource) -> bool:
    where = place(resource.logical_id)
    name = resource.physical_id
    if targets := resource.properties.get("Targets"):
        ids = [target["Id"] for target in targets]
        site.call("events", "RemoveTargets", {"Rule": name, "Ids": ids}, where)
    site.call("events", "DeleteRule", {"Name": name}, where)
    return True


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


def _update_queue(site: Site, change: Change) -> Made:
    where = place(change.logical_id)
    # An attribute that has left the template would have to go back to AWS's default.
    if gone := sorted(change.changed - change.properties.keys()):
        raise DeploymentError(f"{where}.{gone[0]}", "an attribute cannot be taken away here")
    if "Tags" in change.changed:
        raise DeploymentError(f"{where}.Tags", "the tags of queues cannot be changed here")
    attributes = _attributes(change.properties, QUEUE_ATTRIBUTES, where)
    params = {"QueueUrl": change.before.physical_id, "Attributes": attributes}
    site.call("sqs", "SetQueueAttributes", params, where)
    return Made(change.before.physical_id, change.before.attributes)


def _remove_queue(site: Site, resource: Resource) -> bool:
    params = {"QueueUrl": resource.physical_id}
    site.call("sqs", "DeleteQueue", params, place(resource.logical_id))
    return True


def _attributes(properties: Mapping[str, Any], names: frozenset[str], where: str) -> dict[str, str]:
    """Give properties as the texts that SQS and SNS take attributes in."""
    return {
        name: json.dumps(value) if isinstance(value, dict) else as_text(value, f"{where}.{name}")
        for name, value in properties.items()
        if name in names
    }


def _queue_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    _put_queue_policy(site, logical_id, properties)
    return Made(site.name(logical_id))


def _update_queue_policy(site: Site, change: Change) -> Made:
    _put_queue_policy(site, change.logical_id, change.properties)
    return Made(change.before.physical_id)


def _put_queue_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> None:
    policy = json.dumps(properties["PolicyDocument"])
    for url in properties["Queues"]:
        site.call(
            "sqs",
            "SetQueueAttributes",
            {"QueueUrl": url, "Attributes": {"Policy": policy}},
            place(logical_id),
        )


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


def _update_topic(site: Site, change: Change) -> Made:
    where = place(change.logical_id)
    arn = change.before.physical_id
    if others := sorted(change.changed - TOPIC_ATTRIBUTES):
        raise DeploymentError(f"{where}.{others[0]}", "topics cannot be changed in this here")
    new = _attributes(change.properties, TOPIC_ATTRIBUTES, where)
    for name in sorted(change.changed):
        params = {"TopicArn": arn, "AttributeName": name, "AttributeValue": new.get(name, "")}
        site.call("sns", "SetTopicAttributes", params, where)
    return Made(arn, change.before.attributes)


def _remove_topic(site: Site, resource: Resource) -> bool:
    params = {"TopicArn": resource.physical_id}
    site.call("sns", "DeleteTopic", params, place(resource.logical_id))
    return True


def _remove_subscription(site: Site, resource: Resource) -> bool:
    params = {"SubscriptionArn": resource.physical_id}
    site.call("sns", "Unsubscribe", params, place(resource.logical_id))
    return True


def _topic_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    _put_topic_policy(site, logical_id, properties)
    return Made(site.name(logical_id))


def _update_topic_policy(site: Site, change: Change) -> Made:
    _put_topic_policy(site, change.logical_id, change.properties)
    return Made(change.before.physical_id)


def _put_topic_policy(site: Site, logical_id: str, properties: dict[str, Any]) -> None:
    policy = json.dumps(properties["PolicyDocument"])
    for arn in properties["Topics"]:
        site.call(
            "sns",
            "SetTopicAttributes",
            {"TopicArn": arn, "AttributeName": "Policy", "AttributeValue": policy},
            place(logical_id),
        )


def _subscription(site: Site, logical_id: str, properties: dict[str, Any]) -> Made:
    where = place(logical_id)
    attributes = _attributes(properties, frozenset({"RawMessageDelivery"}), where)
    params = without(properties, "RawMessageDelivery") | {"ReturnSubscriptionArn": True}
    if attributes:
        params["Attributes"] = attributes
    arn = site.call("sns", "Subscribe", params, where)["SubscriptionArn"]
    return Made(arn, {"Arn": arn})


KINDS: Final[dict[str, Kind]] = {
    "AWS::Events::Rule": Kind(
        _rule,
        frozenset({*RULE_MEMBERS, "EventPattern", "Targets"}),
        remove=_remove_rule,
        update=_update_rule,
        replacing=frozenset({"EventBusName", "Name"}),
        name_property="Name",
    ),
    "AWS::SQS::Queue": Kind(
        _queue,
        QUEUE_ATTRIBUTES | {"QueueName", "Tags"},
        remove=_remove_queue,
        update=_update_queue,
        replacing=frozenset({"QueueName"}),
        name_property="QueueName",
    ),
    "AWS::SQS::QueuePolicy": Kind(
        _queue_policy,
        frozenset({"PolicyDocument", "Queues"}),
        # A policy goes with its queue: neither of ours is ever taken away alone.
        remove=vanishes,
        update=_update_queue_policy,
    ),
    "AWS::SNS::Topic": Kind(
        _topic,
        TOPIC_ATTRIBUTES | {"Subscription", "Tags", "TopicName"},
        remove=_remove_topic,
        update=_update_topic,
        replacing=frozenset({"TopicName"}),
        name_property="TopicName",
    ),
    "AWS::SNS::TopicPolicy": Kind(
        _topic_policy,
        frozenset({"PolicyDocument", "Topics"}),
        remove=vanishes,
        update=_update_topic_policy,
    ),
    "AWS::SNS::Subscription": Kind(
        _subscription,
        frozenset({"Endpoint", "Protocol", "RawMessageDelivery", "TopicArn"}),
        remove=_remove_subscription,
    ),
}
