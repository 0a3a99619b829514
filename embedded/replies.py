"""Holds what a model answers against botocore's output shapes.

On the wire a member that AWS does not know is dropped and one of the wrong type is garbled; behind
the direct door it would arrive and make a handler work that cannot work on AWS.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, MapShape, Shape, StructureShape

SCALARS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "character": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (datetime,),
    "blob": (bytes,),
}


def misfits(shape: Shape, value: Any, at: str = "") -> Iterator[str]:
    """Tell everything in ``value`` that an output of this shape cannot carry.

    Lengths, ranges and required members are not looked at: AWS's own answers do not keep to the
    ones that its models state.
    """
    kind = shape.type_name
    if kind == "structure":
        yield from _misfits_of_structure(shape, value, at)
    elif kind == "list":
        yield from _misfits_of_list(shape, value, at)
    elif kind == "map":
        yield from _misfits_of_map(shape, value, at)
    elif not isinstance(value, SCALARS[kind]) or (kind in {"integer", "long"} and value is True):
        yield f"{at or 'the reply'} is {type(value).__name__}, not a {kind}"
    elif isinstance(value, datetime) and value.tzinfo is None:
        yield f"{at} is a timestamp without a time zone"


def _misfits_of_structure(shape: Shape, value: Any, at: str) -> Iterator[str]:
    members = _structure(shape).members
    if not isinstance(value, dict):
        yield f"{at or 'the reply'} is {type(value).__name__}, not a structure"
        return
    for name, member in value.items():
        if name not in members:
            yield f"{at}.{name} is not a member of {shape.name}"
        else:
            yield from misfits(members[name], member, f"{at}.{name}")


def _misfits_of_list(shape: Shape, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{at} is {type(value).__name__}, not a list"
        return
    element = _list(shape).member
    for number, member in enumerate(value):
        yield from misfits(element, member, f"{at}[{number}]")


def _misfits_of_map(shape: Shape, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at} is {type(value).__name__}, not a map"
        return
    element = _map(shape).value
    for name, member in value.items():
        yield from misfits(element, member, f"{at}.{name}")


def _structure(shape: Any) -> StructureShape:
    found: StructureShape = shape
    return found


def _list(shape: Any) -> ListShape:
    found: ListShape = shape
    return found


def _map(shape: Any) -> MapShape:
    found: MapShape = shape
    return found
