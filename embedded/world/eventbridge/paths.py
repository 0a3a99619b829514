"""The part of JSONPath that EventBridge evaluates, for ``InputPath`` and ``InputPathsMap``.

User guide, "Amazon EventBridge input transformation": dot notation with letters, digits, dashes and
underscores, array indices, and ``*``.
"""

from __future__ import annotations

import re
from typing import Any, Final

from embedded.world.errors import AwsError, NotEmulatedError

LARGEST_PATH: Final = 256
MISSING: Final = object()
"""What a path that leads nowhere gives; JSON's ``null`` is a value."""

_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\['([^']+)'\]|\[(\d+)\]")


def parse_path(text: str) -> tuple[str | int, ...]:
    """Read a path into the keys and indices that it goes through.

    Raises
    ------
    AwsError
        ``ValidationException`` for syntax that EventBridge does not take; ``NotEmulatedError`` for
        ``*``, which it does.
    """
    if len(text) > LARGEST_PATH or not text.startswith("$"):
        raise _invalid(text)
    if "*" in text:
        raise NotEmulatedError(f"wildcards in EventBridge paths ({text})")
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise _invalid(text)
        name, quoted, index = found.groups()
        steps.append(int(index) if index is not None else name or quoted)
        at = found.end()
    return tuple(steps)


def follow(path: tuple[str | int, ...], value: Any) -> Any:
    """Go along a path; ``MISSING`` when it leads nowhere."""
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value


def _invalid(text: str) -> AwsError:
    return AwsError("ValidationException", f"Invalid JSONPath: {text!r}.")
