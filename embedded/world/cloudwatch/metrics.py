"""Metrics: their names, their statistics, and those that callers put."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from embedded.world.errors import NotEmulatedError

KEPT = timedelta(hours=3)
"""How much of the past is kept: more than the evaluation range of any sensible alarm."""


class MetricKey(NamedTuple):
    """A metric: the same name with other dimensions is another metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


class Series(Protocol):
    """The values of one metric over time."""

    def datapoint(self, start: datetime, end: datetime, statistic: str) -> float | None:
        """The statistic over ``[start, end)``; None when there is no data."""

    def datapoints(
        self, starts: Sequence[datetime], length: timedelta, statistic: str
    ) -> list[float | None]:
        """The statistic over each period of one length."""

    def unsettled_since(self) -> datetime | None:
        """When the series last changed; None when it never did."""


class Sample(NamedTuple):
    """Values that arrived together: ``number`` of them, between two bounds, with a sum."""

    at: datetime
    number: float
    total: float
    lowest: float
    highest: float


def statistic_of(samples: Sequence[Sample], statistic: str) -> float | None:
    """A statistic over samples; None without samples.

    Raises
    ------
    NotEmulatedError
        For statistics other than the five basic ones and percentiles of single values.
    """
    count = sum(sample.number for sample in samples)
    if not count:
        return None
    total = sum(sample.total for sample in samples)
    basic = {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count,
        "Minimum": min(sample.lowest for sample in samples),
        "Maximum": max(sample.highest for sample in samples),
    }
    if statistic in basic:
        return basic[statistic]
    match = re.fullmatch(r"p(\d+(?:\.\d+)?)", statistic)
    if match is None or any(sample.lowest != sample.highest for sample in samples):
        raise NotEmulatedError(f"the statistic {statistic}")
    return _percentile(samples, float(match[1]) / 100 * count)


def _percentile(samples: Sequence[Sample], rank: float) -> float:
    ordered = sorted(samples, key=lambda sample: sample.lowest)
    seen = 0.0
    for sample in ordered:
        seen += sample.number
        if seen >= rank or math.isclose(seen, rank):
            return sample.lowest
    return ordered[-1].lowest


@dataclass
class PutSeries:
    """A metric whose values callers put with PutMetricData, or the world records."""

    samples: deque[Sample] = field(default_factory=deque)
    newest: datetime | None = None

    def add(self, sample: Sample) -> None:
        """Keep a sample; old ones go. Samples may arrive late and out of order."""
        self.samples.append(sample)
        if self.newest is None or sample.at > self.newest:
            self.newest = sample.at
        horizon = sample.at - KEPT
        while self.samples and self.samples[0].at < horizon:
            self.samples.popleft()

    def datapoint(self, start: datetime, end: datetime, statistic: str) -> float | None:
        """The statistic over the samples of ``[start, end)``."""
        if self.newest is None or self.newest < start:
            return None
        return statistic_of(
            [sample for sample in self.samples if start <= sample.at < end], statistic
        )

    def datapoints(
        self, starts: Sequence[datetime], length: timedelta, statistic: str
    ) -> list[float | None]:
        """The statistic over the samples of each period of one length."""
        return [self.datapoint(start, start + length, statistic) for start in starts]

    def unsettled_since(self) -> datetime | None:
        """When the newest sample is from: after it the data is missing for ever."""
        return self.newest


def key_of(params: Mapping[str, object], dimensions: Sequence[Mapping[str, str]]) -> MetricKey:
    """The metric that a request names."""
    return MetricKey(
        str(params["Namespace"]),
        str(params["MetricName"]),
        frozenset((dimension["Name"], dimension["Value"]) for dimension in dimensions),
    )
