"""Puts ``World.call`` behind HTTP: one WSGI application for every service."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape

from moto.core.request import Request
from werkzeug.wrappers import Response

from embedded.plain import PlainServices
from embedded.wire.protocols import (
    Asked,
    Unanswerable,
    UnreadableError,
    answered,
    read,
    refused,
    service_of,
)
from embedded.world.errors import AwsError, FunctionDiedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from embedded.world.world import World

log = logging.getLogger(__name__)

AS_IT_CAME: Final = frozenset({"s3"})
"""Services whose requests are handed to moto unread: bodies and headers of S3 are its own art."""
INTERNAL: Final = 500
BAD_REQUEST: Final = 400


class Binder:
    """The WSGI application.

    Parameters
    ----------
    world
        Where the calls go.
    plain
        moto, for what is handed on as it came.
    moment
        What a call happens in: holds everything else back, and has let emulated time catch up.
    """

    def __init__(
        self, world: World, plain: PlainServices, moment: AbstractContextManager[object]
    ) -> None:
        self._world = world
        self._plain = plain
        self._moment = moment
        self._requests = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            service = service_of(request)
            if service in AS_IT_CAME:
                environ["HTTP_X_MOTO_ACCOUNT_ID"] = self._world.account
                with self._moment:
                    status, headers, body = self._plain.answer(environ)
                response = Response(body, status, headers)
            else:
                response = self._answer(service, request)
        except UnreadableError as error:
            response = _unreadable(str(error))
        return response(environ, start_response)

    def _answer(self, service: str, request: Any) -> Response:
        try:
            asked = read(service, request)
        except Unanswerable as refusal:
            return refused(refusal.asked, refusal.error, self._request_id())
        with self._moment:
            return self._called(asked)

    def _called(self, asked: Asked) -> Response:
        request_id = self._request_id()
        try:
            reply = self._world.call(asked.service, asked.name, asked.params)
            return answered(asked, reply, request_id)
        except AwsError as error:
            return refused(asked, error, request_id)
        except (Exception, FunctionDiedError) as fault:
            # A fault of the emulation: its caller must hear of it, and not as a broken connection.
            log.exception("%s:%s failed inside the embedded AWS", asked.service, asked.name)
            message = f"The embedded AWS failed: {type(fault).__name__}: {fault}"
            failure = AwsError("InternalFailure", message, http_status=INTERNAL)
            return refused(asked, failure, request_id)

    def _request_id(self) -> str:
        self._requests += 1
        return f"00000000-0000-4000-8000-{self._requests:012d}"


def _unreadable(why: str) -> Response:
    """Answer what is in no protocol; most AWS errors of this kind are XML."""
    body = (
        "<ErrorResponse><Error><Type>Sender</Type><Code>NotEmulated</Code>"
        f"<Message>{escape(f'The embedded AWS cannot read this request: {why}.')}</Message>"
        "</Error></ErrorResponse>"
    )
    return Response(body, status=BAD_REQUEST, content_type="text/xml")
