"""Carries a schedule's faults into a world: calls that fail, reads that lag, events that stray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from embedded.world.errors import AwsError, FunctionDiedError, FunctionTimedOutError
from embedded.world.eventbridge.service import Event
from embedded.world.faults import Call
from embedded.world.world import World
from tests.simulation.parts import PROMPT
from tests.simulation.schedule import (
    CallsFail,
    EventsAreLate,
    EventTravels,
    Failure,
    InvocationsFail,
    ReadsLag,
    Unrun,
)

Note = Callable[[str], None]

_THROTTLING = {
    "autoscaling": "Throttling",
    "cloudwatch": "Throttling",
    "dynamodb": "ProvisionedThroughputExceededException",
    "ec2": "RequestLimitExceeded",
    "elbv2": "Throttling",
}
"""What each service calls it; the others say ThrottlingException."""
_SERVER_ERROR = {
    "autoscaling": "ResourceContention",
    "dynamodb": "InternalServerError",
    "ec2": "InternalError",
    "kms": "KMSInternalException",
}
"""Likewise for a fault of the service's own; the others say InternalFailure."""

_DENIED = {
    "autoscaling": "AccessDenied",
    "cloudwatch": "AccessDenied",
    "ec2": "UnauthorizedOperation",
    "elbv2": "AccessDenied",
}
"""Likewise for a missing permission; the others say AccessDeniedException."""
_INVOKERS = ("states:", "lambda.")
"""Who runs functions: Step Functions and Lambda's own queue."""


@dataclass
class _ArmedFault:
    entry: CallsFail
    met: int = 0
    """Calls of the function since the fault was armed."""
    hit: int = 0
    """Number of the call that fails after its effect."""


@dataclass
class _ArmedTravel:
    entry: EventTravels
    met: int = 0


@dataclass
class _ArmedInvocation:
    entry: InvocationsFail
    met: int = 0
    hit: int = 0


