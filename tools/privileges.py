"""What each role of the control plane may do, and whether any test used it for that.

The embedded AWS refuses what a role does not allow, so nothing is used that is not granted. This
finds the rest: what is granted and nothing uses. Each such right needs a line that explains it.

``make test`` leaves a record of what was used; ``python -m tools.privileges`` compares it with the
roles and writes the report, with ``--check`` only compares.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from embedded.deploy import deploy
from embedded.world.access import Use
from embedded.world.access.conditions import like
from embedded.world.access.policy import Statement
from embedded.world.world import World

ROOT: Final = Path(__file__).parents[1]
REPORT: Final = ROOT / "docs" / "privileges.md"
ENVIRONMENT: Final = "demo"
"""The tests' environment: what the roles of another were used for is not counted."""

_LOGS: Final = "Step Functions asks for it when logging is set up, not while an execution runs"
_TEMPLATES: Final = "asked for only when a fleet's launch template names one"
_TAGS: Final = "asked for only when a fleet's launch template tags what it launches"
_ENDING: Final = "it ends a dead rollout as its last step would, which looks for a staged release"
_UNREADABLE: Final = "tells of a fleet whose item in the index cannot be read"
EXPLAINED: Final[Mapping[tuple[str, str, str], str]] = {
    ("*", "logs:*", "*"): _LOGS,
    ("*", "sqs:SendMessage", "*"): "Lambda itself sends what failed every try, under this role",
    ("*", "kms:ListGrants", "*"): "asked only of a key whose policy does not admit Auto Scaling",
    ("*", "iam:PassRole", "*"): "asked for only when a launch template names an instance profile",
    ("*", "ec2:RunInstances", "*:key-pair/*"): _TEMPLATES,
    ("*", "ec2:RunInstances", "*:placement-group/*"): _TEMPLATES,
    ("*", "ec2:RunInstances", "*:capacity-reservation/*"): _TEMPLATES,
    ("*", "ec2:CreateTags", "*:instance/*"): _TAGS,
    ("*", "ec2:CreateTags", "*:volume/*"): _TAGS,
    ("*", "ec2:CreateTags", "*:network-interface/*"): _TAGS,
    ("RecoverRolloutFunctionRole", "autoscaling:*", "*"): _ENDING,
    ("RecoverRolloutFunctionRole", "ssm:GetParameter", "*/stop"): _ENDING,
    ("DispatchSnapshotFunctionRole", "events:PutEvents", "*"): _UNREADABLE,
    ("PlanRolloutFunctionRole", "events:PutEvents", "*"): _UNREADABLE,
    ("PlanRolloutFunctionRole", "dynamodb:PutItem", "*"): _UNREADABLE,
    ("AwaitSnapshotFunctionRole", "states:SendTaskSuccess", "*"): (
        "answers itself when the snapshot was complete before its token was left"
    ),
}
"""Why a right stands although no test uses it: by patterns of role, action and resource."""

Key = tuple[str, str, str, str]
"""A right: the role's logical id, action and resource as the policy writes them, conditions."""


class Recorder:
    """Remembers which rights were used."""

    def __init__(self) -> None:
        self._used: set[Key] = set()

    def __call__(self, arn: str, use: Use) -> None:
        """Take note of a use."""
        role = logical_id(arn)
        for statement in use.statements:
            self._used.update(
                (role, action, resource, conditions(statement))
                for action in statement.actions
                if like(action.lower(), use.demand.action.lower())
                for resource in statement.resources
                if like(resource, use.demand.resource)
            )

    def write(self, path: Path) -> None:
        """Leave the record for ``used``."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sorted(self._used), indent=0), encoding="utf-8")


def used(folder: Path) -> set[Key]:
    """The rights that the tests used, from what every one of their processes wrote.

    Raises
    ------
    FileNotFoundError
        When no record is there: the tests have not run.
    """
    records = sorted(folder.glob("*.json"))
    if not records:
        raise FileNotFoundError(f"no record of what roles were used for in {folder}: run make test")
    found: set[Key] = set()
    for record in records:
        for role, action, resource, only_if in json.loads(record.read_text(encoding="utf-8")):
            found.add((role, action, resource, only_if))
    return found


@dataclass(frozen=True)
class Right:
    """An action on a resource that a role's policy allows, as the policy writes them."""

    key: Key
    used: bool

    @property
    def explanation(self) -> tuple[str, str, str] | None:
        """The key of the line that explains it; None when there is none."""
        for patterns in EXPLAINED:
            if all(map(like, patterns, self.key)):
                return patterns
        return None


