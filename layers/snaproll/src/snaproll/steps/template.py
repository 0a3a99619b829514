"""Making a release launchable, and taking that back."""

from __future__ import annotations

from snaproll.aws.launch_templates import VersionContents
from snaproll.aws.ledger import Change
from snaproll.contracts.steps import DiscardRequest, TemplateRequest, TemplateUpdated
from snaproll.contracts.values import Recorded
from snaproll.domain.claims import note_intent, note_source
from snaproll.domain.group import Group
from snaproll.domain.ledger import FleetState
from snaproll.domain.release import Release, TemplateVersion
from snaproll.domain.snapshot import data_time
from snaproll.domain.wording import listed
from snaproll.errors import NotYetVisibleError, TemplateRefusedError, VersionInUseError
from snaproll.runtime import Runtime
from snaproll.steps.claim import proven
from snaproll.steps.snapshot import data_time_of

_MARK = "snaproll: "
"""How the description of a version begins that snaproll made."""


def update_launch_template(request: TemplateRequest, runtime: Runtime) -> TemplateUpdated:
    """Make a launch template version that differs from the group's in the snapshot alone.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    TemplateRefusedError
        No such version can be made; none was left behind, or it says which.
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
    _expect_version(request, source, runtime)
    version = runtime.templates.version_for(
        contents,
        policy.data_device,
        rollout.snapshot,
        token=f"{rollout.fleet}-{rollout.snapshot}-{source.version}-{rollout.fence}",
        note=_note(rollout.fleet, rollout.snapshot, source),
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


def _expect_version(request: TemplateRequest, source: TemplateVersion, runtime: Runtime) -> None:
    """Let whoever takes the claim over, or ends it, know that there may be a version from now on.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    """
    rollout = request.rollout

    def transition(state: FleetState) -> Change:
        claim = proven(rollout, state)
        return Change(note_source(state, claim, source=source, target=request.target))

    runtime.ledger.change(rollout.fleet, transition)


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
    state = runtime.ledger.state(rollout.fleet)
    proven(rollout, state)
    # A promotion that did not end is taken back, also where the version itself has to stay.
    _unpublish(request, state, runtime)
    template = runtime.templates.template(discarded.template_id)
    if template is None:
        return Recorded(message=f"The launch template of {discarded} is gone.")
    if template.default_version == discarded.version:
        runtime.templates.set_default(_default_before(request, state, runtime))
    group = runtime.groups.get(policy.auto_scaling_group)
    if group is not None:
        users = _users(group, discarded)
        if users:
            raise VersionInUseError(f"{discarded} is still used by {listed(users)}.")
    runtime.templates.delete(discarded)
    newest = _newest_but_leftovers(request, group, runtime)
    snapshot = request.candidate.snapshot
    if newest is None or newest.version == request.target.template:
        # What the fleet went back to, which may be launched even if it has the same snapshot.
        return Recorded(message=f"{discarded} was deleted.")
    same = newest.snapshot_at(policy.data_device) == snapshot
    if same and not rollout.again and not _is_proven(request, runtime):
        raise TemplateRefusedError(
            f"{newest.version}, the newest one, carries {snapshot} as well and was not "
            f"made by this rollout. Delete it, or $Latest brings that snapshot back."
        )
    return Recorded(message=f"{discarded} was deleted.")


def _users(group: Group, version: TemplateVersion) -> list[str]:
    """Who uses a version: instances in whatever state, and the group that saves it."""
    users = [one.id for one in group.instances if one.version == version]
    return [*users, f"the group {group.name}"] if group.saved == version else users


def _newest_but_leftovers(
    request: DiscardRequest, group: Group | None, runtime: Runtime
) -> VersionContents | None:
    """The newest version, once what earlier rollouts had to leave behind is deleted as well.

    A release that was staged and replaced by a newer one may have been in use by a last instance
    then. When the newer one goes, ``$Latest`` must not bring that one back.
    """
    fleet, deleted = request.rollout.fleet, [request.candidate.template]
    state = runtime.ledger.state(fleet)
    known = (request.target, state.live, state.previous, state.saved)
    kept = [one.template for one in known if one and one.template not in deleted]
    while True:
        newest = runtime.templates.newest(request.candidate.template.template_id)
        if newest is None or newest.version in kept or not _made_for(fleet, newest):
            return newest
        if newest.version in deleted:
            raise NotYetVisibleError(f"{newest.version} was just deleted, and is still to be seen.")
        if group is not None and _users(group, newest.version):
            return newest
        runtime.templates.delete(newest.version)
        deleted.append(newest.version)


def _is_proven(request: DiscardRequest, runtime: Runtime) -> bool:
    """Whether the release that is given up has the data that is live, or that is gone back to.

    A person may have wanted just that on a fleet without instances; it may be launched from
    whichever version.
    """
    live = runtime.ledger.state(request.rollout.fleet).live
    good = {request.target.snapshot, live.snapshot if live else None}
    return request.candidate.snapshot in good


def _note(fleet: str, snapshot: str, source: TemplateVersion) -> str:
    return f"{_MARK}{snapshot} for {fleet}, from version {source.version}"


def _made_for(fleet: str, contents: VersionContents) -> bool:
    return contents.note.startswith(_MARK) and f" for {fleet}, from version " in contents.note


def _default_before(
    request: DiscardRequest, state: FleetState, runtime: Runtime
) -> TemplateVersion:
    """What the default was before a promotion that did not end moved it.

    That is what is live, and not what the group went back to, which others may have saved there.
    """
    live = state.live.template if state.live else None
    if live is None or live == request.candidate.template or runtime.templates.read(live) is None:
        return request.target.template
    return live


def _unpublish(request: DiscardRequest, state: FleetState, runtime: Runtime) -> None:
    """Publish what is live, where a promotion that did not end left the other.

    Where nothing was, that is what the fleet went back to.
    """
    fleet, discarded = request.rollout.fleet, request.candidate.snapshot
    live = state.live.snapshot if state.live else request.target.snapshot
    if live is None or runtime.live.snapshot(fleet) != discarded:
        return
    if live != discarded:
        runtime.live.publish(fleet, live, data_time_of(live, runtime))
