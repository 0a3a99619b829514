"""Saving a release on a group that has no instances."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts.steps import ReleaseRequest, ReleaseStaged
from snaproll.domain.group import Group
from snaproll.domain.ledger import FleetState
from snaproll.domain.staging import stage, take_back
from snaproll.domain.wording import counted
from snaproll.errors import InstancesCameError, RefreshRefusedError
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven
from snaproll.steps.refresh import group_of
from snaproll.steps.target import mark_target


def stage_release(request: ReleaseRequest, runtime: Runtime) -> ReleaseStaged:
    """Save the candidate on a group without instances, and say so in the ledger before.

    This is the one unproven version that is ever written to a group: no instance runs it, and the
    first that does is watched. The group is read again afterwards, because it may have been scaled
    out in between.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    InstancesCameError
        The group has instances by now, or wants some: there is something to watch.
    RefreshRefusedError
        Somebody changed what the group saves, or Auto Scaling refuses.
    """
    rollout, candidate = request.rollout, request.candidate
    group = group_of(rollout.policy, runtime)
    if group.saved != candidate.template:
        _take_back_unless_empty(request, group, runtime)
        _refuse_if_changed(request, runtime.ledger.state(rollout.fleet), group)

    def transition(state: FleetState) -> Change:
        proven(rollout, state)
        staged = stage(state, candidate, target=request.target, group=group.name, now=runtime.now())
        return Change(staged)

    state = runtime.ledger.change(rollout.fleet, transition)
    mark_target(rollout.fleet, request.target, runtime)
    if group.saved != candidate.template:
        runtime.groups.save_version(group, candidate.template)
    _refuse_unless_empty(group_of(rollout.policy, runtime))
    return ReleaseStaged(
        message=(
            f"the group {group.name} has no instances and saves {candidate.template}, unproven: "
            f"its first scale-out is watched and proves it, or rolls it back"
        ),
        replaced=state.staged.replaced if state.staged else None,
    )


def _take_back_unless_empty(request: ReleaseRequest, group: Group, runtime: Runtime) -> None:
    """Raise if the group got instances before the candidate was saved on it.

    A try that died may have saved it, and this read lag behind. So where one said that it would,
    what is proven is saved again: only then can a refresh begin.
    """
    rollout, target = request.rollout, request.target.template
    state = runtime.ledger.state(rollout.fleet)
    if not group.empty and state.is_staged(request.candidate.snapshot):
        proven(rollout, state)
        runtime.groups.save_version(group, target)

        def transition(before: FleetState) -> Change:
            proven(rollout, before)
            return Change(take_back(before, request.candidate.snapshot))

        runtime.ledger.change(rollout.fleet, transition)
    _refuse_unless_empty(group)


def _refuse_unless_empty(group: Group) -> None:
    if not group.empty:
        raise InstancesCameError(
            f"The group {group.name} wants {counted(group.desired, 'instance')} and has "
            f"{len(group.members)}."
        )


def _refuse_if_changed(request: ReleaseRequest, state: FleetState, group: Group) -> None:
    """Raise unless the group saves what was inspected: the target, or what was staged before."""
    staged = state.staged.release.template if state.staged else None
    if group.saved not in (request.target.template, staged):
        raise RefreshRefusedError(
            f"The group {group.name} saves {group.saved_text} and not {request.target.template} "
            f"any more: somebody changed it after it was inspected."
        )
