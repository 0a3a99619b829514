"""What a person is told of a fleet that needs one."""

from __future__ import annotations

from snaproll.domain.group import FleetView, Instance, TargetHealth
from snaproll.domain.situation import situation
from tests.unit.builders import FAILING, NEW, OLD, group, members


def test_group_versions_and_each_instance_are_told() -> None:
    instances = (
        Instance("i-1", "InService", OLD),
        Instance("i-2", "Pending", NEW),
        Instance("i-3", "Standby", None),
    )
    view = FleetView(group(instances), {"i-1": TargetHealth("healthy"), "i-2": FAILING})

    assert situation(view, OLD, NEW) == (
        f"Group replicas-prod-asg saves {OLD}, wants 3 instances, and was rolled from {OLD} to "
        f"{NEW}. Its instances: i-1 InService version 7 healthy, i-2 Pending version 8 unhealthy "
        f"Target.ResponseCodeMismatch, i-3 Standby of no version not registered."
    )


def test_a_group_without_instances_has_none() -> None:
    assert situation(FleetView(group()), OLD, NEW).endswith("Its instances: none.")


def test_twenty_instances_are_named_and_the_rest_is_counted() -> None:
    def told(count: int) -> str:
        return situation(FleetView(group(members(count, OLD))), OLD, NEW)

    assert told(20).endswith("i-old19 InService version 7 not registered.")
    assert told(21).endswith("i-old19 InService version 7 not registered and 1 more.")
