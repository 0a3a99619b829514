"""Mutates the rules of the domain and sees whether the unit tests notice (``make mutants``).

mutmut works on a copy under ``build/``: the package, and the unit tests that need nothing outside
it. Its results stay there, so that a run that was broken off goes on, and a second run tries only
what may have changed.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from tools.explained import DOMAIN, Change, Explanations, change_of, load, only_words
from tools.mutation_page import Row, write
from tools.undecorated import SUFFIX, undecorated

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "layers" / "snaproll" / "src" / "snaproll"
TESTS: Final = ROOT / "tests" / "unit"
PACKAGE: Final = "snaproll.domain"
WORK: Final = ROOT / "build" / "mutants"
LEFT_OUT: Final = frozenset(
    {
        "test_layering.py",  # reads pyproject.toml and every source file
        "test_hostile_input.py",  # other input in every run, and slow
        "test_stored_items.py",  # reads annotations, which are not mutated
    }
)

SLOW: Final = (
    "tests/unit/test_assessment_pace.py"
    "::test_a_refresh_of_fourteen_days_does_not_fill_the_history[always"
)
"""Thousands of looks each: nine tenths of the time, for what the quiet fortnights notice too."""

SETTINGS: Final = f"""\
[tool.mutmut]
source_paths = ["snaproll"]
only_mutate = ["snaproll/domain/*"]
pytest_add_cli_args_test_selection = ["tests/unit", "--deselect={SLOW}"]
use_git_change_detection = false

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "-p", "no:cacheprovider"]
pythonpath = ["."]
"""

PROFILE: Final = '''\
"""Few examples, and the same for each mutant: a mutant must not survive or die by luck."""

from hypothesis import settings

settings.register_profile(
    "mutants", max_examples=20, derandomize=True, database=None, deadline=None
)
settings.load_profile("mutants")
'''


DECIDED: Final = frozenset({"killed", "timeout", "survived", "no tests"})
"""What mutmut may say of a mutant that was tried to the end."""


@dataclass
class Results:
    """What became of the mutants of one module; ``survivors`` by mutmut's name."""

    module: str
    counts: Counter[str] = field(default_factory=Counter)
    survivors: dict[str, Change] = field(default_factory=dict)
    untested: Counter[str] = field(default_factory=Counter)
    """Mutants of functions that no unit test calls, by function."""


