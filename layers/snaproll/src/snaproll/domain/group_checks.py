"""The preflight's checks of the group itself: what would break, block or blind a refresh of it."""

from __future__ import annotations

from collections.abc import Mapping

from snaproll.domain import tags
from snaproll.domain.checks import Check, check, failed, not_checked, passed
from snaproll.domain.fleet import Fleet
from snaproll.domain.group import Group, Refresh
from snaproll.domain.room import without_room
from snaproll.domain.wording import listed

BREAKING_SUSPENSIONS = frozenset(
    {"Launch", "Terminate", "InstanceRefresh", "AddToLoadBalancer", "HealthCheck"}
)
"""Suspended processes that stop or blind a refresh (user guide, "Suspend processes")."""


def group_checks(
    fleet: Fleet, group: Group, *, environment: str, active: Refresh | None
) -> list[Check]:
    """Whether the group is ours to change, and of a kind that a refresh can be trusted with."""
    lacking = missing_tags(fleet, environment, group.tags)
    suspended = ", ".join(sorted(group.suspended & BREAKING_SUSPENSIONS))
    return [
        check(
            "group-opted-in",
            fine=not lacking,
            good="the group is tagged for this fleet",
            bad=f"the group {group.name} lacks the tags {lacking}",
        ),
        check(
            "group-free",
            fine=not group.status and not group.operator,
            good="nobody else manages the group",
            bad=f"the group {group.name} is managed by {group.operator or group.status}",
        ),
        _template_check(group),
        check(
            "no-warm-pool",
            fine=not group.warm_pool,
            good="the group has no warm pool",
            bad=(
                f"the group {group.name} has a warm pool, whose instances keep the data that they "
                f"were started with and enter service without being looked at; delete the warm pool"
            ),
        ),
        check(
            "load-balancer-health",
            fine="ELB" in group.health_check_types and bool(group.target_groups),
            good="the load balancer's health checks count",
            bad=(
                f"the group {group.name} must be attached to a target group and have the health "
                f"check type ELB, or Auto Scaling ignores what the load balancer sees"
            ),
        ),
        check(
            "nothing-suspended",
            fine=not suspended,
            good="no process that a refresh needs is suspended",
            bad=(
                f"the group {group.name} has suspended processes that a refresh needs: {suspended}"
                f"; resume them"
            ),
        ),
        _refresh_check(group, active),
    ]


def _refresh_check(group: Group, active: Refresh | None) -> Check:
    if active is None:
        return passed("no-other-refresh", "no instance refresh is running")
    return failed(
        "no-other-refresh",
        f"the instance refresh {active.id} of group {group.name} is {active.status} and was not "
        f"started by this rollout",
    )


def _template_check(group: Group) -> Check:
    mixed = group.mixed
    if mixed is None:
        return passed("one-launch-template", "the group has a launch template of its own")
    others = ", ".join(sorted(set(mixed.other_templates)))
    if others:
        bad = (
            f"overrides in the mixed instances policy of group {group.name} launch {others} beside "
            f"{group.saved_text}; only one launch template version can be moved. Let them name the "
            f"same version, or none"
        )
    else:
        bad = (
            f"the mixed instances policy of group {group.name} weighs its instances; how many a "
            f"refresh takes away at once, and how many are enough, could not be told. Remove "
            f"WeightedCapacity"
        )
    return check(
        "one-launch-template",
        fine=not (others or mixed.weighted),
        good="the whole mixed instances policy launches one template version",
        bad=bad,
    )


def missing_tags(fleet: Fleet, environment: str, found: Mapping[str, str]) -> str:
    """The opt-in tags that are missing or have another value; the roles' policies ask for both."""
    wanted = {tags.FLEET: fleet.name, tags.ENVIRONMENT: environment}
    return ", ".join(f"{key}={value}" for key, value in wanted.items() if found.get(key) != value)


def instance_types(group: Group, *, by_template: bool | None) -> Check:
    """Whether instance types are named; ``by_template`` is None when nobody could read it.

    Where they are chosen by attributes a refresh with a desired configuration or with skip matching
    fails (user guide, "How an instance refresh works", considerations), and each of snaproll's has
    both: no other can be rolled back.
    """
    by_policy = group.mixed is not None and group.mixed.attribute_based
    if by_template is None and not by_policy:
        return not_checked(
            "instance-types-named", "the group's launch template version cannot be read"
        )
    where = "mixed instances policy" if by_policy else "launch template"
    return check(
        "instance-types-named",
        fine=not (by_policy or by_template),
        good="instance types are named",
        bad=(
            f"the {where} of group {group.name} chooses instance types by their attributes "
            f"(InstanceRequirements); Auto Scaling fails every refresh of such a group that names "
            f"its configuration, and no other can be rolled back. Name the instance types"
        ),
    )


def capacity_checks(fleet: Fleet, group: Group) -> list[Check]:
    """Whether the instances that are there can be replaced, and new ones have room."""
    return [
        _room_check(fleet, group),
        _protection_check(fleet, group),
        _standby_check(fleet, group),
    ]


def _room_check(fleet: Fleet, group: Group) -> Check:
    """The maximum size against the surge.

    A refresh that needs to go above it may stall, so it is not started; one that only would like
    to is.
    """
    policy = fleet.policy.refresh
    floor, ceiling = policy.floor(group.desired), policy.ceiling(group.desired)
    trouble = without_room(policy, group)
    if group.maximum >= ceiling:
        good = f"the maximum size of {group.maximum} has room for the {ceiling} of max_healthy"
    else:
        good = (
            f"max_healthy would take the group to {ceiling} instances and its maximum size is "
            f"{group.maximum}: it is replaced {group.maximum - floor} at a time if Auto Scaling "
            f"keeps to that size"
        )
    return failed("room-to-replace", trouble) if trouble else passed("room-to-replace", good)


def _protection_check(fleet: Fleet, group: Group) -> Check:
    name = "protected-instances"
    protected = [one.id for one in group.instances if one.protected]
    if fleet.policy.refresh.protected_instances == "refresh":
        return passed(
            name, "instances that are protected from scale-in are replaced like the others"
        )
    change = 'or set refresh.protected_instances to "refresh" to have them replaced like the others'
    if protected:
        bad = (
            f"instances are protected from scale-in, and a refresh would wait an hour for them and "
            f"fail: {listed(protected)}. Remove the protection, {change}"
        )
    else:
        bad = (
            f"the group {group.name} protects its new instances from scale-in, so that a rollback "
            f"would wait an hour for them and fail. Change that setting of the group, {change}"
        )
    return check(
        name,
        fine=not protected and not group.protects_new,
        good="no instance is protected from scale-in",
        bad=bad,
    )


def _standby_check(fleet: Fleet, group: Group) -> Check:
    choice = fleet.policy.refresh.standby_instances
    standby = listed([one.id for one in group.instances if one.standby])
    done = {"terminate": "replaced", "ignore": "left alone, with the data that they have"}
    return check(
        "standby-instances",
        fine=not standby or choice != "wait",
        good=(
            f"instances in standby are {done[choice]}: {standby}"
            if standby and choice != "wait"
            else "no instance is in standby"
        ),
        bad=(
            f"instances are in standby, and a refresh would wait an hour for them and fail: "
            f"{standby}. Return them to service or terminate them, or set "
            f'refresh.standby_instances to "terminate" or "ignore"'
        ),
    )
