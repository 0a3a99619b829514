"""EC2 Auto Scaling: groups that keep their capacity, and instance refreshes that replace it."""

from embedded.world.autoscaling.groups import Group, Member
from embedded.world.autoscaling.refresh import InstanceRefresh
from embedded.world.autoscaling.service import AutoScaling

__all__ = ["AutoScaling", "Group", "InstanceRefresh", "Member"]
