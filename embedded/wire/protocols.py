"""Speaks the AWS wire protocols: which operation a request asks for, and how its answer is written.

Built from moto's generic routers, request parsers and response serialisers, which are driven by
botocore's models; nothing here knows a service, but for the names that SDKs sign requests with.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator
from moto.core.model import OperationModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import (
    DefaultAttributePicker,
    EC2Serializer,
    SerializationContext,
    get_serializer_class,
)
from moto.core.utils import get_service_model
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from datetime import datetime

    from moto.core.request import Request

HTTP_BAD_REQUEST: Final = 400
ENDPOINTS: Final = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
}
"""Services by the name that requests are signed for, where boto3 calls them something else."""
_SCOPE: Final = re.compile(r"Credential=[^/,]*/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/")
_validator = ParamValidator()


class UnreadableError(Exception):
    """A request that is not one of any AWS SDK; nobody could be answered in a protocol."""


class _Preciser(EC2Serializer):
    """EC2's answers with the fractions of seconds that moto leaves out."""

    DEFAULT_TIMESTAMP_FORMAT = "iso8601"


class _Refusal(Exception):  # noqa: N818 - the serialisers look for the attributes of an error
    """An error answer with its members as attributes, as moto's serialisers want it."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.message)
        self.code = error.code
        self.message = error.message
        for name, value in error.extra.items():
            setattr(self, name, value)


@dataclass(frozen=True)
class Asked:
    """What a request asks for, and how its answer has to be written."""

    service: str
    operation: OperationModel
    params: dict[str, Any]
    protocol: str

    @property
    def name(self) -> str:
        """The operation's name."""
        return str(self.operation.name)


def service_of(request: Request) -> str:
    """Tell the service that a request is signed for.

    Raises
    ------
    UnreadableError
        When it is not signed: every request of an SDK or the CLI is, with whatever credentials.
    """
    scope = _SCOPE.search(request.headers.get("Authorization", ""))
    if scope is None:
        raise UnreadableError("not signed with Signature Version 4: set dummy credentials")
    name = scope["service"].lower()
    return ENDPOINTS.get(name, name)


def read(service: str, request: Request) -> Asked:
    """Find out what a request asks for.

    Raises
    ------
    UnreadableError
        For a service that botocore does not know either.
    Unanswerable
        For an operation that its model does not have, and for parameters that do not fit it.
    """
    if service not in _known_services():
        raise UnreadableError(f"there is no AWS service {service!r}")
    model = get_service_model(service)
    try:
        protocol = determine_request_protocol(model, request.content_type)
    except NotImplementedError:
        raise UnreadableError(f"{service} is not spoken in {request.content_type}") from None
    try:
        operation, in_path = get_service_router(service).match(request)
    except NotFound:
        asked = Asked(service, OperationModel({}, model, "Unknown"), {}, protocol)
        raise Unanswerable(asked, NotEmulatedError(f"{service}:{_named(request)}")) from None
    parser = PROTOCOL_PARSERS[protocol](operation, timestamp_parser=_instant)
    try:
        parsed = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": request.data,
                "url_path": request.path,
                "url_params": in_path,
            }
        )
    except (AttributeError, TypeError, ValueError) as error:
        asked = Asked(service, operation, {}, protocol)
        raise Unanswerable(asked, _misshapen(asked, str(error))) from error
    asked = Asked(service, operation, _sent(operation, parsed), protocol)
    _check(asked)
    return asked


def _sent(operation: OperationModel, parsed: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the parser makes of members that were not sent."""
    members = _members(operation.input_shape)
    return {
        name: value
        for name, value in parsed.items()
        if value is not None
        and not (value == [] and members[name].serialization.get("location") == "querystring")
    }


class Unanswerable(Exception):  # noqa: N818 - it is the request that is at fault
    """A request that is understood well enough to refuse it in its own protocol."""

    def __init__(self, asked: Asked, error: AwsError) -> None:
        super().__init__(str(error))
        self.asked = asked
        self.error = error


def _named(request: Request) -> str:
    """Name what was asked for as well as one can, when the model has no such operation."""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    return target or str(request.values.get("Action", f"{request.method} {request.path}"))


def _check(asked: Asked) -> None:
    """Hold parameters against the input shape: SDKs do it themselves, other clients may not."""
    shape = asked.operation.input_shape
    if shape is None:
        return
    report = _validator.validate(asked.params, shape)
    if report.has_errors():
        raise Unanswerable(asked, _misshapen(asked, report.generate_report()))


def _misshapen(asked: Asked, why: str) -> AwsError:
    code = "ValidationException" if "json" in asked.protocol else "ValidationError"
    return AwsError(code, why)


def answered(asked: Asked, reply: dict[str, Any], request_id: str) -> Response:
    """Write a reply."""
    written = _serializer(asked, request_id).serialize(reply)
    status = written["status_code"]
    for name, member in _members(asked.operation.output_shape).items():
        if member.serialization.get("location") == "statusCode":
            status = reply.get(name, status)
    return _response(written, status, request_id)


def refused(asked: Asked, error: AwsError, request_id: str) -> Response:
    """Write an error."""
    serializer = _serializer(asked, request_id)
    with warnings.catch_warnings():
        # moto warns of codes that the model does not list; AWS uses many such.
        warnings.simplefilter("ignore")
        written = serializer.serialize(_Refusal(error))
    status = error.http_status
    if status == HTTP_BAD_REQUEST:
        # A model that does not name a status means the one that the error's shape has.
        status = written["status_code"]
    return _response(written, status, request_id)


def _serializer(asked: Asked, request_id: str) -> Any:
    found = get_serializer_class(asked.service, asked.protocol)
    if found is EC2Serializer:
        found = _Preciser
    return found(
        asked.operation,
        context=SerializationContext(request_id),
        value_picker=DefaultAttributePicker(),
    )


def _response(written: Any, status: int, request_id: str) -> Response:
    response = Response(written["body"], status=status, headers=dict(written["headers"]))
    response.headers["x-amzn-RequestId"] = request_id
    return response


def _members(shape: Any) -> dict[str, Any]:
    return {} if shape is None else dict(shape.members)


def _instant(value: Any) -> datetime:
    return parse_timestamp(value)


@cache
def _known_services() -> frozenset[str]:
    return frozenset(botocore.session.Session().get_available_services())
