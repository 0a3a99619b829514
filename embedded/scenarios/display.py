"""Showing a story as it is played: live at a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from embedded.scenarios.chronicle import Beat, beats
from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution

if TYPE_CHECKING:
    from embedded.scenarios.demo import Account

_BEATS_SHOWN = 9
_BAR_WIDTH = 28
_GOOD = {"Live": "green", "Ignored": "cyan"}


class Display(Protocol):
    """What a story tells whoever shows it."""

    def __enter__(self) -> Self:
        """Take the terminal."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""

    def open(self, stage: Stage, fleet: StagedFleet) -> None:
        """The stage is set."""

    def began(self, title: str, snapshot: str) -> None:
        """An act began."""

    def show(self, rollout: Execution | None) -> None:
        """Something may have happened."""

    def closed(self, account: Account) -> None:
        """An act is over."""

    def table(self, accounts: Sequence[Account]) -> None:
        """The story is over."""


class _Follower:
    """Follows one execution at a time and gives what is new."""

    def __init__(self) -> None:
        self._arn = ""
        self._read = 0
        self._last = ""

    def news(self, rollout: Execution | None) -> list[Beat]:
        """Give what the rollout said since the last time, repetitions left out."""
        if rollout is None:
            return []
        if rollout.arn != self._arn:
            self._arn, self._read, self._last = rollout.arn, 0, ""
        fresh = []
        for number, beat in beats(rollout, self._read):
            self._read = number
            if beat.text != self._last:
                fresh.append(beat)
            self._last = beat.text
        return fresh


class PlainDisplay:
    """One line for each thing that is said."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(width=160, highlight=False)
        self._follower = _Follower()

    def __enter__(self) -> Self:
        """Take nothing: lines are printed as they come."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing was taken."""

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def open(self, stage: Stage, fleet: StagedFleet) -> None:
        """Say what was deployed."""
        self._stage = stage
        self._print(
            f"All three stacks are deployed. Fleet {fleet.name} ({fleet.group}) serves "
            f"{fleet.first_snapshot} from {stage.healthy(fleet)} healthy instances."
        )

    def began(self, title: str, snapshot: str) -> None:
        """Head an act."""
        self._print(f"\n{title}: {snapshot}")

    def show(self, rollout: Execution | None) -> None:
        """Show what is new."""
        for beat in self._follower.news(rollout):
            self._print(f"  {beat.at:%H:%M:%S}  {beat.state:<21}  {beat.text}")

    def closed(self, account: Account) -> None:
        """Say how the act ended."""
        self._print(f"  => {account.outcome}: {account.reason}")

    def table(self, accounts: Sequence[Account]) -> None:
        """Sum up."""
        self._print("")
        self._console.print(_table(accounts))


class RichDisplay:
    """A live picture: acts so far, the fleet's instances, and what the rollout says."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        # Drawn by whoever has news, not by a thread: what is shown must not hang on the machine's
        # speed, and a picture half changed is never drawn.
        self._live = Live(console=self._console, auto_refresh=False, transient=False)
        self._follower = _Follower()
        self._said: deque[Beat] = deque(maxlen=_BEATS_SHOWN)
        self._closed: list[Account] = []
        self._title = ""
        self._snapshot = ""

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        self._live.update(Text(""))
        self._live.__exit__(kind, error, trace)

    def open(self, stage: Stage, fleet: StagedFleet) -> None:
        """Say what was deployed."""
        self._stage, self._fleet = stage, fleet

    def began(self, title: str, snapshot: str) -> None:
        """Head an act."""
        self._title, self._snapshot = title, snapshot
        self._said.clear()

    def show(self, rollout: Execution | None) -> None:
        """Show what is new."""
        self._said.extend(self._follower.news(rollout))
        self._live.update(self._picture(rollout), refresh=True)

    def closed(self, account: Account) -> None:
        """Say how the act ended."""
        self._closed.append(account)

    def table(self, accounts: Sequence[Account]) -> None:
        """Sum up."""
        self._console.print(_table(accounts))

    def _picture(self, rollout: Execution | None) -> RenderableType:
        now = self._stage.world.clock.now()
        rows = Table.grid(padding=(0, 2))
        for account in self._closed:
            rows.add_row(
                account.title,
                account.snapshot,
                ProgressBar(total=100, completed=100, width=_BAR_WIDTH),
                Text(account.outcome, _style(account.outcome)),
            )
        state = rollout.position.state if rollout and rollout.running else "waits for an event"
        rows.add_row(
            Text(self._title, "bold"),
            self._snapshot,
            ProgressBar(total=100, completed=self._percentage(), width=_BAR_WIDTH),
            Text(state, "yellow"),
        )
        said = Table.grid(padding=(0, 2))
        for beat in self._said:
            said.add_row(
                Text(f"{beat.at:%H:%M:%S}", "dim"), Text(beat.state, "cyan"), Text(beat.text)
            )
        title = Text(f"snaproll · fleet {self._fleet.name} · {now:%A %H:%M:%S}", "bold")
        return Group(title, Text(""), rows, Text(""), self._instances(), Text(""), said)

    def _percentage(self) -> int:
        reply = self._stage.session.client("autoscaling").describe_instance_refreshes(
            AutoScalingGroupName=self._fleet.group, MaxRecords=1
        )
        newest = next(iter(reply["InstanceRefreshes"]), None)
        active = newest is not None and newest["Status"] in (
            "Pending",
            "InProgress",
            "Baking",
            "RollbackInProgress",
        )
        return newest.get("PercentageComplete", 0) if newest is not None and active else 0

    def _instances(self) -> RenderableType:
        """One mark per instance: its snapshot, and what the load balancer says of it."""
        health = {
            one["Target"]["Id"]: one.get("TargetHealth", {}).get("State", "")
            for one in self._stage.session.client("elbv2").describe_target_health(
                TargetGroupArn=self._fleet.target_group
            )["TargetHealthDescriptions"]
        }
        line = Table.grid(padding=(0, 2))
        for member in self._stage.describe(self._fleet)["Instances"]:
            instance = self._stage.world.ec2.instance(member["InstanceId"])
            snapshot = next((one for one in instance.snapshots.values() if one), "")
            state = health.get(instance.id, member["LifecycleState"])
            style = {"healthy": "green", "unhealthy": "red"}.get(state, "yellow")
            line.add_row(
                Text("●", style),
                instance.id,
                snapshot,
                Text(state, style),
                member["LifecycleState"],
            )
        return line


def _style(outcome: str) -> str:
    return _GOOD.get(outcome, "magenta")


def _table(accounts: Sequence[Account]) -> Table:
    table = Table(title="What happened", show_lines=False)
    for name in ("snapshot", "outcome", "took", "transitions", "events", "calls", "cost $"):
        table.add_column(
            name, justify="left" if name in ("snapshot", "outcome") else "right", no_wrap=True
        )
    for account in accounts:
        table.add_row(
            f"{account.title}\n  {account.snapshot}",
            Text(account.outcome, _style(account.outcome)),
            f"{account.emulated_seconds / 60:.0f} min",
            str(account.transitions),
            str(account.history_events),
            str(sum(account.aws_calls.values())),
            f"{account.cost_usd:.4f}",
        )
    return table
