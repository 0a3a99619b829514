"""A target group: its settings, its targets and where its requests go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedded.world.behaviour import Symptom
from embedded.world.elbv2.targets import (
    FORGOTTEN_AFTER,
    NOT_REGISTERED,
    HealthCheck,
    Target,
    TargetState,
)
from embedded.world.errors import AwsError

if TYPE_CHECKING:
    from embedded.world.clock import Clock
    from embedded.world.ec2 import Instance

StateWatcher = Callable[[str, TargetState], None]
"""Told of an instance's id and its new state in one target group."""

STEADY_TRAFFIC = 600.0
"""Requests a minute that reach a target group unless a scenario says otherwise."""

DELAY = "deregistration_delay.timeout_seconds"
SLOW_START = "slow_start.duration_seconds"
ALGORITHM = "load_balancing.algorithm.type"
FAIL_OPEN_COUNT = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count"
FAIL_OPEN_PERCENTAGE = (
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage"
)
DEFAULT_ATTRIBUTES = {
    DELAY: "300",
    SLOW_START: "0",
    ALGORITHM: "round_robin",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "stickiness.enabled": "false",
    "stickiness.type": "lb_cookie",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    FAIL_OPEN_COUNT: "1",
    FAIL_OPEN_PERCENTAGE: "off",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
}
"""Application Load Balancer guide, "Target group attributes"."""
LONGEST_DELAY = 3600
SLOW_START_RANGE = range(30, 901)


@dataclass(frozen=True)
class Routing:
    """Where a target group's requests go now, in shares of 1 that add up to 1."""

    healthy: int
    unhealthy: int
    registered: int
    """Registered targets, draining ones not counted."""
    answered: float = 0.0
    errors: float = 0.0
    """Answered by a target with a 5xx."""
    hanging: float = 0.0
    refused: float = 0.0
    fails_open: bool = False
    """Whether too few targets are healthy, so that requests go to all of them."""
    requests_per_minute: float = 0.0


