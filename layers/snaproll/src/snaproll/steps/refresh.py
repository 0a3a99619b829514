"""Starting an instance refresh, and rolling one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from snaproll.aws.ledger import Change
from snaproll.contracts.rollout import Rollout
from snaproll.contracts.steps import RefreshStarted, ReleaseRequest, RollBackRequest
from snaproll.domain.alarms import guards
from snaproll.domain.claims import note_intent, note_refresh, turn_back
from snaproll.domain.fleet import FleetPolicy
from snaproll.domain.group import Group, Refresh, RefreshStatus
from snaproll.domain.ledger import Claim, FleetState, RefreshNote, Trigger
from snaproll.domain.release import TemplateVersion
from snaproll.errors import (
    NoInstancesError,
    NotYetVisibleError,
    RefreshInProgressError,
    RefreshNotActiveError,
    RefreshRefusedError,
    RefreshStillEndingError,
    RolloutStoppedError,
)
from snaproll.runtime import Runtime
from snaproll.steps.claim import event_of, proven
from snaproll.steps.sight import ours_in_progress, started_by, watched_refresh
from snaproll.steps.target import mark_target, trouble_going_back

_ROLLING_BACK = frozenset(
    {
        RefreshStatus.ROLLBACK_IN_PROGRESS,
        RefreshStatus.ROLLBACK_SUCCESSFUL,
        RefreshStatus.ROLLBACK_FAILED,
    }
)


def start_refresh(request: ReleaseRequest, runtime: Runtime) -> RefreshStarted:
    """Start replacing the fleet's instances with the candidate, or find that it was started.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    NoInstancesError
        The group has no instances that a refresh could replace.
    RefreshRefusedError
        The group changed since it was inspected, or Auto Scaling refuses.
    RolloutStoppedError
        A person does not want it any more, and no refresh was started.
    """
    rollout, wanted = request.rollout, request.candidate.template
    policy = rollout.policy

    def transition(state: FleetState) -> Change:
        claim = proven(rollout, state)
        return Change(note_intent(state, claim, candidate=request.candidate, target=request.target))

    state = runtime.ledger.change(rollout.fleet, transition)
    claim = proven(rollout, state)
    group = group_of(policy, runtime)
    if _is_staged(request, state) and not _abandoned(request, group):
        return _watch_first_instances(request, claim, group, runtime)
    started = started_by(claim, group, wanted, runtime)
    if started is None:
        if claim.stop is not None:
            raise RolloutStoppedError(claim.stop)
        if rollout.again and group.saved != request.target.template:
            # Auto Scaling returns to what the group saves: that has to be what was proven.
            runtime.groups.save_version(group, request.target.template)
            group = replace(group, saved=request.target.template)
        if group.empty:
            raise NoInstancesError(f"The group {group.name} wants no instances and has none.")
        _refuse_if_changed(request, state, group)
        alarms = _guards(rollout, runtime)
        mark_target(rollout.fleet, request.target, runtime)
        refresh_id = _start_or_find(
            lambda: runtime.refreshes.start_forward(
                group,
                wanted,
                policy.refresh,
                alarms,
                policy.bake_given_to_aws,
                reversible=request.target.lost is None,
            ),
            claim,
            group,
            wanted,
            runtime,
        )
    else:
        refresh_id = started.id
    noted = claim.refresh if claim.refresh and claim.refresh.id else None
    refresh = noted or _reference(refresh_id, started, group, runtime)
    _note(rollout, claim, refresh, runtime)
    return RefreshStarted(
        message=(
            f"The instance refresh {refresh_id} replaces {group.desired} instances of "
            f"{group.name} with {wanted}."
        ),
        refresh=refresh,
    )


def _is_staged(request: ReleaseRequest, state: FleetState) -> bool:
    return state.staged is not None and state.staged.release.template == request.candidate.template


def _abandoned(request: ReleaseRequest, group: Group) -> bool:
    """Whether somebody took back what an earlier rollout had staged."""
    by_scale_out = request.rollout.trigger is Trigger.SCALE_OUT
    return by_scale_out and group.saved != request.candidate.template


def _watch_first_instances(
    request: ReleaseRequest, claim: Claim, group: Group, runtime: Runtime
) -> RefreshStarted:
    """Note that there is no refresh to watch: new instances run the candidate anyway, or none does.

    Raises
    ------
    NoInstancesError
        Nor are there instances to watch; or the staging was interrupted, and has to be settled.
    """
    unsettled = group.saved != request.candidate.template
    # When somebody stopped the rollout it goes back, whatever is saved.
    if claim.stop is None and (group.empty or unsettled):
        raise NoInstancesError(f"The group {group.name} has or had no instances.")
    noted = claim.refresh if claim.refresh and claim.refresh.id is None else None
    # No number of instances is the floor of a group that comes from none.
    refresh = noted or RefreshNote(started_at=runtime.now(), capacity=0)
    _note(request.rollout, claim, refresh, runtime)
    return RefreshStarted(
        message=f"The first instances of {group.name} on {request.candidate.template} are watched.",
        refresh=refresh,
    )


def _refuse_if_changed(request: ReleaseRequest, state: FleetState, group: Group) -> None:
    """Raise unless the group saves what it is to be refreshed from, and nothing unproven."""
    staged, target = state.staged, request.target.template
    if staged is not None and staged.release.template == group.saved:
        raise RefreshRefusedError(
            f"{staged.release.snapshot} is staged on the group {group.name}, which got its first "
            f"instances just now: they are watched first."
        )
    watching = request.rollout.trigger is Trigger.SCALE_OUT
    if group.saved != target or watching:
        wanted = request.candidate.template if watching else target
        since = "staged" if watching else "inspected"
        raise RefreshRefusedError(
            f"The group {group.name} saves {group.saved_text} and not {wanted} any more: "
            f"somebody changed it after it was {since}."
        )


def _guards(rollout: Rollout, runtime: Runtime) -> list[str]:
    """The alarms that are given to the refresh."""
    health = rollout.policy.health
    return guards(health, runtime.alarms.find(health.alarms), by_hand=rollout.by_hand is not None)


def _note(rollout: Rollout, claim: Claim, refresh: RefreshNote, runtime: Runtime) -> None:
    """Leave the watched refresh in the claim, unless it is there: a reversed one keeps its id."""
    if claim.refresh is not None and claim.refresh.id == refresh.id:
        return
    runtime.ledger.change(
        rollout.fleet,
        lambda state: Change(note_refresh(state, proven(rollout, state), refresh)),
    )


def roll_back(request: RollBackRequest, runtime: Runtime) -> RefreshStarted:
    """Begin to return every instance to the rollback target.

    While the refresh is active Auto Scaling itself reverses it. After it ended the target is saved
    on the group first, and a refresh to it is started: one that found the bad version saved would
    return to that on its own failure.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    RefreshRefusedError
        Auto Scaling cannot or will not, or the target cannot be launched: then the refresh is
        stopped where it is, because what still serves could not be replaced.
    RefreshStillEndingError
        Somebody's cancellation has to end first, or what was seen of the refresh is over.
    """
    rollout, target = request.rollout, request.target.template
    policy = rollout.policy

    def transition(state: FleetState) -> Change:
        claim = proven(rollout, state)
        return Change(
            turn_back(
                state,
                claim,
                why=request.reason,
                against_data=request.against_data,
                by_person=request.by_person,
            )
        )

    claim = proven(rollout, runtime.ledger.change(rollout.fleet, transition))
    group = group_of(policy, runtime)
    watched = _watched(request, claim, group, runtime)
    _stop_if_there_is_no_way_back(request, watched, group, runtime)
    going_back = _reverse(watched, claim, group, target, policy, runtime)
    message = f"Rolling {group.name} back to {target}: {request.reason.rstrip('.')}. " + (
        f"The refresh {going_back} does it." if going_back else "It has no instances."
    )
    runtime.announcements.publish("Rollback Started", event_of(rollout, message, runtime))
    found = watched if watched is not None and going_back == watched.id else None
    reference = _reference(going_back, found, group, runtime)
    if request.refresh is not None:
        reference = reference.model_copy(update={"capacity": request.refresh.capacity})
    _note(rollout, claim, reference, runtime)
    return RefreshStarted(message=message, refresh=reference)


def _stop_if_there_is_no_way_back(
    request: RollBackRequest, watched: Refresh | None, group: Group, runtime: Runtime
) -> None:
    """Begin no rollback that cannot succeed, and let nothing take away what cannot come back.

    When a refresh is cancelled, the group is above its desired capacity, and what Auto Scaling
    then takes away is what was launched from the oldest template version first (user guide,
    "Default termination policy").
    """
    target = request.target
    trouble = trouble_going_back(target, group.service_role, runtime)
    if trouble is None:
        return
    stopped = ""
    if watched is not None and watched.status.active:
        old = [one for one in group.instances if one.version != request.candidate.template]
        runtime.groups.protect(group.name, [one.id for one in old if one.in_service])
        if watched.status is not RefreshStatus.CANCELLING:
            runtime.refreshes.cancel(group.name)
        stopped = (
            f" The refresh {watched.id} was cancelled, and the instances that run another version "
            f"were protected from scale-in, because they could not be launched again."
        )
    raise RefreshRefusedError(
        f"{group.name} cannot be rolled back to {target.template}: {trouble}.{stopped}"
    )


def _watched(
    request: RollBackRequest, claim: Claim, group: Group, runtime: Runtime
) -> Refresh | None:
    """The refresh to be reversed; None when the rollout had started none."""
    if request.refresh is None or request.refresh.id is None:
        # Whoever held the claim before died between starting a refresh and noting it, or earlier.
        return started_by(claim, group, request.candidate.template, runtime)
    watched = watched_refresh(group.name, request.refresh, runtime)
    if watched is None:
        raise RefreshRefusedError(
            f"Auto Scaling does not know the refresh {request.refresh.id} of {group.name} any more."
        )
    return watched


def _reverse(
    watched: Refresh | None,
    claim: Claim,
    group: Group,
    target: TemplateVersion,
    policy: FleetPolicy,
    runtime: Runtime,
) -> str | None:
    """Make Auto Scaling go back by whatever way the refresh's status allows.

    Gives the refresh's id; None when the group has no instances that could go back.
    """
    if watched is not None and watched.status in _ROLLING_BACK:
        return watched.id
    if watched is not None and watched.status is RefreshStatus.CANCELLING:
        raise RefreshStillEndingError(
            f"The refresh {watched.id} of {group.name} is being cancelled; it must end first."
        )
    if watched is not None and watched.status.active:
        # The call takes no id. Only one refresh is active at a time, and it is the watched one.
        try:
            runtime.refreshes.roll_back(group.name)
        except RefreshNotActiveError as error:
            # It ended between the look and the call, or goes back already and reads lag behind
            # that: then another way is open, or none is needed.
            raise RefreshStillEndingError(
                f"The refresh {watched.id} of {group.name} was seen as {watched.status} and is not "
                f"any more; the next try looks again."
            ) from error
        return watched.id
    started = started_by(claim, group, target, runtime)
    if started is not None:
        return started.id
    if group.saved != target:
        _save_target(claim, group, target, runtime)
    if group.empty and group_of(policy, runtime).empty:
        # What a refresh of no instances does is not documented; the next ones run the target.
        return None
    return _start_or_find(
        lambda: runtime.refreshes.start_back(group, target, policy.refresh),
        claim,
        group,
        target,
        runtime,
    )


def _save_target(claim: Claim, group: Group, target: TemplateVersion, runtime: Runtime) -> None:
    """Save what the fleet goes back to, unless a try that died saved it and began to go back.

    Raises
    ------
    RefreshRefusedError
        Auto Scaling refuses, and not because of something that cannot be seen yet.
    NotYetVisibleError
        A refresh is active and not described yet, or only just: ours, as the next try finds.
    """
    try:
        runtime.groups.save_version(group, target)
    except RefreshRefusedError as error:
        # Auto Scaling user guide, "Instance refresh": the message for a group that is refreshed.
        if "active instance refresh" not in str(error):
            raise
        ours_in_progress(claim, group, target, runtime, error)
        raise NotYetVisibleError(f"{error} It could not be seen yet.") from error


def _start_or_find(
    start: Callable[[], str],
    claim: Claim,
    group: Group,
    version: TemplateVersion,
    runtime: Runtime,
) -> str:
    """Start a refresh; when one is in progress already, tell ours from a foreign one.

    Raises
    ------
    RefreshRefusedError
        Auto Scaling refuses, or another refresh is in progress.
    NotYetVisibleError
        One is in progress and not described yet: ours, or another.
    """
    try:
        return start()
    except RefreshInProgressError as error:
        # The SDK may have tried twice, the first try having succeeded without an answer.
        return ours_in_progress(claim, group, version, runtime, error)


def group_of(policy: FleetPolicy, runtime: Runtime) -> Group:
    """The fleet's group.

    Raises
    ------
    RefreshRefusedError
        It is gone.
    """
    group = runtime.groups.get(policy.auto_scaling_group)
    if group is None:
        raise RefreshRefusedError(
            f"The Auto Scaling group {policy.auto_scaling_group} does not exist any more."
        )
    return group


def _reference(
    refresh_id: str | None, found: Refresh | None, group: Group, runtime: Runtime
) -> RefreshNote:
    at = found.started if found and found.started else runtime.now()
    return RefreshNote(id=refresh_id, started_at=at, capacity=group.desired)
