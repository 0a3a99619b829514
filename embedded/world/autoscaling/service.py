"""Auto Scaling as one service: its parts, and what the rest of the world asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.world.autoscaling.attachment_operations import AttachmentOperations
from embedded.world.autoscaling.group_operations import GroupOperations
from embedded.world.autoscaling.groups import Group
from embedded.world.autoscaling.instance_operations import InstanceOperations
from embedded.world.autoscaling.refresh_operations import RefreshOperations
from embedded.world.autoscaling.registry import Registry
from embedded.world.autoscaling.upkeep import Launch
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Params, Reply, Service

if TYPE_CHECKING:
    from embedded.world.world import World


class AutoScaling(Service):
    """Groups that keep their desired capacity, and instance refreshes that replace instances.

    Warm pools, lifecycle hooks, weights, Spot, attribute-based instance types and acting scaling
    policies are not modelled; requests that use them are refused.
    """

    name = "autoscaling"
    _PARTS = (GroupOperations, InstanceOperations, RefreshOperations, AttachmentOperations)

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.subnet_zones: dict[str, str] = {}
        """The zone of a subnet, where it is not the one that its place in a list says."""
        self._registry = Registry(world)
        self._parts: tuple[Service, ...] = (
            GroupOperations(world, self._registry, self.subnet_zones),
            InstanceOperations(world, self._registry),
            RefreshOperations(world, self._registry),
            AttachmentOperations(world, self._registry),
        )

    # -- operations --------------------------------------------------------------------------------

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

    # -- for tests, scenarios and invariants -------------------------------------------------------

    @property
    def groups(self) -> dict[str, Group]:
        """The groups by name, with their instances and refreshes."""
        return self._registry.groups

    @property
    def alarm_notice_seconds(self) -> float:
        """How long a refresh takes to notice that an alarm of its own is in ALARM."""
        return self._registry.conductor.alarm_notice_seconds

    @alarm_notice_seconds.setter
    def alarm_notice_seconds(self, seconds: float) -> None:
        self._registry.conductor.alarm_notice_seconds = seconds

    @property
    def pending_seconds(self) -> float:
        """How long a refresh is pending before it begins."""
        return self._registry.conductor.pending_seconds

    @pending_seconds.setter
    def pending_seconds(self, seconds: float) -> None:
        self._registry.conductor.pending_seconds = seconds

    @property
    def launches(self) -> list[Launch]:
        """Every instance that any group ever launched, with the snapshots that it was made of."""
        return self._registry.upkeep.launches
