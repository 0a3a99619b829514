"""One target's health, driven by what its instance does and not by a timer for every check.

A load balancer asks every interval and changes its mind after a number of equal answers in a
row. When an instance starts to answer differently, that moment is therefore known in advance:
interval times threshold later, unless the instance changes again before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from embedded.world.behaviour import Symptom

if TYPE_CHECKING:
    from embedded.world.clock import Clock, Timer
    from embedded.world.ec2 import Instance

REGISTRATION_SECONDS = 5.0
"""From RegisterTargets to the first health check; not documented, some seconds in practice."""
FORGOTTEN_AFTER = timedelta(hours=1)
"""When a terminated instance that nobody deregistered leaves the target group by itself."""


class TargetState(NamedTuple):
    """A target's ``TargetHealth``: a healthy one has neither reason nor description."""

    state: str
    reason: str | None = None
    description: str | None = None


HEALTHY = TargetState("healthy")
REGISTERING = TargetState(
    "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
)
CHECKING = TargetState("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = TargetState(
    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
NOT_REGISTERED = TargetState(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
NOT_IN_USE = TargetState(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
INVALID = TargetState(
    "unused", "Target.InvalidState", "Target is in the stopped or terminated state"
)
UNHEALTHY = {
    Symptom.ERRORS: TargetState(
        "unhealthy",
        "Target.ResponseCodeMismatch",
        "Health checks failed with these codes: [503]",
    ),
    Symptom.HANGS: TargetState("unhealthy", "Target.Timeout", "Request timed out"),
    Symptom.REFUSES: TargetState("unhealthy", "Target.FailedHealthChecks", "Health checks failed"),
}


@dataclass
class HealthCheck:
    """A target group's health check settings (durations in seconds)."""

    protocol: str = "HTTP"
    port: str = "traffic-port"
    path: str = "/"
    interval: int = 30
    timeout: int = 5
    healthy_threshold: int = 5
    unhealthy_threshold: int = 2
    codes: str = "200"


class Target:
    """A registered instance in one target group, from registration to the end of draining."""

    def __init__(
        self,
        clock: Clock,
        instance: Instance,
        check: HealthCheck,
        *,
        in_use: bool,
        changed: Callable[[Target], None],
    ) -> None:
        self.instance = instance
        self._clock = clock
        self._check = check
        self._changed = changed
        self._in_use = in_use
        self._passing: bool | None = None
        """What the load balancer thinks; None until the first decision."""
        self._registering = True
        self._draining = False
        self._expected: bool | None = None
        """The opinion that the pending timer leads to."""
        self._timer: Timer | None = None
        self._shown = self.state
        self.drained: list[Callable[[], None]] = []
        instance.watch(self._look)
        clock.after(REGISTRATION_SECONDS, f"{instance.id} registered", self._registered)

    @property
    def state(self) -> TargetState:
        """What DescribeTargetHealth shows now."""
        if self._draining:
            return DRAINING
        if self.instance.state == "terminated":
            return INVALID
        if not self._in_use:
            return NOT_IN_USE
        if self._registering:
            return REGISTERING
        if self._passing is None:
            return CHECKING
        return HEALTHY if self._passing else UNHEALTHY[self.instance.symptom]

    @property
    def draining(self) -> bool:
        """Whether it is being deregistered."""
        return self._draining

    def use(self, *, in_use: bool) -> None:
        """A listener began or ceased to use the target group; checks begin anew."""
        if in_use == self._in_use:
            return
        self._in_use, self._passing = in_use, None
        self._cancel()
        self._look(self.instance)

    def drain(self, seconds: float, done: Callable[[Target], None]) -> None:
        """Take no new requests; ``done`` follows after the whole delay, busy or idle.

        An idle target is finished at once but still shows ``draining`` until the timeout
        (Application Load Balancer guide, "Deregistration delay"), and Auto Scaling waits for it.
        """
        self._draining = True
        self._cancel()
        self._clock.after(seconds, f"{self.instance.id} drained", lambda: done(self))
        self._show()

    def leave(self) -> None:
        """Stop looking at the instance: the target is gone."""
        self._cancel()
        self.instance.unwatch(self._look)

    def _registered(self) -> None:
        self._registering = False
        self._look(self.instance)

    def _look(self, instance: Instance) -> None:
        """Something about the instance or the group changed: expect the right thing next."""
        checked = self._in_use and not self._draining and not self._registering
        if not checked or instance.state == "terminated" or instance.answers == self._passing:
            self._cancel()
        elif instance.answers != self._expected:
            self._expect(passing=instance.answers)
        self._show()

    def _expect(self, *, passing: bool) -> None:
        self._cancel()
        self._expected = passing
        self._timer = self._clock.after(
            self._check.interval * self._answers_needed(passing=passing),
            f"{self.instance.id} {'passes' if passing else 'fails'} its health check",
            self._decide,
        )

    def _answers_needed(self, *, passing: bool) -> int:
        if not passing:
            return self._check.unhealthy_threshold
        # A new target has to pass one check only (Application Load Balancer guide, "Health
        # checks"); here the first one comes a whole interval after the service has started.
        return 1 if self._passing is None else self._check.healthy_threshold

    def _decide(self) -> None:
        self._passing, self._expected, self._timer = self._expected, None, None
        self._show()

    def _cancel(self) -> None:
        self._expected = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _show(self) -> None:
        if self.state != self._shown:
            self._shown = self.state
            self._changed(self)
