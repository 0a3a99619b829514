"""What a rollout would do: its steps, how long they take, and what happens when it goes wrong."""

from __future__ import annotations

import math
from datetime import timedelta

from snaproll.domain.checks import Report
from snaproll.domain.duration import Duration, format_duration
from snaproll.domain.fleet import Fleet, FleetPolicy, RefreshPolicy
from snaproll.domain.release import RollbackTarget
from snaproll.domain.wording import counted
from snaproll.model import Value

ASSUMED_START = timedelta(minutes=3)
"""From launch to in service, plus draining: nobody can know it beforehand, so a plain guess."""


class Step(Value):
    """Replacing up to one checkpoint: how many instances run the release at its end."""

    percentage: int
    instances: int
    batches: int
    pause: Duration


class Preview(Value):
    """A rollout that was not begun: every check, and what it would have done."""

    message: str
    would_start: bool
    gate: Report
    preflight: Report
    changes: list[str]
    steps: list[Step]
    estimated_duration: Duration
    on_failure: str


def steps_of(policy: RefreshPolicy, capacity: int) -> list[Step]:
    """Divide the replacement of a fleet into its checkpoints."""
    at_once = _at_once(policy, capacity)
    steps, done = [], 0
    for percentage in policy.checkpoints or [100]:
        # A checkpoint is reached with the first instance at or past its percentage.
        until = math.ceil(capacity * percentage / 100)
        if until <= done:
            continue
        last = until == capacity
        steps.append(
            Step(
                percentage=percentage,
                instances=until,
                batches=math.ceil((until - done) / at_once),
                pause=timedelta(0) if last else policy.checkpoint_wait,
            )
        )
        done = until
    return steps


def _at_once(policy: RefreshPolicy, capacity: int) -> int:
    """How many instances may be in replacement together; Auto Scaling always moves one."""
    surplus = math.floor(policy.max_healthy * capacity / 100) - policy.floor(capacity)
    return max(1, surplus)


def duration_of(fleet: FleetPolicy, steps: list[Step]) -> timedelta:
    """Estimate how long it takes from start to live."""
    policy = fleet.refresh
    batches = sum(step.batches for step in steps)
    pauses = sum((step.pause for step in steps), timedelta(0))
    return batches * (policy.warmup + ASSUMED_START) + pauses + fleet.bake_given_to_aws


def preview(
    fleet: Fleet,
    *,
    snapshot: str,
    capacity: int,
    gate: Report,
    preflight: Report,
    target: RollbackTarget | None,
) -> Preview:
    """Say what a rollout of a snapshot to a fleet of this desired capacity would do."""
    policy = fleet.policy.refresh
    steps = steps_of(policy, capacity)
    estimate = duration_of(fleet.policy, steps)
    ready = gate.passed and preflight.passed
    source = str(target.template) if target else "the group's launch template version"
    was = (target.snapshot if target else None) or "no snapshot"
    would = (
        f"would be rolled out to {counted(capacity, 'instance')} of fleet {fleet.name} in about "
        f"{format_duration(estimate)}"
        if capacity
        else f"would be staged on fleet {fleet.name}, which has no instances"
    )
    verdict = (
        would
        if ready
        else f"would not be rolled out to fleet {fleet.name}: "
        + " ".join(report.message for report in (gate, preflight) if not report.passed)
    )
    return Preview(
        message=f"{snapshot} {verdict.rstrip('.')}. This was a dry run: nothing was changed.",
        would_start=ready,
        gate=gate,
        preflight=preflight,
        changes=_changes(fleet, snapshot=snapshot, was=was, source=source, capacity=capacity),
        steps=steps,
        estimated_duration=estimate,
        on_failure=_on_failure(target, was=was, source=source),
    )


def _on_failure(target: RollbackTarget | None, *, was: str, source: str) -> str:
    if target is not None and target.lost is not None:
        return (
            f"Nothing can be rolled back: {target.lost}. The refresh is stopped where it is, old "
            f"and new instances stay as they are, and a person is called."
        )
    return (
        f"Every instance returns to {was} ({source}), the new version is deleted, and the "
        f"snapshot is quarantined if instances gave evidence against it."
    )


def _changes(fleet: Fleet, *, snapshot: str, was: str, source: str, capacity: int) -> list[str]:
    version = (
        f"A launch template version is made: {source} with {snapshot} instead of {was} at "
        f"{fleet.policy.data_device}, and all else the same."
    )
    instances = (
        f"{counted(capacity, 'instance')} of {fleet.policy.auto_scaling_group} are replaced, "
        f"with never fewer than {fleet.policy.refresh.floor(capacity)} healthy."
        if capacity
        else f"{fleet.policy.auto_scaling_group} has no instances: it saves the new version, and "
        f"its first ones are watched for a bake of {format_duration(fleet.policy.refresh.bake)}."
    )
    proven = (
        f"Once it is proven, the group and the launch template's default name the new version, "
        f"{snapshot} is tagged live and {was} previous."
    )
    return [version, instances, *_questions(fleet.policy), proven]


def _questions(policy: FleetPolicy) -> list[str]:
    probe = policy.health.probe
    if probe is None:
        return []
    shares = ", ".join(f"at {percent} %" for percent in policy.refresh.checkpoints)
    asked = (
        f"The probe {probe.function} is asked {f'{shares} and ' if shares else ''}at the end of "
        f"the bake, up to "
        f"{counted(probe.tries, 'time')} each; nothing is promoted that it does not pass."
    )
    return [asked]