@dataclass
class TargetGroup:
    """A target group of instances behind an Application Load Balancer."""

    arn: str
    name: str
    clock: Clock
    protocol: str
    port: int
    vpc_id: str
    check: HealthCheck
    tags: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_ATTRIBUTES))
    load_balancers: list[str] = field(default_factory=list)
    targets: dict[str, Target] = field(default_factory=dict)
    traffic: float = STEADY_TRAFFIC
    watchers: list[StateWatcher] = field(default_factory=list)
    routing_watchers: list[Callable[[TargetGroup], None]] = field(default_factory=list)

    @property
    def suffix(self) -> str:
        """The ``TargetGroup`` dimension of its metrics: ``targetgroup/name/id``."""
        return self.arn.rpartition(":")[2]

    # -- targets -----------------------------------------------------------------------------------

    def register(self, instance: Instance) -> None:
        """Add an instance; registering it again changes nothing, unless it was draining.

        Raises
        ------
        AwsError
            ``InvalidTarget`` for an instance that is not running.
        """
        if instance.state != "running":
            raise AwsError(
                "InvalidTarget",
                f"The following targets are not in a running state and cannot be registered: "
                f"'{instance.id}'",
            )
        known = self.targets.get(instance.id)
        if known is not None:
            if not known.draining:
                return
            known.leave()
            instance.unwatch(self._instance_changed)
        self.targets[instance.id] = target = Target(
            self.clock,
            instance,
            self.check,
            in_use=bool(self.load_balancers),
            changed=self._target_changed,
        )
        instance.watch(self._instance_changed)
        self._tell(target)

    def deregister(self, instance_id: str, drained: Callable[[], None]) -> None:
        """Drain an instance for the whole delay, then call ``drained``.

        A target that is not registered has nothing to drain. Whether a group that no listener
        uses drains faster is not documented; here it does not.
        """
        target = self.targets.get(instance_id)
        if target is None:
            self.clock.after(0, f"{instance_id} was not registered", drained)
            return
        target.drained.append(drained)
        if not target.draining:
            target.drain(float(self.attributes[DELAY]), self._remove)

    def state_of(self, instance_id: str) -> TargetState:
        """What DescribeTargetHealth shows for an instance."""
        target = self.targets.get(instance_id)
        return target.state if target else NOT_REGISTERED

    def used_by(self, load_balancers: list[str]) -> None:
        """Say which load balancers forward to this group now."""
        self.load_balancers = load_balancers
        for target in tuple(self.targets.values()):
            target.use(in_use=bool(load_balancers))
        self.routing_changed()

    def _remove(self, target: Target) -> None:
        # An instance that was registered again while it drained is another target by now.
        if self.targets.get(target.instance.id) is not target:
            return
        target.leave()
        target.instance.unwatch(self._instance_changed)
        del self.targets[target.instance.id]
        self._tell(target, NOT_REGISTERED)
        for drained in target.drained:
            drained()

    def _target_changed(self, target: Target) -> None:
        self._tell(target)

    def _instance_changed(self, instance: Instance) -> None:
        target = self.targets.get(instance.id)
        if instance.state == "terminated" and target is not None and not target.draining:
            self.clock.after(
                FORGOTTEN_AFTER.total_seconds(),
                f"{instance.id} leaves {self.name}",
                lambda: self._remove(target),
            )
        self.routing_changed()

    def _tell(self, target: Target, state: TargetState | None = None) -> None:
        for callback in tuple(self.watchers):
            callback(target.instance.id, state or target.state)
        self.routing_changed()

    # -- requests ----------------------------------------------------------------------------------

    def routing_changed(self) -> None:
        """Tell whoever derives metrics from this group."""
        for callback in tuple(self.routing_watchers):
            callback(self)

    def routing(self) -> Routing:
        """Where requests go now.

        Below the minimum of healthy targets the load balancer fails open: it routes to all of
        them (Application Load Balancer guide, "Target group health").
        """
        registered = [target for target in self.targets.values() if not target.draining]
        healthy = [target for target in registered if target.state.state == "healthy"]
        fails_open = bool(registered) and not self._enough(len(healthy), len(registered))
        routed = registered if fails_open else healthy
        share = _shares(target.instance for target in routed)
        return Routing(
            healthy=len(healthy),
            unhealthy=sum(target.state.state == "unhealthy" for target in registered),
            registered=len(registered),
            answered=share(None),
            errors=share(Symptom.ERRORS),
            hanging=share(Symptom.HANGS),
            refused=share(Symptom.REFUSES),
            fails_open=fails_open,
            requests_per_minute=self.traffic if self.load_balancers else 0.0,
        )

    def _enough(self, healthy: int, registered: int) -> bool:
        enough = healthy >= max(1, int(self.attributes[FAIL_OPEN_COUNT]))
        percentage = self.attributes[FAIL_OPEN_PERCENTAGE]
        if percentage != "off":
            enough = enough and 100 * healthy >= int(percentage) * registered
        return enough


def _shares(instances: Iterable[Instance]) -> Callable[[Symptom | None], float]:
    symptoms = [None if instance.answers else instance.symptom for instance in instances]

    def share(symptom: Symptom | None) -> float:
        return symptoms.count(symptom) / len(symptoms) if symptoms else 0.0

    return share


def check_attribute(key: str, value: str) -> None:
    """Refuse an attribute that target groups of an Application Load Balancer do not have.

    Raises
    ------
    AwsError
        ``ValidationError``, or ``InvalidConfigurationRequest`` for a value out of range.
    """
    if key not in DEFAULT_ATTRIBUTES:
        raise AwsError("ValidationError", f"Target group attribute key '{key}' is not recognized")
    number = int(value) if value.isdigit() else None
    if key == DELAY and (number is None or number > LONGEST_DELAY):
        raise _bad_value(key, value, f"must be between 0 and {LONGEST_DELAY}")
    if key == SLOW_START and number != 0 and number not in SLOW_START_RANGE:
        raise _bad_value(key, value, "must be 0 or between 30 and 900")
    known = ("round_robin", "least_outstanding_requests", "weighted_random")
    if key == ALGORITHM and value not in known:
        raise _bad_value(key, value, f"must be one of {', '.join(known)}")


def check_combination(attributes: dict[str, str]) -> None:
    """Refuse slow start with an algorithm that excludes it.

    Raises
    ------
    AwsError
        ``InvalidConfigurationRequest``.
    """
    if attributes[SLOW_START] != "0" and attributes[ALGORITHM] != "round_robin":
        raise AwsError(
            "InvalidConfigurationRequest",
            f"Slow start cannot be used with the algorithm {attributes[ALGORITHM]}.",
        )


def _bad_value(key: str, value: str, rule: str) -> AwsError:
    return AwsError("ValidationError", f"'{value}' for '{key}' {rule}")
