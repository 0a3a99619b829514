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

    def __init__(self, world: World, root: Path) -> None:
        super().__init__(world)
        registry = Registry(world, root.resolve())
        self._parts: tuple[Service, ...] = (
            StackChanging(world, registry),
            StackReading(world, registry),
            ChangeSets(world, registry),
        )

    def perform(self, operation_name: str, params: Params) -> Reply:
        """Carry an operation out."""
        for part in self._parts:
            if operation_name in part.operation_names():
                return part.perform(operation_name, params)
        raise NotEmulatedError(f"{self.name}:{operation_name}")
