"""Plays each preset of the refresh section in the embedded AWS, and writes what it gives.

``python -m tools.presets`` writes ``docs/presets.md`` and ``docs/presets.json``, from which
``make presets`` draws the chart. Emulated time only: the same figures come out every time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from embedded.scenarios.stage import DATA_DEVICE, Stage, StagedFleet
from embedded.world.autoscaling.preferences import DEFAULT_MINIMUM_PERCENT
from snaproll.domain.fleet import Preset

DOCS: Final = Path(__file__).parents[1] / "docs"
CAPACITIES: Final = (2, 10, 100)
SCRIPT: Final = "the original script"
LOOK_SECONDS: Final = 15
"""How often the fleet is looked at: what is shorter than this is not seen."""

_LONGEST: Final = timedelta(days=2)


@dataclass(frozen=True)
class Moment:
    """A fleet at one instant: minutes since the refresh began, and counts of instances."""

    minute: float
    running: int
    healthy: int
    fresh: int
    """Healthy ones that serve the new snapshot."""


@dataclass(frozen=True)
class Played:
    """One rollout of a healthy snapshot; durations in minutes of emulated time."""

    settings: str
    capacity: int
    fresh_minutes: float
    """Until every instance served the new snapshot and was healthy."""
    over_minutes: float
    """Until the refresh was over: for snaproll, with the release live."""
    surge: int
    """Most instances that ran beyond the desired capacity; those that only drain do not count."""
    least_healthy: int
    """Fewest instances that were healthy at the load balancer."""
    course: list[Moment]


def play_preset(preset: Preset, capacity: int) -> Played:
    """Roll a fleet onto a healthy snapshot with a preset and nothing else."""
    stage = _stage()
    fleet = stage.add_fleet("replicas", capacity=capacity, policy={"refresh": {"preset": preset}})
    snapshot = stage.complete_snapshot(fleet)
    stage.world.run_until(lambda: bool(_refreshes(stage, fleet)), limit=timedelta(minutes=10))
    played = _watch(stage, fleet, snapshot, lambda: not any(r.running for r in stage.rollouts()))
    if stage.rollouts()[-1].error is not None:
        raise RuntimeError(f"{preset} at {capacity} did not end well: {stage.rollouts()[-1].cause}")
    return _summary(preset.value, capacity, played)


def play_script(capacity: int) -> Played:
    """The same with the script's refresh, which named no preference at all.

    The script's own fault, that the group's saved version went on being launched, is left out
    here: the refresh names the new version.
    """
    stage = _stage()
    fleet = stage.add_fleet("replicas", capacity=capacity)
    snapshot = stage.complete_snapshot(fleet, event=False)
    version = _new_version(stage, fleet, snapshot)
    stage.session.client("autoscaling").start_instance_refresh(
        AutoScalingGroupName=fleet.group,
        DesiredConfiguration={
            "LaunchTemplate": {"LaunchTemplateId": fleet.template_id, "Version": str(version)}
        },
    )
    played = _watch(
        stage,
        fleet,
        snapshot,
        lambda: _refreshes(stage, fleet)[0]["Status"] == "Successful",
    )
    return _summary(SCRIPT, capacity, played)


def _stage() -> Stage:
    """A world in which everything takes as long as it usually does.

    With jitter, the figures would move whenever anything else in the world draws lots.
    """
    stage = Stage(check_replies=False, check_requests=False)
    stage.world.ec2.behaviour = replace(stage.world.ec2.behaviour, jitter=0.0)
    return stage


def _refreshes(stage: Stage, fleet: StagedFleet) -> list[Mapping[str, Any]]:
    reply = stage.session.client("autoscaling").describe_instance_refreshes(
        AutoScalingGroupName=fleet.group
    )
    return list(reply["InstanceRefreshes"])


def _new_version(stage: Stage, fleet: StagedFleet, snapshot: str) -> int:
    ec2 = stage.session.client("ec2")
    version = ec2.describe_launch_template_versions(
        LaunchTemplateId=fleet.template_id, Versions=["1"]
    )["LaunchTemplateVersions"][0]
    devices: Any = version["LaunchTemplateData"]["BlockDeviceMappings"]
    for device in devices:
        if device["DeviceName"] == DATA_DEVICE:
            device["Ebs"]["SnapshotId"] = snapshot
    made = ec2.create_launch_template_version(
        LaunchTemplateId=fleet.template_id,
        SourceVersion="1",
        LaunchTemplateData={"BlockDeviceMappings": devices},
    )
    return made["LaunchTemplateVersion"]["VersionNumber"]


def _watch(
    stage: Stage, fleet: StagedFleet, snapshot: str, over: Callable[[], bool]
) -> list[Moment]:
    began = stage.world.clock.now()
    course = []
    while not over():
        if stage.world.clock.now() - began > _LONGEST:
            raise RuntimeError(f"the refresh of {fleet.group} does not end")
        stage.world.run_for(LOOK_SECONDS)
        course.append(_moment(stage, fleet, snapshot, stage.world.clock.now() - began))
    return course


def _moment(stage: Stage, fleet: StagedFleet, snapshot: str, since: timedelta) -> Moment:
    targets = stage.session.client("elbv2").describe_target_health(
        TargetGroupArn=fleet.target_group
    )["TargetHealthDescriptions"]
    healthy = {
        one["Target"]["Id"]
        for one in targets
        if one.get("TargetHealth", {}).get("State") == "healthy"
    }
    members = [
        stage.world.ec2.instance(one["InstanceId"])
        for one in stage.describe(fleet)["Instances"]
        if not one["LifecycleState"].startswith("Terminating")
    ]
    return Moment(
        minute=since.total_seconds() / 60,
        running=sum(one.state == "running" for one in members),
        healthy=len(healthy),
        fresh=sum(one.id in healthy and snapshot in one.snapshots.values() for one in members),
    )


def _summary(settings: str, capacity: int, course: list[Moment]) -> Played:
    return Played(
        settings=settings,
        capacity=capacity,
        fresh_minutes=next(one.minute for one in course if one.fresh == capacity),
        over_minutes=course[-1].minute,
        surge=max(one.running for one in course) - capacity,
        least_healthy=min(one.healthy for one in course),
        course=course,
    )


def play_all(capacities: tuple[int, ...] = CAPACITIES) -> Iterator[Played]:
    """Every preset and the script, at every capacity."""
    for capacity in capacities:
        for preset in Preset:
            yield play_preset(preset, capacity)
        yield play_script(capacity)


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The page with the table; ``rows`` as in ``presets.json``."""
    table = "\n".join(
        f"| {row['capacity']} | {row['settings']} | {_time(row['fresh_minutes'])} "
        f"| {_time(row['over_minutes'])} | {row['surge']} | {row['least_healthy']} "
        f"({100 * row['least_healthy'] // row['capacity']} %) |"
        for row in rows
    )
    return _PAGE.format(table=table)


