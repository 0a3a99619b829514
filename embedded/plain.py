"""What the world does not model and does not need to: IAM, STS, networks, log groups, buckets.

These have no behaviour that a rollout could meet, but templates declare them and people look at
them. They are moto's. Each call is written as the HTTP request that an SDK would send, handed to
moto's server application in this process, and its answer parsed by botocore: no socket, and the
same shapes as from the world's own services.

moto's backends belong to the process, not to a world: attaching a second world empties them.
"""

from __future__ import annotations

import io
import logging
import os
import re
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

import botocore.session
from botocore.awsrequest import prepare_request_dict
from botocore.compat import HTTPHeaders
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from werkzeug.test import EnvironBuilder, run_wsgi_app

from embedded.world.errors import AwsError, NotEmulatedError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from botocore.model import OperationModel, ServiceModel, Shape
    from werkzeug.datastructures import Headers

    from embedded.world.service import Params, Reply
    from embedded.world.world import World

SERVICES: Final = frozenset({"iam", "logs", "s3", "secretsmanager", "sts"})
"""Whole services that share nothing with the world's own."""
NETWORK: Final = re.compile(
    r"[A-Z][a-z]+(AccountAttributes|Address(es)?|AvailabilityZones|DefaultSubnet|DefaultVpc"
    r"|(Internet|Nat)Gateways?|KeyPairs?|NetworkAcls?(Entry)?|Regions|Route|RouteTables?"
    r"|SecurityGroups?(Egress|Ingress|Rules|RuleDescriptions(Egress|Ingress))?"
    r"|Subnets?(Attribute|CidrBlock)?|Vpcs?(Attribute|CidrBlock)?|VpcEndpoints?)"
)
"""The operations of EC2 that are about networks and the account, not about instances."""
NETWORK_IDS: Final = ("vpc-", "subnet-", "sg-", "sgr-", "igw-", "rtb-", "nat-", "eipalloc-", "acl-")
TAG_OPERATIONS: Final = frozenset({"CreateTags", "DeleteTags"})
FIRST_ERROR_STATUS: Final = 300
SERVER_ERROR: Final = 500


def belongs(service: str, operation: str, params: Params) -> bool:
    """Whether a call is for moto rather than for a service of the world."""
    if service != "ec2":
        return service in SERVICES
    if operation in TAG_OPERATIONS:
        ids = params.get("Resources", [])
        return bool(ids) and all(str(one).startswith(NETWORK_IDS) for one in ids)
    return NETWORK.fullmatch(operation) is not None


def attach(world: World) -> None:
    """Let calls of ``world`` that moto answers reach moto, which starts empty."""
    if world.plain is None:
        world.plain = PlainServices(world)


