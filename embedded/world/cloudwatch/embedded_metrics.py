"""Metrics in log lines: the embedded metric format, which Lambda's logs are searched for.

Source: CloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

_MOST_DIMENSIONS = 30


class Put(NamedTuple):
    """One value of one metric."""

    namespace: str
    name: str
    dimensions: dict[str, str]
    value: float


def metrics_in(line: str) -> Iterator[Put]:
    """The values that a log line gives; none in a line that is not of the format.

    The time in the line is not looked at: it is the real clock's, as libraries write it, and the
    world has a time of its own. CloudWatch itself drops what is two weeks old.
    """
    if '"_aws"' not in line:
        return
    try:
        content = json.loads(line)
        directives = content["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        # CloudWatch takes what does not follow the format for an ordinary line.
        return
    for directive in directives:
        yield from _puts(directive, content)


def _puts(directive: dict[str, Any], content: dict[str, Any]) -> Iterator[Put]:
    for names in directive.get("Dimensions", []):
        if len(names) > _MOST_DIMENSIONS or any(name not in content for name in names):
            continue
        dimensions = {name: str(content[name]) for name in names}
        for metric in directive["Metrics"]:
            values = content.get(metric["Name"], [])
            for value in values if isinstance(values, list) else [values]:
                yield Put(directive["Namespace"], metric["Name"], dimensions, float(value))