def rights(uses: set[Key]) -> list[Right]:
    """Every right of every role of the control plane."""
    world = World()
    stack = deploy(world, ROOT / "template.yaml", {"Environment": ENVIRONMENT})
    keys = (
        (logical_id(role.arn), action, resource, conditions(statement))
        for _, role in sorted(stack.roles.items())
        for statement in world.access.statements(role.arn)
        for action in statement.actions
        for resource in statement.resources
    )
    return [Right(key, key in uses) for key in keys]


def logical_id(arn: str) -> str:
    """What a role is called in the template, from the name that the deployer gave it.

    A role that somebody named is called by that name.
    """
    name = arn.rsplit("/", 1)[-1]
    stack, _, rest = name.partition("-")
    return rest.partition("-")[0] if stack and rest else name


def conditions(statement: Statement) -> str:
    """A statement's conditions in words."""
    return "; ".join(
        f"{operator} {key} {_text(wanted)}"
        for operator, keys in statement.conditions.items()
        for key, wanted in keys.items()
    )


def _text(wanted: Any) -> str:
    return ", ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)


def problems(found: Iterable[Right]) -> Iterator[str]:
    """What is wrong: a right that stands for no reason, or a reason that no right needs."""
    idle = [right for right in found if not right.used]
    for right in idle:
        if right.explanation is None:
            role, action, resource, only_if = right.key
            only = f" if {only_if}" if only_if else ""
            yield f"{role} may {action} on {resource}{only}, and nothing uses it or says why"
    needed = {right.explanation for right in idle}
    for patterns in EXPLAINED:
        if patterns not in needed:
            yield f"{' '.join(patterns)} is explained, and there is no such right or it is used"


def page(found: list[Right]) -> str:
    """The report, for docs/."""
    roles = dict.fromkeys(right.key[0] for right in found)
    return _PAGE + "\n".join(_section(role, found) for role in roles)


def _section(role: str, found: list[Right]) -> str:
    rows = "\n".join(_row(right) for right in found if right.key[0] == role)
    return f"## {role}\n\n| action | on | only if | used |\n|---|---|---|---|\n{rows}\n"


def _row(right: Right) -> str:
    _, *cells = right.key
    written = " | ".join(f"`{cell}`" if cell else "" for cell in cells)
    key = right.explanation
    because = "yes" if right.used else f"no: {EXPLAINED[key] if key else 'nobody knows why'}"
    return f"| {written} | {because} |"


_PAGE: Final = f"""# What each role may do, and what it uses

*Made by `make privileges`* from the roles of `template.yaml`, in an environment called
`{ENVIRONMENT}`. The tests run every function and state machine in the embedded AWS, which judges
each call by the caller's role: action, resource and conditions. So nothing is used that is not
granted. The last column says whether any test used a right, or why it stands all the same; one that
is neither used nor explained fails `make check-privileges`.

"""


def main() -> int:
    """Compare, and write the report unless only asked to check."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("uses", type=Path, help="the folder of the tests' records")
    parser.add_argument("--check", action="store_true", help="write nothing")
    given = parser.parse_args()
    found = rights(used(given.uses))
    wrong = list(problems(found))
    report = page(found)
    if not given.check:
        REPORT.write_text(report, encoding="utf-8")
    elif not REPORT.exists() or REPORT.read_text(encoding="utf-8") != report:
        wrong.append(f"docs/{REPORT.name} is out of date: run 'make privileges'")
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
