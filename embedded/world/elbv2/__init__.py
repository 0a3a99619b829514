"""Elastic Load Balancing: Application Load Balancers, target groups and target health."""

from embedded.world.elbv2.groups import TargetGroup
from embedded.world.elbv2.service import ElasticLoadBalancing
from embedded.world.elbv2.targets import TargetState

__all__ = ["ElasticLoadBalancing", "TargetGroup", "TargetState"]
