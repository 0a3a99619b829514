"""Making a release launchable, and taking that back."""

from __future__ import annotations

from snaproll.aws.ledger import Change
from snaproll.contracts import DiscardRequest, Recorded, TemplateRequest, TemplateUpdated
from snaproll.domain.claims import note_intent
from snaproll.domain.ledger import FleetState
from snaproll.domain.release import Release
from snaproll.domain.snapshot import data_time
from snaproll.domain.wording import listed
from snaproll.errors import NotYetVisibleError, TemplateRefusedError, VersionInUseError
from snaproll.runtime import Runtime
from snaproll.steps.claim import prove, proven
from snaproll.steps.snapshot import data_time_of


def update_launch_template(request: TemplateRequest, runtime: Runtime) -> TemplateUpdated:
    """Make a launch template version that differs from the group's in the snapshot alone.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    TemplateRefusedError
        No such version can be made, and none was left behind.
    NotYetVisibleError
        EC2 does not show yet what was made.
    """
    rollout, source = request.rollout, request.source or request.target.template
    policy = rollout.policy
    snapshot = runtime.snapshots.get(rollout.snapshot)
    if snapshot is None:
        raise NotYetVisibleError(f"{rollout.snapshot} passed the gate and cannot be seen any more.")
    contents = runtime.templates.read(source)
    if contents is None:
        raise TemplateRefusedError(f"{source}, which the group saves, does not exist any more.")
    prove(rollout, runtime)
    version = runtime.templates.version_for(
        contents,
        policy.data_device,
        rollout.snapshot,
        token=f"{rollout.fleet}-{rollout.snapshot}-{source.version}-{rollout.fence}",
        note=f"snaproll: {rollout.snapshot} for {rollout.fleet}, from version {source.version}",
    )
    candidate = Release(
        snapshot=rollout.snapshot, template=version, data_time=data_time(snapshot).at
    )

    def transition(state: FleetState) -> Change:
        claim = proven(rollout, state)
        return Change(note_intent(state, claim, candidate=candidate, target=request.target))

    # From here on whoever takes the claim over, or ends it, knows of the version.
    runtime.ledger.change(rollout.fleet, transition)
    return TemplateUpdated(
        message=f"{version} is {source} with {rollout.snapshot} at {policy.data_device}.",
        candidate=candidate,
    )


def delete_template_version(request: DiscardRequest, runtime: Runtime) -> Recorded:
    """Delete the version of a release that will not become live, once nothing uses it.

    Until then ``$Latest`` would bring the release back.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    VersionInUseError
        An instance, in whatever state, or the group still uses it.
    TemplateRefusedError
        Somebody made a newer version that carries the same snapshot.
    NotYetVisibleError
        EC2 still shows what was deleted.
    """
    rollout, discarded = request.rollout, request.candidate.template
    policy = rollout.policy
    group = runtime.groups.get(policy.auto_scaling_group)
    if group is not None:
        users = [one.id for one in group.instances if one.version == discarded]
        if group.saved == discarded:
            users.append(f"the group {group.name}")
        if users:
            raise VersionInUseError(f"{discarded} is still used by {listed(users)}.")
    prove(rollout, runtime)
    _unpublish(request, runtime)
    template = runtime.templates.template(discarded.template_id)
    if template is None:
        return Recorded(message=f"The launch template of {discarded} is gone.")
    if template.default_version == discarded.version:
        runtime.templates.set_default(request.target.template)
    runtime.templates.delete(discarded)
    newest = runtime.templates.newest(discarded.template_id)
    if newest is not None and newest.version == discarded:
        raise NotYetVisibleError(f"{discarded} was just deleted, and is still to be seen.")
    snapshot = request.candidate.snapshot
    if newest is None or newest.version == request.target.template:
        # What the fleet went back to, which may be launched even if it has the same snapshot.
        return Recorded(message=f"{discarded} was deleted.")
    if newest.snapshot_at(policy.data_device) == snapshot:
        raise TemplateRefusedError(
            f"{newest.version}, the newest one, carries {snapshot} as well and was not "
            f"made by this rollout. Delete it, or $Latest brings that snapshot back."
        )
    return Recorded(message=f"{discarded} was deleted.")


def _unpublish(request: DiscardRequest, runtime: Runtime) -> None:
    """Publish what the fleet went back to, where a promotion that did not end left the other."""
    fleet, target = request.rollout.fleet, request.target.snapshot
    if target is None or runtime.live.snapshot(fleet) != request.candidate.snapshot:
        return
    if target != request.candidate.snapshot:
        runtime.live.publish(fleet, target, data_time_of(target, runtime))
