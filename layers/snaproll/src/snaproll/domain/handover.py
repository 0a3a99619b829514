"""Handing a long rollout over to a new execution, before its own history is full.

Step Functions ends an execution at 25,000 history events. A wait and a look take 13 of them when
nothing fails, and an execution's other states some hundred and fifty in all; a tenth is left for
calls that had to be repeated.
"""

from __future__ import annotations

from pydantic import Field

from snaproll.domain.assessment import Memory
from snaproll.domain.checks import Check
from snaproll.domain.claims import name_successor
from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.ledger import Claim, FleetState, LedgerItem

MOST_LOOKS = 1000
"""How often one execution looks at its fleet before another goes on in its place."""


class Handover(LedgerItem):
    """What only the execution itself knew, for the one that goes on in its place.

    ``fence`` is that of the claim that is handed over: with another claim this is out of date.
    The policy is the one that the rollout was planned with, and the clocks of grace and bake are in
    the memory: a rollout that changes hands is still the same rollout.
    """

    fence: int
    policy: FleetPolicy
    memory: Memory
    checks: list[Check] = Field(default_factory=list)


def is_due(looks: int) -> bool:
    """Whether an execution that looked so often has to hand over."""
    return looks >= MOST_LOOKS


def name_heir(fleet: str, state: FleetState, claim: Claim) -> FleetState:
    """Write down which execution goes on; one that is named already stays.

    Nobody died: it neither waits for quiet, nor does it count among the claim's takeovers.
    """
    if state.successor is not None and state.successor.takes_over == claim.fence:
        return state
    named = name_successor(fleet, state, claim)
    if named.successor is None:
        return named
    heir = named.successor.model_copy(update={"handed_over": True})
    return named.model_copy(update={"successor": heir})
