"""An infrastructure failure ends an execution where it happened; a redrive goes on from there."""

from __future__ import annotations

import pytest

from embedded.scenarios.stage import Stage, StagedFleet
from embedded.states.execution import Execution
from embedded.world.errors import AwsError
from embedded.world.faults import Call
from tests.integration.seen import Seen, fault_of, outcome, states_of


@pytest.fixture(autouse=True)
def nobody_was_told(stage: Stage) -> None:
    """Events of executions are lost, as they may be: a person is faster than recovery."""
    stage.world.events.delivery = lambda event: () if event.source == "aws.states" else (1.0,)


def deny(stage: Stage, function: str, operation: str) -> None:
    """Take one permission away from one function."""

    def refuse(call: Call) -> None:
        if (call.caller, call.operation) == (f"{function}Function", operation):
            raise AwsError("AccessDenied", f"not authorized to perform {call.service}:{operation}")

    stage.world.faults.before_effect(refuse)


def redrive(stage: Stage, execution: Execution) -> None:
    """Redrive an execution from the console, and play it to its end."""
    stage.session.client("stepfunctions").redrive_execution(executionArn=execution.arn)
    stage.finish()


GOOD = [
    ("PlanRollout", "GetParameter"),
    ("PlanRollout", "DescribeSnapshots"),
    ("ClaimFleet", "TransactWriteItems"),
    ("ClaimFleet", "PutEvents"),
    ("ValidateSnapshot", "DescribeSnapshots"),
    ("InspectFleet", "DescribeTargetHealth"),
    ("InspectFleet", "DescribeAlarms"),
    ("UpdateLaunchTemplate", "CreateLaunchTemplateVersion"),
    ("StartRefresh", "StartInstanceRefresh"),
    ("AwaitSignal", "PutItem"),
    ("WatchHealth", "DescribeTargetHealth"),
    ("PromoteRelease", "ModifyLaunchTemplate"),
    ("PromoteRelease", "CreateTags"),
    ("PromoteRelease", "PutParameter"),
    ("ReleaseFleet", "TransactWriteItems"),
    ("ReleaseFleet", "PutEvents"),
]
BAD = [
    ("RollBack", "RollbackInstanceRefresh"),
    ("RollBack", "PutEvents"),
    ("QuarantineSnapshot", "PutItem"),
    ("QuarantineSnapshot", "CreateTags"),
    ("DeleteTemplateVersion", "DeleteLaunchTemplateVersions"),
]


@pytest.mark.parametrize(
    ("scenario", "function", "operation"),
    [("healthy", *case) for case in GOOD] + [("corrupt", *case) for case in BAD],
    ids=str,
)
def test_a_rollout_that_was_denied_a_call_goes_on_from_there_when_it_is_redriven(
    stage: Stage, fleet: StagedFleet, seen: Seen, scenario: str, function: str, operation: str
) -> None:
    # Given a function that lacks a permission
    deny(stage, function, operation)
    rollout = stage.roll(fleet, scenario)

    # Then the execution failed in that very state, and says what to look at
    assert rollout.status == "FAILED"
    assert rollout.error == "AccessDeniedError"
    assert states_of(rollout)[-1] == function
    assert operation in fault_of(rollout)
    assert "Check the policy of the function's role" in fault_of(rollout)

    # When the permission is given back and the execution redriven
    stage.world.faults.clear()
    redrive(stage, rollout)

    # Then it ends as if nothing had been, with one version and one refresh
    assert outcome(rollout) == ("Live" if scenario == "healthy" else "RolledBack")
    assert len(seen.calls("CreateLaunchTemplateVersion")) == 1 + (
        operation == "CreateLaunchTemplateVersion"
    )
    assert len(seen.refreshes) == 1
    assert [record.execution for record in seen.records] == [rollout.arn]
    assert seen.state.claim is None
    served = rollout.input.value["snapshot"] if scenario == "healthy" else fleet.first_snapshot
    assert seen.serves(served)
    assert (seen.saved, seen.default) == ((2, 2) if scenario == "healthy" else (1, 1))


def test_while_a_dead_rollout_holds_its_fleet_the_next_snapshot_waits(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that died in the middle of its refresh
    deny(stage, "WatchHealth", "DescribeAutoScalingGroups")
    dead = stage.roll(fleet)
    assert dead.status == "FAILED"
    stage.world.faults.clear()

    # When the next snapshot completes, and then the dead one is redriven
    stage.world.run_for(30)
    waiting = stage.roll(fleet)
    redrive(stage, dead)

    # Then the next one waited until the dead one had become live by its own refresh
    assert outcome(waiting) == "Queued"
    assert outcome(dead) == "Live"
    assert [one["DesiredConfiguration"]["LaunchTemplate"]["Version"] for one in seen.refreshes] == [
        "2",
        "3",
    ]


def test_the_late_event_of_a_death_does_not_disturb_an_execution_that_was_redriven(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given a rollout that died, and the event of which takes five minutes
    stage.world.events.delivery = lambda event: (300.0,) if event.source == "aws.states" else (1.0,)
    deny(stage, "StartRefresh", "StartInstanceRefresh")
    rollout = stage.roll(fleet)
    assert rollout.status == "FAILED"

    # When it was redriven before the event arrives
    stage.world.faults.clear()
    redrive(stage, rollout)

    # Then it kept its fleet
    assert outcome(rollout) == "Live"
    assert stage.rollouts() == [rollout]
    assert len(seen.refreshes) == 1


def test_a_domain_outcome_cannot_be_redriven_into_another(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    rollout = stage.roll(fleet, "corrupt")
    changes = seen.changes()

    redrive(stage, rollout)

    assert outcome(rollout) == "RolledBack"
    assert seen.changes() == changes


def test_throttling_is_waited_out_and_never_seen(
    stage: Stage, fleet: StagedFleet, seen: Seen
) -> None:
    # Given an AWS that takes only every third call of a function
    calls = [0]

    def throttle(call: Call) -> None:
        if call.caller.endswith("Function") and call.service in ("ec2", "autoscaling", "elbv2"):
            calls[0] += 1
            if calls[0] % 3:
                raise AwsError("Throttling", "Rate exceeded")

    stage.world.faults.before_effect(throttle)

    # When a good snapshot is rolled
    rollout = stage.roll(fleet)

    # Then it becomes live
    assert outcome(rollout) == "Live"
    assert len(seen.refreshes) == 1