def _time(minutes: float) -> str:
    whole = round(minutes)
    return f"{whole // 60} h {whole % 60:02} min" if whole >= 60 else f"{whole} min"  # noqa: PLR2004


_PAGE = f"""# Presets of the refresh

*Made by `make presets` in the embedded AWS.* A fleet parameter may name one of three presets, and
change single keys of it:

```json
{{{{"refresh": {{{{"preset": "cautious", "bake": "4h"}}}}}}}}
```

- **cautious** replaces a tenth of the fleet at a time and never goes below its whole strength; it
  pauses four times and bakes for two hours. For data that has been bad before, or that shows its
  faults late.
- **balanced** is what a fleet gets that says nothing: half as many instances again while it
  replaces, three pauses, half an hour of bake.
- **fast** starts a whole new fleet beside the old one and does not pause. For small fleets, and
  where stale data costs more than a bad hour.

What each gives, for a healthy snapshot and instances that serve about two minutes after they were
launched, beside the refresh of the original script, which named no preferences at all (AWS then
takes a minimum of {DEFAULT_MINIMUM_PERCENT} % healthy, no maximum and no bake):

| instances | settings | all fresh after | live after | surge | fewest healthy |
|---|---|---|---|---|---|
{{table}}

"All fresh" is when every instance serves the new snapshot and is healthy at the load balancer,
"live" when the bake is over too (for the script: when its refresh was). "Surge" is how many
instances ran beyond the desired capacity, those that only drained left out; "fewest healthy" is how
many the load balancer had at the worst moment. The fleet is looked at every {LOOK_SECONDS} seconds.

![Share of ten instances that serve the new snapshot, over time](presets.svg)
"""


def figures(played: Iterable[Played]) -> list[dict[str, Any]]:
    """What is kept: of the course, as pairs, only where the number of fresh instances changes."""
    return [{**asdict(one), "course": list(_changes(one.course))} for one in played]


def _changes(course: Iterable[Moment]) -> Iterator[list[float]]:
    before = None
    for moment in course:
        if moment.fresh != before:
            yield [moment.minute, moment.fresh]
        before = moment.fresh


def main() -> None:
    """Play everything; write the figures and the page."""
    rows = figures(play_all())
    (DOCS / "presets.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    (DOCS / "presets.md").write_text(page(rows), "utf-8")


if __name__ == "__main__":
    main()
