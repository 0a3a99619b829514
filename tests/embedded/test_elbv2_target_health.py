"""Target health: states, reasons, thresholds and draining."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.world.ec2 import Instance
from embedded.world.elbv2 import TargetState
from embedded.world.elbv2.targets import REGISTRATION_SECONDS
from tests.embedded.replicas import Replicas

INTERVAL = 30


def health(replicas: Replicas, instance: Instance) -> dict[str, Any]:
    answer = replicas.call(
        "elbv2",
        "DescribeTargetHealth",
        TargetGroupArn=replicas.target_group_arn,
        Targets=[{"Id": instance.id}],
    )
    found: dict[str, Any] = answer["TargetHealthDescriptions"][0]["TargetHealth"]
    return found


def registered(replicas: Replicas) -> Instance:
    instance = replicas.running()
    replicas.world.elbv2.register(replicas.target_group_arn, instance.id)
    return instance


def modify(replicas: Replicas, **settings: Any) -> None:
    replicas.call(
        "elbv2", "ModifyTargetGroup", TargetGroupArn=replicas.target_group_arn, **settings
    )


def set_attribute(replicas: Replicas, key: str, value: str) -> None:
    replicas.call(
        "elbv2",
        "ModifyTargetGroupAttributes",
        TargetGroupArn=replicas.target_group_arn,
        Attributes=[{"Key": key, "Value": value}],
    )


def test_a_new_target_is_registered_then_checked_then_healthy() -> None:
    replicas = Replicas()
    instance = registered(replicas)
    assert health(replicas, instance) == {
        "State": "initial",
        "Reason": "Elb.RegistrationInProgress",
        "Description": "Target registration is in progress",
    }
    replicas.world.run_for(REGISTRATION_SECONDS)
    assert health(replicas, instance)["Reason"] == "Elb.InitialHealthChecking"
    while not instance.answers:
        replicas.world.step()
    # One passed check is enough for a new target.
    replicas.world.run_for(INTERVAL - 1)
    assert health(replicas, instance)["State"] == "initial"
    replicas.world.run_for(1)
    assert health(replicas, instance) == {"State": "healthy"}


def test_a_new_target_that_never_answers_becomes_unhealthy() -> None:
    replicas = Replicas(scenario="corrupt")
    instance = registered(replicas)
    replicas.world.run_for(REGISTRATION_SECONDS + 2 * INTERVAL - 1)
    assert replicas.state(instance).state == "initial"
    replicas.world.run_for(1)
    assert replicas.state(instance).state == "unhealthy"


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("slow", "Target.FailedHealthChecks"),
        ("corrupt", "Target.ResponseCodeMismatch"),
        ("flapping", "Target.Timeout"),
    ],
)
def test_the_reason_tells_how_a_target_fails(scenario: str, reason: str) -> None:
    replicas = Replicas(scenario=scenario)
    instance = registered(replicas)
    if scenario == "flapping":
        while replicas.state(instance).state != "healthy":
            replicas.world.step()
    while replicas.state(instance).state != "unhealthy":
        replicas.world.step()
    replicas.world.run_for(70)
    assert health(replicas, instance)["Reason"] == reason


def test_a_healthy_target_fails_after_the_unhealthy_threshold() -> None:
    replicas = Replicas(scenario="degrades")
    modify(replicas, UnhealthyThresholdCount=3)
    instance = replicas.serving()
    while instance.answers:
        replicas.world.step()
    replicas.world.run_for(3 * INTERVAL - 1)
    assert replicas.state(instance).state == "healthy"
    replicas.world.run_for(1)
    assert replicas.state(instance).state == "unhealthy"


def test_an_unhealthy_target_recovers_after_the_healthy_threshold() -> None:
    replicas = Replicas(scenario="slow")
    instance = registered(replicas)
    while not instance.answers:
        replicas.world.step()
    assert replicas.state(instance).state == "unhealthy"
    replicas.world.run_for(5 * INTERVAL - 1)
    assert replicas.state(instance).state == "unhealthy"
    replicas.world.run_for(1)
    assert replicas.state(instance).state == "healthy"


def test_a_failure_shorter_than_the_threshold_is_not_noticed() -> None:
    replicas = Replicas(scenario="flapping")
    modify(replicas, UnhealthyThresholdCount=10)
    instance = replicas.serving()
    seen: list[str] = []
    replicas.world.elbv2.watch(
        replicas.target_group_arn, lambda _id, state: seen.append(state.state)
    )
    replicas.world.run_for(3600)
    assert seen == []
    assert replicas.state(instance).state == "healthy"


def test_draining_lasts_the_whole_delay_even_when_idle() -> None:
    replicas = Replicas()
    instance = replicas.serving()
    done: list[object] = []
    replicas.world.elbv2.deregister(
        replicas.target_group_arn, instance.id, lambda: done.append(replicas.world.clock.now())
    )
    assert health(replicas, instance)["Reason"] == "Target.DeregistrationInProgress"
    replicas.world.run_for(299)
    assert (replicas.state(instance).state, done) == ("draining", [])
    replicas.world.run_for(1)
    assert replicas.state(instance).reason == "Target.NotRegistered"
    assert done == [replicas.world.clock.now()]


def test_the_delay_is_an_attribute() -> None:
    replicas = Replicas()
    set_attribute(replicas, "deregistration_delay.timeout_seconds", "20")
    instance = replicas.serving()
    arn = replicas.target_group_arn
    replicas.call("elbv2", "DeregisterTargets", TargetGroupArn=arn, Targets=[{"Id": instance.id}])
    replicas.world.run_for(20)
    assert replicas.call("elbv2", "DescribeTargetHealth", TargetGroupArn=arn) == {
        "TargetHealthDescriptions": []
    }


def test_a_draining_target_that_dies_still_shows_draining() -> None:
    replicas = Replicas()
    instance = replicas.serving()
    replicas.world.elbv2.deregister(replicas.target_group_arn, instance.id, lambda: None)
    replicas.world.ec2.terminate(instance.id)
    replicas.world.run_for(200)
    assert instance.state == "terminated"
    assert replicas.state(instance).state == "draining"


def test_a_terminated_target_that_nobody_deregistered_is_unused_and_then_gone() -> None:
    replicas = Replicas()
    instance = replicas.serving()
    replicas.world.ec2.terminate(instance.id)
    replicas.world.run_for(120)
    assert replicas.state(instance).reason == "Target.InvalidState"
    replicas.world.run_for(3600)
    assert replicas.state(instance).reason == "Target.NotRegistered"


def test_targets_of_a_group_that_no_listener_uses_are_unused() -> None:
    replicas = Replicas()
    instance = replicas.serving()
    replicas.call("elbv2", "DeleteListener", ListenerArn=replicas.listener_arn)
    assert replicas.state(instance) == TargetState(
        "unused",
        "Target.NotInUse",
        "Target group is not configured to receive traffic from the load balancer",
    )
    replicas.call(
        "elbv2",
        "CreateListener",
        LoadBalancerArn=replicas.load_balancer_arn,
        Protocol="HTTP",
        Port=81,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": replicas.target_group_arn}],
    )
    assert replicas.state(instance).reason == "Elb.InitialHealthChecking"
    replicas.world.run_for(INTERVAL)
    assert replicas.state(instance).state == "healthy"


def test_an_instance_registered_again_while_draining_begins_anew() -> None:
    replicas = Replicas()
    instance = replicas.serving()
    elbv2, arn = replicas.world.elbv2, replicas.target_group_arn
    elbv2.deregister(arn, instance.id, lambda: None)
    elbv2.register(arn, instance.id)
    assert replicas.state(instance).reason == "Elb.RegistrationInProgress"
    replicas.world.run_for(600)
    assert replicas.state(instance).state == "healthy"


def test_only_running_instances_can_be_registered() -> None:
    replicas = Replicas()
    pending = replicas.launch()
    refusal = replicas.refusal(
        "elbv2",
        "RegisterTargets",
        TargetGroupArn=replicas.target_group_arn,
        Targets=[{"Id": pending.id}],
    )
    assert refusal.code == "InvalidTarget"


def test_an_id_that_is_not_registered_is_unused_and_no_error() -> None:
    replicas = Replicas()
    answer = replicas.call(
        "elbv2",
        "DescribeTargetHealth",
        TargetGroupArn=replicas.target_group_arn,
        Targets=[{"Id": "i-0123456789abcdef0"}],
    )
    [shape] = answer["TargetHealthDescriptions"]
    assert shape["TargetHealth"]["Reason"] == "Target.NotRegistered"


def test_draining_and_new_targets_come_in_one_list() -> None:
    replicas = Replicas()
    old, new = replicas.serving(), replicas.serving()
    replicas.world.elbv2.deregister(replicas.target_group_arn, old.id, lambda: None)
    answer = replicas.call(
        "elbv2", "DescribeTargetHealth", TargetGroupArn=replicas.target_group_arn
    )
    assert {
        shape["Target"]["Id"]: shape["TargetHealth"]["State"]
        for shape in answer["TargetHealthDescriptions"]
    } == {old.id: "draining", new.id: "healthy"}


def test_watchers_hear_every_change_of_state() -> None:
    replicas = Replicas()
    heard: list[tuple[str, str]] = []
    replicas.world.elbv2.watch(
        replicas.target_group_arn,
        lambda instance_id, state: heard.append((instance_id, state.state)),
    )
    instance = replicas.serving()
    replicas.world.elbv2.deregister(replicas.target_group_arn, instance.id, lambda: None)
    replicas.world.run_for(300)
    assert list(dict.fromkeys(state for _, state in heard)) == [
        "initial",
        "healthy",
        "draining",
        "unused",
    ]
    assert {instance_id for instance_id, _ in heard} == {instance.id}


def test_a_steady_target_costs_no_events() -> None:
    replicas = Replicas()
    replicas.serving()
    replicas.world.run_for(600)
    assert replicas.world.clock.next_at() is None
