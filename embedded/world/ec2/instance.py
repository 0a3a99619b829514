"""An instance: what it is, how it lives and dies, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from embedded.world.behaviour import Behaviour, Scenario, Symptom

if TYPE_CHECKING:
    from embedded.world.clock import Timer
    from embedded.world.world import World

STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
}
"""``InstanceState.Code`` (botocore, ec2 InstanceState). Stopping is not modelled."""


class LaunchRefusedError(Exception):
    """EC2 refused to launch an instance.

    Parameters
    ----------
    status_message
        EC2's own sentence. A scaling activity's StatusMessage is this followed by
        ``" Launching EC2 instance failed."``, which Auto Scaling adds.
    code
        The error code that RunInstances would answer with.
    status_code
        The scaling activity's StatusCode.
    """

    def __init__(self, status_message: str, *, code: str, status_code: str = "Failed") -> None:
        super().__init__(status_message)
        self.status_message = status_message
        self.code = code
        self.status_code = status_code


@dataclass(frozen=True)
class StateReason:
    """Why an instance is in its state (EC2's ``StateReason``)."""

    code: str
    message: str


@dataclass(eq=False)
class Instance:
    """An EC2 instance launched from a template version.

    ``watch`` is told of every change of ``state`` or ``answers``.
    """

    id: str
    template_id: str
    template_version: int
    image_id: str
    instance_type: str
    zone: str
    private_ip: str
    group: str
    launched_at: datetime
    snapshots: dict[str, str] = field(default_factory=dict)
    """Device name to the snapshot that its volume was restored from."""
    volumes: dict[str, str] = field(default_factory=dict)
    """Device name to volume id."""
    tags: dict[str, str] = field(default_factory=dict)
    scenario: Scenario = Scenario.HEALTHY
    state: str = "pending"
    state_reason: StateReason | None = None
    answers: bool = False
    """Whether it answers its health check well right now."""
    symptom: Symptom = Symptom.REFUSES
    """How it fails while it does not answer well."""
    terminated_at: datetime | None = None
    _watchers: list[Callable[[Instance], None]] = field(default_factory=list, repr=False)

    def watch(self, callback: Callable[[Instance], None]) -> None:
        """Call back after every change of ``state``, ``answers`` or ``symptom``."""
        self._watchers.append(callback)

    def unwatch(self, callback: Callable[[Instance], None]) -> None:
        """Stop calling back; a callback that never watched is ignored."""
        if callback in self._watchers:
            self._watchers.remove(callback)

    def become(
        self,
        *,
        state: str | None = None,
        answers: bool | None = None,
        symptom: Symptom | None = None,
    ) -> None:
        """Change and tell the watchers; no news when nothing changed."""
        before = (self.state, self.answers, self.symptom)
        self.state = state or self.state
        self.answers = self.answers if answers is None else answers
        self.symptom = symptom or self.symptom
        if (self.state, self.answers, self.symptom) == before:
            return
        for callback in tuple(self._watchers):
            callback(self)


class InstanceLife:
    """Carries one instance from ``pending`` to ``terminated``: at most one timer at a time."""

    def __init__(self, world: World, behaviour: Behaviour, instance: Instance) -> None:
        self._world = world
        self._behaviour = behaviour
        self._instance = instance
        self._timer: Timer | None = None
        self.on_terminated: Callable[[Instance], None] = lambda _instance: None

    def begin(self, *, keys_usable: bool) -> None:
        """Boot, or start and die because a volume's key cannot be used."""
        if keys_usable:
            self._varied(self._behaviour.boot_seconds, "runs", self._run)
        else:
            self._varied(self._behaviour.failed_launch_seconds, "fails to launch", self._fail)

    def end(self, reason: StateReason) -> None:
        """Shut the instance down; nothing when it is already on its way out."""
        instance = self._instance
        if instance.state in ("shutting-down", "terminated"):
            return
        instance.state_reason = reason
        # The service is stopped first: from here on connections are refused.
        self._varied(self._behaviour.shutdown_seconds, "terminated", self._terminate)
        instance.become(state="shutting-down", answers=False, symptom=Symptom.REFUSES)

    def _run(self) -> None:
        wait = (
            self._behaviour.slow_start_seconds
            if self._instance.scenario is Scenario.SLOW
            else self._behaviour.start_seconds
        )
        self._varied(wait, "starts its service", self._start)
        self._instance.become(state="running")

    def _start(self) -> None:
        scenario = self._instance.scenario
        if scenario is Scenario.CORRUPT:
            self._timer = None
            self._instance.become(symptom=Symptom.ERRORS)
            return
        if scenario is Scenario.DEGRADES:
            self._after(self._behaviour.degrade_after_seconds, "degrades", self._degrade)
        elif scenario is Scenario.FLAPPING:
            self._after(self._behaviour.flap_seconds, "hangs", self._flap)
        self._instance.become(answers=True)

    def _degrade(self) -> None:
        self._timer = None
        self._instance.become(answers=False, symptom=Symptom.ERRORS)

    def _flap(self) -> None:
        answers = not self._instance.answers
        self._after(
            self._behaviour.flap_seconds, "hangs" if answers else "answers again", self._flap
        )
        self._instance.become(answers=answers, symptom=Symptom.HANGS)

    def _fail(self) -> None:
        # Auto Scaling user guide, "Troubleshoot … instance launch failure": an encrypted volume
        # whose key the service-linked role cannot use ends in exactly these words.
        self._instance.state_reason = StateReason(
            "Client.InternalError", "Client.InternalError: Client error on launch"
        )
        self._terminate()

    def _terminate(self) -> None:
        self._timer = None
        self._instance.terminated_at = self._world.clock.now()
        self.on_terminated(self._instance)
        self._instance.become(state="terminated", answers=False)

    def _varied(self, seconds: float, what: str, run: Callable[[], None]) -> None:
        self._after(self._behaviour.varied(seconds, self._world.random), what, run)

    def _after(self, seconds: float, what: str, run: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._world.clock.after(seconds, f"{self._instance.id} {what}", run)
