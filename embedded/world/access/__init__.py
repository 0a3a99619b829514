"""IAM: whether a role may make a call, judged by its own policies.

Only identity policies are looked at, for callers that have a role: functions and state machines.
An operator may do everything. Policies of resources (keys, queues, topics) are judged by the
services that own them.
"""

from embedded.world.access.access import Access, Use

__all__ = ["Access", "Use"]
