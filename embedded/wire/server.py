"""Serves a world on a loopback port."""

from __future__ import annotations

import errno
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, Self

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from embedded import plain
from embedded.wire.binder import Binder
from embedded.wire.pace import Pacemaker

if TYPE_CHECKING:
    from types import TracebackType

    from embedded.world.world import World

HOST: Final = "127.0.0.1"
POLL_SECONDS: Final = 0.05
"""How often the server looks whether it shall close."""


class PortTakenError(Exception):
    """Something else listens on the port."""


class _Handler(MotoRequestHandler):
    """Keeps connections open between requests, as AWS does, and writes no access log."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Write nothing."""


class WireDoor:
    """A world behind HTTP endpoints; as a context manager it is open inside.

    Parameters
    ----------
    world
        What is served. Until the door is closed only the door may call it.
    port
        The loopback port; 0 takes a free one.
    speed
        Emulated seconds that pass in a real second; 0 lets time stand still between calls, for
        somebody else to move.

    Raises
    ------
    PortTakenError
        When something else listens on the port.
    """

    def __init__(self, world: World, *, port: int = 0, speed: float = 60.0) -> None:
        plain.attach(world)
        services = world.plain
        if not isinstance(services, plain.PlainServices):
            raise TypeError("another service answers for what this world does not model")
        self._speed = speed
        self.pacemaker = Pacemaker(world, speed)
        binder = Binder(world, services, self.pacemaker)
        self._server = _listening(port, binder)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="wire door", daemon=True
        )

    @property
    def url(self) -> str:
        """The endpoint URL."""
        return f"http://{HOST}:{self._server.port}"

    def open(self) -> None:
        """Let time run, and answer from now on."""
        if self._speed:
            self.pacemaker.start()
        self._thread.start()

    def close(self) -> None:
        """Let time stand still, and free the port."""
        self.pacemaker.stop()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Open the door."""
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the door."""
        self.close()


def _listening(port: int, binder: Binder) -> BaseWSGIServer:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise PortTakenError(f"port {port}: {error.strerror}") from error
        raise
    listener.listen()
    # werkzeug would end the process by itself when it cannot bind.
    server = make_server(
        HOST, port, binder, threaded=True, request_handler=_Handler, fd=listener.fileno()
    )
    listener.close()
    return server
