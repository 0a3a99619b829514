"""Where a test or a simulation makes AWS fail: before a call takes effect, or after it did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple


class Call(NamedTuple):
    """One AWS API call as the world saw it."""

    number: int
    at: datetime
    caller: str
    """The function, service or person that called: a Lambda's logical name, or ``operator``."""
    service: str
    operation: str
    params: dict[str, Any]
    attempt: int = 1
    """1 for the first try; higher for what the SDK retried by itself."""
    role: str | None = None
    """ARN of the role that the caller runs under; None for one who may do everything."""


Interference = Callable[[Call], None]
"""Looks at a call and returns, or raises ``AwsError`` or ``FunctionDiedError`` in its place."""


class Faults:
    """The interferences in force. Empty by default: a world is kind until told otherwise."""

    def __init__(self) -> None:
        self._before: list[Interference] = []
        self._after: list[Interference] = []

    def before_effect(self, interference: Interference) -> None:
        """Let ``interference`` see each call before it takes effect."""
        self._before.append(interference)

    def after_effect(self, interference: Interference) -> None:
        """Let ``interference`` see each call after its effect, before its answer arrives."""
        self._after.append(interference)

    def clear(self) -> None:
        """Be kind again."""
        self._before.clear()
        self._after.clear()

    def meet_before(self, call: Call) -> None:
        """Run the interferences due before the call's effect."""
        for interference in self._before:
            interference(call)

    def meet_after(self, call: Call) -> None:
        """Run the interferences due after the call's effect."""
        for interference in self._after:
            interference(call)
