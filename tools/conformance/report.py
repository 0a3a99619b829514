"""What a run found: for the terminal, and as ``build/conformance.json``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.conformance.comparison import Difference


class NotChecked(BaseModel):
    """A check that could say nothing, the call that it broke off at, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    call: str
    why: str


class LeftBehind(BaseModel):
    """Something that the run made and could not delete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    why: str
    command: str


class Report(BaseModel):
    """Everything that a run found out. No credentials, and nothing of the account but its id."""

    model_config = ConfigDict(extra="forbid")

    account: str
    region: str
    endpoint_url: str | None
    run: str
    mutating: bool
    began: AwareDatetime
    ended: AwareDatetime | None = None
    agreed: list[str] = []
    differences: list[Difference] = []
    not_checked: list[NotChecked] = []
    left_behind: list[LeftBehind] = []

    @property
    def clean(self) -> bool:
        """Whether nothing differs, and nothing was left behind."""
        return not self.differences and not self.left_behind

    def write(self, path: Path, now: datetime) -> None:
        """Leave the report as a file."""
        self.ended = now
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def show(report: Report, console: Console) -> None:
    """Tell a person."""
    if report.differences:
        console.print(_differences(report))
    if report.not_checked:
        console.print(_not_checked(report))
    if report.left_behind:
        console.print(_left_behind(report))
    checked = len({one.check for one in report.differences}) + len(report.agreed)
    console.print(
        f"{checked} checks in account {report.account}, {report.region}: "
        f"{len(report.agreed)} agree, {len(report.differences) or 'no'} differences, "
        f"{len(report.not_checked) or 'none'} not checked, "
        f"{len(report.left_behind) or 'nothing'} left behind",
        style="green" if report.clean else "bold red",
        highlight=False,
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _differences(report: Report) -> Table:
    table = _table("Differences", "call", "where", "AWS answers", "the embedded AWS answers")
    for one in report.differences:
        cells = (f"{one.call}\n{one.check.replace('_', ' ')}", one.where, one.theirs, one.ours)
        table.add_row(*map(Text, cells))
    return table


def _not_checked(report: Report) -> Table:
    table = _table("Not checked", "check", "call", "why")
    for one in report.not_checked:
        table.add_row(*map(Text, (one.check.replace("_", " "), one.call, one.why)))
    return table


def _left_behind(report: Report) -> Table:
    table = _table("LEFT BEHIND: delete these by hand", "what", "why", "command")
    for one in report.left_behind:
        table.add_row(*map(Text, (one.what, one.why, one.command)))
    return table
