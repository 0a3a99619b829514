"""Amazon EventBridge: the default bus, its rules, schedules and deliveries."""

from embedded.world.eventbridge.service import (
    DeliveryPolicy,
    Event,
    EventBridge,
    once,
)

__all__ = ["DeliveryPolicy", "Event", "EventBridge", "once"]
