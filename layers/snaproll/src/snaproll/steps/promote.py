"""Making a proven release live."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.steps import ReleaseRequest
from snaproll.contracts.values import Recorded
from snaproll.domain.claims import promote
from snaproll.domain.ledger import FleetState
from snaproll.domain.release import RollbackTarget
from snaproll.domain.tags import Role, role_key
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven


def promote_release(request: ReleaseRequest, runtime: Runtime) -> Recorded:
    """Record a proven release as live, publish it, and move the template's default to it.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout, candidate = request.rollout, request.candidate

    def promoted(state: FleetState) -> FleetState:
        proven(rollout, state)
        return promote(state, candidate, request.target)

    before = runtime.ledger.state(rollout.fleet)
    after = promoted(before)
    runtime.templates.set_default(candidate.template)
    # The ledger last: once it is written it no longer tells which snapshot was the previous one.
    _mark(rollout.fleet, before, after, request.target, runtime)
    runtime.live.publish(rollout.fleet, candidate.snapshot, candidate.data_time)
    runtime.ledger.change(rollout.fleet, lambda state: Change(promoted(state)))
    return Recorded(message=f"{candidate.snapshot} is live on fleet {rollout.fleet}.")


def _mark(
    fleet: str, before: FleetState, after: FleetState, target: RollbackTarget, runtime: Runtime
) -> None:
    """Let the snapshots' tags say what each of them is to the fleet now."""
    key = role_key(runtime.settings.environment, fleet)
    roles = {Role.PREVIOUS: after.previous, Role.LIVE: after.live}
    marked = {release.snapshot: role for role, release in roles.items() if release is not None}
    for snapshot, role in marked.items():
        runtime.snapshots.tag(snapshot, key, role.value)
    done_with = {before.previous.snapshot if before.previous else None, target.snapshot}
    for snapshot in sorted(one for one in done_with if one and one not in marked):
        runtime.snapshots.untag(snapshot, key)
