"""What every pydantic model of the package is made from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value.

    Models are built when they are first used: a function uses a few, and building them all would
    take as long as importing the SDK.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)


class StrictValue(Value):
    """An immutable value from outside, or kept there: an unknown member is an error."""

    model_config = ConfigDict(extra="forbid")
