"""Puts the replicas' user data into the fleet's template, and the template's parameters into docs/.

The script is a file of its own, so that shellcheck reads it and the tests run it; the template has
to be deployable alone. ``make docs`` writes the copy, without comments: with them the template
would be longer than CloudFormation takes in a request. A test holds the two together.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from embedded.translate import translate

FLEET: Final = Path(__file__).parents[1] / "fleet"
TEMPLATE: Final = FLEET / "template.yaml"
SCRIPT: Final = FLEET / "user-data.sh"
MARK: Final = "# From here on it is fleet/user-data.sh without its comments, put here by make docs."
LITERAL: Final = "- |"
INDENT: Final = 2
HEAD: Final = """# The parameters of the fleet's template

*Made from `fleet/template.yaml` by `make docs`.* Those without a default have to be given. How they
are used: [fleet.md](fleet.md)."""


def with_user_data(template: str, script: str) -> str:
    """Give the template with the script in the place of what follows the mark.

    Raises
    ------
    ValueError
        When there is no mark, or no literal block behind it.
    """
    lines = template.splitlines()
    places = [number for number, line in enumerate(lines) if line.strip() == MARK]
    if len(places) != 1 or lines[places[0] + 1].strip() != LITERAL:
        raise ValueError(f"the template has no place for the script: {MARK!r}, then {LITERAL!r}")
    start = places[0] + 2
    depth = len(lines[start - 1]) - len(lines[start - 1].lstrip()) + INDENT
    old = takewhile(lambda line: not line or line.startswith(" " * depth), lines[start:])
    rest = lines[start + sum(1 for _ in old) :]
    made = [" " * depth + line for line in script.splitlines() if not _says_nothing(line)]
    return "\n".join([*lines[:start], *made, "", *rest]) + "\n"


def _says_nothing(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def parameters_page() -> str:
    """A page with every parameter of the template, by its groups."""
    template = translate(TEMPLATE)
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    sections = [
        f"## {group['Label']['default']}\n\n{_table(group['Parameters'], template['Parameters'])}"
        for group in groups
    ]
    return "\n\n".join([HEAD, *sections]) + "\n"


def _table(names: list[str], declared: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | {_default(declared[name])} | {_allowed(declared[name])} "
        f"| {_plain(declared[name]['Description'])} |"
        for name in names
    ]
    return "\n".join(["| parameter | default | allowed | what it is |", "|---|---|---|---|", *rows])


def _default(rules: dict[str, Any]) -> str:
    if "Default" not in rules:
        return "none"
    return f"`{rules['Default']}`" if rules["Default"] != "" else "nothing"


def _allowed(rules: dict[str, Any]) -> str:
    if "AllowedValues" in rules:
        return ", ".join(str(value) for value in rules["AllowedValues"])
    if "MinValue" in rules:
        return f"{rules['MinValue']} to {rules['MaxValue']}"
    allowed = rules.get("ConstraintDescription", f"what CloudFormation knows as {rules['Type']}")
    return _plain(allowed)


def _plain(text: str) -> str:
    """A text in which nothing looks like HTML."""
    return text.strip().replace("<", "&lt;")


def main() -> None:
    """Write the template anew."""
    script = SCRIPT.read_text(encoding="utf-8")
    template = TEMPLATE.read_text(encoding="utf-8")
    TEMPLATE.write_text(with_user_data(template, script), encoding="utf-8")


if __name__ == "__main__":
    main()