class Injections:
    """The faults in force. ``note`` is told of each that strikes."""

    def __init__(self, world: World, note: Note) -> None:
        self._world = world
        self._note = note
        self._faults: dict[str, list[_ArmedFault]] = {}
        self._travels: dict[str, list[_ArmedTravel]] = {}
        self._invocations: dict[str, list[_ArmedInvocation]] = {}
        self._next_arrivals: Sequence[float] | None = None
        self._late: list[tuple[datetime, float]] = []
        """Until when events are late, and by how much."""
        world.faults.before_effect(self._before)
        world.faults.after_effect(self._after)
        world.events.delivery = self._delays

    def arm_fault(self, entry: CallsFail) -> None:
        """Let calls of a function fail from now on."""
        self._faults.setdefault(entry.function, []).append(_ArmedFault(entry))

    def arm_travel(self, entry: EventTravels) -> None:
        """Let an event of a source travel badly from now on."""
        self._travels.setdefault(entry.source, []).append(_ArmedTravel(entry))

    def arm_invocation(self, entry: InvocationsFail) -> None:
        """Let invocations of a function go wrong from now on."""
        self._invocations.setdefault(entry.function, []).append(_ArmedInvocation(entry))

    def lag(self, entry: ReadsLag) -> None:
        """Let reads lag for a while from now on."""
        until = self._world.clock.now() + timedelta(seconds=entry.seconds)
        self._world.reads.lag(entry.lag, until=until)
        self._note(f"reads lag by {entry.lag:.1f} s for {entry.seconds:.0f} s")

    def delay(self, entry: EventsAreLate) -> None:
        """Let every event be late for a while from now on."""
        until = self._world.clock.now() + timedelta(seconds=entry.seconds)
        self._late.append((until, entry.by))
        self._note(f"events arrive after {entry.by:.0f} s for {entry.seconds:.0f} s")

    def next_arrives(self, arrivals: Sequence[float]) -> None:
        """Say when the very next event arrives."""
        self._next_arrivals = arrivals

    # -- calls ------------------------------------------------------------------------------------

    def _before(self, call: Call) -> None:
        if call.operation == "Invoke" and call.caller.startswith(_INVOKERS):
            self._before_invocation(call)
            return
        for armed in self._faults.get(call.caller, ()):
            entry = armed.entry
            if entry.operation not in (None, call.operation):
                continue
            armed.met += 1
            if not entry.nth <= armed.met < entry.nth + entry.times:
                continue
            if entry.failure.after:
                armed.hit = call.number
            else:
                self._strike(entry.failure, call)

    def _before_invocation(self, call: Call) -> None:
        for armed in self._invocations.get(self._logical(call), ()):
            entry = armed.entry
            armed.met += 1
            if not entry.nth <= armed.met < entry.nth + entry.times:
                continue
            if entry.failure is Unrun.UNHEARD:
                armed.hit = call.number
                continue
            self._note(f"{entry.function} {entry.failure}")
            if entry.failure is Unrun.THROTTLED:
                raise AwsError("TooManyRequestsException", "Rate Exceeded.", http_status=429)
            raise AwsError("ServiceException", "An internal error occurred.", http_status=500)

    def _after_invocation(self, call: Call) -> None:
        for armed in self._invocations.get(self._logical(call), ()):
            if armed.hit == call.number:
                self._note(f"{armed.entry.function} {armed.entry.failure}")
                raise AwsError("ServiceException", "An internal error occurred.", http_status=500)

    def _logical(self, call: Call) -> str:
        if not self._invocations:
            return ""
        bare = str(call.params["FunctionName"]).rsplit(":", 1)[-1]
        spec = self._world.awslambda.find(bare)
        return spec.logical_id if spec else ""

    def _after(self, call: Call) -> None:
        if call.operation == "Invoke" and call.caller.startswith(_INVOKERS):
            self._after_invocation(call)
            return
        for armed in self._faults.get(call.caller, ()):
            if armed.hit == call.number:
                self._strike(armed.entry.failure, call)

    def _strike(self, failure: Failure, call: Call) -> None:
        tried = f" (try {call.attempt})" if call.attempt > 1 else ""
        self._note(f"{call.caller} {failure} {call.service}:{call.operation}{tried}")
        where = f"https://{call.service}.{self._world.region}.amazonaws.com/"
        match failure:
            case Failure.DIES_BEFORE | Failure.DIES_AFTER:
                raise FunctionDiedError
            case Failure.TIME_IS_UP:
                raise FunctionTimedOutError
            case Failure.DENIED:
                code = _DENIED.get(call.service, "AccessDeniedException")
                what = f"not authorized to perform {call.service}:{call.operation}"
                raise AwsError(code, what, http_status=403)
            case Failure.THROTTLED:
                code = _THROTTLING.get(call.service, "ThrottlingException")
                raise AwsError(code, "Rate exceeded")
            case Failure.UNAVAILABLE_BEFORE | Failure.UNAVAILABLE_AFTER:
                code = _SERVER_ERROR.get(call.service, "InternalFailure")
                raise AwsError(code, "An internal error occurred", http_status=500)
            case Failure.TIMES_OUT_BEFORE:
                raise ConnectTimeoutError(endpoint_url=where)
            case Failure.TIMES_OUT_AFTER:
                raise ReadTimeoutError(endpoint_url=where)

    # -- events -----------------------------------------------------------------------------------

    def _delays(self, event: Event) -> Sequence[float]:
        if self._next_arrivals is not None:
            arrivals, self._next_arrivals = self._next_arrivals, None
            return arrivals
        now = self._world.clock.now()
        late = (by for until, by in self._late if now < until)
        found: Sequence[float] = (max(late, default=PROMPT),)
        for armed in self._travels.get(event.source, ()):
            armed.met += 1
            if 0 <= armed.met - armed.entry.nth < armed.entry.times:
                found = armed.entry.arrivals
                after = " and ".join(f"{delay:.0f} s" for delay in found)
                arrives = f"arrives after {after}" if found else "is lost"
                self._note(f'the event "{event.detail_type}" {arrives}')
        return found
