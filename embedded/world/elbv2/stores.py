"""The account's target groups, load balancers and listeners, by ARN."""

from __future__ import annotations

from collections.abc import Callable

from embedded.world.elbv2.balancers import Listener, LoadBalancer
from embedded.world.elbv2.groups import TargetGroup
from embedded.world.errors import AwsError


class GroupStore:
    """Target groups, and who is told of changes in where their requests go."""

    def __init__(self) -> None:
        self._by_arn: dict[str, TargetGroup] = {}
        self._routing_watchers: list[Callable[[TargetGroup], None]] = []

    def put(self, group: TargetGroup) -> None:
        """Keep a target group."""
        group.routing_watchers.extend(self._routing_watchers)
        self._by_arn[group.arn] = group

    def remove(self, arn: str) -> None:
        """Forget a target group; one that is not there is forgotten already."""
        self._by_arn.pop(arn, None)

    def find(self, arn: str) -> TargetGroup | None:
        """The target group of that ARN, or None."""
        return self._by_arn.get(arn)

    def group(self, arn: str) -> TargetGroup:
        """The target group of that ARN.

        Raises
        ------
        AwsError
            ``TargetGroupNotFound``.
        """
        if arn not in self._by_arn:
            raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
        return self._by_arn[arn]

    def groups(self) -> list[TargetGroup]:
        """Every target group, oldest first."""
        return list(self._by_arn.values())

    def watch_routing(self, callback: Callable[[TargetGroup], None]) -> None:
        """Call back for every target group there is and will be."""
        self._routing_watchers.append(callback)
        for group in self._by_arn.values():
            group.routing_watchers.append(callback)


class BalancerStore:
    """Load balancers and their listeners."""

    def __init__(self) -> None:
        self._by_arn: dict[str, LoadBalancer] = {}
        self._listeners: dict[str, Listener] = {}

    def put(self, balancer: LoadBalancer) -> None:
        """Keep a load balancer."""
        self._by_arn[balancer.arn] = balancer

    def remove(self, balancer: LoadBalancer) -> None:
        """Forget a load balancer and its listeners."""
        del self._by_arn[balancer.arn]
        for listener in self.listeners():
            if listener.load_balancer_arn == balancer.arn:
                self.remove_listener(listener)

    def find(self, arn: str) -> LoadBalancer | None:
        """The load balancer of that ARN, or None."""
        return self._by_arn.get(arn)

    def get(self, arn: str) -> LoadBalancer:
        """The load balancer of that ARN.

        Raises
        ------
        AwsError
            ``LoadBalancerNotFound``.
        """
        if arn not in self._by_arn:
            raise AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return self._by_arn[arn]

    def balancers(self) -> list[LoadBalancer]:
        """Every load balancer, oldest first."""
        return list(self._by_arn.values())

    def put_listener(self, listener: Listener) -> None:
        """Keep a listener."""
        self._listeners[listener.arn] = listener

    def remove_listener(self, listener: Listener) -> None:
        """Forget a listener."""
        del self._listeners[listener.arn]

    def listener(self, arn: str) -> Listener:
        """The listener of that ARN.

        Raises
        ------
        AwsError
            ``ListenerNotFound``.
        """
        if arn not in self._listeners:
            raise AwsError("ListenerNotFound", f"Listener '{arn}' not found")
        return self._listeners[arn]

    def listeners(self) -> list[Listener]:
        """Every listener, oldest first."""
        return list(self._listeners.values())
