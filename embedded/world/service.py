"""What every modelled service is: operations, each taking and giving botocore's shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from embedded.world.errors import NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.world import World

Params = dict[str, Any]
"""Members of an operation's input shape, as botocore names them."""
Reply = dict[str, Any]
"""Members of an operation's output shape; timestamps are aware datetimes."""

_Method = TypeVar("_Method", bound=Callable[..., Reply])


def operation(name: str, *, unmodelled: Iterable[str] = ()) -> Callable[[_Method], _Method]:
    """Mark a method ``(self, params) -> reply`` as the API operation of that name.

    Parameters
    ----------
    name
        The operation, as botocore names it.
    unmodelled
        Members of its input that the model would have to ignore: a request that gives one of them
        a value other than false or nothing is refused.
    """

    def mark(method: _Method) -> _Method:
        method.__dict__["operation_name"] = name
        method.__dict__["unmodelled_members"] = tuple(unmodelled)
        return method

    return mark


class Service:
    """One AWS service inside a world.

    Replies are built afresh for every call, so a caller can never reach into the model.
    """

    name: ClassVar[str]
    """The service's name as ``boto3.client`` takes it."""
    _operations: ClassVar[dict[str, str]]
    """Operation to the method that carries it out."""
    _unmodelled: ClassVar[dict[str, tuple[str, ...]]]
    """Operation to the members of its input that are refused."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        marks = {
            attribute: member.__dict__
            for attribute, member in vars(cls).items()
            if callable(member) and "operation_name" in getattr(member, "__dict__", {})
        }
        cls._operations = {mark["operation_name"]: name for name, mark in marks.items()}
        cls._unmodelled = {
            mark["operation_name"]: mark["unmodelled_members"] for mark in marks.values()
        }

    @classmethod
    def operation_names(cls) -> frozenset[str]:
        """The operations that this service models."""
        return frozenset(cls._operations)

    @classmethod
    def models(cls, operation_name: str) -> bool:
        """Whether this service models an operation."""
        return operation_name in cls._operations

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
        for member in self._unmodelled[operation_name]:
            if params.get(member):
                raise NotEmulatedError(f"{member} of {self.name}:{operation_name}")
        reply: Reply = getattr(self, attribute)(params)
        return reply
