"""Amazon SNS topics and Amazon SQS standard queues."""

from embedded.world.messaging.queues import Message, Queues
from embedded.world.messaging.topics import Notifications, SentMessage, Subscription

__all__ = ["Message", "Notifications", "Queues", "SentMessage", "Subscription"]
