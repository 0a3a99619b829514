"""Making a proven release live."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts import Recorded, ReleaseRequest
from snaproll.domain.ledger import FleetState, promote, prove_claim
from snaproll.domain.tags import Role, role_key
from snaproll.runtime import Runtime
from snaproll.steps.claim import prove


def promote_release(request: ReleaseRequest, runtime: Runtime) -> Recorded:
    """Record a proven release as live and move the template's default to it.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout, candidate = request.rollout, request.candidate
    prove(rollout, runtime)
    runtime.templates.set_default(candidate.template)
    retired: str | None = None

    def transition(state: FleetState) -> Change:
        nonlocal retired
        prove_claim(rollout.fleet, state, execution=rollout.execution, fence=rollout.fence)
        after = promote(state, candidate, request.target)
        before_last = state.previous
        retired = before_last.snapshot if before_last and after.previous != before_last else None
        return Change(after)

    previous = runtime.ledger.change(rollout.fleet, transition).previous
    key = role_key(rollout.fleet)
    runtime.snapshots.tag(candidate.snapshot, key, Role.LIVE.value)
    if previous is not None:
        runtime.snapshots.tag(previous.snapshot, key, Role.PREVIOUS.value)
    if retired is not None and retired not in (candidate.snapshot, previous and previous.snapshot):
        runtime.snapshots.untag(retired, key)
    return Recorded(message=f"{candidate.snapshot} is live on fleet {rollout.fleet}.")
