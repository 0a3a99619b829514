"""The composition root of a function: where clients, clock and observability come together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from botocore.config import Config
from pydantic import BaseModel, ValidationError

from snaproll import settings
from snaproll.aws.alarms import Alarms
from snaproll.aws.events import Announcements
from snaproll.aws.executions import Executions
from snaproll.aws.fleets import Fleets
from snaproll.aws.functions import Functions
from snaproll.aws.groups import Groups
from snaproll.aws.hooks import Hooks
from snaproll.aws.index import Index
from snaproll.aws.instances import Instances
from snaproll.aws.keys import Keys
from snaproll.aws.launch_templates import LaunchTemplates
from snaproll.aws.ledger import Ledger
from snaproll.aws.live import LiveParameters
from snaproll.aws.overview import Overview
from snaproll.aws.probes import Probes
from snaproll.aws.refreshes import Refreshes
from snaproll.aws.snapshots import Snapshots
from snaproll.aws.volumes import RegistryTables, Volumes
from snaproll.aws.writer_ledger import WriterLedger
from snaproll.aws.writers import Writers
from snaproll.errors import InvalidRequestError
from snaproll.explain import explain

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SERVICE = "snaproll"
SDK = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=3, read_timeout=10
)
"""The SDK's own retries stay short: the state machine retries whole steps with back-off."""
SDK_ONCE = SDK.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
"""For calls that must not be made twice and take no client token."""

_Request = TypeVar("_Request", bound=BaseModel)


@dataclass(frozen=True)
class Runtime:
    """Everything that a step reaches the outside world by.

    ``client`` gives the SDK client of a service, ``client_once`` one that makes a single try of
    each call; ``now`` gives the present instant in UTC.
    """

    settings: settings.Settings
    client: Callable[[str], Any]
    client_once: Callable[[str], Any]
    now: Callable[[], datetime]

    @cached_property
    def snapshots(self) -> Snapshots:
        """EBS snapshots."""
        return Snapshots(self.client("ec2"))

    @cached_property
    def snapshot_making(self) -> Snapshots:
        """EBS snapshots, by a client that never makes a call twice."""
        return Snapshots(self.client_once("ec2"))

    @cached_property
    def volumes(self) -> Volumes:
        """EBS volumes."""
        return Volumes(self.client("ec2"))

    @cached_property
    def registries(self) -> RegistryTables:
        """Tables in which instances register."""
        return RegistryTables(self.client("dynamodb"))

    @cached_property
    def hooks(self) -> Hooks:
        """Quiesce hooks."""
        return Hooks(self.client("lambda"), self.client("ssm"))

    @cached_property
    def writers(self) -> Writers:
        """Writer parameters."""
        return Writers(self.client("ssm"), self.settings.environment)

    @cached_property
    def writer_ledger(self) -> WriterLedger:
        """What the ledger holds of writers."""
        return WriterLedger(self.client("dynamodb"), self.settings.ledger_table)

    @cached_property
    def keys(self) -> Keys:
        """KMS keys."""
        return Keys(self.client("kms"))

    @cached_property
    def templates(self) -> LaunchTemplates:
        """Launch templates."""
        return LaunchTemplates(self.client("ec2"))

    @cached_property
    def groups(self) -> Groups:
        """Auto Scaling groups."""
        return Groups(self.client("autoscaling"), self.client("elbv2"))

    @cached_property
    def refreshes(self) -> Refreshes:
        """Instance refreshes."""
        return Refreshes(self.client("autoscaling"))

    @cached_property
    def alarms(self) -> Alarms:
        """CloudWatch alarms."""
        return Alarms(self.client("cloudwatch"))

    @cached_property
    def instances(self) -> Instances:
        """EC2 instances."""
        return Instances(self.client("ec2"))

    @cached_property
    def probes(self) -> Probes:
        """Functions that test new instances."""
        return Probes(self.client("lambda"), self.settings.probe_prefix)

    @cached_property
    def functions(self) -> Functions:
        """Functions of the control plane itself."""
        return Functions(self.client("lambda"))

    @cached_property
    def fleets(self) -> Fleets:
        """Fleet parameters."""
        return Fleets(self.client("ssm"), self.settings.environment)

    @cached_property
    def index(self) -> Index:
        """The index of fleets."""
        return Index(self.client("dynamodb"), self.settings.ledger_table)

    @cached_property
    def live(self) -> LiveParameters:
        """What each fleet serves, where others look for it."""
        return LiveParameters(self.client("ssm"), self.settings.environment)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.client("dynamodb"), self.settings.ledger_table)

    @cached_property
    def overview(self) -> Overview:
        """The ledgers of many fleets."""
        return Overview(self.client("dynamodb"), self.settings.ledger_table)

    @cached_property
    def announcements(self) -> Announcements:
        """Domain events."""
        return Announcements(self.client("events"))

    @cached_property
    def executions(self) -> Executions:
        """Executions of the state machines."""
        return Executions(self.client("stepfunctions"))

    def stop_reason(self) -> str | None:
        """Why every rollout of the environment is stopped; None while none is."""
        return self.fleets.stop_reason(self.settings.stop_parameter)

    @property
    def logger(self) -> Logger:
        """Structured JSON logs."""
        return _logger()

    def count(self, metric: str, fleet: str | None = None) -> None:
        """Count something that happened to a fleet, or to any, as a CloudWatch metric."""
        self._record(metric, fleet, 1, MetricUnit.Count)

    def measure(self, metric: str, fleet: str, value: float) -> None:
        """Record a value of a fleet that has none of CloudWatch's units, such as hours."""
        self._record(metric, fleet, value, MetricUnit.NoUnit)

    def _record(self, metric: str, fleet: str | None, value: float, unit: MetricUnit) -> None:
        metrics = _metrics()
        metrics.add_dimension("environment", self.settings.environment)
        if fleet is not None:
            metrics.add_dimension("fleet", fleet)
        metrics.add_metric(metric, unit, value)
        metrics.flush_metrics()


