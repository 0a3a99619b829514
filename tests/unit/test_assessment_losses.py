"""Losses of new instances, and what a look at a rollout leaves for the next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from snaproll.domain.assessment import Assessment, Memory, Verdict
from snaproll.domain.forward import assess_forward
from snaproll.domain.group import Instance, RefreshStatus, TargetHealth
from snaproll.domain.look import Look
from snaproll.domain.remembering import missing, vanished
from tests.unit.builders import FAILING, HEALTHY, NEW, NOW, OLD, STARTING, look, members

GRACE = timedelta(minutes=10)
ELB_FAILURE = (
    "At 2026-01-05T11:59:00Z an instance was taken out of service in response to an ELB system "
    "health check failure."
)
old = members(4, OLD)
new = members(4, NEW, "i-new")


def after(*looks: Look) -> Assessment:
    """The last of several looks, each knowing what the ones before it left."""
    found = None
    for one in looks:
        found = assess_forward(one, found.memory if found else Memory())
    assert found is not None
    return found


# -- losses ---------------------------------------------------------------------------------------


def lost(count: int, of: int, cause: str = ELB_FAILURE) -> Assessment:
    """A fleet that lost some of the new instances which were healthy at the look before."""
    fleet = members(of, NEW, "i-new")
    before = look(new=fleet, desired=of, capacity_at_start=of)
    left = fleet[count:] + members(count, NEW, "i-newer")
    gone = {one.id: cause for one in fleet[:count]}
    return after(
        before,
        look(
            new=left,
            desired=of,
            capacity_at_start=of,
            taken_out=gone,
            at=NOW + timedelta(minutes=5),
        ),
    )


@pytest.mark.parametrize(("count", "of"), [(1, 4), (1, 19), (2, 20), (6, 100)])
def test_a_release_whose_healthy_instances_are_lost_again_is_condemned(count: int, of: int) -> None:
    found = lost(count, of)

    assert found.verdict is Verdict.ROLL_BACK
    assert "after failed health checks" in found.reason
    assert found.against_data


def test_losses_are_counted_in_the_reason() -> None:
    assert "replaced 1 new instance after failed" in lost(1, 4).reason
    assert "replaced 2 new instances after failed" in lost(2, 4).reason


@pytest.mark.parametrize(("count", "of"), [(1, 20), (5, 100), (0, 4)])
def test_in_a_large_fleet_a_few_losses_are_chance(count: int, of: int) -> None:
    assert lost(count, of).verdict is Verdict.WAIT


def test_a_scale_out_does_not_make_more_losses_chance() -> None:
    # Given a fleet of twenty that wants forty by now, and that lost two
    fleet = members(20, NEW, "i-many")
    gone = {one.id: ELB_FAILURE for one in fleet[:2]}
    looks = [
        look(new=fleet, desired=40, capacity_at_start=20),
        look(new=fleet, desired=40, capacity_at_start=20, taken_out=gone, at=NOW + GRACE / 2),
    ]

    assert after(*looks).verdict is Verdict.ROLL_BACK


@pytest.mark.parametrize(
    "cause",
    [
        "a user request update of AutoScalingGroup constraints to desired: 3.",
        "instances were launched to balance instances in zones us-east-1a with other zones.",
        "an EC2 health check indicating it has been terminated or stopped.",
    ],
    ids=["scale-in", "rebalancing", "broken hardware"],
)
def test_an_instance_that_goes_for_another_reason_is_no_loss(cause: str) -> None:
    assert lost(1, 4, cause).verdict is Verdict.WAIT


def test_losses_add_up_over_the_rollout() -> None:
    # Given a fleet of forty, which tolerates two, that loses one instance at each of three looks
    fleet = list(members(40, NEW, "i-new"))
    looks = [look(new=fleet, desired=40, capacity_at_start=40)]
    for number in range(3):
        gone = fleet.pop(0)
        fleet.append(Instance(f"i-newer{number}", "InService", NEW))
        looks.append(
            look(
                new=fleet,
                desired=40,
                capacity_at_start=40,
                taken_out={gone.id: ELB_FAILURE},
                at=NOW + (number + 1) * timedelta(minutes=5),
            )
        )

    assert after(*looks[:3]).verdict is Verdict.WAIT
    assert after(*looks).verdict is Verdict.ROLL_BACK


@pytest.mark.parametrize("last_seen", [HEALTHY, FAILING], ids=["healthy", "already unhealthy"])
def test_an_instance_that_was_healthy_once_is_missed_when_it_is_gone(
    last_seen: TargetHealth,
) -> None:
    # Given a new instance that was healthy, however it looked the last time it was seen
    found = after(
        look(new=new), look(new=new, health={new[0].id: last_seen}, at=NOW + timedelta(minutes=1))
    )

    # When Auto Scaling is taking it out of service
    leaving = [Instance(new[0].id, "Terminating", NEW), *new[1:]]

    assert missing(look(new=leaving).view, found.memory) == [new[0].id]


def test_an_instance_that_was_never_healthy_is_not_missed() -> None:
    found = after(look(new=new, health={new[0].id: STARTING}))

    assert missing(look(new=new[1:]).view, found.memory) == []


def test_new_instances_that_no_look_found_healthy_are_known_when_they_are_gone() -> None:
    found = after(look(new=new[:3], health={one.id: STARTING for one in new[:2]}))

    assert vanished(look(new=new[1:]).view, found.memory) == [new[0].id]


# -- what is remembered ---------------------------------------------------------------------------


def test_a_loss_is_something_wrong_even_when_enough_are_left() -> None:
    assert lost(0, 20).memory.quiet_looks == 2
    assert lost(1, 20).memory.quiet_looks == 0


def test_of_those_that_never_served_the_ones_that_are_gone_are_remembered_as_well() -> None:
    starting = {one.id: STARTING for one in new}

    found = after(
        look(old, new[:2], health=starting),
        # The first became healthy, the second is gone, and a third came
        look(old, (new[0], new[2]), health={new[2].id: STARTING}, at=NOW + GRACE / 2),
    )

    assert found.memory.tried == [new[1].id, new[2].id]
    assert found.memory.serving == [new[0].id]


def test_one_that_is_pending_starts_no_clock() -> None:
    pending = Instance("i-new0", "Pending", NEW)

    assert after(look(old, [pending])).memory.progress_at is None


def test_those_that_come_after_a_scale_in_to_zero_have_their_own_grace() -> None:
    starting = {one.id: STARTING for one in new}

    found = after(
        look(old, new[:2], health={new[0].id: STARTING}),
        look(desired=0, status=RefreshStatus.BAKING, at=NOW + GRACE / 2),
        look(new=new[2:], status=RefreshStatus.BAKING, health=starting, at=NOW + 2 * GRACE),
    )

    assert found.verdict is Verdict.WAIT
    assert found.memory.progress_at == NOW + 2 * GRACE


@pytest.mark.parametrize(
    ("left", "desired"), [(new[:0], 4), (new[:1], 0)], ids=["none is there", "it is on its way out"]
)
def test_the_grace_goes_on_for_a_fleet_that_is_not_yet_scaled_in_to_zero(
    left: tuple[Instance, ...], desired: int
) -> None:
    starting = {new[0].id: STARTING}

    found = after(
        look(old, new[:1], health=starting),
        look(old, left, health=starting, desired=desired, at=NOW + GRACE / 2),
    )

    assert found.memory.progress_at == NOW