def main() -> int:
    """Mutate, report and write the page; 1 when a survivor is neither killed nor explained."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("modules", nargs="*", help="only these modules of the domain")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments.add_argument("--report", action="store_true", help="run nothing, report only")
    given = arguments.parse_args()
    lay_out()
    known = sorted(path.stem for path in (WORK / "snaproll" / "domain").glob("*.py"))
    if unknown := set(given.modules) - set(known):
        arguments.error(f"the domain has no module {', '.join(sorted(unknown))}")
    explanations = load()
    with contextlib.chdir(WORK):
        if not given.report:
            forget_what_may_have_changed()
            run_mutmut(given.modules, given.jobs)
        results = [found for name in given.modules or known if (found := read(name)).counts]
    trouble = list(complaints(results, explanations))
    if not given.modules and not any(one.counts["not checked"] for one in results):
        write([row(one, explanations) for one in results], mutmut=version("mutmut"))
    tried = sum(one.counts.total() for one in results)
    killed = sum(one.counts["killed"] + one.counts["timeout"] for one in results)
    sys.stdout.writelines(f"{line}\n" for line in trouble)
    sys.stdout.write(f"{killed} of {tried} mutants were killed\n")
    return 1 if trouble else 0


# -- the copy -------------------------------------------------------------------------------------


def lay_out() -> None:
    """Bring the copy up to date; a file that did not change keeps its time, and so its results."""
    wanted = _wanted()
    for base in (WORK, WORK / "mutants"):
        for path in [*(base / "snaproll").rglob("*.py"), *(base / "tests").rglob("*.py")]:
            if path.relative_to(base) not in wanted:
                path.unlink()
    for relative, content in wanted.items():
        target = WORK / relative
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _wanted() -> dict[Path, bytes]:
    wanted = {
        Path("pyproject.toml"): SETTINGS.encode(),
        Path("tests/unit/conftest.py"): PROFILE.encode(),
    }
    for path in sorted(SOURCE.rglob("*.py")):
        wanted["snaproll" / path.relative_to(SOURCE)] = path.read_bytes()
    for path in sorted(DOMAIN.glob("*.py")):
        rewritten = undecorated(path.read_text("utf-8"))
        wanted["snaproll" / path.relative_to(SOURCE)] = rewritten.encode()
    for path in sorted(TESTS.glob("*.py")):
        if path.name not in LEFT_OUT:
            wanted[Path("tests/unit") / path.name] = path.read_bytes()
    return wanted


# -- mutmut, which works in the folder that it is started in ---------------------------------------


def forget_what_may_have_changed() -> None:
    """Try what was not killed once more when the code or the tests are others than last time.

    mutmut itself tries again only what it finds in functions that changed, and does not see that
    a test did.
    """
    fingerprint = hashlib.sha256(repr(sorted(_wanted().items())).encode()).hexdigest()
    last = WORK / "fingerprint"
    if last.exists() and last.read_text("utf-8") == fingerprint:
        return
    (WORK / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    for path in Path("snaproll/domain").glob("*.py"):
        data = SourceFileMutationData(path=path)
        data.load()
        if data.exit_code_by_key:
            data.exit_code_by_key = {
                name: code if status_by_exit_code[code] == "killed" else None
                for name, code in data.exit_code_by_key.items()
            }
            data.save()
    last.write_text(fingerprint, "utf-8")


def run_mutmut(modules: list[str], jobs: int) -> None:
    """Run mutmut: on what has no result yet, or on all of these modules."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    patterns = [f"{PACKAGE}.{module}.x*" for module in modules]
    subprocess.run(  # noqa: S603 - the tool, on our own code
        [Path(sys.executable).with_name("mutmut"), "run", "--max-children", str(jobs), *patterns],
        check=True,
        env=environment,
    )


def read(module: str) -> Results:
    """Read what became of a module's mutants."""
    path = Path("snaproll/domain") / f"{module}.py"
    data = SourceFileMutationData(path=path)
    data.load()
    found = Results(module)
    for name, code in data.exit_code_by_key.items():
        status = status_by_exit_code[code]
        found.counts[status] += 1
        plain, class_name = orig_function_and_class_names_from_key(name)
        function = ".".join(filter(None, (module, class_name, plain.removesuffix(SUFFIX))))
        if status == "no tests":
            found.untested[function] += 1
        elif status == "survived":
            found.survivors[name] = change_of(function, get_diff_for_mutant(name, path=path))
    return found


# -- the verdict ----------------------------------------------------------------------------------


def complaints(results: list[Results], explanations: Explanations) -> Iterator[str]:
    """What has to be done: survivors to kill or explain, functions to test, entries to delete."""
    survivors = [change for one in results for change in one.survivors.values()]
    for one in results:
        for function, count in one.untested.items():
            yield f"{function}: no unit test calls it ({count} mutants)"
        for status in one.counts.keys() - DECIDED:
            yield f"{one.module}: {one.counts[status]} mutants are {status}"
    names: dict[Change, str] = {
        change: name for one in results for name, change in one.survivors.items()
    }
    for change, count in explanations.unexplained(survivors).items():
        if not only_words(change):
            yield _lines(change, f"survived {count}: {names[change]}")
    for change in explanations.idle(survivors, {one.module for one in results}):
        yield _lines(change, "explained, and did not survive")


def _lines(change: Change, title: str) -> str:
    return f"{title}\n  {change.function}\n  - {change.before}\n  + {change.after}"


def row(results: Results, explanations: Explanations) -> Row:
    """One line of the page."""
    left = explanations.unexplained(results.survivors.values())
    wording = sum(count for change, count in left.items() if only_words(change))
    return Row(
        module=results.module,
        mutants=results.counts.total(),
        killed=results.counts["killed"],
        timeout=results.counts["timeout"],
        explained=len(results.survivors) - left.total(),
        wording=wording,
        untested=results.counts["no tests"],
        survived=left.total() - wording,
    )


if __name__ == "__main__":
    sys.exit(main())
