"""What a dry run says that a rollout would do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snaproll.domain.checks import Report
from snaproll.domain.fleet import RefreshPolicy
from snaproll.domain.preview import ASSUMED_START, Preview, duration_of, preview, steps_of
from snaproll.domain.release import RollbackTarget
from tests.unit.builders import OLD, OLD_SNAPSHOT, SNAPSHOT, TARGET, fleet

PASSED = Report(passed=True, message="All is well.", checks=[])


def failed(message: str) -> Report:
    return Report(passed=False, message=message, checks=[])


def shown(
    *, gate: Report = PASSED, preflight: Report = PASSED, target: RollbackTarget | None = TARGET
) -> Preview:
    return preview(
        fleet(), snapshot=SNAPSHOT, capacity=4, gate=gate, preflight=preflight, target=target
    )


def test_a_fleet_without_instances_would_have_the_release_staged() -> None:
    told = preview(
        fleet(), snapshot=SNAPSHOT, capacity=0, gate=PASSED, preflight=PASSED, target=TARGET
    )

    assert "would be staged on fleet sec-prod, which has no instances" in told.message
    assert "its first ones are watched" in told.changes[1]
    assert told.steps == []


@pytest.mark.parametrize(
    ("checkpoints", "capacity", "instances"),
    [
        ([10, 50, 100], 10, [1, 5, 10]),
        ([10, 50, 100], 4, [1, 2, 4]),
        ([10, 50, 100], 1, [1]),
        ([10, 20, 100], 3, [1, 3]),
        ([], 4, [4]),
        ([10, 50, 100], 0, []),
    ],
)
def test_a_rollout_pauses_where_a_checkpoint_is_reached(
    checkpoints: list[int], capacity: int, instances: list[int]
) -> None:
    steps = steps_of(RefreshPolicy(checkpoints=checkpoints), capacity)

    assert [step.instances for step in steps] == instances


@pytest.mark.parametrize(
    ("low", "high", "batches"),
    [
        # Five at once, as many as there are beyond the floor
        (100, 150, [1, 1, 1]),
        # Two at once: the eighth to the tenth instance take two batches
        (80, 100, [1, 2, 3]),
        # Auto Scaling always moves one
        (100, 100, [1, 4, 5]),
    ],
)
def test_instances_are_replaced_in_as_many_batches_as_the_percentages_leave_room_for(
    low: int, high: int, batches: list[int]
) -> None:
    steps = steps_of(RefreshPolicy(min_healthy=low, max_healthy=high), 10)

    assert [step.batches for step in steps] == batches


def test_the_estimate_is_made_of_batches_pauses_and_the_bake() -> None:
    policy = fleet(
        refresh={"warmup": "5m", "checkpoint_wait": "10m", "min_healthy": 80, "max_healthy": 100}
    ).policy
    steps = steps_of(policy.refresh, 10)

    batches, pauses = 6, 2
    assert duration_of(policy, steps) == (
        batches * (timedelta(minutes=5) + ASSUMED_START)
        + pauses * timedelta(minutes=10)
        + policy.bake_given_to_aws
    )


def test_it_does_not_pause_after_the_last() -> None:
    steps = steps_of(RefreshPolicy(), 10)

    assert [step.pause for step in steps] == [
        timedelta(minutes=10),
        timedelta(minutes=10),
        timedelta(0),
    ]


@given(
    st.integers(0, 100),
    st.integers(100, 200),
    st.lists(st.integers(1, 99), unique=True, max_size=5),
    st.integers(0, 1000),
)
def test_every_instance_is_replaced_in_some_step_and_the_estimate_is_finite(
    low: int, high: int, checkpoints: list[int], capacity: int
) -> None:
    refresh = RefreshPolicy(
        min_healthy=max(low, high - 100), max_healthy=high, checkpoints=[*sorted(checkpoints), 100]
    )
    policy = fleet().policy.model_copy(update={"refresh": refresh})

    steps = steps_of(refresh, capacity)

    reached = [step.instances for step in steps]
    assert reached == sorted(set(reached))
    assert (reached[-1] if reached else 0) == capacity
    assert all(step.batches >= 1 for step in steps)
    assert duration_of(policy, steps) >= policy.bake_given_to_aws


def test_a_rollout_that_would_start_is_told_with_its_estimate() -> None:
    found = shown()

    assert found.would_start
    assert found.message.startswith(
        f"{SNAPSHOT} would be rolled out to 4 instances of fleet sec-prod in about "
    )
    assert found.message.endswith("This was a dry run: nothing was changed.")


@pytest.mark.parametrize(
    ("gate", "preflight", "said"),
    [
        (failed("It is bad."), PASSED, ["It is bad"]),
        (PASSED, failed("The fleet is bad."), ["The fleet is bad"]),
        (PASSED, failed("There is no group XX."), ["There is no group XX"]),
        (failed("It is bad."), failed("The fleet is bad."), ["It is bad.", "The fleet is bad"]),
    ],
)
def test_a_rollout_that_would_not_start_is_told_with_every_reason(
    gate: Report, preflight: Report, said: list[str]
) -> None:
    found = shown(gate=gate, preflight=preflight)

    assert not found.would_start
    assert ".." not in found.message
    assert f"{' '.join(said)}. This was a dry run: nothing was changed." in found.message
    assert f"{SNAPSHOT} would not be rolled out to fleet sec-prod: " in found.message
    assert all(part in found.message for part in said)


def test_what_would_be_changed_and_what_if_it_went_wrong_is_told() -> None:
    found = shown()

    version, instances, proven = found.changes
    assert f"{OLD} with {SNAPSHOT} instead of {OLD_SNAPSHOT} at /dev/xvdf" in version
    assert instances == (
        "4 instances of replicas-prod-asg are replaced, with never fewer than 4 healthy."
    )
    assert f"{SNAPSHOT} is tagged live and {OLD_SNAPSHOT} previous" in proven
    assert f"Every instance returns to {OLD_SNAPSHOT} ({OLD}), " in found.on_failure


def test_that_nothing_could_be_rolled_back_is_told() -> None:
    lost = TARGET.model_copy(update={"lost": "its snapshot is gone"})

    told = shown(target=lost).on_failure

    assert told.startswith("Nothing can be rolled back: its snapshot is gone.")


def test_when_a_probe_would_be_asked_is_told() -> None:
    def asked(checkpoints: list[int], tries: int) -> str:
        sec = fleet(
            health={"probe": {"function": "snaproll-probe-prod-sec", "tries": tries}},
            refresh={"checkpoints": checkpoints},
        )
        found = preview(
            sec, snapshot=SNAPSHOT, capacity=4, gate=PASSED, preflight=PASSED, target=TARGET
        )
        return found.changes[2]

    assert asked([25, 100], 3) == (
        "The probe snaproll-probe-prod-sec is asked at 25 %, at 100 % and at the end of the "
        "bake, up to 3 times each; nothing is promoted that it does not pass."
    )
    assert "is asked at the end of the bake, up to 1 time each" in asked([], 1)


def test_a_fleet_that_cannot_be_read_is_previewed_without_a_target() -> None:
    found = shown(target=None, preflight=failed("There is no group."))

    assert "the group's launch template version" in found.changes[0]
