"""What is said about surviving mutants: it is about this code, and it covers no other survivor."""

from __future__ import annotations

import pytest

from tools.explained import (
    DOMAIN,
    Change,
    Explained,
    Explanations,
    change_of,
    functions_of,
    load,
    only_words,
)
from tools.undecorated import undecorated

SOURCES = {
    name: " ".join(line.strip() for line in source.splitlines())
    for path in sorted(DOMAIN.glob("*.py"))
    for name, source in functions_of(path).items()
}
CHANGE = Change("claims.quiet_seconds", "return 1", "return 2")


def test_every_explained_mutant_is_one_of_a_line_that_still_exists() -> None:
    gone = [
        entry.change
        for entry in load()
        if entry.change.before not in SOURCES.get(entry.change.function, "")
    ]

    assert gone == [], "delete these entries of tests/mutants.toml, or write them anew"


def test_an_entry_covers_as_many_survivors_as_it_says_and_no_more() -> None:
    explanations = Explanations([Explained(CHANGE, times=1, why="both are odd")])

    assert explanations.unexplained([CHANGE]) == {}
    assert explanations.unexplained([CHANGE, CHANGE]) == {CHANGE: 1}


def test_an_entry_does_not_cover_another_change_of_the_same_line() -> None:
    explanations = Explanations([Explained(CHANGE, times=1, why="both are odd")])
    other = Change(CHANGE.function, CHANGE.before, "return 3")

    assert explanations.unexplained([other]) == {other: 1}


def test_an_entry_whose_mutant_was_killed_is_told_once_its_module_was_tried() -> None:
    explanations = Explanations([Explained(CHANGE, times=1, why="both are odd")])

    assert explanations.idle([], {"claims"}) == [CHANGE]
    assert explanations.idle([], {"queueing"}) == []
    assert explanations.idle([CHANGE], {"claims"}) == []


def test_an_entry_needs_a_reason_and_stands_once() -> None:
    with pytest.raises(ValueError, match="nothing says why"):
        Explanations([Explained(CHANGE, times=1, why=" ")])
    with pytest.raises(ValueError, match="explained twice"):
        Explanations([Explained(CHANGE, times=1, why="a"), Explained(CHANGE, times=1, why="b")])


def test_a_change_is_told_by_its_lines_wherever_they_stand() -> None:
    diff = "--- a.py\n+++ a.py\n@@ -9,3 +9,3 @@\n def f():\n-    a = (\n-        1\n+    a = 2"

    assert change_of("module.f", diff) == Change("module.f", "a = ( 1", "a = 2")


@pytest.mark.parametrize(
    ("before", "after", "wording"),
    [
        ('say("it is late")', 'say("XXit is lateXX")', True),
        ('say("it is late")', 'say("IT IS LATE")', True),
        ('say("it is late", 1)', 'say("it is late", 2)', False),
        ('say("it is late")', "say(None)", False),
        ('", ".join(late)', '"XX, XX".join(late)', True),
        ('"/".join(late)', '"XX/XX".join(late)', False),
        ('key = "late"', 'key = "XXlateXX"', False),
        ('say("it is", "late it")', 'say("XXit isXX", "LATE IT")', False),
    ],
)
def test_only_a_spoiled_sentence_counts_as_wording(
    before: str,
    after: str,
    wording: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert only_words(Change("module.f", before, after)) is wording


def test_a_decorated_method_is_taken_apart_and_means_the_same() -> None:
    source = (
        "class One:\n"
        "    @property\n"
        "    def first(self) -> int:\n"
        "        return 1\n"
        "\n"
        "    @outer('x')\n"
        "    @classmethod\n"
        "    def second(cls) -> int:\n"
        "        return 2\n"
        "\n"
        "    @classmethod\n"
        "    def third(cls) -> int:\n"
        "        return 3\n"
    )

    assert undecorated(source) == (
        "class One:\n"
        "    def first_undecorated(self) -> int:\n"
        "        return 1\n"
        "    first = property(first_undecorated)\n"
        "\n"
        "    def second_undecorated(cls) -> int:\n"
        "        return 2\n"
        "    second = outer('x')(classmethod(second_undecorated))\n"
        "\n"
        "    @classmethod\n"
        "    def third(cls) -> int:\n"
        "        return 3\n"
    )
