"""Judging a fleet before its instances are replaced."""

from __future__ import annotations

from dataclasses import replace

from snaproll.contracts.rollout import Rollout, StepRequest
from snaproll.contracts.steps import FleetReport
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import Group
from snaproll.domain.preflight import (
    FleetEvidence,
    TemplateFacts,
    inspect,
    passes_with_time,
    why_no_rollback,
)
from snaproll.domain.release import RollbackTarget
from snaproll.domain.staging import goes_back_to
from snaproll.errors import RolloutStoppedError
from snaproll.runtime import Runtime
from snaproll.steps.claim import prove
from snaproll.steps.target import launch_trouble


def inspect_claimed_fleet(request: StepRequest, runtime: Runtime) -> FleetReport:
    """Judge a fleet that this rollout holds; a last chance for people to stop it without a trace.

    Raises
    ------
    ClaimLostError
        The rollout lost its claim.
    RolloutStoppedError
        A person does not want it any more.
    """
    claim = prove(request.rollout, runtime)
    if claim.stop is not None:
        raise RolloutStoppedError(claim.stop)
    return inspect_fleet(request, runtime)


def inspect_fleet(request: StepRequest, runtime: Runtime) -> FleetReport:
    """Judge the fleet by the preflight and name the rollback target, changing nothing."""
    fleet = request.rollout.of_fleet
    policy = fleet.policy
    view = runtime.groups.view(policy.auto_scaling_group)
    template = _template_facts(fleet, view.group, runtime) if view else None
    target = _rollback_target(request.rollout, template, runtime) if template else None
    evidence = FleetEvidence(
        environment=runtime.settings.environment,
        view=view,
        # What the fleet would go back to is not what it saves while a release is staged.
        template=replace(template, data_snapshot=target.snapshot) if template and target else None,
        alarms=runtime.alarms.states(policy.health.alarms),
        by_hand=request.rollout.by_hand is not None,
        probe=runtime.probes.find(probe.function) if (probe := policy.health.probe) else None,
        active_refresh=runtime.refreshes.active(view.group.name) if view else None,
        rollback_trouble=(
            target.lost or launch_trouble(target.snapshot, view.group.service_role, runtime)
            if view and target and target.snapshot
            else None
        ),
        no_rollback=request.rollout.no_rollback,
    )
    report = inspect(fleet, evidence)
    if target is not None:
        target = target.model_copy(update={"lost": why_no_rollback(evidence)})
    return FleetReport(
        **report.model_dump(),
        target=target,
        source=template.version if template else None,
        passes_with_time=passes_with_time(report),
    )


def _rollback_target(rollout: Rollout, template: TemplateFacts, runtime: Runtime) -> RollbackTarget:
    """Where the fleet would go back to: mostly what its group saves.

    When what is live is rolled out again it is the version that proved it, because what is saved
    now is something else.
    """
    saved = RollbackTarget(template=template.version, snapshot=template.data_snapshot)
    state = runtime.ledger.state(rollout.fleet)
    if not rollout.again or state.live is None:
        return goes_back_to(state, template.version, saved)
    version, live = state.proven or state.live.template, state.live.snapshot
    contents = runtime.templates.read(version)
    if contents is not None and contents.snapshot_at(rollout.policy.data_device) == live:
        return RollbackTarget(template=version, snapshot=live)
    lost = f"{version}, which proved {live}, does not exist any more"
    return saved.model_copy(update={"lost": lost})


def _template_facts(fleet: Fleet, group: Group, runtime: Runtime) -> TemplateFacts | None:
    if group.saved is None:
        return None
    contents = runtime.templates.read(group.saved)
    template = runtime.templates.template(group.saved.template_id)
    if contents is None or template is None:
        return None
    device = fleet.policy.data_device
    return TemplateFacts(
        version=group.saved,
        tags=template.tags,
        image=contents.image,
        attribute_based=contents.attribute_based,
        data_snapshot=contents.snapshot_at(device),
        has_data_device=contents.maps(device),
    )
