"""Writes ``docs/mutation.md``: how many mutants of the domain the unit tests notice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[1] / "docs" / "mutation.md"
BEGIN: Final = "<!-- written by `make mutants` -->"
END: Final = "<!-- end -->"


@dataclass(frozen=True)
class Row:
    """What became of the mutants of one module, in numbers that add up to ``mutants``."""

    module: str
    mutants: int
    killed: int
    timeout: int
    explained: int
    wording: int
    untested: int
    survived: int


def write(rows: Sequence[Row], *, mutmut: str, page: Path = PAGE) -> None:
    """Put the table between the marks of the page; the rest of it is written by people."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(table_of(rows, mutmut))
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", "utf-8")


def table_of(rows: Sequence[Row], mutmut: str) -> Iterator[str]:
    """The lines of the table, the score above it."""
    total = Row("**all**", *(sum(column) for column in zip(*map(_numbers, rows), strict=True)))
    noticed = total.killed + total.timeout
    told = total.mutants - total.explained
    yield (
        f"With mutmut {mutmut}: of {total.mutants} mutants {noticed} were killed, which is "
        f"{noticed / told:.1%} of those that can be told from the code."
    )
    yield ""
    yield "| module | mutants | killed | timed out | explained | wording | untested | survived |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for row in [*sorted(rows, key=lambda row: row.module), total]:
        yield f"| {' | '.join(str(cell) for cell in astuple(row))} |"


def _numbers(row: Row) -> tuple[int, ...]:
    return astuple(row)[1:]
