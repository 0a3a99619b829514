"""What a value in an execution can be, and how large, read from the models of the contracts."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel

ESCAPED: Final = 6
"""Bytes of one character at most, as JSON: ``\\u0000``."""
NUMBER: Final = 24
"""Bytes of a number at most."""
INSTANT: Final = 40
"""Bytes of an instant, or of a duration, in quotes."""


class UnboundedError(Exception):
    """A value whose size nothing limits."""


@dataclass(frozen=True)
class Text:
    """A text of at most so many bytes of JSON; None when nothing limits it."""

    most: int | None
    origin: str = ""


@dataclass(frozen=True)
class Words:
    """One of these texts."""

    words: frozenset[str]


@dataclass(frozen=True)
class Number:
    """A number."""


@dataclass(frozen=True)
class Truth:
    """True or false."""


@dataclass(frozen=True)
class Null:
    """JSON's null."""


@dataclass(frozen=True)
class Anything:
    """JSON of at most so many bytes, of which nothing else is known."""

    most: int | None
    origin: str = ""


@dataclass(frozen=True)
class Model:
    """What a pydantic model dumps."""

    of: type[BaseModel]


@dataclass(frozen=True)
class Items:
    """A list of at most so many items."""

    item: Kind
    most: int | None
    origin: str = ""


@dataclass(frozen=True)
class Members:
    """An object of these members."""

    of: tuple[tuple[str, Kind], ...]


One = Text | Words | Number | Truth | Null | Anything | Model | Items | Members
Kind = frozenset[One]
"""The alternatives that a value may be."""

NULL: Final[Kind] = frozenset({Null()})
TRUTH: Final[Kind] = frozenset({Truth()})
NUMERIC: Final[Kind] = frozenset({Number()})


def text(most: int | None, origin: str = "") -> Kind:
    """A text of at most so many bytes."""
    return frozenset({Text(most, origin)})


def members(of: Mapping[str, Kind]) -> Kind:
    """An object."""
    return frozenset({Members(tuple(sorted(of.items(), key=lambda one: one[0])))})


def either(*kinds: Kind) -> Kind:
    """Whatever any of these is, with alternatives of one sort made one."""
    texts = [one for kind in kinds for one in kind if isinstance(one, Text)]
    objects = [one for kind in kinds for one in kind if isinstance(one, Members)]
    words = [one for kind in kinds for one in kind if isinstance(one, Words)]
    items = [one for kind in kinds for one in kind if isinstance(one, Items)]
    alike = (Text, Members, Words, Items)
    joined: set[One] = {one for kind in kinds for one in kind if not isinstance(one, alike)}
    if texts:
        joined.add(max(texts, key=lambda one: float("inf") if one.most is None else one.most))
    if words:
        joined.add(Words(frozenset[str]().union(*(one.words for one in words))))
    if items:
        longest = max(items, key=lambda one: float("inf") if one.most is None else one.most)
        joined.add(Items(either(*(one.item for one in items)), longest.most, longest.origin))
    for names in {tuple(name for name, _ in one.of) for one in objects}:
        same = [dict(one.of) for one in objects if tuple(name for name, _ in one.of) == names]
        joined |= members({name: either(*(one[name] for one in same)) for name in names})
    return frozenset(joined)


# -- models ---------------------------------------------------------------------------------------


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, Kind]:
    """The members of what a model dumps."""
    model.model_rebuild()
    return {
        name: _kind_of(field.annotation, _origin(model, name), field.metadata)
        for name, field in model.model_fields.items()
    }


@cache
def required_of(model: type[BaseModel]) -> frozenset[str]:
    """The members that a model needs."""
    return frozenset(name for name, it in model.model_fields.items() if it.is_required())


def _origin(model: type[BaseModel], name: str) -> str:
    owner = next(one for one in reversed(model.__mro__) if name in vars(one).get(_NOTES, {}))
    return f"{owner.__name__}.{name}"


_NOTES: Final = "__annotations__"


def _kind_of(annotation: Any, origin: str, notes: Iterable[Any] = ()) -> Kind:
    notes, base, parts = list(notes), get_origin(annotation), get_args(annotation)
    if base is Annotated:
        return _kind_of(parts[0], origin, [*notes, *parts[1:]])
    if base in (Union, types.UnionType):
        return either(*(_kind_of(one, origin, notes) for one in parts))
    if base is Literal:
        return either(*(_constant(one) for one in parts))
    if base is list:
        return frozenset({Items(_kind_of(parts[0], origin), _most(notes), origin)})
    return _kind_of_class(annotation, origin, notes)


def _kind_of_class(annotation: Any, origin: str, notes: list[Any]) -> Kind:
    if annotation is Any or get_origin(annotation) is dict:
        return frozenset({Anything(None, origin)})
    simple = _SIMPLE.get(annotation)
    if simple is not None:
        return simple
    if issubclass(annotation, BaseModel):
        return frozenset({Model(annotation)})
    if issubclass(annotation, Enum):
        return frozenset({Words(frozenset(str(one.value) for one in annotation))})
    if issubclass(annotation, str):
        characters = _most(notes)
        return text(None if characters is None else characters * ESCAPED + 2, origin)
    raise TypeError(f"{origin} is a {annotation}, of which the rules know nothing")


_SIMPLE: Final[Mapping[Any, Kind]] = {
    None: NULL,
    type(None): NULL,
    bool: TRUTH,
    int: NUMERIC,
    float: NUMERIC,
    datetime: text(INSTANT),
    AwareDatetime: text(INSTANT),
    timedelta: text(INSTANT),
}


def _constant(value: object) -> Kind:
    return frozenset({Words(frozenset({value}))}) if isinstance(value, str) else NUMERIC


def _most(notes: list[Any]) -> int | None:
    found = (getattr(one, "max_length", None) for one in notes)
    return next((one for one in found if isinstance(one, int)), None)


# -- sizes ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Limits:
    """What limits what no annotation does, each by ``Model.field`` or by the model itself.

    ``texts`` are bytes of JSON, of lists as well; ``counts`` are numbers of items.
    """

    models: Mapping[type[BaseModel], int]
    texts: Mapping[str, int]
    counts: Mapping[str, int]

    def of(self, kind: Kind) -> int:
        """The bytes of JSON that a value takes at most.

        Raises
        ------
        UnboundedError
            When nothing limits it.
        """
        return max((self._of(one) for one in kind), default=0)

    def _of(self, one: One) -> int:
        match one:
            case Words(words):
                return max(len(word.encode()) for word in words) + 2
            case Items(item, most, origin) if origin not in self.texts:
                return 2 + self._limit(self.counts, origin, most) * (self.of(item) + 1)
            case Text(most, origin) | Anything(most, origin) | Items(_, most, origin):
                return self._limit(self.texts, origin, most)
            case Members(of):
                return self._object(dict(of))
            case Model(model):
                return self.models.get(model) or self._object(fields_of(model))
        return NUMBER

    def _object(self, of: Mapping[str, Kind]) -> int:
        return 2 + sum(len(name) + 4 + self.of(kind) for name, kind in of.items())

    def _limit(self, table: Mapping[str, int], origin: str, most: int | None) -> int:
        found = table.get(origin, most)
        if found is None:
            raise UnboundedError(f"nothing limits {origin or 'a text'}")
        return found
