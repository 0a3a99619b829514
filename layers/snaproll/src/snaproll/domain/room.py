"""Whether a group's maximum size leaves room to replace its instances."""

from __future__ import annotations

from snaproll.domain.fleet import RefreshPolicy
from snaproll.domain.group import Group


def without_room(policy: RefreshPolicy, group: Group) -> str | None:
    """Why no instance of a group can be replaced for its maximum size, and what to do; else None.

    What Auto Scaling does when the healthy percentages lead above the maximum size is written
    nowhere (user guide, "Instance maintenance policy", speaks of the desired capacity alone): it
    may keep to that size, and then a refresh that needs to go above it stalls for its hour.
    """
    floor = policy.floor(group.desired)
    needed = floor + 1
    if group.maximum >= needed or group.desired == 0:
        return None
    return (
        f"min_healthy {policy.min_healthy} keeps {floor} of {group.desired} instances in "
        f"service, so that a replacement is instance number {needed}, and the maximum size of "
        f"group {group.name} is {group.maximum}. Raise the maximum size to {needed} or more "
        f"({policy.ceiling(group.desired)} for the max_healthy of {policy.max_healthy}), or lower "
        f"min_healthy"
    )
