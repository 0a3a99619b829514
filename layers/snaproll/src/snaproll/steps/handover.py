"""Letting a new execution go on with a rollout that has run for long."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.looks import HandOverRequest
from snaproll.contracts.values import Recorded
from snaproll.domain.handover import MOST_LOOKS, Handover, name_heir
from snaproll.domain.ledger import FleetState
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven, start_successor


def hand_over(request: HandOverRequest, runtime: Runtime) -> Recorded:
    """Name the execution that goes on, leave it all that is known, and start it.

    It takes the claim itself: until then the claim is this rollout's, so that whoever finds this
    execution ended before the other began starts that one.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout = request.rollout
    handover = Handover(
        fence=rollout.fence, policy=rollout.policy, memory=request.memory, checks=request.checks
    )

    def transition(state: FleetState) -> Change:
        claim = proven(rollout, state)
        return Change(name_heir(rollout.fleet, state, claim), handover=handover)

    state = runtime.ledger.change(rollout.fleet, transition)
    heir = start_successor(rollout.fleet, state, runtime)
    return Recorded(
        message=(
            f"After {MOST_LOOKS} looks at fleet {rollout.fleet}, {heir} goes on with the rollout "
            f"of {rollout.snapshot}."
        )
    )
