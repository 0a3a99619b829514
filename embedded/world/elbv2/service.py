"""Load balancing as one service: its parts, and what the rest of the world asks of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from embedded.world.elbv2.groups import StateWatcher, TargetGroup
from embedded.world.elbv2.load_balancers import LoadBalancers
from embedded.world.elbv2.stores import BalancerStore, GroupStore
from embedded.world.elbv2.target_groups import TargetGroups
from embedded.world.elbv2.targets import TargetState
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Params, Reply, Service

if TYPE_CHECKING:
    from embedded.world.world import World


class ElasticLoadBalancing(Service):
    """Application Load Balancers in front of instances."""

    name = "elbv2"
    _PARTS = (TargetGroups, LoadBalancers)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._groups = GroupStore()
        self._balancers = BalancerStore()
        self._parts: tuple[Service, ...] = (
            TargetGroups(world, self._groups, self._balancers),
            LoadBalancers(world, self._balancers, self._groups),
        )

    @classmethod
    def operation_names(cls) -> frozenset[str]:
        """The operations that the parts model."""
        return frozenset().union(*(part.operation_names() for part in cls._PARTS))

    def perform(self, operation_name: str, params: Params) -> Reply:
        """Let the part that models the operation carry it out."""
        for part in self._parts:
            if part.models(operation_name):
                return part.perform(operation_name, params)
        raise NotEmulatedError(f"{self.name}:{operation_name}")

    # -- what the world uses -----------------------------------------------------------------------

    def register(self, target_group_arn: str, instance_id: str) -> None:
        """Register a running instance.

        Raises
        ------
        AwsError
            ``TargetGroupNotFound``, or ``InvalidTarget`` for an instance that is not running.
        """
        self.group(target_group_arn).register(self.world.ec2.instance(instance_id))

    def deregister(
        self, target_group_arn: str, instance_id: str, drained: Callable[[], None]
    ) -> None:
        """Drain an instance; ``drained`` is called when its deregistration is complete."""
        self.group(target_group_arn).deregister(instance_id, drained)

    def state_of(self, target_group_arn: str, instance_id: str) -> TargetState:
        """An instance's state in a target group, ``unused`` when it is not registered."""
        return self.group(target_group_arn).state_of(instance_id)

    def watch(self, target_group_arn: str, callback: StateWatcher) -> None:
        """Call back with (instance id, state) on every change in a target group."""
        self.group(target_group_arn).watchers.append(callback)

    def group(self, target_group_arn: str) -> TargetGroup:
        """The target group of that ARN.

        Raises
        ------
        AwsError
            ``TargetGroupNotFound``.
        """
        return self._groups.group(target_group_arn)

    def groups(self) -> list[TargetGroup]:
        """Every target group, oldest first."""
        return self._groups.groups()

    def set_traffic(self, target_group_arn: str, requests_per_minute: float) -> None:
        """Let this many requests a minute come to a target group; 0 for none."""
        group = self.group(target_group_arn)
        group.traffic = requests_per_minute
        group.routing_changed()

    def watch_routing(self, callback: Callable[[TargetGroup], None]) -> None:
        """Call back whenever a metric of any target group may have changed."""
        self._groups.watch_routing(callback)

    def balancer_suffix(self, load_balancer_arn: str) -> str:
        """The ``LoadBalancer`` dimension of a load balancer's metrics."""
        return self._balancers.get(load_balancer_arn).suffix
