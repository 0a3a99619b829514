"""What becomes of a request that finds its fleet busy: it waits, or it stops what runs.

Only one snapshot waits for a fleet. A person's request that gives a reason stops an automatic
rollout: it is a repair, and must not wait for hours behind what may be the trouble itself.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from snaproll.domain.claims import goes_back
from snaproll.domain.ledger import Claim, FleetState, Queued, Trigger
from snaproll.errors import StalePlanError


class Place(StrEnum):
    """What became of a request for a busy fleet."""

    WAITS = "waits"
    WAITS_FOR_ROLLBACK = "waits for rollback"
    """What runs is on its way back, or asked to go: the request is next."""
    PRE_EMPTS = "pre-empts"
    """What runs was asked to go back for it."""
    COMES_LATER = "comes later"
    """One that waits already comes first; this one is dropped."""
    RUNS_ALREADY = "runs already"


class Placed(NamedTuple):
    """The fleet's next state, and what became of the request in it."""

    state: FleetState
    place: Place


def enqueue(fleet: str, state: FleetState, queued: Queued) -> Placed:
    """Let a snapshot wait for a busy fleet, or for a staged release, and stop what runs if it may.

    Of those that wait only one is kept: a person's before an automatic one, then the newer data.

    A rollout is never stopped that a person asked for, that is going back already, or that moves
    the fleet to the very same snapshot; nor without a reason, nor by anything automatic.

    Raises
    ------
    StalePlanError
        The fleet is free by now: plan again.
    """
    claim = state.claim
    if claim is None and state.staged is None:
        raise StalePlanError(f"Fleet {fleet} is free by now.")
    leaves = claim is not None and goes_back(claim)
    if claim is not None and claim.snapshot == queued.snapshot and not leaves:
        return Placed(state, Place.RUNS_ALREADY)
    if state.queued is not None and _comes_first(state.queued, queued):
        return Placed(state, Place.COMES_LATER)
    waiting = state.model_copy(update={"queued": queued})
    if leaves:
        return Placed(waiting, Place.WAITS_FOR_ROLLBACK)
    if queued.trigger is not Trigger.PERSON or queued.reason is None:
        return Placed(waiting, Place.WAITS)
    # Where nobody watches the first instances of what is staged yet, that has to begin first.
    if claim is None or claim.trigger is Trigger.PERSON:
        return Placed(waiting, Place.WAITS)
    stopped = _stop_for(claim, queued, state)
    return Placed(waiting.model_copy(update={"claim": stopped}), Place.PRE_EMPTS)


def _stop_for(claim: Claim, queued: Queued, state: FleetState) -> Claim:
    """The claim with the wish that it go back.

    No hold is left behind it: in the write that ends the claim the person's request is named as
    the fleet's next execution, so that nothing automatic can come in between, and how that one
    ends decides on a hold. Only when the person asked for what is live already there is nothing
    left to roll out, and the hold has to come from here.
    """
    why = f"a person asked for {queued.snapshot} instead: {queued.reason}"
    hold = claim.hold_after or (queued.reason if _stays(claim, queued, state) else None)
    return claim.model_copy(update={"stop": why, "hold_after": hold})


def _stays(claim: Claim, queued: Queued, state: FleetState) -> bool:
    """Whether a request is for what the fleet serves when the running rollout went back."""
    if queued.again:
        return False
    if state.live is not None:
        return state.live.snapshot == queued.snapshot
    return claim.target is not None and claim.target.snapshot == queued.snapshot


def _comes_first(waiting: Queued, other: Queued) -> bool:
    if (waiting.trigger is Trigger.PERSON) != (other.trigger is Trigger.PERSON):
        return waiting.trigger is Trigger.PERSON
    if waiting.trigger is Trigger.PERSON or waiting.data_time is None or other.data_time is None:
        return False
    return waiting.data_time >= other.data_time
