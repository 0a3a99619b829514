"""The page of docs/ that says which planted bugs the simulation finds, and how soon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from tests.simulation.progress import ROOT
from tests.simulation.teeth.bugs import Bug
from tests.simulation.teeth.hunt import Find

PAGE: Final = ROOT / "docs" / "planted-bugs.md"
_INTRODUCTION = """# Planted bugs: does the simulation bite?

A search that finds nothing shows something only if it would have found what is there. So mistakes
that somebody could commit are planted, one at a time, and the simulation is played from seed 0 on
until an invariant is violated. All of them have to be found within the 1,000 seeds of one CI run.

```
make teeth                                      hunt for all, from seed 0 on; write this page
python -m tests.simulation.teeth --only NAME    hunt for one
make check-teeth                                is each still found? Tries recorded seeds first
```

A bug is a file in `tests/simulation/planted/`: its story, and texts that replace others exactly.
One that no longer applies fails with the file and the text. It is planted in a copy of the
repository, where another process plays the seeds. It counts as found only if

- the plainest story, a good snapshot and nothing going wrong, still ends `Live` with it;
- what speaks is an invariant, not a crash, an error of Python's own or a right that is missing;
- the same seed violates nothing without it.

"seeds" is how many it took; "found by" is the invariant that spoke, by its number in
[architecture.md](architecture.md), and what it said. `end` is asked when all is at rest; `stop`,
`signal`, `grace` and `back-off` are promises of the documentation that have no number. This page is
written by `make teeth`; [simulation.md](simulation.md) tells which properties the bugs taught it.

| bug | where | seeds | found by |
|---|---|---:|---|
"""


def page(bugs: Sequence[Bug], finds: Mapping[str, Find]) -> str:
    """Write the page; what was found soonest comes first."""
    found = sorted(
        (one for one in bugs if one.name in finds),
        key=lambda one: (finds[one.name].seed, one.name),
    )
    rows = [_row(one, finds[one.name]) for one in found]
    rows += [f"| {one.story} | {_where(one)} | | not found |" for one in bugs if one not in found]
    return _INTRODUCTION + "\n".join(rows) + "\n"


def _row(bug: Bug, find: Find) -> str:
    sentence = find.sentence.replace("|", "\\|")
    return f"| {bug.story} | {_where(bug)} | {find.seed + 1} | {find.invariant}: {sentence} |"


def _where(bug: Bug) -> str:
    return ", ".join(f"`{_short(one)}`" for one in bug.files)


def _short(file: str) -> str:
    path = PurePosixPath(file)
    package = PurePosixPath("layers/snaproll/src/snaproll")
    return str(path.relative_to(package) if path.is_relative_to(package) else path.name)
