"""``make aws``: it says one line when it is ready, and one line when it cannot be."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded.wire.program import run

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the program; it is ended whatever happens."""
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", "embedded.wire", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def interrupted(program: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Press Ctrl-C; gives the exit code and what else was said."""
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=PATIENCE_SECONDS)
    return program.returncode, out, err


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_it_says_one_line_when_it_is_ready_and_stops_when_interrupted() -> None:
    port = free_port()
    with started("--port", str(port)) as program:
        assert program.stdout is not None
        ready = program.stdout.readline()

        code, out, err = interrupted(program)

    assert ready == f"ready http://127.0.0.1:{port}\n"
    assert (code, out) == (0, "")
    assert err.splitlines()[-1] == "aws: stopped"
    assert "Traceback" not in err


def test_an_interrupt_in_the_middle_of_the_set_up_is_clean() -> None:
    port = free_port()
    with started("--port", str(port)) as program:
        # Given that it has begun: the port is the first thing that it takes
        await_listener(port)

        code, out, err = interrupted(program)

    assert (code, out) == (130, "")
    assert err == "aws: interrupted before it was ready\n"


def await_listener(port: int) -> None:
    for _ in range(PATIENCE_SECONDS * 20):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the program takes no port")


def test_a_port_in_use_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        code = run(["--port", str(port)])

    assert code == 1
    message = capsys.readouterr().err
    assert message == (
        f"aws: port {port}: Address already in use; name another one: make aws PORT=5001\n"
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "http"),
        ("--port", "-1"),
        ("--port", "65536"),
        ("--port", ""),
        ("--speed", "fast"),
        ("--speed", "0"),
        ("--speed", "-60"),
        ("--speed", "nan"),
        ("--speed", "inf"),
    ],
)
def test_a_bad_setting_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    with pytest.raises(SystemExit) as end:
        run([f"{option}={value}"])

    message = capsys.readouterr().err
    assert end.value.code == 2
    assert message.startswith("aws: ")
    assert option.removeprefix("--").upper() in message
    assert message.count("\n") == 1
