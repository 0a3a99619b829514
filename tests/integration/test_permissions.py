"""Every call that a function makes is granted by its own role in the template."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from embedded.scenarios.stage import Stage
from embedded.world.faults import Call
from tests.integration.probes import PASS, Probe, is_probed

IAM_PREFIX = {"elbv2": "elasticloadbalancing", "stepfunctions": "states"}
"""Where IAM calls a service by another name than boto3."""
TRANSACTED = {"Put": "PutItem", "Delete": "DeleteItem", "Update": "UpdateItem"}
"""A transaction takes the rights of the writes in it; there is no action of its own."""


def actions_of(call: Call) -> set[str]:
    """The IAM actions that a call takes."""
    operations = [call.operation]
    if call.operation == "TransactWriteItems":
        operations = [TRANSACTED[kind] for item in call.params["TransactItems"] for kind in item]
    prefix = IAM_PREFIX.get(call.service, call.service)
    return {f"{prefix}:{operation}" for operation in operations}


def granted_by(policies: list[Mapping[str, Any]]) -> set[str]:
    """The actions that policy documents allow, whatever the resource."""
    granted: set[str] = set()
    for policy in policies:
        for statement in policy["Statement"]:
            actions = statement["Action"]
            granted |= {actions} if isinstance(actions, str) else set(actions)
    return granted


def play_everything(stage: Stage) -> None:
    """Let a fleet meet every outcome, every way back and every operation."""
    fleet = stage.add_fleet("sec")
    stage.roll(fleet)
    stage.roll(fleet, "corrupt")
    stage.roll(fleet, encrypted=False, kms_key_id=None)
    # One waits behind another
    stage.complete_snapshot(fleet)
    stage.world.run_for(600)
    stage.complete_snapshot(fleet)
    stage.world.run_for(60)
    stage.finish()
    stage.world.run_for(60)
    stage.finish()
    # One is probed
    Probe(stage, lambda _: PASS)
    is_probed(stage, fleet)
    stage.roll(fleet)
    # One is aborted, and taken over
    stage.complete_snapshot(fleet)
    stage.world.run_for(900)
    stage.session.client("stepfunctions").stop_execution(executionArn=stage.rollouts()[-1].arn)
    stage.world.run_for(3600)
    stage.finish()
    # The fleet is scaled in to zero, gets a release meanwhile, and is scaled out again
    for desired, length in ((0, 3600), (4, 3600)):
        stage.session.client("autoscaling").set_desired_capacity(
            AutoScalingGroupName=fleet.group, DesiredCapacity=desired
        )
        stage.world.run_for(length)
        if desired == 0:
            # A person asks for it, because the fleet is held since the abort
            stage.complete_snapshot(fleet, event=False)
            stage.start({"fleet": fleet.name})
            stage.finish()
    stage.finish()
    # People hold, resume, go back, look ahead and lift a quarantine; the comparison does its part
    operations: list[dict[str, object]] = [
        {"resume": "again", "by": "ann"},
        {"snapshot": "previous", "reason": "wrong numbers"},
        {"dry_run": True},
        {"lift_quarantine": fleet.first_snapshot, "reason": "none", "by": "ann"},
        {"hold": "stop", "by": "ann", "running": "roll_back"},
    ]
    for operation in operations:
        stage.start({"fleet": fleet.name, **operation})
        stage.finish()
        stage.world.run_for(3600)
        stage.finish()


def test_the_machine_invokes_nothing_that_its_role_does_not_grant() -> None:
    stage = Stage(check_replies=False)
    fleet = stage.add_fleet("sec")
    probe = Probe(stage, lambda _: PASS)
    is_probed(stage, fleet)
    stage.roll(fleet)
    roles = stage.stack.roles["RolloutStateMachineRole"].policies
    granted = [
        pattern
        for policy in roles
        for statement in policy["Statement"]
        if statement["Action"] == "lambda:InvokeFunction"
        for pattern in statement["Resource"]
    ]

    invoked = {
        stage.world.awslambda.arn_of(call.params["FunctionName"].rsplit(":", 1)[-1])
        for call in stage.world.calls
        if call.operation == "Invoke" and call.caller.startswith("states:")
    }

    assert probe.questions
    assert [arn for arn in invoked if not any(fnmatchcase(arn, one) for one in granted)] == []


def test_no_function_calls_what_its_role_does_not_grant() -> None:
    stage = Stage(check_replies=False)
    play_everything(stage)
    used: dict[str, set[str]] = {}
    for call in stage.world.calls:
        if call.caller.endswith("Function"):
            used.setdefault(call.caller, set()).update(actions_of(call))

    missing = {
        function: actions - granted_by(stage.stack.roles[f"{function}Role"].policies)
        for function, actions in used.items()
    }

    assert {function: actions for function, actions in missing.items() if actions} == {}
    assert used.keys() == stage.stack.functions.keys(), "every function has been called"
