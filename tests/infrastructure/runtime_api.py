"""Starts a built function as Lambda does, and plays the Runtime API to it for one event."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Final

API: Final = "/2018-06-01/runtime"
REQUEST: Final = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
ACCOUNT: Final = "111122223333"
REGION: Final = "eu-west-1"
GUARD_SECONDS: Final = 60
"""How long a function that says nothing is waited for before it is given up."""


@dataclass(frozen=True)
class Answer:
    """What a function posted: ``kind`` is ``response``, ``error`` or ``init/error``."""

    kind: str
    body: Any


class RuntimeApi(ThreadingHTTPServer):
    """The Lambda Runtime API as far as one invocation needs it (Lambda developer guide)."""

    daemon_threads = True

    def __init__(self, event: object) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.events: Queue[object] = Queue()
        self.events.put(event)
        self.answers: Queue[Answer] = Queue()


class _Door(BaseHTTPRequestHandler):
    server: RuntimeApi

    def do_GET(self) -> None:
        try:
            event = self.server.events.get_nowait()
        except Empty:
            self._reply(410)  # no second event: the function ends
            return
        self._reply(200, json.dumps(event).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = self.path.removeprefix(f"{API}/").removeprefix(f"invocation/{REQUEST}/")
        self._reply(202)
        self.server.answers.put(Answer(kind, body))

    def _reply(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Lambda-Runtime-Aws-Request-Id", REQUEST)
        self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:it"
        )
        self.send_header(
            "Lambda-Runtime-Trace-Id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
        )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep the test's output to the function's own."""


@contextmanager
def _serving(event: object) -> Iterator[RuntimeApi]:
    with RuntimeApi(event) as api:
        thread = Thread(target=api.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield api
        finally:
            api.shutdown()
            thread.join()


def isolated(python: Path, layer: Path, *more: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment of a Python that sees nothing but a layer and other folders."""
    search = ":".join(str(folder) for folder in (layer / "python", *more))
    environment = {
        "PYTHONPATH": search,
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    return [str(python), "-S"], environment


def invoke(
    command: list[str],
    environment: Mapping[str, str],
    code: Path,
    handler: str,
    event: object,
) -> Answer:
    """Start the function in ``code``, give it one event, and return what it answered.

    Raises
    ------
    AssertionError
        When it ended without an answer; holds what it printed.
    """
    with _serving(event) as api:
        told = {
            **environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": code.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{code.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "LAMBDA_TASK_ROOT": str(code),
            "_HANDLER": handler,
        }
        ended = subprocess.run(  # noqa: S603 - our own function
            [*command, "-m", "awslambdaric", handler],
            cwd=code,
            env=told,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=GUARD_SECONDS,
        )
        assert not api.answers.empty(), f"{code.name} gave no answer:\n{ended.stdout}"
        return api.answers.get()
