"""The direct door: ordinary boto3 clients whose calls go straight into a world.

A hook on botocore's ``creating-client-class`` puts :class:`DirectClient` in front of the client's
own class. Everything before the network stays botocore's: parameter validation, the
``provide-client-params`` and ``before-parameter-build`` handlers, paginators, the exception
classes, and the question which errors the SDK retries. Everything after it is ``World.call``.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.exceptions import (
    HTTPClientError,
    OperationNotPageableError,
    ParamValidationError,
)
from botocore.response import StreamingBody
from botocore.retries.standard import RetryContext, StandardRetryConditions
from botocore.validate import ParamValidator

from embedded.pages import DirectPaginator
from embedded.replies import misfits
from embedded.world.errors import AwsError, NotEmulatedError
from embedded.world.values import copied

if TYPE_CHECKING:
    import boto3
    from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
    from botocore.paginate import Paginator

    from embedded.world.world import World

SDK_ATTEMPTS = 3
"""Attempts in all, the first included: botocore's default in its ``standard`` retry mode."""
CODES_OF_OLD = {
    ("sqs", "QueueDoesNotExist"): "AWS.SimpleQueueService.NonExistentQueue",
    ("sqs", "QueueNameExists"): "QueueAlreadyExists",
}
"""What a response tells in ``Error.Code`` where a service has changed protocols and keeps its old
codes (the header ``x-amzn-query-error``), by service and the code of its present model."""
HTTP_OK = 200
HTTP_BAD_REQUEST = 400

NoAnswer = HTTPClientError | NoConnectionError
"""What botocore raises when no answer came; an interference may raise it for the network."""

_validator = ParamValidator()
_IDLE: Final = frozenset({
    ("botocore.handlers", "generate_idempotent_uuid"),
    ("botocore.handlers", "_handle_request_validation_mode_member"),
    ("botocore.discovery", "block_endpoint_discovery_required_operations"),
})  # fmt: skip
"""What botocore runs for every operation and does nothing once it has let one through: the tokens
are filled in already, and the others look at the operation's checksum and endpoint discovery."""

_FILTER_ALIAS: Final = ("botocore.handlers", "alias_parameter_in_call")
"""Lets callers of EC2 say ``Filters`` where the model has ``Filter``, which few operations have."""


def session(
    world: World,
    caller: str = "operator",
    *,
    max_attempts: int = SDK_ATTEMPTS,
    check_replies: bool = True,
    check_requests: bool = True,
) -> boto3.Session:
    """Give a session whose clients call ``world``.

    Parameters
    ----------
    world
        Where the calls go.
    caller
        Who calls: the logical name of a function, or ``operator``; faults and recordings see it.
    max_attempts
        How often the SDK tries one call in all. Retries happen at one emulated instant, because
        emulated time stands still while a handler runs.
    check_replies
        Hold every reply of a model against botocore's output shape, so that a misspelt member
        is an error here as it would be missing on the wire. Costs about as much as the call.

    check_requests
        Hold every request against botocore's input shape, as the SDK does. Only for whoever asks
        millions of times what is checked elsewhere: models rely on it.

    Returns
    -------
    boto3.Session
        Only its ``client`` method: what the type promises beyond that is not there.
    """
    made = DirectSession(
        world, caller, max_attempts, check_replies=check_replies, check_requests=check_requests
    )
    return cast("boto3.Session", made)


class DirectSession:
    """Hands out clients that are bound to one world and one caller."""

    def __init__(
        self,
        world: World,
        caller: str,
        max_attempts: int,
        *,
        check_replies: bool,
        check_requests: bool = True,
        role: str | None = None,
    ) -> None:
        self._binding = _Binding(
            world, caller, _retries(max_attempts), check_replies, check_requests, role
        )

    def client(self, service_name: str) -> BaseClient:
        """Give a client of a service.

        botocore takes tens of milliseconds to build a client, so one per service is built in a
        process; what is handed out is a shallow twin of it that knows its world.
        """
        prototype = _prototype(service_name, self._binding.world.region)
        twin: BaseClient = object.__new__(type(prototype))
        twin.__dict__.update(prototype.__dict__)
        twin.__dict__["_binding"] = self._binding
        twin.__dict__["_paginators"] = {}
        return twin


