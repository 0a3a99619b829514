"""Instance refreshes that run on a fleet that nobody rolls: snaproll's own, or somebody's."""

from __future__ import annotations

from dataclasses import replace

from snaproll.aws.overview import Known
from snaproll.contracts.announcements import ComparisonEvent
from snaproll.domain.drift import Drift, VersionFacts
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import Refresh
from snaproll.domain.problems import Problem, ProblemKind
from snaproll.domain.release import Release
from snaproll.runtime import Runtime


def explain_by_refresh(
    fleet: Fleet, known: Known, live: Release, drift: Drift, runtime: Runtime
) -> Drift:
    """The drift, with the instance refresh that causes it, if one runs.

    One that snaproll started and gave up calls a person: its claim was given back because its
    rollout died again and again, and nobody judges what it does. It is never taken over: the fleet
    was held for a person then.
    """
    active = runtime.refreshes.active(fleet.policy.auto_scaling_group)
    if active is None:
        return drift
    if not _ours(active, runtime):
        cause = f"somebody's instance refresh {active.id} to {active.desired} is running"
        return replace(drift, cause=cause)
    _call_a_person(fleet, known, live, active, runtime)
    return replace(drift, cause=f"the instance refresh {active.id} runs, and no rollout watches it")


def _ours(refresh: Refresh, runtime: Runtime) -> bool:
    contents = runtime.templates.read(refresh.desired) if refresh.desired else None
    return contents is not None and VersionFacts(None, note=contents.note).ours


def _call_a_person(
    fleet: Fleet, known: Known, live: Release, refresh: Refresh, runtime: Runtime
) -> None:
    told = known.problem(ProblemKind.REFRESH)
    if told is not None and told.key == refresh.id:
        return
    message = (
        f"The instance refresh {refresh.id} moves fleet {fleet.name} to {refresh.desired}, and the "
        f"rollout that started it was given up: nobody judges it but Auto Scaling. Let it end, or "
        f"return to {live.snapshot} with: aws autoscaling rollback-instance-refresh "
        f"--auto-scaling-group-name {fleet.policy.auto_scaling_group}"
    )
    runtime.announcements.publish(
        "Needs Attention",
        ComparisonEvent(
            environment=runtime.settings.environment,
            fleet=fleet.name,
            snapshot=live.snapshot,
            message=message,
        ),
    )
    problem = Problem(key=refresh.id, message=message, since=runtime.now())
    runtime.overview.remember(fleet.name, ProblemKind.REFRESH, problem)