class PlainServices:
    """moto, as one world sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._emptied = False
        self._calls = 0

    def belongs(self, service: str, operation: str, params: Params) -> bool:
        """Whether a call is for moto rather than for a service of the world."""
        return belongs(service, operation, params)

    def perform(self, service: str, operation: str, params: Params) -> Reply:
        """Carry an operation out.

        Raises
        ------
        AwsError
            What moto answers; ``NotEmulatedError`` when it has no such operation.
        """
        model = _service_model(service)
        if operation not in model.operation_names:
            raise NotEmulatedError(f"{service}:{operation}")
        return self._sent(model.operation_model(operation), params)

    def answer(self, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
        """Let moto answer a request as it came; gives status, headers and body."""
        # Building a service's application takes from the same dice as ids do, so it comes first.
        application = _application().get_application(environ)
        if not self._emptied:
            self._emptied = True
            _empty()
        self._calls += 1
        _seed(self._calls)
        chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
        return status, headers, b"".join(chunks)

    def _sent(self, operation: OperationModel, params: Params) -> Reply:
        model = operation.service_model
        protocol = model.resolved_protocol
        request = create_serializer(protocol, include_validation=False).serialize_to_request(
            params, operation
        )
        prepare_request_dict(request, f"https://{model.endpoint_prefix}.amazonaws.com")
        status, headers, body = self._exchanged(model, operation.name, request)
        content = operation.has_streaming_output and status < FIRST_ERROR_STATUS
        parsed: Reply = create_parser(protocol).parse(
            # botocore would take a stream's bytes for text.
            {"body": b"" if content else body, "headers": headers, "status_code": status},
            cast("Shape", operation.output_shape),  # or None, which the stubs do not know
        )
        parsed.pop("ResponseMetadata", None)
        if content and operation.output_shape is not None:
            parsed[operation.output_shape.serialization["payload"]] = body
        if status < FIRST_ERROR_STATUS:
            return parsed
        error = parsed.get("Error", {})
        raise AwsError(
            error.get("Code", "InternalFailure"), error.get("Message", ""), http_status=status
        )

    def _exchanged(
        self, model: ServiceModel, operation: str, request: dict[str, Any]
    ) -> tuple[int, HTTPHeaders, bytes]:
        place = urlsplit(request["url"])
        body = request["body"]
        headers: dict[str, str] = {
            **{name: _text(value) for name, value in request["headers"].items()},
            "Authorization": self._scope(model.signing_name),
            "X-Moto-Account-Id": self._world.account,
        }
        environ = EnvironBuilder(
            path=place.path or "/",
            query_string=place.query,
            base_url=f"{place.scheme}://{place.netloc}",
            method=request["method"],
            headers=list(headers.items()),
            input_stream=io.BytesIO(_form(body) if isinstance(body, dict) else _bytes(body)),
        ).get_environ()
        if isinstance(body, dict):
            environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded; charset=utf-8"
        environ["CONTENT_LENGTH"] = str(environ["wsgi.input"].getbuffer().nbytes)
        try:
            status, given, answer = self.answer(environ)
        except NotImplementedError as error:
            raise NotEmulatedError(f"{model.service_name}:{operation}") from error
        except Exception as error:
            # Whatever its code trips over, moto does not model.
            raise NotEmulatedError(
                f"{model.service_name}:{operation} with these parameters"
            ) from error
        code = int(status.split()[0])
        if code >= SERVER_ERROR and b"<html" in answer.lower():
            raise NotEmulatedError(f"{model.service_name}:{operation} with these parameters")
        answered = HTTPHeaders()
        for name, value in given.items():
            answered[name] = value
        return code, answered, answer

    def _scope(self, signing_name: str) -> str:
        """Give the header that tells moto service and Region; it checks no signature."""
        day = self._world.clock.now().strftime("%Y%m%d")
        return (
            f"AWS4-HMAC-SHA256 Credential=embedded/{day}/{self._world.region}/{signing_name}"
            "/aws4_request, SignedHeaders=host, Signature=0"
        )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(body: str | bytes | IO[bytes]) -> bytes:
    if isinstance(body, str):
        return body.encode()
    # botocore makes a file of every streaming body.
    return body if isinstance(body, bytes) else body.read()


def _form(body: dict[str, Any]) -> bytes:
    return urlencode(body, doseq=True).encode()


@cache
def _session() -> botocore.session.Session:
    return botocore.session.Session()


@cache
def _service_model(service: str) -> ServiceModel:
    return _session().get_service_model(service)


@cache
def _application() -> Any:
    # moto reads this once; its table of public AMIs takes long to load and none of it is used.
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - slow, and seldom needed
        DomainDispatcherApplication,
        create_backend_app,
    )

    logging.getLogger("moto").setLevel(logging.ERROR)
    return DomainDispatcherApplication(create_backend_app)


def _empty() -> None:
    """Take everything out of moto."""
    from moto.moto_api._internal.models import moto_api_backend  # noqa: PLC0415 - slow

    moto_api_backend.reset()


def _seed(number: int) -> None:
    """Let moto make up the same ids in every run, whatever was asked in other worlds before."""
    from moto.moto_api._internal import mock_random  # noqa: PLC0415 - slow, and seldom needed

    mock_random.seed(number)