@dataclass(frozen=True, slots=True)
class _Binding:
    """Where a client's calls go, on whose behalf, how stubbornly, and how closely watched."""

    world: World
    caller: str
    retries: StandardRetryConditions
    check_replies: bool
    check_requests: bool
    role: str | None


@dataclass(slots=True)
class _Operation:
    """What is known of one operation, looked up once in a process."""

    model: OperationModel
    service: str
    tokens: tuple[str, ...]
    """Members that make a request idempotent, and are filled in for whoever leaves them out."""
    input_shape: StructureShape | None
    output_shape: Shape | None
    streams: bool
    quiet: bool = False
    """Whether nobody does anything about the events that botocore emits of its parameters."""


class DirectClient(BaseClient):
    """What is put in front of a generated client class: the network is gone."""

    _binding: _Binding
    _operations: dict[str, _Operation]
    _paginators: dict[str, Paginator[Any]]
    _service_model: ServiceModel
    # Inherited from botocore's own class, which the stubs do not show.
    _PY_TO_OP_NAME: dict[str, str]
    _cache: dict[str, Any]

    def get_waiter(self, waiter_name: str) -> Any:
        """Refuse: botocore's waiters sleep in real time, and here time would stand still."""
        raise NotEmulatedError(f"the waiter {waiter_name} (botocore's waiters sleep in real time)")

    def get_paginator(self, operation_name: str) -> Paginator[Any]:
        """Give a paginator without the class of its own that botocore documents each one with.

        Handlers ask for one in every other call, and making a class takes longer than the page.
        """
        known = self._paginators.get(operation_name)
        if known is not None:
            return known
        if not self.can_paginate(operation_name):
            raise OperationNotPageableError(operation_name=operation_name)
        name = self._PY_TO_OP_NAME[operation_name]
        config, model = self._cache["page_config"][name], self._service_model.operation_model(name)
        made = DirectPaginator(getattr(self, operation_name), config, model)
        self._paginators[operation_name] = made
        return made

    def _operation(self, name: str) -> _Operation:
        model = self._service_model.operation_model(name)
        known = self._operations[name] = _Operation(
            model,
            self._service_model.service_name,
            tuple(model.idempotent_members),
            model.input_shape,
            model.output_shape,
            model.has_streaming_output,
        )
        return known

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        operation = self._operations.get(operation_name) or self._operation(operation_name)
        params = self._prepared(operation, api_params)
        service = operation.service
        binding = self._binding
        attempt = 0
        while True:
            attempt += 1
            answer: _Failure | NoAnswer
            try:
                reply = binding.world.call(
                    service,
                    operation_name,
                    params,
                    caller=binding.caller,
                    attempt=attempt,
                    role=binding.role,
                )
            except NotEmulatedError:
                raise
            except AwsError as error:
                answer = _Failure(error, self._service_model)
            except (HTTPClientError, NoConnectionError) as error:
                answer = error
            else:
                return self._answered(operation, reply, attempt)
            if not binding.retries.is_retryable(_retry_context(operation.model, answer, attempt)):
                self._give_up(operation_name, answer, attempt)

    def _prepared(self, operation: _Operation, api_params: Any) -> dict[str, Any]:
        """Do what botocore does with parameters before it serialises them."""
        params = dict(api_params)
        for token in operation.tokens:
            if token not in params:
                params[token] = self._binding.world.new_uuid()
        if not operation.quiet:
            params = self._emitted(operation, params)
        if self._binding.check_requests and operation.input_shape is not None:
            report = _validator.validate(params, operation.input_shape)
            if report.has_errors():
                raise ParamValidationError(report=report.generate_report())
        prepared: dict[str, Any] = copied(params)
        return prepared

    def _emitted(self, operation: _Operation, params: dict[str, Any]) -> dict[str, Any]:
        """Let botocore's handlers see the parameters, and note whether there is any for them.

        botocore registers its handlers when it makes a client; later ones may not be heard.
        """
        heard: set[tuple[str, str]] = set()
        context: dict[str, Any] = {
            "client_region": self.meta.region_name,
            "client_config": self.meta.config,
        }
        for event in ("provide-client-params", "before-parameter-build"):
            answers = self.meta.events.emit(
                f"{event}.{operation.model.service_model.service_id.hyphenize()}"
                f".{operation.model.name}",
                params=params,
                model=operation.model,
                context=context,
            )
            heard |= {(one.__module__, getattr(one, "__name__", "")) for one, _ in answers}
            if event == "provide-client-params":
                given = [answer for _, answer in answers if answer is not None]
                params = given[0] if given else params
        members = operation.input_shape.members if operation.input_shape else {}
        if operation.service == "ec2" and "Filter" not in members:
            heard.discard(_FILTER_ALIAS)
        operation.quiet = not operation.model.http_checksum and heard <= _IDLE
        return params

    def _answered(self, operation: _Operation, reply: Any, attempt: int) -> dict[str, Any]:
        parsed: dict[str, Any] = dict(reply)
        shape = operation.output_shape
        if shape is not None:
            if self._binding.check_replies:
                wrong = list(misfits(shape, parsed))
                if wrong:
                    raise TypeError(
                        f"the model's reply to {operation.model.name}: {'; '.join(wrong)}"
                    )
            if operation.streams:
                body: bytes = parsed[shape.serialization["payload"]]
                parsed[shape.serialization["payload"]] = StreamingBody(io.BytesIO(body), len(body))
        parsed["ResponseMetadata"] = self._metadata(HTTP_OK, attempt)
        return parsed

    def _give_up(self, operation_name: str, answer: _Failure | NoAnswer, attempt: int) -> None:
        """Raise what botocore raises when it has stopped trying."""
        if isinstance(answer, NoAnswer):
            raise answer
        parsed = answer.parsed
        parsed["ResponseMetadata"] = self._metadata(answer.status, attempt)
        error_class: Any = self.exceptions.from_code(answer.code)
        raise error_class(parsed, operation_name) from None

    def _metadata(self, status: int, attempt: int) -> dict[str, Any]:
        return {
            "RequestId": f"00000000-0000-4000-8000-{len(self._binding.world.calls):012d}",
            "HTTPStatusCode": status,
            "HTTPHeaders": {},
            "RetryAttempts": attempt - 1,
        }


