"""The page of docs/ on conformance."""

from __future__ import annotations

from typing import Final

from tools.conformance.catalogue import checks
from tools.conformance.checks import Check, Need
from tools.conformance.questions import BY_HAND, CHECKED

_PAGE: Final = """# Conformance: what holds the embedded AWS to AWS

*Made by `make docs` from `tools/conformance`.*

**Nothing here has ever met a real account.** The contracts below are written from AWS's
documentation and botocore's models, and hold in the embedded AWS through both of its doors. The
program that tries them in a real account has only been run against the embedded AWS itself,
including accounts that deny, answer otherwise, break off and will not let things be deleted.

A *check* is a few calls and what is documented of their answers: the reply's shape, the members
that snaproll takes for granted, error codes, pages, tokens. `tests/contract` runs every check
through both doors, and fails when snaproll makes a call, or tells people to type one, that no check
is about; the calls are read from the package, the definitions, the roles and the documents.
Not modelled, and so excepted: `ec2 get-console-output`, and the login to a registry of containers.

## In a real account

```console
AWS_PROFILE=sandbox AWS_REGION=eu-west-1 make conformance
AWS_PROFILE=sandbox AWS_REGION=eu-west-1 make conformance MUTATING=1 ACCOUNT=111122223333
AWS_PROFILE=sandbox AWS_REGION=eu-west-1 make conformance ARGS="--group replicas-prod-asg"
```

- **Profile and Region have to be named**; a default does not count, `AWS_DEFAULT_REGION` neither,
  and a profile without credentials does not become the role of the machine. It says
  which account, Region and principal it will use before its first question.
- The first form **only reads**, about things that are not there. `--group` lets it read about a
  fleet that is, `--function` about a function of it.
- The second **makes small things and deletes them again**, and runs only when the account's id is
  typed. Before it makes anything it prints what, and the command that deletes it. Everything has a
  name that begins with `snaproll-<run>` or the tag `snaproll:conformance=<run>`, and most have
  both; nothing else is changed. It cleans up after each check, also after a failure or an
  interrupt; what it could not delete is listed with the command that does.
- It makes launch templates, groups without instances, parameters, on-demand tables, a disabled
  rule, an alarm, a target group, a stack of one parameter, state machines with a role that may do
  nothing, volumes of 1 GiB and their snapshots; and it puts events with the source
  `snaproll.conformance`. Three groups want one instance for a moment, from a snapshot that is none:
  it cannot be launched. Auto Scaling makes its service-linked role where an account has none; that
  stays. All of it comes to less than $0.05 and, mostly waiting, to about half an hour (both
  estimated, not measured).
- The same checks are run in a fresh embedded AWS of the same account and Region, and the answers
  compared: codes, statuses, messages and, where everything in an answer is the check's own, every
  member. Ids and times are left out of it.
- **Exit code** 0: no difference. 1: a difference, or something was left behind. 2: it refused to
  run. 130: interrupted. A call that is denied, throttled for good or without an answer is told as
  *not checked*, and is no difference. `build/conformance.json` has all of it; nothing else is kept,
  and no credentials.
- `ARGS="--match 'launch template'"` takes only the checks with these words in their name,
  `ARGS=--list` lists them. Credentials need the rights to the calls below. Only the partition `aws`
  is compared.

A difference is a fault of the embedded AWS, until shown otherwise: mend the model and its test, and
take the question off the list.

`make aws SPEED=5` is another account for it (any profile with dummy credentials will do): the whole
run takes 12 minutes there, most of them waiting. Where emulated time runs much faster, things may
change between a request and the question what became of it.

```console
export AWS_PROFILE=dummy AWS_REGION=us-east-1 AWS_ENDPOINT_URL=http://127.0.0.1:5000
make conformance MUTATING=1 ACCOUNT=111122223333
```
"""


def page() -> str:
    """The page."""
    return f"{_PAGE}\n{_questions()}\n{_by_hand()}\n{_checks()}"


def _questions() -> str:
    costs = {one.name: one.cost for one in checks()}
    rows = (
        _row(one.asks, one.assumed, one.decides, f"`{one.check}`", costs[one.check])
        for one in CHECKED
    )
    head = _row("question", "assumed now", "what decides", "check", "cost") + "|---" * 5 + "|\n"
    return f"## Questions that a check settles\n\n{head}{''.join(rows)}"


def _by_hand() -> str:
    rows = (_row(one.asks, one.assumed, one.decides, one.steps, one.cost) for one in BY_HAND)
    head = _row("question", "assumed now", "what decides", "steps", "cost") + "|---" * 5 + "|\n"
    return (
        "## Questions for a person\n\nThese need instances that run, or what cannot be provoked: "
        f"no check makes them. Costs are estimates.\n\n{head}{''.join(rows)}"
    )


def _checks() -> str:
    parts = ["## The checks\n"]
    for need, title in (
        (Need.NOTHING, "Reading only"),
        (Need.FLEET, "Reading about a fleet (`--group`)"),
        (Need.OWN, "Making things of their own (`MUTATING=1`)"),
    ):
        rows = "".join(_check(one) for one in checks() if one.need is need)
        head = _row("check", "calls", "source") + "|---" * 3 + "|\n"
        parts.append(f"### {title}\n\n{head}{rows}")
    return "\n".join(parts)


def _check(check: Check) -> str:
    calls = ", ".join(f"`{call}`" for call in check.about)
    return _row(check.name.replace("_", " "), calls, check.source)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"
