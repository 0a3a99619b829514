"""Claims: who has one, who takes over from whom, and when it is over.

A fleet is claimed by a rollout and a writer by a publish, in the same way: the claim names its
execution and carries a fence that only grows. Whoever lost it changes nothing more.
"""

from __future__ import annotations

from typing import Protocol, Self, TypeVar

from snaproll.errors import ClaimLostError
from snaproll.model import Instant, StrictValue

MOST_TAKEOVERS = 3
"""How often a dead execution is taken over before a person is called."""
_FIRST_QUIET_SECONDS = 90
"""A function of the dead execution may still run for its timeout of 45 s and the SDK's retries."""


class FencedClaim(StrictValue):
    """The right of one execution to change something; a later claim has a higher ``fence``.

    ``takeovers`` counts how often a new execution took it over from one that had died.
    """

    execution: str
    fence: int
    claimed_at: Instant
    takeovers: int = 0


_Claim_co = TypeVar("_Claim_co", bound=FencedClaim, covariant=True)


class _Claimed(Protocol[_Claim_co]):
    """A state with at most one claim, and at most one execution that is to come next."""

    @property
    def fence(self) -> int: ...
    @property
    def claim(self) -> _Claim_co | None: ...
    @property
    def successor(self) -> StrictValue | None: ...
    def model_copy(self, *, update: dict[str, object]) -> Self: ...


_State = TypeVar("_State", bound=_Claimed[FencedClaim])


def quiet_seconds(takeovers: int) -> int:
    """How long a taker-over waits, by how often the claim was taken over before."""
    return int(_FIRST_QUIET_SECONDS * 4**takeovers)


def inherit_claim(
    owner: str, state: _State, *, fence: int, execution: str, died: bool = True
) -> _State:
    """Take a claim over with all that was noted in it; ``owner`` says whose it is.

    Raises
    ------
    ClaimLostError
        The claim with that fence is gone, or was taken over by another.
    """
    claim = state.claim
    if claim is not None and claim.execution == execution:
        return state
    if claim is None or claim.fence != fence:
        raise ClaimLostError(
            f"The claim on {owner} that was to be taken over (fence {fence}) is gone."
        )
    inherited = claim.model_copy(
        update={
            "execution": execution,
            "fence": state.fence + 1,
            "takeovers": claim.takeovers + died,
        }
    )
    update = {"fence": state.fence + 1, "claim": inherited, "successor": None, "waiting": None}
    return state.model_copy(update=update)


def prove_fence(owner: str, state: _Claimed[_Claim_co], *, execution: str, fence: int) -> _Claim_co:
    """The claim, if it is still this execution's.

    Raises
    ------
    ClaimLostError
        It is not: the execution must change nothing more.
    """
    claim = state.claim
    if claim is None or claim.fence != fence or claim.execution != execution:
        holder = f"{claim.execution} holds it" if claim else "nobody holds it"
        raise ClaimLostError(
            f"This execution no longer has the claim on {owner} (fence {fence}; {holder} now, "
            f"fence {state.fence}). It changes nothing more."
        )
    return claim


def forget_successor(state: _State, successor: StrictValue | None) -> _State:
    """Take a successor's name away after it ran, unless another was named meanwhile."""
    return state.model_copy(update={"successor": None}) if state.successor == successor else state