class _Failure:
    """An error answer in the form in which botocore's parsers hand it on."""

    def __init__(self, error: AwsError, service: Any) -> None:
        told = CODES_OF_OLD.get((service.service_name, error.code), error.code)
        # botocore looks the members up by the code that is told, the class by the model's own.
        shape: Any = service.shape_for_error_code(told)
        self.code = error.code
        self.status = error.http_status
        self.parsed: dict[str, Any] = {
            "Error": {"Message": error.message, "Code": told},
            **copied(error.extra),
        }
        if shape is None:
            return
        if error.http_status == HTTP_BAD_REQUEST:
            # A model that does not name a status means the one that the shape has.
            self.status = shape.metadata.get("error", {}).get("httpStatusCode", HTTP_BAD_REQUEST)
        for member in shape.members:
            if member.lower() == "message":
                self.parsed.setdefault(member, error.message)


def _retry_context(
    operation: OperationModel, answer: _Failure | NoAnswer, attempt: int
) -> RetryContext:
    if isinstance(answer, NoAnswer):
        return RetryContext(attempt, operation_model=operation, caught_exception=answer)
    return RetryContext(
        attempt,
        operation_model=operation,
        parsed_response=answer.parsed,
        http_response=AWSResponse("", answer.status, HTTPHeaders(), None),
    )


@cache
def _retries(max_attempts: int) -> StandardRetryConditions:
    return StandardRetryConditions(max_attempts=max_attempts)


@cache
def _botocore_session() -> botocore.session.Session:
    """Make the one session of the process, which looks at no file and no credential chain."""
    made = botocore.session.Session(
        session_vars={
            "profile": (None, [], None, None),
            "config_file": (None, [], os.devnull, None),
            "credentials_file": (None, [], os.devnull, None),
        }
    )
    made.set_credentials("embedded", "embedded")
    made.register("creating-client-class", _put_in_front)
    return made


def _put_in_front(**event: Any) -> None:
    event["base_classes"].insert(0, DirectClient)


@cache
def _prototype(service_name: str, region: str) -> BaseClient:
    made = _botocore_session().create_client(service_name, region_name=region)
    made.__dict__["_operations"] = {}
    return made
