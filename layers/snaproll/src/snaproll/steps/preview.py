"""The dry run."""

from __future__ import annotations

from snaproll.contracts.rollout import StepRequest
from snaproll.domain.preview import Preview, preview
from snaproll.runtime import Runtime
from snaproll.steps.fleet import inspect_fleet
from snaproll.steps.snapshot import validate_snapshot


def preview_rollout(request: StepRequest, runtime: Runtime) -> Preview:
    """Make every check and say what a rollout would do, changing nothing."""
    fleet = request.rollout.of_fleet
    preflight = inspect_fleet(request, runtime)
    group = runtime.groups.get(fleet.policy.auto_scaling_group)
    return preview(
        fleet,
        snapshot=request.rollout.snapshot,
        capacity=group.desired if group else 0,
        gate=validate_snapshot(request, runtime),
        preflight=preflight,
        target=preflight.target,
    )
