"""The metrics of an Application Load Balancer, computed from where its requests go.

Nothing is sampled. Every change of a target group's routing is kept with its time, and a
datapoint is the exact statistic of that step function over its period. Names, dimensions and
reporting rules: Application Load Balancer guide, "CloudWatch metrics".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from embedded.world.cloudwatch.metrics import KEPT, MetricKey
from embedded.world.elbv2.groups import Routing
from embedded.world.errors import NotEmulatedError

if TYPE_CHECKING:
    from embedded.world.elbv2 import TargetGroup
    from embedded.world.world import World

NAMESPACE = "AWS/ApplicationELB"
RESPONSE_SECONDS = 0.05
"""How long every answer takes: latency is not modelled."""

Reading = Callable[[Routing], float | None]


def _routed(routing: Routing) -> float:
    return routing.answered + routing.errors + routing.hanging + routing.refused


def _unrouted(routing: Routing) -> float:
    return max(0.0, 1.0 - _routed(routing))


def _count(share: Callable[[Routing], float]) -> Reading:
    """Requests a minute of a kind; no data at all while there are none."""
    return lambda routing: (routing.requests_per_minute * share(routing)) or None


GAUGES: dict[str, Reading] = {
    # Reported while targets are registered. A target that drains leaves HealthyHostCount and
    # does not enter UnHealthyHostCount; nor does one in its initial checks.
    "HealthyHostCount": lambda routing: routing.healthy if routing.registered else None,
    "UnHealthyHostCount": lambda routing: routing.unhealthy if routing.registered else None,
    "TargetResponseTime": lambda routing: (
        RESPONSE_SECONDS
        if routing.requests_per_minute and routing.answered + routing.errors
        else None
    ),
}
COUNTS: dict[str, Reading] = {
    "RequestCount": _count(_routed),
    "HTTPCode_Target_2XX_Count": _count(lambda routing: routing.answered),
    "HTTPCode_Target_5XX_Count": _count(lambda routing: routing.errors),
    "TargetConnectionErrorCount": _count(lambda routing: routing.refused),
    "UnhealthyRoutingRequestCount": _count(
        lambda routing: _routed(routing) if routing.fails_open else 0.0
    ),
    "RequestCountPerTarget": _count(
        lambda routing: _routed(routing) / max(1, routing.healthy or routing.registered)
    ),
}
BALANCER_COUNTS: dict[str, Reading] = {
    "HTTPCode_ELB_5XX_Count": _count(
        lambda routing: routing.refused + routing.hanging + _unrouted(routing)
    ),
    "HTTPCode_ELB_502_Count": _count(lambda routing: routing.refused),
    "HTTPCode_ELB_503_Count": _count(_unrouted),
    "HTTPCode_ELB_504_Count": _count(lambda routing: routing.hanging),
}
"""These exist for a whole load balancer only, as its own answers belong to no target."""
NEVER = frozenset(
    {
        "HTTPCode_Target_3XX_Count",
        "HTTPCode_Target_4XX_Count",
        "HTTPCode_ELB_3XX_Count",
        "HTTPCode_ELB_4XX_Count",
        "HTTPCode_ELB_500_Count",
        "RejectedConnectionCount",
        "TargetTLSNegotiationErrorCount",
    }
)
"""Counts of what never happens in the world: metrics without data, as on a quiet AWS."""
KNOWN = frozenset({*GAUGES, *COUNTS, *BALANCER_COUNTS, *NEVER})
NEEDS_BOTH = frozenset({"HealthyHostCount", "UnHealthyHostCount"})


@dataclass
class _History:
    """One target group's routing as a step function of time."""

    times: list[datetime]
    steps: list[Routing]

    def add(self, now: datetime, routing: Routing) -> bool:
        """Note a change; False when nothing changed."""
        if self.steps and self.steps[-1] == routing:
            return False
        if self.times and self.times[-1] == now:
            self.steps[-1] = routing
            return True
        self.times.append(now)
        self.steps.append(routing)
        old = bisect_right(self.times, now - KEPT) - 1
        if old > 0:
            del self.times[:old], self.steps[:old]
        return True

    def pieces(self, start: datetime, end: datetime) -> Iterator[tuple[float, Routing]]:
        """The steps within ``[start, end)`` with how many seconds each lasts there."""
        index = max(0, bisect_right(self.times, start) - 1)
        while index < len(self.times) and self.times[index] < end:
            following = self.times[index + 1] if index + 1 < len(self.times) else end
            since, until = max(start, self.times[index]), min(end, following)
            if until > since:
                yield (until - since).total_seconds(), self.steps[index]
            index += 1


