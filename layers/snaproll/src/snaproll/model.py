"""What every pydantic model of the package is made from."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, RootModel

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 8999
"""Between these years an instant can be told in any time zone, and moved by any duration."""


def _within_reach(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return at


Instant = Annotated[AwareDatetime, AfterValidator(_within_reach)]
"""An instant with its time zone, which can be compared and calculated with."""

_Kinds = TypeVar("_Kinds")


class Value(BaseModel):
    """An immutable value.

    Models are built when they are first used: a function uses a few, and building them all would
    take as long as importing the SDK.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)


class StrictValue(Value):
    """An immutable value from outside, or kept there: an unknown member is an error."""

    model_config = ConfigDict(extra="forbid")


class OneOf(RootModel[_Kinds]):
    """One of several values, which a member tells apart."""

    model_config = ConfigDict(frozen=True, defer_build=True)
