"""The answers to the review's findings name tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (F\d+) \|.*\| (.+) \|$", TABLE, re.MULTILINE)
OTHER_WORDS = re.compile(
    r"\b(cluster|replica set|shared replica|read node|data drop|deployment group)s?\b",
    re.IGNORECASE,
)
"""What the original, and others, call a fleet, a replica, a snapshot or a rollout."""


def functions(path: Path) -> set[str]:
    """The names of a module's functions, those of its classes included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_finding_has_a_row() -> None:
    assert [name for name, _ in ROWS] == [f"F{number}" for number in range(1, 20)]


@pytest.mark.parametrize(("finding", "seen_in"), ROWS)
def test_the_tests_that_a_row_names_exist(finding: str, seen_in: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", seen_in)

    missing = [
        f"{path}::{test}"
        for path, test in named
        if not (ROOT / path).exists() or test not in functions(ROOT / path)
    ]

    assert named, finding
    assert missing == []


def test_people_read_one_word_for_one_thing() -> None:
    read = [
        ROOT / "README.md",
        ROOT / "template.yaml",
        *(ROOT / "fleet").glob("*"),
        *(ROOT / "statemachines").glob("*"),
        *(ROOT / "layers" / "snaproll" / "src" / "snaproll").rglob("*.py"),
        *(path for path in (ROOT / "docs").rglob("*.md") if path.name != "findings.md"),
    ]

    found = {
        str(path.relative_to(ROOT)): OTHER_WORDS.findall(path.read_text(encoding="utf-8"))
        for path in read
        if path.is_file()
    }

    assert {path: words for path, words in found.items() if words} == {}
