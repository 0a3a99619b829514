"""``make conformance`` runs only where, as whom and as far as a person said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from tests.contract.terminal import REGION, Terminal
from tools.conformance.program import main

pytestmark = pytest.mark.usefixtures("profiles")


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"AWS_REGION": REGION}, "AWS_PROFILE"),
        ({"AWS_PROFILE": "checker"}, "AWS_REGION"),
        ({"AWS_PROFILE": "checker", "AWS_DEFAULT_REGION": REGION}, "AWS_REGION"),
        ({}, "AWS_PROFILE or --profile and AWS_REGION or --region"),
        ({"AWS_PROFILE": "empty", "AWS_REGION": REGION}, "Unable to locate credentials"),
        ({"AWS_PROFILE": "nobody", "AWS_REGION": REGION}, "nobody"),
        ({"AWS_PROFILE": "checker", "AWS_REGION": "here"}, "region"),
    ],
)
def test_it_runs_only_in_an_account_and_region_that_were_named(
    environment: dict[str, str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([], environment)

    assert code == 2
    assert missing in capsys.readouterr().err


class Machine(BaseHTTPRequestHandler):
    """What gives a virtual machine, or a container, the credentials of its role."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = json.dumps({"AccessKeyId": "dummy", "SecretAccessKey": "dummy", "Token": "dummy"})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    do_PUT = do_GET  # noqa: N815 - the base class looks it up under this name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing."""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Machine]]:
    Machine.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Machine) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        yield Machine
        server.shutdown()


@pytest.mark.parametrize("source", ["a container", "a virtual machine"])
def test_a_profile_without_credentials_does_not_become_the_machines_role(
    there: Terminal,
    machine: type[Machine],
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if source == "a virtual machine":
        monkeypatch.delenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")

    code = there.type(profile="empty")

    assert code == 2
    assert "Unable to locate credentials" in capsys.readouterr().err
    assert machine.asked == []


def test_an_endpoint_where_nothing_answers_is_told_and_not_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment = {"AWS_PROFILE": "checker", "AWS_REGION": REGION}

    code = main(["--endpoint-url", "http://127.0.0.1:1"], environment)

    assert code == 2
    assert "Could not connect" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "told"), [((), "--account"), (("--account", "444455556667"), "444455556667")]
)
def test_it_makes_nothing_unless_the_accounts_own_id_was_typed(
    there: Terminal, typed: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:

    code = there.type("--mutating", *typed)

    assert code == 2
    assert told in capsys.readouterr().err
    assert {call.operation for call in there.world.calls} <= {"GetCallerIdentity"}


def test_it_changes_nothing_unless_it_is_told_to(there: Terminal) -> None:
    there.run()

    reading = ("Describe", "Get", "List", "Query", "BatchGet", "Filter")
    assert [
        one.operation for one in there.world.calls if not one.operation.startswith(reading)
    ] == []
