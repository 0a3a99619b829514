"""The table of rules in docs/ and the tests must not drift apart."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = "\n".join(
    path.read_text() for path in (ROOT / "tests/embedded").glob("test_autoscaling_*.py")
)
SECTION = "## Instance refresh: the rules and their tests"


def rules() -> list[str]:
    """The rows of the rule tables, without their headings."""
    text = (ROOT / "docs/embedded-aws.md").read_text()
    section = text.split(SECTION)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [row for row in rows if not row.startswith(("| rule |", "|---"))]


def test_every_documented_rule_names_a_source_and_a_test_that_exists() -> None:
    for row in rules():
        _, rule, source, tests, _ = row.split("|")
        named = re.findall(r"`(test_\w+)`", tests)
        assert source.strip(), f"no source: {rule}"
        assert named, f"no test: {rule}"
        for name in named:
            assert f"def {name}(" in TESTS, f"{rule}: {name} does not exist"
