"""Mutants that no test can tell from the code, each with the reason why nothing can.

They stand in ``tests/mutants.toml``, by the function and by the line that differs: a mutant's
number changes with every edit of its function.
"""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
EXPLANATIONS: Final = ROOT / "tests" / "mutants.toml"
DOMAIN: Final = ROOT / "layers" / "snaproll" / "src" / "snaproll" / "domain"


@dataclass(frozen=True, order=True)
class Change:
    """What a mutant is: a function (``module.function``), a line of it, and what became of it."""

    function: str
    before: str
    after: str


@dataclass(frozen=True)
class Explained:
    """One entry of the file: as many mutants as ``times`` says, all with the same change."""

    change: Change
    times: int
    why: str


class Explanations:
    """What the file explains.

    Raises
    ------
    ValueError
        An entry lacks its reason, or a change is explained twice.
    """

    def __init__(self, entries: Iterable[Explained]) -> None:
        self._entries: dict[Change, Explained] = {}
        for entry in entries:
            if not entry.why.strip():
                raise ValueError(f"nothing says why {entry.change} cannot be told")
            if entry.change in self._entries:
                raise ValueError(f"{entry.change} is explained twice")
            self._entries[entry.change] = entry

    def __iter__(self) -> Iterator[Explained]:
        return iter(self._entries.values())

    def unexplained(self, survivors: Iterable[Change]) -> Counter[Change]:
        """The survivors that no entry covers, with how many of each there are."""
        left = Counter(survivors)
        left.subtract({change: entry.times for change, entry in self._entries.items()})
        return +left

    def idle(self, survivors: Iterable[Change], modules: set[str]) -> list[Change]:
        """Entries about these modules that explain more than survived: they can go."""
        found = Counter(survivors)
        return sorted(
            change
            for change, entry in self._entries.items()
            if module_of(change.function) in modules and found[change] < entry.times
        )


def module_of(function: str) -> str:
    """The module of ``module.function`` or ``module.Class.function``."""
    return function.partition(".")[0]


def load(path: Path = EXPLANATIONS) -> Explanations:
    """Read the file: groups with one reason (``why``) and the mutants that it holds for."""
    groups = tomllib.loads(path.read_text("utf-8"))["explained"]
    return Explanations(
        Explained(
            change=Change(one["function"], one["before"], one["after"]),
            times=one.get("times", 1),
            why=group["why"],
        )
        for group in groups
        for one in group["mutants"]
    )


def change_of(function: str, diff: str) -> Change:
    """What a unified diff of a function changes, with lines joined and without indentation."""
    lines = [
        line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    before = " ".join(line[1:].strip() for line in lines if line[0] == "-")
    after = " ".join(line[1:].strip() for line in lines if line[0] == "+")
    return Change(function, before, after)


def only_words(change: Change) -> bool:
    """Whether a change only spoils the words of a message.

    The tool puts a string between XX, or into capitals or small letters. One with a space in it is
    a part of a sentence, or stands between its parts; one without may be a name that programs read.
    """
    before, after = _strings(change.before), _strings(change.after)
    if len(before) != len(after):
        return False
    differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    if len(differing) != 1:
        return False
    old, new = differing[0]
    return " " in old and (new == f"XX{old}XX" or new.lower() == old.lower())


def _strings(line: str) -> list[str]:
    """The plain strings of a line, which need not be a whole statement; nothing if it has none."""
    found = []
    rest = line
    while '"' in rest:
        _, _, rest = rest.partition('"')
        text, quote, rest = rest.partition('"')
        if quote:
            found.append(text)
    return found


def functions_of(path: Path) -> dict[str, str]:
    """The source of each function and method of a module, by ``module.function``."""
    source = path.read_text("utf-8")
    found: dict[str, str] = {}
    for node in ast.parse(source).body:
        within = (
            [(f"{node.name}.", one) for one in node.body]
            if isinstance(node, ast.ClassDef)
            else [("", node)]
        )
        for prefix, one in within:
            if isinstance(one, ast.FunctionDef):
                text = ast.get_source_segment(source, one) or ""
                found[f"{path.stem}.{prefix}{one.name}"] = text
    return found
