"""Two doors into a world, and what a caller sees behind either of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from embedded import direct
from embedded.wire.server import WireDoor
from embedded.world.errors import NotEmulatedError
from embedded.world.world import World

DOORS = ("direct", "wire")
_EXACT_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})\d+")


class Door(Protocol):
    """A way into a world."""

    world: World

    def client(self, service: str) -> Any: ...


class DirectDoor:
    """The hook in botocore."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._session = direct.DirectSession(
            world, "operator", direct.SDK_ATTEMPTS, check_replies=True
        )

    def client(self, service: str) -> Any:
        return self._session.client(service)


class HttpDoor:
    """An ordinary SDK, pointed at the wire door."""

    def __init__(self, world: World, url: str) -> None:
        self.world = world
        self._url = url

    def client(self, service: str) -> Any:
        client = _sdk_client(service, self._url)
        ask = type(client)._make_api_call  # noqa: SLF001 - what the direct door replaces, too

        def with_our_tokens(operation: str, params: Mapping[str, Any]) -> Any:
            # The SDK makes idempotency tokens up; here they come from the world's dice, as behind
            # the direct door, so that both worlds go the same way.
            model = client.meta.service_model.operation_model(operation)
            missing = [name for name in model.idempotent_members if name not in params]
            tokens = {name: self.world.new_uuid() for name in missing}
            return ask(client, operation, {**params, **tokens})

        client.__dict__["_make_api_call"] = with_our_tokens
        return client


@cache
def _sdk_client(service: str, url: str) -> Any:
    make: Callable[..., Any] = boto3.Session(
        aws_access_key_id="dummy",
        aws_secret_access_key="dummy",  # noqa: S106 - the wire door checks no signature
        region_name="us-east-1",
    ).client
    # A proxy of the machine that the tests run on has no business here.
    return make(service, endpoint_url=url, config=Config(proxies={}, inject_host_prefix=False))


@contextmanager
def opened(name: str, world: World) -> Iterator[Door]:
    """Open a door into a world whose clock only the test moves."""
    if name == "direct":
        yield DirectDoor(world)
        return
    with WireDoor(world, speed=0) as door:
        yield HttpDoor(world, door.url)


# -- what a caller sees ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What came back from one call, with everything taken out that may differ."""

    service: str
    operation: str
    reply: Any = None
    error: str | None = None
    """The class of the exception."""
    details: Any = None


@dataclass
class Listener:
    """Hears every answer that goes through its clients."""

    door: Door
    heard: list[Answer] = field(default_factory=list)

    def client(self, service: str) -> Any:
        client = self.door.client(service)
        ask = client.__dict__.get("_make_api_call") or client._make_api_call  # noqa: SLF001

        def listening(operation: str, params: Mapping[str, Any]) -> Any:
            try:
                reply = ask(operation, params)
            except (ClientError, NotEmulatedError) as error:
                self.heard.append(_refusal(service, operation, error))
                raise
            self.heard.append(Answer(service, operation, comparable(dict(reply))))
            return reply

        client.__dict__["_make_api_call"] = listening
        return client


def answer(door: Door, service: str, operation: str, params: Mapping[str, Any]) -> Answer:
    """Call an operation, and give what its caller sees."""
    client = door.client(service)
    try:
        reply = client._make_api_call(operation, dict(params))  # noqa: SLF001 - any operation by name
    except (ClientError, NotEmulatedError) as error:
        return _refusal(service, operation, error)
    seen = comparable(dict(reply))
    for name, value in reply.items():
        if isinstance(value, StreamingBody):
            seen[name] = value.read()
    return Answer(service, operation, seen)


def _refusal(service: str, operation: str, error: ClientError | NotEmulatedError) -> Answer:
    if isinstance(error, NotEmulatedError):
        # The direct door raises it as it is, so that no handler takes it for an answer of AWS.
        return Answer(service, operation, error="NotEmulated", details=error.message)
    response: Any = error.response
    if response["Error"]["Code"] == "NotEmulated":
        return Answer(service, operation, error="NotEmulated", details=response["Error"]["Message"])
    details = comparable(response)
    details["status"] = response["ResponseMetadata"]["HTTPStatusCode"]
    # The XML protocols say whose fault it was; no SDK makes anything of it.
    # SNS models the message in lower case, which makes botocore keep it twice.
    for extra in ("Type", "QueryErrorCode", "message"):
        details["Error"].pop(extra, None)
    details.pop("Type", None)
    return Answer(service, operation, error=type(error).__name__, details=details)


def comparable(value: Any) -> Any:
    """Take out what two doors need not share: request ids, and fractions of a millisecond.

    The JSON protocols carry instants in milliseconds, as AWS does.
    """
    if isinstance(value, dict):
        return {
            name: comparable(member) for name, member in value.items() if name != "ResponseMetadata"
        }
    if isinstance(value, list):
        return [comparable(member) for member in value]
    if isinstance(value, datetime):
        exact = value.astimezone(UTC)
        return exact.replace(microsecond=exact.microsecond // 1000 * 1000)
    if isinstance(value, StreamingBody):
        return "a stream"
    if isinstance(value, str):
        return _EXACT_INSTANT.sub(r"\1.\2", value)
    return value
