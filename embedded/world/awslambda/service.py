"""Lambda in one Region: functions, who may invoke them, and invoking them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

from embedded.world.awslambda.function import (
    EventInvokeConfig,
    FunctionSpec,
    Invocation,
    LogRecord,
    Run,
)
from embedded.world.awslambda.queue import Dropped, EventQueue, Waiting
from embedded.world.awslambda.runtime import (
    LARGEST_SYNC_PAYLOAD,
    EncodedVariables,
    LambdaContext,
    encoded,
    run,
    timed_out,
)
from embedded.world.cloudwatch.embedded_metrics import metrics_in
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.policies import Request, admits
from embedded.world.service import Params, Reply, Service, operation

if TYPE_CHECKING:
    from embedded.world.world import World

LARGEST_ASYNC_PAYLOAD: Final = 1024 * 1024
"""Bytes of an event ("Lambda quotas")."""
LARGEST_ENVIRONMENT: Final = 4 * 1024
PERMISSION_MEMBERS: Final = frozenset({
    "Action", "FunctionName", "Principal", "SourceAccount", "SourceArn", "StatementId",
})  # fmt: skip
MOST_RETRIES: Final = 2
EVENT_AGE_RANGE: Final = (60, 21_600)
LOG_TAIL_BYTES: Final = 4096


class Lambda(Service):
    """The functions of one account in one Region. Only ``$LATEST`` is modelled."""

    name: ClassVar[str] = "lambda"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.around: Callable[[FunctionSpec], AbstractContextManager[None]] | None = None
        """Entered around each run of a handler, inside its environment: what binds the handler's
        clients and clock to this world."""
        self.logs: dict[str, list[LogRecord]] = {}
        """What each function printed and logged, by function name."""
        self.runs: list[Run] = []
        """Every run of a handler, retries included, oldest first."""
        self._functions: dict[str, FunctionSpec] = {}
        self._statements: dict[str, dict[str, dict[str, Any]]] = {}
        self._configs: dict[str, EventInvokeConfig] = {}
        self._environments: dict[str, tuple[FunctionSpec, EncodedVariables]] = {}
        """What each function's environment is, as long as the function stays the same."""
        self._queue = EventQueue(world, self)

    # -- for the rest of the world ---------------------------------------------------------------

    def install(self, spec: FunctionSpec) -> str:
        """Put a function into the world, in place of one of the same name; gives its ARN."""
        size = sum(len(f"{k}{v}".encode()) for k, v in spec.environment.items())
        if size > LARGEST_ENVIRONMENT:
            raise AwsError(
                "InvalidParameterValueException",
                "Lambda was unable to configure your environment variables because the environment"
                " variables you have provided exceeded the 4KB limit.",
            )
        self._functions[spec.name] = spec
        self.logs.setdefault(spec.name, [])
        return self.arn_of(spec.name)

    def uninstall(self, name: str) -> None:
        """Take a function out of the world."""
        for kept in (self._functions, self._statements, self._configs):
            kept.pop(name, None)

    def find(self, name: str) -> FunctionSpec | None:
        """Find a function by its bare name."""
        return self._functions.get(name)

    @property
    def dropped(self) -> list[Dropped]:
        """Asynchronous events that failed every try."""
        return self._queue.dropped

    def arn_of(self, name: str) -> str:
        """Give the ARN of a function."""
        return self.world.arn("lambda", f"function:{name}")

    def invoke(self, name: str, payload: Any, *, caller: str) -> Invocation:
        """Run a function and wait for it.

        Raises
        ------
        AwsError
            ``ResourceNotFoundException``, or ``RequestTooLargeException`` above 6 MB. A handler
            that fails is no such error: it is in the ``Invocation``.
        """
        return self.invoke_text(name, json.dumps(payload), caller=caller)

    def invoke_text(self, name: str, text: str, *, caller: str) -> Invocation:
        """Run a function on a payload in JSON and wait for it, as ``invoke`` does."""
        _check_size(text, LARGEST_SYNC_PAYLOAD)
        return self.run(self._function(name), text, caller=caller)

    def invoke_async(self, name: str, payload: Any, *, caller: str) -> str:
        """Queue an event for a function; gives the request id, which every try of it has.

        Raises
        ------
        AwsError
            ``ResourceNotFoundException``, or ``RequestTooLargeException`` above 1 MB.
        """
        text = json.dumps(payload)
        _check_size(text, LARGEST_ASYNC_PAYLOAD)
        spec = self._function(name)
        request_id = self.world.new_uuid()
        self._queue.accept(Waiting(spec.name, text, request_id, caller, self.world.clock.now()))
        return request_id

    def run(
        self, spec: FunctionSpec, text: str, *, caller: str, request_id: str | None = None
    ) -> Invocation:
        """Run a handler once on an event in JSON."""
        context = self._context(spec, request_id or self.world.new_uuid())
        invocation, lines = run(spec, text, context, self._environment(spec), self.around)
        if spec.too_slow:
            # Harsher than to stop it half way: what the handler did is done, what it said is lost.
            invocation = timed_out(spec, context.aws_request_id)
        now = self.world.clock.now()
        failed = None if invocation.error is None else invocation.error.error_type
        self.runs.append(Run(now, spec.name, caller, context.aws_request_id, failed))
        self._publish(spec.name, lines, failed=failed is not None)
        log = self.logs.setdefault(spec.name, [])
        log.extend(LogRecord(now, context.aws_request_id, line) for line in lines)
        if invocation.error is not None:
            told = f"[ERROR] {invocation.error.error_type}: {invocation.error.error_message}"
            log.append(LogRecord(now, context.aws_request_id, told))
        return invocation

    def _publish(self, name: str, lines: list[str], *, failed: bool) -> None:
        """Let CloudWatch count the run, and find the metrics in what it logged.

        Source: Lambda developer guide, "Types of metrics for Lambda functions".
        """
        cloudwatch, function = self.world.cloudwatch, {"FunctionName": name}
        cloudwatch.record("AWS/Lambda", "Invocations", function, 1)
        cloudwatch.record("AWS/Lambda", "Errors", function, float(failed))
        for line in lines:
            for put in metrics_in(line):
                cloudwatch.record(*put)

    def seconds_of(self, name: str) -> float:
        """How long whoever waits for a function waits; 0 when there is no such function."""
        spec = self._functions.get(_bare(name))
        return min(spec.takes_seconds, spec.timeout_seconds) if spec is not None else 0

    def check_permission(self, function_arn: str, service: str, source_arn: str) -> None:
        """See whether a service may invoke a function on behalf of one of its resources.

        Raises
        ------
        AwsError
            ``ResourceNotFoundException``, or ``AccessDeniedException`` when no permission of the
            function lets the service in.
        """
        spec = self._function(function_arn)
        request = Request(
            service,
            "lambda:InvokeFunction",
            self.arn_of(spec.name),
            source_arn,
            self.world.account,
        )
        if not admits(self._policy(spec.name), request):
            raise AwsError(
                "AccessDeniedException",
                f"{service} is not authorized to perform: lambda:InvokeFunction on resource:"
                f" {self.arn_of(spec.name)} because no resource-based policy allows it",
                http_status=403,
            )

    def event_config(self, name: str) -> EventInvokeConfig:
        """Give how a function's asynchronous events are tried."""
        return self._configs.get(name, EventInvokeConfig())

    # -- invoking --------------------------------------------------------------------------------

    @operation("Invoke")
    def invoke_function(self, params: Params) -> Reply:
        """Invoke a function: wait for it, queue its event, or only look whether one may."""
        for member in ("ClientContext", "DurableExecutionName", "TenantId"):
            if member in params:
                raise NotEmulatedError(f"lambda:Invoke with {member}")
        if params.get("Qualifier", "$LATEST") != "$LATEST":
            raise NotEmulatedError("versions and aliases of functions")
        spec = self._function(params["FunctionName"])
        kind = params.get("InvocationType", "RequestResponse")
        if kind == "DryRun":
            return {"StatusCode": 204, "Payload": b""}
        event = _event(params.get("Payload", b"{}") or b"{}")
        if kind == "Event":
            self.invoke_async(spec.name, event, caller="lambda")
            return {"StatusCode": 202, "Payload": b""}
        invocation = self.invoke(spec.name, event, caller="lambda")
        return self._answered(spec, invocation, params)

    def _answered(self, spec: FunctionSpec, invocation: Invocation, params: Params) -> Reply:
        payload = invocation.payload if invocation.error is None else invocation.error.as_payload()
        reply: Reply = {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": json.dumps(payload, ensure_ascii=False).encode(),
        }
        if invocation.error is not None:
            reply["FunctionError"] = "Unhandled"
        if params.get("LogType") == "Tail":
            lines = [r.line for r in self.logs[spec.name] if r.request_id == invocation.request_id]
            reply["LogResult"] = base64.b64encode(
                "\n".join(lines).encode()[-LOG_TAIL_BYTES:]
            ).decode()
        return reply

    # -- functions -------------------------------------------------------------------------------

    @operation("GetFunction")
    def get_function(self, params: Params) -> Reply:
        """Describe a function."""
        spec = self._function(params["FunctionName"])
        reply: Reply = {"Configuration": self._described(spec)}
        return reply | ({"Tags": dict(spec.tags)} if spec.tags else {})

    @operation("GetFunctionConfiguration")
    def get_function_configuration(self, params: Params) -> Reply:
        """Describe a function's settings."""
        return self._described(self._function(params["FunctionName"]))

    @operation(
        "ListFunctions", unmodelled=("FunctionVersion", "Marker", "MasterRegion", "MaxItems")
    )
    def list_functions(self, params: Params) -> Reply:  # noqa: ARG002 - one page holds them all
        """List the functions."""
        return {"Functions": [self._described(spec) for spec in self._functions.values()]}

    @operation("DeleteFunction")
    def delete_function(self, params: Params) -> Reply:
        """Delete a function with its permissions."""
        self.uninstall(self._function(params["FunctionName"]).name)
        return {"StatusCode": 204}

    # -- permissions -----------------------------------------------------------------------------

    @operation("AddPermission")
    def add_permission(self, params: Params) -> Reply:
        """Let a service invoke a function."""
        if unknown := sorted(params.keys() - PERMISSION_MEMBERS):
            raise NotEmulatedError(f"lambda:AddPermission with {unknown[0]}")
        spec = self._function(params["FunctionName"])
        statements = self._statements.setdefault(spec.name, {})
        if params["StatementId"] in statements:
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({params['StatementId']}) provided already exists. Please"
                " provide a new statement id, or remove the existing statement.",
            )
        principal = params["Principal"]
        statement: dict[str, Any] = {
            "Sid": params["StatementId"],
            "Effect": "Allow",
            "Principal": {"Service" if "." in principal else "AWS": principal},
            "Action": params["Action"],
            "Resource": self.arn_of(spec.name),
        }
        condition: dict[str, Any] = {}
        if "SourceArn" in params:
            condition["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
        if "SourceAccount" in params:
            condition["StringEquals"] = {"AWS:SourceAccount": params["SourceAccount"]}
        if condition:
            statement["Condition"] = condition
        statements[params["StatementId"]] = statement
        return {"Statement": json.dumps(statement)}

    @operation("RemovePermission", unmodelled=("RevisionId",))
    def remove_permission(self, params: Params) -> Reply:
        """Take a permission away."""
        spec = self._function(params["FunctionName"])
        if self._statements.get(spec.name, {}).pop(params["StatementId"], None) is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"Statement {params['StatementId']} is not found in resource policy.",
            )
        return {}

    @operation("GetPolicy")
    def get_policy(self, params: Params) -> Reply:
        """Give a function's resource policy."""
        spec = self._function(params["FunctionName"])
        policy = self._policy(spec.name)
        if policy is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"No policy is associated with the given resource: {self.arn_of(spec.name)}.",
            )
        return {"Policy": json.dumps(policy)}

    # -- asynchronous settings -------------------------------------------------------------------

    @operation("PutFunctionEventInvokeConfig")
    def put_event_invoke_config(self, params: Params) -> Reply:
        """Say how asynchronous events are tried and where they end."""
        spec = self._function(params["FunctionName"])
        if params.get("Qualifier", "$LATEST") != "$LATEST":
            raise NotEmulatedError("versions and aliases of functions")
        retries = params.get("MaximumRetryAttempts", MOST_RETRIES)
        age = params.get("MaximumEventAgeInSeconds", EVENT_AGE_RANGE[1])
        if not 0 <= retries <= MOST_RETRIES or not EVENT_AGE_RANGE[0] <= age <= EVENT_AGE_RANGE[1]:
            raise AwsError(
                "InvalidParameterValueException",
                "MaximumRetryAttempts has to be 0 to 2, MaximumEventAgeInSeconds 60 to 21600.",
            )
        destinations = params.get("DestinationConfig", {})
        self._configs[spec.name] = EventInvokeConfig(
            retries,
            age,
            destinations.get("OnFailure", {}).get("Destination"),
            destinations.get("OnSuccess", {}).get("Destination"),
            self.world.clock.now(),
        )
        return self.get_event_invoke_config(params)

    @operation("GetFunctionEventInvokeConfig")
    def get_event_invoke_config(self, params: Params) -> Reply:
        """Give how asynchronous events are tried and where they end."""
        spec = self._function(params["FunctionName"])
        config = self._configs.get(spec.name)
        if config is None or config.changed_at is None:
            raise AwsError(
                "ResourceNotFoundException",
                f"The function {self.arn_of(spec.name)} doesn't have an EventInvokeConfig",
            )
        destinations: dict[str, Any] = {}
        if config.on_failure:
            destinations["OnFailure"] = {"Destination": config.on_failure}
        if config.on_success:
            destinations["OnSuccess"] = {"Destination": config.on_success}
        return {
            "LastModified": config.changed_at,
            "FunctionArn": self.world.arn("lambda", f"function:{spec.name}:$LATEST"),
            "MaximumRetryAttempts": config.maximum_retry_attempts,
            "MaximumEventAgeInSeconds": config.maximum_event_age_seconds,
            "DestinationConfig": destinations,
        }

    # -- within ----------------------------------------------------------------------------------

    def _function(self, name: str) -> FunctionSpec:
        """Find a function by name, partial ARN or ARN."""
        bare = _bare(name)
        spec = self._functions.get(bare)
        if spec is None:
            raise AwsError("ResourceNotFoundException", f"Function not found: {self.arn_of(bare)}")
        return spec

    def _policy(self, name: str) -> dict[str, Any] | None:
        statements = list(self._statements.get(name, {}).values())
        if not statements:
            return None
        return {"Version": "2012-10-17", "Id": "default", "Statement": statements}

    def _described(self, spec: FunctionSpec) -> Reply:
        described: Reply = {
            "FunctionName": spec.name,
            "FunctionArn": self.arn_of(spec.name),
            "Runtime": spec.runtime,
            "Role": spec.role_arn,
            "Handler": spec.handler_name,
            "Description": spec.description,
            "Timeout": spec.timeout_seconds,
            "MemorySize": spec.memory_mb,
            "Version": "$LATEST",
            "TracingConfig": {"Mode": spec.tracing},
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "PackageType": "Zip",
            "Architectures": [spec.architecture],
            "Layers": [{"Arn": arn} for arn in spec.layers],
        }
        if spec.environment:
            described["Environment"] = {"Variables": dict(spec.environment)}
        if spec.dead_letter_arn:
            described["DeadLetterConfig"] = {"TargetArn": spec.dead_letter_arn}
        return described

    def _context(self, spec: FunctionSpec, request_id: str) -> LambdaContext:
        return LambdaContext(
            spec.name,
            "$LATEST",
            self.arn_of(spec.name),
            str(spec.memory_mb),
            request_id,
            spec.log_group or f"/aws/lambda/{spec.name}",
            self._log_stream(),
            spec.timeout_seconds,
        )

    def _log_stream(self) -> str:
        return _log_stream_of(self.world.clock.now().date())

    def _environment(self, spec: FunctionSpec) -> EncodedVariables:
        """Give the variables of the function, and those that Lambda itself defines."""
        known = self._environments.get(spec.name)
        if known is None or known[0] is not spec:
            known = self._environments[spec.name] = (spec, encoded(self._lasting(spec)))
        return known[1] | encoded({"AWS_LAMBDA_LOG_STREAM_NAME": self._log_stream()})

    def _lasting(self, spec: FunctionSpec) -> dict[str, str]:
        """Give the variables that are the same in every run of a function."""
        return {
            **spec.environment,
            "AWS_REGION": self.world.region,
            "AWS_DEFAULT_REGION": self.world.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group or f"/aws/lambda/{spec.name}",
            "AWS_ACCESS_KEY_ID": "embedded",
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": spec.handler_name,
        }


def _bare(name: str) -> str:
    """Give the bare name in a function's name, partial ARN or ARN."""
    return name.removesuffix(":$LATEST").rsplit(":", 1)[-1]


@cache
def _log_stream_of(day: date) -> str:
    return day.strftime("%Y/%m/%d/[$LATEST]embedded")


def _event(payload: Any) -> Any:
    """Read the request's payload, which botocore takes as text, bytes or an open file."""
    content = payload.read() if hasattr(payload, "read") else payload
    try:
        return json.loads(content)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        ) from None


def _check_size(text: str, largest: int) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > largest:
        raise AwsError(
            "RequestTooLargeException",
            f"{size} byte payload is too large for the invocation (limit {largest} bytes)",
            http_status=413,
        )
