"""``make conformance``: holds a real AWS account and the embedded AWS against one contract.

Only reads, unless --mutating is given together with the account's id. See docs/conformance.md.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from tools.conformance.account import Account, RefusedError, confirm, settings_from
from tools.conformance.belongings import Sleep, really_sleep
from tools.conformance.catalogue import chosen
from tools.conformance.checks import Check, Need
from tools.conformance.place import Fleet
from tools.conformance.report import Report, show
from tools.conformance.run import Conformance

REPORT: Final = Path(__file__).parents[2] / "build" / "conformance.json"
DIFFERENT: Final = 1
REFUSED: Final = 2
INTERRUPTED: Final = 130
RUN_BYTES: Final = 4


def options() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=__doc__)
    parser.add_argument("--profile", help="named profile with the credentials (AWS_PROFILE)")
    parser.add_argument("--region", help="Region (AWS_REGION)")
    parser.add_argument("--endpoint-url", help="another endpoint, such as that of make aws")
    parser.add_argument("--mutating", action="store_true", help="make and delete small things, too")
    parser.add_argument("--account", help="the account's id: says that --mutating is meant")
    parser.add_argument("--group", help="an Auto Scaling group to read about")
    parser.add_argument("--function", help="a Lambda function to read about")
    parser.add_argument("--match", default="", help="only checks with these words in their name")
    parser.add_argument("--list", action="store_true", help="list the checks, and run none")
    parser.add_argument("--report", type=Path, default=REPORT, help="where the report is written")
    return parser


def main(
    arguments: list[str],
    environment: Mapping[str, str],
    *,
    console: Console | None = None,
    sleep: Sleep = really_sleep,
) -> int:
    """Run the program; gives its exit code: 0, 1 for a difference, 2 when it refused to run."""
    said = options().parse_args(arguments)
    console = console or Console()
    needs = [Need.NOTHING, Need.FLEET, *([Need.OWN] if said.mutating else [])]
    checks = chosen(Need if said.list else needs, said.match)
    if said.list:
        _list(checks, console)
        return 0
    try:
        return _run(said, environment, checks, console, sleep)
    except RefusedError as refusal:
        sys.stderr.write(f"conformance: {refusal}\n")
        return REFUSED


def _run(
    said: argparse.Namespace,
    environment: Mapping[str, str],
    checks: list[Check],
    console: Console,
    sleep: Sleep,
) -> int:
    settings = settings_from(
        environment, profile=said.profile, region=said.region, url=said.endpoint_url
    )
    account = Account(settings)
    if said.mutating:
        confirm(account.identity.Account, said.account)
    report = Report(
        account=account.identity.Account,
        region=settings.region,
        endpoint_url=settings.endpoint_url,
        run=secrets.token_hex(RUN_BYTES),
        mutating=said.mutating,
        began=datetime.now(UTC),
    )
    fleet = Fleet(said.group, said.function) if said.group else None

    def tell(text: str) -> None:
        # Commands are to be copied: the terminal may wrap them, not the program.
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    tell(
        f"Account {report.account}, Region {report.region}, as {account.identity.Arn}"
        f"{f', at {settings.endpoint_url}' if settings.endpoint_url else ''}: "
        f"{len(checks)} checks, {'reading and making' if said.mutating else 'reading only'}; "
        f"run {report.run}"
    )
    try:
        Conformance(account, report, sleep=sleep, tell=tell, fleet=fleet).run(checks)
    except KeyboardInterrupt:
        tell("interrupted: what was made has been taken away, or is told below")
        show(report, console)
        return INTERRUPTED
    finally:
        report.write(said.report, datetime.now(UTC))
    show(report, console)
    return 0 if report.clean else DIFFERENT


def _list(checks: list[Check], console: Console) -> None:
    for check in checks:
        console.print(
            f"{check.name}\n  {check.need.value}; costs {check.cost}\n  {', '.join(check.about)}",
            highlight=False,
            markup=False,
        )
