"""``make aws``: the control plane and a fleet in a fresh world, served for the ordinary tools."""

from __future__ import annotations

import argparse
import math
import re
import signal
import sys
from typing import Final, NoReturn

from embedded.scenarios.scene import Scene, SceneError
from embedded.wire.server import PortTakenError, WireDoor
from embedded.world.errors import AwsError
from embedded.world.world import World

USAGE_ERROR: Final = 2
FAILURE: Final = 1
HIGHEST_PORT: Final = 65_535
ARGUMENT: Final = re.compile(r"^argument --\w+: ")


class _Parser(argparse.ArgumentParser):
    """Complains in one line."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        # argparse names its own option first, which whoever called make has never seen.
        sys.stderr.write(f"aws: {ARGUMENT.sub('', message)}\n")
        sys.exit(USAGE_ERROR)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(
            f"PORT must be a number from 0 to {HIGHEST_PORT}: {text!r}"
        )
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (0 < speed < math.inf):
        raise argparse.ArgumentTypeError(
            f"SPEED must be a positive number of emulated seconds per second: {text!r}"
        )
    return speed


def run(arguments: list[str]) -> int:
    """Serve until interrupted; gives the exit code."""
    parser = _Parser(prog="python -m embedded.wire", description=__doc__)
    parser.add_argument(
        "--port", type=_port, default=5000, help="loopback port; 0 takes a free one (5000)"
    )
    parser.add_argument(
        "--speed", type=_speed, default=60.0, help="emulated seconds in a real one (60)"
    )
    options = parser.parse_args(arguments)
    world = World()
    try:
        door = WireDoor(world, port=options.port, speed=options.speed)
    except PortTakenError as error:
        sys.stderr.write(f"aws: {error}; name another one: make aws PORT=5001\n")
        return FAILURE
    try:
        scene = Scene(world)
    except (SceneError, AwsError) as error:
        door.close()
        sys.stderr.write(f"aws: {error}\n")
        return FAILURE
    return _serve(door, scene)


def _serve(door: WireDoor, scene: Scene) -> int:
    with door:
        sys.stderr.write(str(scene))
        sys.stderr.flush()
        try:
            # Inside: whoever reads this line may interrupt at that very moment.
            sys.stdout.write(f"ready {door.url}\n")
            sys.stdout.flush()
            door.pacemaker.failed.wait()
        except KeyboardInterrupt:
            # One is enough: a second must not tear the closing apart.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            sys.stderr.write("aws: stopped\n")
            return 0
    failure = door.pacemaker.failure
    sys.stderr.write(f"aws: the world stopped: {type(failure).__name__}: {failure}\n")
    return FAILURE
