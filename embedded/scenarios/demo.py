"""``make demo``: the main job, from a completed snapshot to its outcome, in the embedded AWS.

The real template, the real definition and the real handlers run in a world of their own; what
happens there is shown as it happens, compared with what the story expects, and written down in
``build/demo.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from embedded.scenarios.chronicle import ending
from embedded.scenarios.costs import PRICES_OF, cost_of
from embedded.scenarios.display import Display, PlainDisplay, RichDisplay
from embedded.scenarios.scene import WRITER, Scene
from embedded.scenarios.writers import Publishing
from embedded.states.execution import Execution
from embedded.world.world import World

WATCHABLE_SPEED = 900.0
"""Emulated seconds per real second at a terminal: a rollout of an hour takes four seconds."""
IGNORED = "Ignored"
"""The outcome of an event that started nothing."""
ACCOUNT_FILE = Path("build/demo.json")
PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class Act:
    """One snapshot of the story: what it is, and how its rollout has to end.

    ``published`` is one that the writer asks for by saying that its data is ready; the others are
    taken by somebody's own tool.
    """

    title: str
    expected: str
    published: bool = False
    scenario: str = "healthy"
    encrypted: bool = True
    repeats_last_event: bool = False


STORY = (
    Act("Data is ready at the writer", expected="Live", published=True),
    Act("An unencrypted one", expected="SnapshotRejected", encrypted=False),
    Act("A corrupt one", expected="RolledBack", scenario="corrupt"),
    Act("One that degrades in the bake", expected="RolledBack", scenario="degrades"),
    Act("The next good snapshot", expected="Live"),
    Act("Its event, delivered again", expected=IGNORED, repeats_last_event=True),
)


@dataclass(frozen=True)
class Account:
    """What is kept of one act; times are emulated."""

    title: str
    fleet: str
    snapshot: str
    expected: str
    outcome: str
    reason: str
    emulated_seconds: float
    transitions: int
    history_events: int
    aws_calls: dict[str, int]
    cost_usd: float


class Demo:
    """Plays the story on one fleet."""

    def __init__(self, display: Display, speed: float) -> None:
        self._display = display
        self._speed = speed
        self.stage = Scene(World())
        # The bake is what this snapshot has to fail in; a real one would pick its own moment.
        self.stage.world.ec2.behaviour = replace(
            self.stage.world.ec2.behaviour, degrade_after_seconds=1800
        )
        self.fleet = self.stage.fleet
        self._publishing = Publishing(self.stage)
        self._snapshot = self.fleet.first_snapshot

    def play(self) -> list[Account]:
        """Play every act in turn."""
        self._display.open(self.stage, self.fleet)
        accounts = []
        for act in STORY:
            accounts.append(self._play(act))
            self._display.closed(accounts[-1])
        return accounts

    def _play(self, act: Act) -> Account:
        stage, world = self.stage, self.stage.world
        calls, known, began = len(world.calls), len(stage.rollouts()), world.clock.now()
        if act.published:
            self._publish(act.title)
        elif act.repeats_last_event:
            self._repeat_event()
        else:
            self._snapshot = stage.take_snapshot(self.fleet, act.scenario, encrypted=act.encrypted)
        if not act.published:
            self._display.began(act.title, self._snapshot)
        rollout = self._watch(known)
        end = ending(rollout) if rollout else None
        spent = [call for call in world.calls[calls:] if call.caller != "operator"]
        started = rollout.started_at if rollout else began
        return Account(
            title=act.title,
            fleet=self.fleet.name,
            snapshot=self._snapshot,
            expected=act.expected,
            outcome=end.outcome if end else IGNORED,
            reason=end.reason
            if end
            else "An execution of this fleet, snapshot and attempt exists.",
            emulated_seconds=(world.clock.now() - started).total_seconds(),
            transitions=rollout.transitions if rollout else 0,
            history_events=len(rollout.history) if rollout else 0,
            aws_calls=dict(
                sorted(Counter(f"{call.service}:{call.operation}" for call in spent).items())
            ),
            cost_usd=round(cost_of(rollout, spent).total, 6),
        )

    def _publish(self, title: str) -> None:
        """Say that data is ready, and watch how its snapshot is taken until it is whole."""
        world, known = self.stage.world, len(self._publishing.publishes())
        self._publishing.materialize(WRITER)
        self._display.began(title, self.fleet.volume)
        while not (publishes := self._publishing.publishes()[known:]) or publishes[0].running:
            self._display.show(publishes[0] if publishes else None)
            self._pass(world.clock.next_at() or world.clock.now())
        self._display.show(publishes[0])
        output = publishes[0].output
        if output is None:
            raise RuntimeError(f"nothing was published: {publishes[0].cause}")
        self._snapshot = output.value["snapshot"]

    def _repeat_event(self) -> None:
        """Emit the last snapshot's event once more: EventBridge delivers at least once."""
        arn = f"arn:aws:ec2::{self.stage.world.region}:snapshot/{self._snapshot}"
        at = self.stage.world.clock.now().isoformat()
        self.stage.world.events.emit(
            "aws.ec2",
            "EBS Snapshot Notification",
            {
                "event": "createSnapshot",
                "result": "succeeded",
                "cause": "",
                "request-id": "",
                "snapshot_id": arn,
                "source": f"arn:aws:ec2::{self.stage.world.region}:volume/{self.fleet.volume}",
                "startTime": at,
                "endTime": at,
            },
            [arn],
        )

    def _watch(self, known: int) -> Execution | None:
        """Let time pass until the act is over; None when it started no rollout."""
        world = self.stage.world
        deadline = world.clock.now() + PATIENCE
        quiet = world.clock.now() + timedelta(minutes=30)
        while world.clock.now() < deadline:
            rollouts = self.stage.rollouts()[known:]
            self._display.show(rollouts[-1] if rollouts else None)
            if rollouts and not rollouts[-1].running:
                # A little longer: the fleet settles, and mail goes out.
                self._pass(world.clock.now() + timedelta(minutes=3))
                return rollouts[-1]
            if not rollouts and world.clock.now() >= quiet:
                return None
            self._pass(world.clock.next_at() or quiet)
        return self.stage.rollouts()[-1]

    def _pass(self, until: datetime) -> None:
        clock = self.stage.world.clock
        while clock.now() < until:
            before = clock.now()
            clock.advance_to(min(until, clock.next_at() or until))
            if self._speed:
                time.sleep((clock.now() - before).total_seconds() / self._speed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the demo; 1 when an outcome is not what the story expects."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--speed",
        type=float,
        default=WATCHABLE_SPEED if sys.stdout.isatty() else 0.0,
        help="emulated seconds per second; 0 is as fast as possible",
    )
    options = parser.parse_args(arguments)
    if options.speed < 0:
        parser.error(f"--speed {options.speed} must be 0 or more")
    display: Display = RichDisplay() if sys.stdout.isatty() else PlainDisplay()
    with display:
        accounts = Demo(display, options.speed).play()
    display.table(accounts)
    ACCOUNT_FILE.parent.mkdir(exist_ok=True)
    ACCOUNT_FILE.write_text(
        json.dumps([asdict(account) for account in accounts], indent=2) + "\n", encoding="utf-8"
    )
    print(f"\nWritten to {ACCOUNT_FILE}. Prices of {PRICES_OF}, free tiers not counted.")
    wrong = [account for account in accounts if account.outcome != account.expected]
    for account in wrong:
        print(
            f"{account.title} ({account.snapshot}): expected {account.expected}, was "
            f"{account.outcome}: {account.reason}",
            file=sys.stderr,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
