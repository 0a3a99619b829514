"""What is looked at before a refresh starts whose instances a probe is to test."""

from __future__ import annotations

from dataclasses import dataclass

from snaproll.domain.checks import Check, check, passed
from snaproll.domain.fleet import Fleet

_NEVER_RUNS = "Failed"
"""State of a function that cannot be invoked. An inactive or pending one becomes active when it is
invoked, or by itself (Lambda developer guide, "Lambda function states")."""


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """What is known of a probe.

    ``allowed`` tells whether its name begins with ``prefix``, which is all that the state machine
    may invoke; ``state`` is None when there is no such function.
    """

    prefix: str
    allowed: bool
    state: str | None = None


def probe_checks(fleet: Fleet, facts: ProbeFacts | None) -> list[Check]:
    """Whether the fleet's probe can be asked; a misspelt name must not be found out half way."""
    probe = fleet.policy.health.probe
    if probe is None or facts is None:
        return [passed("probe-exists", "the fleet has no probe")]
    name = probe.function
    if not facts.allowed:
        bad = f"snaproll may not invoke the probe {name}: its name must begin with {facts.prefix}"
    elif facts.state is None:
        bad = f"there is no function {name} in this account and Region, which the fleet's probe is"
    else:
        bad = f"the probe {name} cannot be invoked: its state is {facts.state}"
    return [
        check(
            "probe-exists",
            fine=facts.allowed and facts.state not in (None, _NEVER_RUNS),
            good=f"the probe {name} exists, and snaproll may invoke it",
            bad=bad,
        )
    ]
