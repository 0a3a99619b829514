"""CloudWatch: metrics that follow from the world, alarms over them, and what alarms do."""

from embedded.world.cloudwatch.service import CloudWatch

__all__ = ["CloudWatch"]