class BalancerMetrics:
    """Every load balancer metric in the world, and who is told when one may have changed."""

    def __init__(self, world: World, changed: Callable[[], None]) -> None:
        self._world = world
        self._changed = changed
        self._histories: dict[str, _History] = {}
        self._changed_at: datetime | None = None
        world.elbv2.watch_routing(self._note)

    def series(self, key: MetricKey) -> BalancerSeries:
        """The series of a metric; one that matches no load balancer has no data.

        Raises
        ------
        NotEmulatedError
            For a metric of load balancers that the world does not compute, and by zone.
        """
        if any(name == "AvailabilityZone" for name, _ in key.dimensions):
            raise NotEmulatedError("load balancer metrics by Availability Zone")
        if key.name not in KNOWN:
            raise NotEmulatedError(f"the metric {key.name} of {NAMESPACE}")
        return BalancerSeries(self, key)

    def changed_at(self) -> datetime | None:
        """When any routing last changed."""
        return self._changed_at

    def histories(self, key: MetricKey) -> list[_History]:
        """The histories of the target groups that a metric's dimensions name."""
        wanted = dict(key.dimensions)
        return [
            self._histories[group.arn]
            for group in self._world.elbv2.groups()
            if group.arn in self._histories and self._fits(group, wanted)
        ]

    def _fits(self, group: TargetGroup, wanted: dict[str, str]) -> bool:
        balancers = {self._world.elbv2.balancer_suffix(arn) for arn in group.load_balancers}
        of_group = wanted.get("TargetGroup") in (None, group.suffix)
        of_balancer = wanted.get("LoadBalancer") is None or wanted["LoadBalancer"] in balancers
        return bool(wanted) and of_group and of_balancer

    def _note(self, group: TargetGroup) -> None:
        now = self._world.clock.now()
        history = self._histories.setdefault(group.arn, _History([], []))
        if history.add(now, group.routing()):
            self._changed_at = now
            self._changed()


@dataclass(frozen=True)
class BalancerSeries:
    """One metric of a load balancer."""

    metrics: BalancerMetrics
    key: MetricKey

    def datapoint(self, start: datetime, end: datetime, statistic: str) -> float | None:
        """The statistic over ``[start, end)``."""
        return self.datapoints([start], end - start, statistic)[0]

    def datapoints(
        self, starts: Sequence[datetime], length: timedelta, statistic: str
    ) -> list[float | None]:
        """The statistic over each period of one length."""
        name = self.key.name
        if name in NEVER or not self._reported({dimension for dimension, _ in self.key.dimensions}):
            return [None] * len(starts)
        histories = self.metrics.histories(self.key)
        return [
            self._computed(
                [piece for history in histories for piece in history.pieces(start, start + length)],
                statistic,
            )
            for start in starts
        ]

    def _computed(self, pieces: list[tuple[float, Routing]], statistic: str) -> float | None:
        name = self.key.name
        if name in GAUGES:
            return _gauge(GAUGES[name], pieces, statistic)
        reading = COUNTS.get(name) or BALANCER_COUNTS[name]
        total = sum(seconds / 60 * (reading(routing) or 0.0) for seconds, routing in pieces)
        return _counted(total, statistic)

    def unsettled_since(self) -> datetime | None:
        """When any load balancer last changed: often too late, never too early."""
        return self.metrics.changed_at()

    def _reported(self, names: set[str]) -> bool:
        if self.key.name in NEEDS_BOTH:
            return names == {"LoadBalancer", "TargetGroup"}
        if self.key.name in BALANCER_COUNTS:
            return names == {"LoadBalancer"}
        if self.key.name == "RequestCountPerTarget":
            return "TargetGroup" in names
        return bool(names) and names <= {"LoadBalancer", "TargetGroup"} and "LoadBalancer" in names


def _gauge(reading: Reading, pieces: list[tuple[float, Routing]], statistic: str) -> float | None:
    values = [
        (seconds, value) for seconds, routing in pieces if (value := reading(routing)) is not None
    ]
    if not values:
        return None
    if statistic == "Minimum":
        return min(value for _, value in values)
    if statistic == "Maximum" or statistic.startswith("p"):
        return max(value for _, value in values)
    if statistic == "Average":
        whole = sum(seconds for seconds, _ in values)
        return sum(seconds * value for seconds, value in values) / whole
    raise NotEmulatedError(f"the statistic {statistic} of a load balancer's gauge")


def _counted(total: float, statistic: str) -> float | None:
    if total <= 0:
        return None
    if statistic in ("Sum", "SampleCount"):
        # At least one: a period that saw any request of the kind has data.
        return float(max(1, round(total)))
    # Every sample of a count is 1 (Application Load Balancer guide: "the most useful statistic
    # is Sum; Minimum, Maximum, and Average all return 1").
    return 1.0