class _CurrentStdout:
    """Writes to what ``sys.stdout`` is at the moment of writing, not when the logger was made."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@cache
def _logger() -> Logger:
    return Logger(service=SERVICE, stream=cast("TextIO", _CurrentStdout()))


@cache
def _metrics() -> Metrics:
    return Metrics(namespace=SERVICE, service=SERVICE)


@cache
def _tracer() -> Tracer:
    # Clients are not patched: X-Ray's patching costs more start-up time than it tells here.
    return Tracer(service=SERVICE, auto_patch=False)


def _traced(name: str) -> AbstractContextManager[object]:
    tracer = _tracer()
    # Powertools switches tracing off outside Lambda, where the SDK would still make dummies.
    return nullcontext() if tracer.disabled else tracer.provider.in_subsegment(name=name)


@cache
def _client(service: str) -> Any:
    make: Any = boto3.client
    return make(service, config=SDK)


@cache
def _client_once(service: str) -> Any:
    make: Any = boto3.client
    return make(service, config=SDK_ONCE)


@cache
def _on_lambda() -> Runtime:
    return Runtime(
        settings=settings.from_env(os.environ),
        client=_client,
        client_once=_client_once,
        now=lambda: datetime.now(UTC),
    )


_override: ContextVar[Runtime | None] = ContextVar("snaproll_runtime", default=None)


def current() -> Runtime:
    """The runtime of this process, or the one that ``use`` put in its place."""
    return _override.get() or _on_lambda()


@contextmanager
def use(runtime: Runtime) -> Iterator[None]:
    """Run handlers inside against another runtime, such as the embedded AWS."""
    token = _override.set(runtime)
    try:
        yield
    finally:
        _override.reset(token)


def handle(
    event: object,
    context: LambdaContext,
    request: type[_Request],
    step: Callable[[_Request, Runtime], BaseModel],
) -> dict[str, Any]:
    """Run one step for one invocation: parse, call, dump.

    Raises
    ------
    InvalidRequestError
        When the event does not have the request's shape.
    SnaprollError
        Whatever the step raises; the class name is what Retry and Catch see.
    """
    runtime = current()
    logger = runtime.logger
    logger.append_keys(function=context.function_name, request_id=context.aws_request_id)
    try:
        parsed = request.model_validate(event)
    except ValidationError as error:
        raise InvalidRequestError(explain(f"The input of {context.function_name}", error)) from None
    with _traced(f"## {context.function_name}"):
        answer = step(parsed, runtime).model_dump(mode="json")
    logger.info("done", extra={"answer": _short(answer)})
    return answer


def _short(answer: dict[str, Any]) -> dict[str, Any]:
    """What is worth a log line of an answer: its plain members."""
    return {name: value for name, value in answer.items() if isinstance(value, str | int | None)}
