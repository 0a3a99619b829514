"""CloudFormation as one service: its parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from embedded.wire.cloudformation.change_sets import ChangeSets
from embedded.wire.cloudformation.stacks import Registry, StackChanging, StackReading
from embedded.world.errors import NotEmulatedError
from embedded.world.service import Params, Reply, Service

if TYPE_CHECKING:
    from embedded.world.world import World


class CloudFormation(Service):
    """Stacks and change sets.

    Parameters
    ----------
    world
        Where resources are made.
    root
        The folder that local addresses in templates start from: code, layers, definitions.
    """

    name = "cloudformation"
    _PARTS = (StackChanging, StackReading, ChangeSets)

    def __init__(self, world: World, root: Path) -> None:
        super().__init__(world)
        registry = Registry(world, root.resolve())
        self._parts: tuple[Service, ...] = tuple(part(world, registry) for part in self._PARTS)

    @classmethod
    def operation_names(cls) -> frozenset[str]:
        """The operations that the parts model."""
        return frozenset().union(*(part.operation_names() for part in cls._PARTS))

    def perform(self, operation_name: str, params: Params) -> Reply:
        """Carry an operation out."""
        for part in self._parts:
            if operation_name in part.operation_names():
                return part.perform(operation_name, params)
        raise NotEmulatedError(f"{self.name}:{operation_name}")
