"""The world: every modelled service around one clock, one seed and one way in."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from embedded.states.service import StepFunctions
from embedded.world.access import Access
from embedded.world.autoscaling import AutoScaling
from embedded.world.awslambda import Lambda
from embedded.world.clock import EPOCH, Clock, Timer
from embedded.world.cloudwatch import CloudWatch
from embedded.world.dynamodb import DynamoDB
from embedded.world.ec2 import EC2
from embedded.world.elbv2 import ElasticLoadBalancing
from embedded.world.errors import NotEmulatedError
from embedded.world.eventbridge import EventBridge
from embedded.world.faults import Call, Faults
from embedded.world.kms import KeyManagement
from embedded.world.messaging import Notifications, Queues
from embedded.world.run_command import SystemsManager
from embedded.world.service import Params, Reply, Service
from embedded.world.staleness import Staleness

_Done = TypeVar("_Done")


class PlainServices(Protocol):
    """Answers what has no behaviour of its own: networks, IAM, log groups."""

    def belongs(self, service: str, operation: str, params: Params, /) -> bool:
        """Whether a call is theirs."""

    def perform(self, service: str, operation: str, params: Params, /) -> Reply:
        """Carry it out, or raise ``AwsError``."""


class World:
    """A deterministic AWS: the same seed and the same calls give the same history.

    Nothing here reads the real clock, opens a socket or starts a thread. Time stands still while
    a call, a handler or a delivery runs, and moves only in ``step`` and ``run_*``.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        start: datetime = EPOCH,
        account: str = "111122223333",
        region: str = "us-east-1",
    ) -> None:
        self.account = account
        self.region = region
        self.random = random.Random(seed)
        self.clock = Clock(start)
        self.faults = Faults()
        self.reads = Staleness(self.clock.now, self._perform)
        self.calls: list[Call] = []
        self.access = Access(self)
        self.plain: PlainServices | None = None
        """What answers for services that are not modelled; nobody, unless attached."""
        self._ids = 0
        self.events = EventBridge(self)
        self.kms = KeyManagement(self)
        self.ec2 = EC2(self)
        self.elbv2 = ElasticLoadBalancing(self)
        self.cloudwatch = CloudWatch(self)
        self.autoscaling = AutoScaling(self)
        self.ssm = SystemsManager(self)
        self.dynamodb = DynamoDB(self)
        self.sns = Notifications(self)
        self.sqs = Queues(self)
        self.awslambda = Lambda(self)
        self.states = StepFunctions(self)
        self._services: dict[str, Service] = {
            service.name: service
            for service in (
                self.events,
                self.kms,
                self.ec2,
                self.elbv2,
                self.cloudwatch,
                self.autoscaling,
                self.ssm,
                self.dynamodb,
                self.sns,
                self.sqs,
                self.awslambda,
                self.states,
            )
        }

    # -- calling ---------------------------------------------------------------------------------

    def call(
        self,
        service: str,
        operation: str,
        params: Params | None = None,
        *,
        caller: str = "operator",
        attempt: int = 1,
        role: str | None = None,
    ) -> Reply:
        """Call an AWS API, with botocore's names and shapes.

        ``role`` is the ARN of the caller's role, whose policies must allow the call.

        Raises
        ------
        AwsError
            What AWS would answer, or what an interference answers in its place.
        """
        call = self._new_call(service, operation, params or {}, caller, attempt, role)
        self.faults.meet_before(call)
        self.access.check(call)
        self.reads.before(call)
        reply = self.reads.seen(call, self._perform(service, operation, call.params))
        self.faults.meet_after(call)
        return reply

    def enact(
        self,
        service: str,
        operation: str,
        params: Params,
        effect: Callable[[], _Done],
        *,
        caller: str,
        role: str | None = None,
    ) -> _Done:
        """Carry out what AWS's own services do by calling another, with all that may go wrong.

        For a call whose answer does not come in an API's shapes, such as an invocation by Step
        Functions or by Lambda's own queue: it is recorded, and interferences meet it, as ``call``
        does it.

        Raises
        ------
        AwsError
            What an interference answers in its place, and whatever ``effect`` raises.
        """
        call = self._new_call(service, operation, params, caller, 1, role)
        self.faults.meet_before(call)
        self.access.check(call)
        done = effect()
        self.faults.meet_after(call)
        return done

    def _new_call(
        self,
        service: str,
        operation: str,
        params: Params,
        caller: str,
        attempt: int,
        role: str | None,
    ) -> Call:
        number, now = len(self.calls) + 1, self.clock.now()
        call = Call(number, now, caller, service, operation, params, attempt, role)
        self.calls.append(call)
        return call

    def _perform(self, service: str, operation: str, params: Params) -> Reply:
        if self.plain is not None and self.plain.belongs(service, operation, params):
            return self.plain.perform(service, operation, params)
        modelled = self._services.get(service)
        if modelled is None:
            raise NotEmulatedError(f"the service {service}")
        return modelled.perform(operation, params)

    def add_service(self, service: Service) -> None:
        """Let calls reach one more service: one that is built on top of the world."""
        self._services[service.name] = service

    # -- time ------------------------------------------------------------------------------------

    def step(self) -> Timer | None:
        """Let the next thing happen; None when nothing is left to happen."""
        return self.clock.step()

    def run_for(self, seconds: float) -> None:
        """Let emulated time pass."""
        self.clock.advance_to(self.clock.now() + timedelta(seconds=seconds))

    def run_until(self, condition: Callable[[], bool], *, limit: timedelta) -> None:
        """Let things happen until ``condition`` holds.

        Raises
        ------
        TimeoutError
            When it does not hold after ``limit`` of emulated time, or nothing is left to happen.
        """
        deadline = self.clock.now() + limit
        while not condition():
            due = self.clock.next_at()
            if due is None or due > deadline:
                raise TimeoutError(f"not reached within {limit} of emulated time")
            self.clock.step()

    # -- names -----------------------------------------------------------------------------------

    def arn(self, service: str, resource: str) -> str:
        """An ARN in this world's account and Region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def new_id(self, prefix: str) -> str:
        """A fresh EC2-style id such as ``snap-0…``: unique, the same in every run of a seed."""
        self._ids += 1
        return f"{prefix}-0{self._ids:016x}"

    def new_uuid(self) -> str:
        """A fresh identifier in the form of a UUID, the same in every run of a seed."""
        self._ids += 1
        bits = f"{self.random.getrandbits(96):024x}{self._ids:08x}"
        return f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}"
