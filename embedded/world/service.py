"""What every modelled service is: a table of operations, each taking and giving botocore's shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from embedded.world.errors import NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.world import World

Params = dict[str, Any]
"""Members of an operation's input shape, as botocore names them."""
Reply = dict[str, Any]
"""Members of an operation's output shape; timestamps are aware datetimes."""

_Method = TypeVar("_Method", bound=Callable[..., Reply])


def operation(name: str) -> Callable[[_Method], _Method]:
    """Mark a method ``(self, params) -> reply`` as the API operation of that name."""

    def mark(method: _Method) -> _Method:
        method.__dict__["operation_name"] = name
        return method

    return mark


class Service:
    """One AWS service inside a world.

    Replies are built afresh for every call, so a caller can never reach into the model.
    """

    name: ClassVar[str]
    """The service's name as ``boto3.client`` takes it."""
    _operations: ClassVar[dict[str, str]]

    def __init__(self, world: World) -> None:
        self.world = world

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._operations = {
            member.__dict__["operation_name"]: attribute
            for attribute, member in vars(cls).items()
            if callable(member) and "operation_name" in getattr(member, "__dict__", {})
        }

    @classmethod
    def operation_names(cls) -> frozenset[str]:
        """The operations that this service models."""
        return frozenset(cls._operations)

    def perform(self, operation_name: str, params: Params) -> Reply:
        """Carry an operation out.

        Raises
        ------
        AwsError
            What AWS would answer; ``NotEmulatedError`` when the operation is not modelled.
        """
        attribute = self._operations.get(operation_name)
        if attribute is None:
            raise NotEmulatedError(f"{self.name}:{operation_name}")
        reply: Reply = getattr(self, attribute)(params)
        return reply
