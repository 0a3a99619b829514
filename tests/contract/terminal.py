"""A terminal at which ``make conformance`` is run, pointed at the wire door of a world."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from embedded.wire.cloudformation import CloudFormation
from embedded.wire.server import WireDoor
from embedded.world.world import World
from tests.contract.scene import ROOT
from tools.conformance.belongings import Sleep
from tools.conformance.program import main
from tools.conformance.report import Report

ACCOUNT: Final = "444455556666"
REGION: Final = "eu-west-1"
MEANT: Final = ("--mutating", "--account", ACCOUNT)


@dataclass
class Run:
    """How the program ended, what it said, and what it wrote."""

    code: int
    said: str
    report: Report


class Terminal:
    """Runs the program as somebody at a terminal would."""

    def __init__(self, world: World, url: str, report: Path) -> None:
        self.world = world
        self.url = url
        self.report = report

    def run(self, *arguments: str) -> Run:
        """Type a command that leaves a report."""
        screen = io.StringIO()
        code = self.type(*arguments, screen=screen)
        report = Report.model_validate_json(self.report.read_text(encoding="utf-8"))
        return Run(code, screen.getvalue(), report)

    def type(
        self,
        *arguments: str,
        profile: str = "checker",
        screen: io.StringIO | None = None,
        sleep: Sleep | None = None,
    ) -> int:
        """Type any command; gives its exit code. It waits in the world's time, whatever it does."""
        return main(
            ["--endpoint-url", self.url, "--report", str(self.report), *arguments],
            {"AWS_PROFILE": profile, "AWS_REGION": REGION},
            console=Console(file=screen or io.StringIO(), width=200),
            sleep=sleep or self.world.run_for,
        )


@contextmanager
def terminal(world: World, folder: Path) -> Iterator[Terminal]:
    world.add_service(CloudFormation(world, ROOT))
    with WireDoor(world, speed=0) as door:
        yield Terminal(world, door.url, folder / "conformance.json")


def another_account() -> World:
    return World(account=ACCOUNT, region=REGION, seed=9)
