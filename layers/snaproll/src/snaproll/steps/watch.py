"""Looking at the fleet once, and judging."""

from __future__ import annotations

from dataclasses import replace

from snaproll.aws.activities import Activities
from snaproll.contracts.looks import Watched, WatchRequest
from snaproll.domain.assessment import Assessment, Memory, Verdict
from snaproll.domain.back import assess_back
from snaproll.domain.failures import told
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import FleetView, RefreshStatus
from snaproll.domain.handover import is_due
from snaproll.domain.ledger import Claim, Phase, Seen
from snaproll.domain.look import Look
from snaproll.domain.release import TemplateVersion
from snaproll.domain.remembering import failed_health_check, missing, vanished
from snaproll.domain.room import without_room
from snaproll.domain.signals import shorten_after_wake
from snaproll.domain.situation import situation
from snaproll.runtime import Runtime
from snaproll.steps.claim import event_of, proven
from snaproll.steps.probe import listen, question_of
from snaproll.steps.sight import watched_refresh
from snaproll.steps.target import announce_loss, trouble_seen

_FORWARD = frozenset({RefreshStatus.PENDING, RefreshStatus.IN_PROGRESS, RefreshStatus.BAKING})


def watch_health(request: WatchRequest, runtime: Runtime) -> Watched:
    """Look at the fleet once and judge.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    NotYetVisibleError
        The refresh was started a moment ago and is not described yet, or the fleet's probe is
        due and EC2 does not show the new instances.
    """
    rollout = request.rollout
    # Before anything is described: a signal after this line is told from one before it.
    state = runtime.ledger.state(rollout.fleet)
    claim = proven(rollout, state)
    seen = Seen(signals=state.signals, woken_at=state.woken_at, at=runtime.now())
    view = runtime.groups.view(rollout.policy.auto_scaling_group)
    request = listen(request, runtime)
    assessment = _assess(request, claim, view, runtime)
    wait = shorten_after_wake(assessment.wait_seconds, seen, runtime.now())
    looks = request.looks + 1
    return Watched(
        **{**assessment.model_dump(), "wait_seconds": wait},
        seen=seen,
        probe=question_of(request, assessment, view, runtime),
        looks=looks,
        hand_over=assessment.verdict is Verdict.WAIT and is_due(looks),
    )


def _assess(
    request: WatchRequest, claim: Claim, view: FleetView | None, runtime: Runtime
) -> Assessment:
    policy = request.rollout.policy
    if view is None:
        return Assessment(
            verdict=Verdict.ESCALATE,
            reason=f"the Auto Scaling group {policy.auto_scaling_group} does not exist any more",
            wait_seconds=0,
            memory=request.memory,
        )
    forward = request.phase is Phase.FORWARD
    if forward and claim.stop is not None:
        return Assessment(
            verdict=Verdict.ROLL_BACK,
            reason=claim.stop,
            # What the probe found a moment before stands all the same.
            against_data=request.memory.probing.failed and not request.rollout.again,
            wait_seconds=0,
            memory=request.memory,
        )
    by_hand = request.rollout.by_hand is not None
    gone = missing(view, request.memory) if forward else []
    refresh = watched_refresh(view.group.name, request.refresh, runtime)
    activities = runtime.groups.activities(view.group.name)
    look = Look(
        policy=policy,
        view=view,
        refresh=refresh,
        wanted=request.candidate.template if forward else request.target.template,
        # A repair by hand begins on a fleet that is unhealthy already.
        alarms=_alarms(policy.health.alarms, runtime) if forward and not by_hand else {},
        capacity_at_start=0 if forward and by_hand else request.refresh.capacity,
        started=request.refresh.started_at,
        now=runtime.now(),
        taken_out=activities.why_taken_out(
            gone, request.memory.looked_at or request.refresh.started_at
        ),
        without_refresh=request.refresh.id is None,
    )
    if not forward:
        look = replace(look, same_data=_same_data(look, request, runtime))
    judge = assess_forward if forward else assess_back
    assessment = judge(look, request.memory)
    if forward and _lacks_evidence(assessment) and _failed_unseen(look, request.memory, activities):
        assessment = judge(look, request.memory.model_copy(update={"new_failed": True}))
    if request.rollout.again:
        # Its data is proven: what is bad now came with the launch template, or by chance.
        assessment = assessment.model_copy(update={"against_data": False})
    assessment = _with_causes(assessment, look, request, activities)
    return _with_target(assessment, request, runtime)


def _same_data(look: Look, request: WatchRequest, runtime: Runtime) -> frozenset[TemplateVersion]:
    """Other versions with the target's snapshot that instances run once a rollback is over.

    A stack update may have given the group another version with the live data right before: the
    instances that the rollout had not replaced yet still run the one before, and a rollback has
    nothing to put back on them.
    """
    refresh, snapshot = look.refresh, request.target.snapshot
    others = {one.version for one in look.others if one.version is not None}
    if not others or snapshot is None or (refresh is not None and refresh.status.active):
        return frozenset()
    device = request.rollout.policy.data_device
    found = runtime.templates.several(others - {request.candidate.template})
    return frozenset(
        version for version, one in found.items() if one.snapshot_at(device) == snapshot
    )


def _lacks_evidence(assessment: Assessment) -> bool:
    condemns = assessment.verdict is Verdict.ROLL_BACK and not assessment.against_data
    return condemns and not assessment.memory.new_failed


def _failed_unseen(look: Look, memory: Memory, activities: Activities) -> bool:
    """Whether new instances came, failed their health checks and went between two looks."""
    causes = activities.why_taken_out(vanished(look.view, memory), look.started)
    return any(map(failed_health_check, causes.values()))


def _with_causes(
    assessment: Assessment, look: Look, request: WatchRequest, activities: Activities
) -> Assessment:
    """A verdict against a release, with what the group's activities say of it, not a guess."""
    if assessment.verdict not in (Verdict.ROLL_BACK, Verdict.ESCALATE):
        return assessment
    failed = told(activities.failed_launches(look.started))
    parts = [assessment.reason.rstrip("."), failed, _room(look)]
    if assessment.verdict is Verdict.ESCALATE:
        parts.append(situation(look.view, request.target.template, request.candidate.template))
    reason = ". ".join(part for part in parts if part)
    return assessment.model_copy(update={"reason": reason.rstrip(".")})


def _room(look: Look) -> str:
    """That a refresh failed for want of room, which no activity tells: nothing was launched."""
    refresh = look.refresh
    if refresh is None or refresh.status in _FORWARD:
        return ""
    return without_room(look.policy.refresh, look.view.group) or ""


def _with_target(assessment: Assessment, request: WatchRequest, runtime: Runtime) -> Assessment:
    """The assessment, knowing whether there is still something to go back to."""
    lost = trouble_seen(request.target, runtime)
    if lost is not None and request.memory.target_lost is None:
        announce_loss(event_of(request.rollout, "", runtime), lost, runtime)
    memory = assessment.memory.model_copy(update={"target_lost": lost})
    reason = f"{assessment.reason}; {lost}" if lost else assessment.reason
    return assessment.model_copy(update={"memory": memory, "reason": reason})


def _alarms(names: list[str], runtime: Runtime) -> dict[str, str]:
    states = runtime.alarms.states(names)
    return {name: states.get(name, "deleted") for name in names}
